/* creds_world: an environment, a clock and sleep that the tests of the credentials make up. */
#ifndef PENATES_TESTS_CREDS_WORLD_H
#define PENATES_TESTS_CREDS_WORLD_H

#include <string.h>

#include "agent/base/cleanup.h"
#include "s3/creds_provider.h"

struct world_variable {
    const char *name, *value;
};

enum {
    WORLD_ANSWER_MS = 20 * 1000, /* a machine that is busy answers late, and has answered */
    WORLD_SILENCE_MS = 300,      /* where nothing else is to come in this time */
    WORLD_STALL_MS = 1500,       /* where good answers come, too */
};

struct world {
    const struct world_variable *variables; /* ends with a NULL name; NULL: none */
    int64_t now_ms;
    uint64_t slept_ms;
    long answer_ms; /* for one answer of a metadata service; 0: WORLD_ANSWER_MS */
};

static inline const char *world_get_env(void *ctx, const char *name)
{
    const struct world *world = ctx;
    for (const struct world_variable *v = world->variables; v != NULL && v->name != NULL; v++) {
        if (strcmp(v->name, name) == 0) {
            return v->value;
        }
    }
    return NULL;
}

static inline int64_t world_now_ms(void *ctx)
{
    return ((const struct world *)ctx)->now_ms;
}

static inline void world_sleep_ms(void *ctx, uint64_t ms)
{
    ((struct world *)ctx)->slept_ms += ms;
}

static inline struct creds_system world_system(struct world *world)
{
    return (struct creds_system){
        .get_env = world_get_env,
        .now_ms = world_now_ms,
        .sleep_ms = world_sleep_ms,
        .ctx = world,
        .imds_ms = world->answer_ms > 0 ? world->answer_ms : WORLD_ANSWER_MS,
    };
}

#endif
