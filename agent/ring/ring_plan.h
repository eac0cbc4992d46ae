/*
 * ring_plan: what each node of a new ring restores, frozen before the first of them starts: one
 * slot a node, with its rack, token and restore point. There is no coordinator, so all nodes go by
 * this one object, and none goes by one that has changed: its id is the SHA-256 of its own text
 * with the id's digits as zeros. (deploy/schema/ring-plan.schema.json)
 *
 * Built by one thread, constant afterwards.
 */
#ifndef PENATES_RING_RING_PLAN_H
#define PENATES_RING_RING_PLAN_H

#include <stdio.h>

#include "agent/base/buf.h"
#include "agent/base/err.h"
#include "agent/base/mem.h"
#include "agent/config.h"

enum {
    RING_ID_SIZE = 65,             /* hex of SHA-256, and its NUL */
    RING_PLAN_SIZE_MAX = 16 << 20, /* ten thousand nodes, each with a page of keys */
    RING_SLOTS_MAX = 10000,
};

struct ring_rack {
    const char *rack;
    const char *zone; /* the availability zone of its new nodes */
};

/* Slot N is slots[N]. */
struct ring_slot {
    const char *rack;
    const char *ip; /* NULL: not fixed */
    const char *token;
    const char *region; /* of v1 keys; NULL in v2 */
    const char *manifest_key, *manifest_etag;
    int64_t time_ms;   /* of the manifest */
    int64_t newest_ms; /* of the newest file that is taken */
    int64_t until_ms;  /* what was asked for, resolved */
    uint64_t files, stored_bytes, plain_bytes;
};

/* A token of the backup that no node restores; or a remark on a rack or token. */
struct ring_note {
    const char *token;
    const char *why;
};

/* One option of the selection; of a list one a value. */
struct ring_setting {
    const char *name, *value;
};

struct ring_plan {
    char id[RING_ID_SIZE];
    const char *source, *cluster;
    int64_t created_ms;
    struct ring_rack *racks; /* by name */
    struct ring_slot *slots; /* by token, numeric */
    struct ring_note *left_out;
    struct ring_note *warnings;
    struct ring_setting *settings; /* of a plan that was read; one that is written has a config */
    size_t rack_count, slot_count, left_out_count, warning_count, setting_count;
    char *text; /* of one that was read from S3; NULL else */
    struct arena *strings;
};

struct ring_plan *ring_plan_new(void);
void ring_plan_free(struct ring_plan *ring); /* NULL is fine */

/* Appends; the strings are copied. */
void ring_plan_leave_out(struct ring_plan *ring, const char *token, const char *why);
void ring_plan_warn(struct ring_plan *ring, const char *token, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* False: no slot has this token. */
bool ring_plan_find_token(const struct ring_plan *ring, const char *token, size_t *ret);

bool ring_plan_has_rack(const struct ring_plan *ring, const char *rack);

/* The zone of a rack of the plan. */
const char *ring_plan_zone(const struct ring_plan *ring, const char *rack);

/* The states that the nodes will have. */
struct ring_states {
    int64_t oldest_ms, newest_ms;
};
struct ring_states ring_plan_states(const struct ring_plan *ring);

/* The id of a whole text, into `ret`. False: it has no place for one. */
bool ring_plan_digest(struct slice text, char ret[RING_ID_SIZE]);

/* ring_read.c: `name` is for messages. ERR_CONFIG: no ring plan; ERR_REFUSED: one that has changed
 * since it was made. The caller frees. */
int ring_plan_read(const char *name, struct slice text, struct ring_plan **ret,
                   struct err *e) MUST_CHECK;

/* ring_write.c: sets the id and returns the text, which the caller frees. The selection is that of
 * `config`, without its tokens. */
char *ring_plan_write(struct ring_plan *ring, const struct config *config);

#endif
