#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/base/mem.h"
#include "config_rig.h"

enum { FILES_MAX = 16, WORDS_MAX = 24 };

static char directory[64];
static char *files[FILES_MAX];
static unsigned file_count;
static const char *const NO_FILE[] = {"PENATES_CONFIG=/dev/null", NULL};
static char *no_file[2];

int rig_setup(void **state)
{
    (void)state;
    (void)snprintf(directory, sizeof(directory), "/tmp/penates-test-XXXXXX");
    if (no_file[0] == NULL) {
        no_file[0] = xstrdup(NO_FILE[0]);
    }
    environ = no_file;
    return mkdtemp(directory) == NULL ? -1 : 0;
}

int rig_teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < file_count; i++) {
        (void)unlink(files[i]);
        free(files[i]);
    }
    file_count = 0;
    return rmdir(directory);
}

static int load(const char *const *words, struct config **ret, struct err *e)
{
    char *argv[WORDS_MAX + 1] = {NULL};
    int argc = 0;
    for (; words[argc] != NULL; argc++) {
        assert_true(argc < WORDS_MAX);
        argv[argc] = xstrdup(words[argc]);
    }
    const int result = config_load(argc, argv, ret, e);
    for (int i = 0; i < argc; i++) {
        free(argv[i]); /* nothing of argv is kept */
    }
    return result;
}

int rig_load(const char *const *words, struct config **ret, struct err *e)
{
    const int result = load(words, ret, e);
    if (result != 0) {
        config_free(*ret);
        *ret = NULL;
    }
    return result;
}

struct config *rig_load_refused(const char *const *words)
{
    struct config *config = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(load(words, &config, &e), -1);
    assert_int_equal(e.kind, ERR_CONFIG);
    assert_non_null(config);
    return config;
}

void rig_expect_refused(const char *const *words, const char *text, const char *hint)
{
    struct config *config = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(rig_load(words, &config, &e), -1);
    assert_null(config);
    assert_int_equal(e.kind, ERR_CONFIG);
    if (strstr(e.text, text) == NULL) {
        fail_msg("'%s' does not hold '%s'", e.text, text);
    }
    if (strstr(err_next_step(&e), hint) == NULL) {
        fail_msg("'%s' does not hold '%s'", err_next_step(&e), hint);
    }
}

struct config *rig_load_good(const char *const *words)
{
    struct config *config = NULL;
    struct err e = ERR_INIT;
    if (rig_load(words, &config, &e) != 0) {
        fail_msg("%s", e.text);
    }
    assert_non_null(config);
    return config;
}

static char *variables[8];

void rig_environment(const char *const *entries)
{
    unsigned count = 0;
    for (; entries[count] != NULL; count++) {
        assert_true(count + 1 < ARRAY_SIZE(variables));
        free(variables[count]);
        variables[count] = xstrdup(entries[count]);
    }
    free(variables[count]);
    variables[count] = NULL;
    environ = variables;
}

const char *rig_file(const char *name, const char *text)
{
    assert_true(file_count < FILES_MAX);
    char *path = xasprintf("%s/%s", directory, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    files[file_count] = path;
    file_count++;
    return path;
}
