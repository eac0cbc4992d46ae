/*
 * cassandra_yaml: changes single values in the text of a cassandra.yaml. All else, comments, order,
 * line ends, stays as it is, byte for byte. Each step is parsed again, and counts only when it says
 * the same as before but for its key; so a trick of YAML that is not thought of here ends in an
 * error, never in another configuration. Pure; any thread.
 */
#ifndef PENATES_CASSANDRA_YAML_H
#define PENATES_CASSANDRA_YAML_H

#include "agent/yaml_entries.h"

struct yaml_setting {
    const char *key;   /* an outermost one */
    const char *value; /* the scalar's text; quoted where YAML asks for it */
};

/*
 * An existing value is replaced; an absent key goes below the first line that has it commented out
 * ("# initial_token:"), else to the end. `ret` is the new text, the same one when all is as wanted
 * already (*ret_changed). ERR_CONFIG: not a mapping in YAML, the key is there twice, or its value
 * is not a plain scalar.
 */
int cassandra_yaml_edit(struct slice text, const struct yaml_setting *settings, size_t count,
                        struct buf *ret, bool *ret_changed, struct err *e) MUST_CHECK;

/* The scalar that an outermost key has; NULL: no such key, or an empty value. Freed by the caller.
 * ERR_CONFIG as above. */
int cassandra_yaml_value(struct slice text, const char *key, char **ret, struct err *e) MUST_CHECK;

#endif
