/*
 * plan_work: what the steps of plan_build hand on to each other. Each step is a file:
 *
 *     plan_select       the nodes, and the restore point of each
 *     plan_collect      manifest and listings ─▶ candidates
 *     plan_group        candidates ─▶ sets: one SSTable of one incarnation, or a table's side files
 *     plan_collide      sets of one name: the same SSTable, or another one that needs a number
 *     plan_incarnation  of a table that was created twice: which is meant
 *     plan_index        whether system."IndexInfo" may be believed
 *     plan_place        sets ─▶ tables, files and their targets
 *     plan_archive      what S3 has to bring back first: manifests, then files
 *     plan_map          whether --as and --table-map fit what was selected
 *
 * One thread, but for the listing of v1 minutes; gone when the plan is built.
 */
#ifndef PENATES_PLAN_WORK_H
#define PENATES_PLAN_WORK_H

#include <pthread.h>

#include "agent/candidates.h"
#include "agent/catalog.h"
#include "agent/plan.h"

enum {
    /* Components of one SSTable are written within this time of each other, give or take a
     * rewritten Statistics.db. Bounds how far beyond its ends a window is listed (priam
     * spec 11.1.2). */
    PLAN_SPREAD_MS = 10 * 60 * 1000,
    PLAN_MINUTE_MS = 60 * 1000,
};

/* 9999-12-31T23:59:59.999Z, when nobody said until when: no key is later (backup_key.h). */
#define PLAN_LAST_MS INT64_C(253402300799999)

/* One node and its restore point. */
struct plan_choice {
    const struct catalog_node *node;
    struct catalog_manifests manifests; /* the chosen one */
    bool both_dialects;                 /* the token has restore points in the other one too */
};

/* Components of an SSTable that decide whether it is whole; bits. */
enum {
    PART_DATA = 1 << 0,
    PART_INDEX = 1 << 1,
    PART_PARTITIONS = 1 << 2, /* with ROWS: the BTI format's index */
    PART_ROWS = 1 << 3,
    PART_STATISTICS = 1 << 4,
    PART_COMPRESSION = 1 << 5,
    PART_CRC = 1 << 6,
    PART_TOC = 1 << 7,
    /* Without one of these Cassandra refuses to start, or reads fail (cassandra spec, section 2).
     */
    PLAN_PARTS_ESSENTIAL =
        PART_DATA | PART_INDEX | PART_PARTITIONS | PART_ROWS | PART_STATISTICS | PART_COMPRESSION,
};

/* Files that are taken or left together. */
struct plan_set {
    uint32_t dir;   /* index into candidates.dirs */
    uint32_t first; /* head of the chain of its candidates; CANDIDATE_NONE: empty */
    uint32_t count;
    uint32_t sample;     /* any candidate of the SSTable, for its name */
    uint32_t data;       /* the candidate that is Data.db, CANDIDATE_NONE: none */
    uint32_t digest;     /* the one that is Digest.*, as data */
    int64_t time_ms;     /* as in keys: of Data.db; of a v1 manifest's: the snapshot's minute */
    uint64_t generation; /* its new number; 0: it keeps its own */
    unsigned parts;      /* PART_* that are there */
    bool from_manifest;
    bool side;    /* manifest.json, schema.cql: not an SSTable */
    bool dropped; /* left out */
    bool clashes; /* an earlier set has its name */
};

struct plan_work {
    /* set once */
    const struct config *config;
    struct source *source;
    struct plan *plan;
    bool by_token; /* targets have a TOKEN level */

    /* v1 minutes are listed by several threads at once: guards all below while they are */
    pthread_mutex_t lock;

    /* of all nodes together */
    int64_t now_ms; /* when the plan was begun */
    uint64_t stray; /* objects below a node that are no backup keys */
    uint64_t stray_bytes;
    const char *stray_first; /* the key of one, and what is wrong with it */
    const char *stray_why;
    uint64_t manifest_requests;
    bool *met_include, *met_exclude; /* of each entry: there is a table that it means */

    /* of the node at hand */
    const struct plan_choice *choice;
    struct plan_node *node;
    int64_t v1_offset_ms;   /* from times in keys to UTC; 0 in v2 */
    int64_t snapshot_ms;    /* as in keys */
    bool incrementals;      /* wanted */
    int64_t from_ms, to_ms; /* Data.db of an incremental: both inclusive, as in keys */
    struct candidates candidates;
    struct plan_set *sets;
    uint32_t set_count, set_capacity;
    bool index_filtered, index_incomplete; /* index SSTables that are not taken */
};

/* plan_select.c: *ret_choices has a choice for each token, to be freed by plan_choices_free. */
int plan_select(const struct config *config, struct source *source, const struct catalog *catalog,
                struct plan_choice **ret_choices, size_t *ret_count, struct err *e) MUST_CHECK;
