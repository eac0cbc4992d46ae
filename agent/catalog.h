/*
 * catalog: what the backup holds, by listing alone and with as few listings as the question needs:
 * dialects, clusters, tokens, restore points. Knows where things lie; judges no completeness.
 */
#ifndef PENATES_CATALOG_H
#define PENATES_CATALOG_H

#include "agent/archive.h"
#include "agent/selection.h"
#include "agent/source.h"

/* One node's backup in one dialect. Strings are the catalog's. */
struct catalog_node {
    bool v2;
    const char *cluster;
    const char *region; /* "" in v2 */
    const char *token;
    const char *prefix; /* of all its keys, with the base, ending in '/' */
};

struct catalog {
    struct catalog_node *nodes; /* by cluster, region, token (numeric), v1 before v2 */
    size_t count;
    struct arena *strings;
};

/* All nodes that selection.cluster, source_region and format allow; of a cluster that has all of
 * selection.tokens, those. Folder listings only. ERR_NO_BACKUP when there is none: the text says
 * what was looked for and where. */
int catalog_find_nodes(const struct selection *selection, struct source *source,
                       struct catalog **ret, struct err *e) MUST_CHECK;
void catalog_free(struct catalog *catalog);

/* One snapshot manifest. */
struct catalog_manifest {
    char *key;
    char *version_id; /* of a listing of versions, else "" */
    char etag[128];
    uint64_t size;
    int64_t time_ms;
    enum archive archive; /* as the listing has it */
};

struct catalog_manifests {
    struct catalog_manifest *items; /* newest first */
    size_t count;
};

/* The minutes of a v1 node that have keys, as keys say them. Zeroed: empty; free at_ms. */
struct catalog_minutes {
    int64_t *at_ms; /* oldest first */
    size_t count, capacity;
};

/* Fills `ret` anew, both ends inclusive: one folder listing. ERR_LIMIT after four million. */
int catalog_find_minutes(const struct catalog_node *node, struct source *source, int64_t from_ms,
                         int64_t to_ms, struct catalog_minutes *ret, struct err *e) MUST_CHECK;

/*
 * Manifests of a node with from_ms <= time <= to_ms, newest first, at most `most` of them (0: all).
 * v1: folder listings of the minutes, from the newest days back, and one small listing of each
 * minute's META/ until enough are found, sixteen at a time. v2: one listing of META_V2/ from
 * from_ms on.
 */
int catalog_find_manifests(const struct catalog_node *node, struct source *source, int64_t from_ms,
                           int64_t to_ms, size_t most, int64_t v1_offset_ms,
                           struct catalog_manifests *ret, struct err *e) MUST_CHECK;
void catalog_manifests_done(struct catalog_manifests *manifests);

/*
 * A manifest's key as this source has it. Manifests carry whole keys, with the base that the backup
 * was written under; a copy may lie elsewhere. What follows the node's own folders is put after
 * node->prefix. `out` is cleared first. False: the key is not below this node, or does not fit.
 */
bool catalog_rebase_key(const struct catalog_node *node, const char *manifest_key, struct buf *out);

#endif
