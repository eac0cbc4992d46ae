/*
 * restore_point: every snapshot that a backup holds, judged against what is really there: a
 * manifest is a statement of intent (priam spec 2.2, 11.1.7). One listing of a v2 node serves all
 * its manifests; of v1, one of each snapshot's minute; four snapshots are judged at a time. Calls
 * back from the calling thread.
 */
#ifndef PENATES_RESTORE_POINT_H
#define PENATES_RESTORE_POINT_H

#include "agent/catalog.h"

/* Borrowed, valid during the call. Files of tables that the selection leaves out do not count. */
struct restore_point {
    const struct catalog_node *node;
    const char *manifest_key;
    int64_t time_ms;
    uint64_t files;        /* that the manifest names */
    uint64_t stored_bytes; /* of those that are there */
    uint64_t plain_bytes;  /* of all, as far as known */
    bool plain_known;      /* v2 manifests tell sizes, v1 ones do not */
    uint64_t missing;
    const char *missing_first; /* a key; "" when none is missing */
    bool complete;
    const char *why_not; /* in words; "" when complete */
};

/* 0: go on, -1: failed, with *e set. */
typedef int restore_point_fn(void *ctx, const struct restore_point *point, struct err *e);

/*
 * Calls fn for each snapshot of each node that the selection allows, nodes in the catalog's order,
 * newest snapshot first. A manifest that cannot be read is a point that is not complete.
 * ERR_NO_BACKUP: no nodes; ERR_LIMIT: a node has more objects than --memory can hold marks of.
 */
int restore_points_find(const struct config *config, struct source *source, restore_point_fn *fn,
                        void *ctx, struct err *e) MUST_CHECK;

#endif
