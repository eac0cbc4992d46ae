/*
 * stack_text: what a stack is told, in its own forms, and which failures it is told of. Pure.
 */
#ifndef PENATES_STACK_STACK_TEXT_H
#define PENATES_STACK_STACK_TEXT_H

#include "agent/base/err.h"

enum {
    STACK_DATA_MAX = 4096,     /* of a wait condition's signal, in bytes (user guide) */
    STACK_NODE_DATA_MAX = 200, /* what a node tells: those of all become one output of the stack */
    STACK_REASON_MAX = 500,    /* a line of the stack's events */
    STACK_UNIQUE_ID_MAX = 64,  /* API reference, SignalResource */
    STACK_RESOURCE_MAX = 255,  /* the same */
    STACK_NAME_MAX = 128,      /* of a stack that is not named by its ARN */
};

/* "prod-ring", or "arn:aws:cloudformation:eu-west-1:111122223333:stack/prod-ring/ID". */
bool stack_text_is_stack(const char *text);
/* A logical id: letters and digits. */
bool stack_text_is_resource(const char *text);

/* What a wait condition is told. Borrowed. */
struct stack_word {
    bool success;
    const char *unique_id;
    const char *data;   /* "" for none */
    const char *reason; /* cut to STACK_REASON_MAX bytes, no character in the middle */
};

/* The JSON of the signal; caller frees. */
char *stack_text_body(const struct stack_word *word);

/* What a node has restored. */
struct stack_facts {
    bool has_slot;
    size_t slot;
    const char *token;         /* NULL: several nodes' data, or not known */
    int64_t snapshot_ms;       /* of the manifest; the oldest one's; 0: not known */
    uint64_t files, bytes, ms; /* bytes as stored in the source */
};

/* At most STACK_NODE_DATA_MAX bytes of JSON; caller frees. */
char *stack_text_data(const struct stack_facts *facts);

/*
 * Whether a restore that ended so has failed for good, as deploy/systemd/penates-restore.service
 * sees it: exit codes 64, 65, 66, 73, 77 and 78. After another it runs again by itself, and a stack
 * that was told would be gone by then. Not for good either: another restore is at work there, which
 * has its own word to say (ERR_REFUSED with EBUSY).
 */
bool stack_text_is_final(const struct err *e);

#endif
