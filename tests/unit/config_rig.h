/* config_rig: loads a configuration from words, with an environment and files of the test's own. */
#ifndef PENATES_TESTS_CONFIG_RIG_H
#define PENATES_TESTS_CONFIG_RIG_H

#include "agent/config.h"

/* "penates" and up to 23 words, NULL-ended. The configuration file of the machine is not read. */
int rig_load(const char *const *words, struct config **ret, struct err *e) MUST_CHECK;

/* Loads, and fails the test when that fails. */
struct config *rig_load_good(const char *const *words);

/* Fails the test when it does not fail; what is left for a stack. */
struct config *rig_load_refused(const char *const *words);

/* Fails the test when it does not fail with ERR_CONFIG, `text` in the words and `hint` in the
 * advice.
 */
void rig_expect_refused(const char *const *words, const char *text, const char *hint);

/* Sets the whole environment; NULL-ended entries "NAME=value". */
void rig_environment(const char *const *entries);

/* Writes a file below the test's directory; the path is the rig's. */
const char *rig_file(const char *name, const char *text);
int rig_setup(void **state);
int rig_teardown(void **state);

#define WORDS(...) ((const char *const[]){"penates", __VA_ARGS__, NULL})

#endif