void plan_choices_free(struct plan_choice *choices, size_t count);

/* Times that are taken of a node, in UTC, both inclusive (priam spec 2.6, 4.4). */
void plan_select_bounds(const struct selection *selection, const struct catalog_node *node,
                        int64_t *ret_from_ms, int64_t *ret_to_ms);

/* plan_collect.c: candidates, each with what the listing says of it. */
int plan_collect(struct plan_work *work, struct err *e) MUST_CHECK;

/* plan_group.c: sets; those that are not wanted or not whole are dropped. */
int plan_group(struct plan_work *work, struct err *e) MUST_CHECK;
uint64_t plan_group_bytes(const struct plan_work *work, const struct plan_set *set); /* stored */

/* plan_parts.c: what components mean. PART_* of one, 0 for the others. */
unsigned plan_parts_of(const struct candidate *c);
bool plan_parts_is_rewritable(const struct candidate *c);
/* The first component that an SSTable of the set's version must have and `parts` lack; NULL: none.
 */
const char *plan_parts_lacks(const struct plan_work *work, const struct plan_set *set,
                             unsigned parts);
/* One warning for each directory that has incremental SSTables without TOC.txt. */
void plan_parts_warn_toc(struct plan_work *work);

/* plan_collide.c. Sets of one name are work->sets[first] to work->sets[at]. True: an earlier one
 * that is taken holds the same SSTable. */
bool plan_collide_repeats(const struct plan_work *work, uint32_t first, uint32_t at);
/* Marks the last one when it has to give way to an earlier one. ERR_REFUSED: they cannot be told
 * apart. */
int plan_collide_judge(struct plan_work *work, uint32_t first, uint32_t at,
                       struct err *e) MUST_CHECK;
/* Gives the marked ones numbers of their own. */
int plan_collide_renumber(struct plan_work *work, struct err *e) MUST_CHECK;

/* plan_incarnation.c: where two incarnations of a table would come to one place, drops all but the
 * newest. ERR_REFUSED: which that is cannot be told. */
int plan_incarnation(struct plan_work *work, struct err *e) MUST_CHECK;
/* ERR_REFUSED when the nodes of a finished plan do not agree on it. */
int plan_incarnation_check(const struct plan *plan, const struct config *config,
                           struct err *e) MUST_CHECK;

/* plan_map.c: ERR_CONFIG when --as or --table-map means none, or too many, of the tables. */
int plan_map_check(const struct plan *plan, const struct config *config, struct err *e) MUST_CHECK;

/* plan_archive.c: thaws the chosen manifests that are archived, or refuses. */
int plan_archive_manifests(struct plan_work *work, const struct plan_choice *choices, size_t count,
                           struct err *e) MUST_CHECK;
/* Asks which files of the finished plan are archived, and sums them up. */
int plan_archive(struct plan_work *work, struct err *e) MUST_CHECK;

/* plan_index.c: drops system."IndexInfo" unless all index SSTables are provably there. */
void plan_index(struct plan_work *work);

/* plan_place.c: appends the node's files to the plan. */
int plan_place(struct plan_work *work, struct err *e) MUST_CHECK;
/* Sums and the id, once all nodes are in. */
void plan_place_finish(struct plan *plan);

/* plan_notes.c: a line of the plan; strings are interned. Lists end at PLAN_NOTES_MAX lines: the
 * last one counts what came after. Returns the line's index, for plan_notes_count. */
enum { PLAN_NOTES_MAX = 1000 };
uint32_t plan_notes_skipped(struct plan *plan, const char *subject, const char *why);
/* Any bytes may be PLAN_SIZE_UNKNOWN, and so is a sum with them. */
void plan_notes_count(struct plan *plan, uint32_t skipped, uint64_t files, uint64_t bytes);
void plan_notes_missing(struct plan *plan, const char *key, const char *why);
/* By subject: they come in the order of listings, which is nobody's. */
void plan_notes_sort(struct plan *plan);
void plan_notes_warn(struct plan *plan, const char *subject, uint64_t files, uint64_t bytes,
                     const char *why, ...) PRINTF_LIKE(5, 6);

/* ERR_LIMIT when the plan, with the candidates of the node at hand, outgrows its share of --memory.
 */
int plan_check_memory(const struct plan_work *work, struct err *e) MUST_CHECK;

static inline struct candidate *work_candidate(const struct plan_work *work, uint32_t at)
{
    return &work->candidates.items[at];
}

static inline struct candidate_dir *work_dir(const struct plan_work *work, uint32_t dir)
{
    return &work->candidates.dirs[dir];
}

#endif
