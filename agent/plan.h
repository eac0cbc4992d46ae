/*
 * plan: exactly what a restore would do, proven possible from listings and manifests alone.
 *
 *     source ─▶ catalog: clusters, tokens, restore points
 *            ─▶ manifest + incrementals of the chosen point ─▶ SSTables ─▶ files with their targets
 *
 * Time: `--at T` takes the newest snapshot and all incrementals whose keys say T or earlier. A v2
 * key has the second; a v1 key has the minute that a file was last written in, so a v1 plan can
 * hold writes up to 59 s after T, and says so. `--range` has Priam's bounds: inclusive in v2,
 * without its last minute in v1 (priam spec 11.1.1). An SSTable has the time of its Data.db and is
 * taken or left whole. The snapshot's SSTables are taken exactly as its manifest names them.
 *
 * Built by one thread, constant afterwards, readable from any thread. It is compact (about 100
 * bytes a file beside the interned names), and plan_bytes() of it is charged to --memory.
 */
#ifndef PENATES_PLAN_H
#define PENATES_PLAN_H

#include "agent/archive.h"
#include "agent/backup_key.h"
#include "agent/config.h"
#include "agent/source.h"
#include "agent/thaw.h"

enum { PLAN_NONE = UINT32_MAX };

/* One object and the one file it becomes. Strings live in the plan. */
struct plan_file {
    const char *key_folder;    /* the key up to and with its last '/' */
    const char *key_name;      /* the rest of the key */
    const char *target_folder; /* relative to a --into directory, no leading or trailing '/' */
    const char *target_name;
    const char *etag;       /* as listed */
    const char *version_id; /* with --source-version-at, else "" */
    uint64_t size;          /* stored bytes, as listed */
    uint64_t plain_size;    /* as the manifest says, PLAN_SIZE_UNKNOWN when it does not */
    uint32_t table;         /* index into plan->tables */
    uint32_t sstable;       /* index into plan->sstables, PLAN_NONE for side files */
    uint8_t claim;          /* enum codec_claim */
    uint8_t component;      /* enum component_kind */
    uint8_t checksum;       /* enum s3_checksum_kind that the listing promises */
    bool checksum_composite;
    bool incremental; /* not named by the manifest */
    bool thawing;     /* S3 is bringing it back */
    uint8_t archive;  /* enum archive: what it has to be brought back from before it can be read */
};

#define PLAN_SIZE_UNKNOWN UINT64_MAX

static inline uint64_t plan_add_sizes(uint64_t a, uint64_t b)
{
    return a == PLAN_SIZE_UNKNOWN || b == PLAN_SIZE_UNKNOWN ? PLAN_SIZE_UNKNOWN : a + b;
}

/* One SSTable: its components are files[first .. first + count). */
struct plan_sstable {
    uint32_t first, count;
    uint32_t data;   /* the file that is its Data.db, PLAN_NONE: none */
    uint32_t digest; /* the file that is its Digest.*, PLAN_NONE: none */
    uint32_t toc;    /* the file that is its TOC.txt, PLAN_NONE: none */
};

struct plan_table {
    uint32_t node; /* index into plan->nodes */
    const char *keyspace;
    const char *table;                         /* without id */
    const char *table_dir;                     /* as in the backup */
    const char *as_keyspace, *as_table;        /* its names in the target */
    const char *target_folder;                 /* of the table itself; index folders lie below it */
    bool replace;                              /* --replace names it */
    bool mapped;                               /* --as or --table-map names it */
    bool added;                                /* mapped in data layout, see plan_is_staged */
    uint64_t files, stored_bytes, plain_bytes; /* plain: known sizes, else stored ones */
};

/* What becomes of secondary indexes once the files are in place; the later the worse. */
enum plan_indexes {
    INDEXES_COMPLETE, /* every SSTable of theirs is there */
    INDEXES_REBUILT,  /* Cassandra builds them at its first start, or where it loads the files */
    INDEXES_REBUILD,  /* nobody does: whether they are whole is not known until rebuild_index */
};

/*
 * Files of a table that --replace names, or that is added to one of the target, wait in the target
 * until all is verified. The target_folder of an added table is its name, with an id only when one
 * was given: which directory of the target that is, and which numbers its SSTables get there, is
 * known to the target alone, so that a plan does not hang on it.
 */
static inline bool plan_is_staged(const struct plan_table *table)
{
    return table->replace || table->added;
}

/* One node's restore point. */
struct plan_node {
    const char *cluster, *region /* "" in v2 */, *token;
    const char *rack; /* as a v2 manifest tells, else "" */
    bool v2;
    const char *manifest_key;
    const char *manifest_etag;
    const char *manifest_version_id; /* as plan_file's */
    int64_t snapshot_ms;             /* the instant of the snapshot */
    int64_t newest_ms;               /* of the newest incremental taken, else snapshot_ms */
    int64_t until_ms;                /* what was asked for, resolved: a rerun pins --at to it */
    int64_t previous_ms; /* of the snapshot before this one, when this one is incomplete; 0: none */
    uint64_t missing;    /* objects that the manifest names and the listing lacks */
    enum plan_indexes indexes;
    const char *indexes_why; /* a literal */
};

/* What is left out, or worth knowing, in words: "system.local: node-local" with counts. */
struct plan_note {
    const char *subject; /* table or key */
    const char *why;
    uint64_t files;
    uint64_t bytes; /* as the manifest says, or as listed; PLAN_SIZE_UNKNOWN: not of each file */
};

/* The files of one enum archive. */
struct plan_archive {
    const struct plan_file *first; /* NULL: none */
    uint64_t files, bytes;
    uint64_t thawing; /* of the files */
};

struct plan {
    struct plan_file *files; /* sorted by table, then SSTable, then name */
    struct plan_sstable *sstables;
    struct plan_table *tables;
    struct plan_node *nodes;
    struct plan_note *skipped;  /* left out on purpose */
    struct plan_note *missing;  /* named by a manifest, not in the listing (capped, see more) */
    struct plan_note *warnings; /* TTL, IndexInfo, renumbered sets, ... */
    uint32_t file_count, sstable_count, table_count, node_count;
    uint32_t skipped_count, missing_count, warning_count;
    uint64_t missing_total;
    uint64_t stored_bytes; /* to fetch */
    uint64_t plain_bytes;  /* on disk after; a lower bound when plain_bytes_exact is false */
    bool plain_bytes_exact;
    struct plan_archive archives[ARCHIVE_COUNT]; /* [ARCHIVE_NONE] stays empty */
    struct thaw_count thawed;                    /* manifests, without which there was no plan */
    uint64_t list_requests;
    char id[65]; /* SHA-256 in hex over every file's key, ETag, version, size and target */
    struct arena *strings;
};

/*
 * Reads the source and decides. Fails with ERR_NO_BACKUP (nothing matches, also of --include; or
 * the point is incomplete and --allow-incomplete is off: the text names how many objects are
 * missing and the first), ERR_CONFIG (several clusters or tokens and none chosen: the text lists
 * them), ERR_CORRUPT (manifest), ERR_REFUSED (unsafe or colliding names), ERR_LIMIT (the plan alone
 * exceeds --memory), or as the source does. Manifests that are archived are thawed, or refused
 * without --thaw; archived files are in the plan: whoever needs them calls thaw_or_refuse. On
 * ERR_NO_BACKUP for an incomplete point, and on ERR_REFUSED by --cassandra-version, *ret is still
 * set, so that `plan` can show it. The caller frees.
 */
int plan_build(const struct config *config, struct source *source, struct plan **ret,
               struct err *e) MUST_CHECK;
void plan_free(struct plan *plan); /* NULL is fine */

/* The oldest and the newest of the nodes' states; a plan has a node at least. */
struct plan_instants {
    int64_t oldest_ms, newest_ms;
};
struct plan_instants plan_instants(const struct plan *plan);

/* False: S3 can give all of it at once. */
bool plan_has_archived(const struct plan *plan);
/* What the plan has that is archived, of `take` as in transfer_options; caller frees. */
struct archived *plan_archived(const struct plan *plan, const uint8_t *take, size_t *ret_count);

/* "complete", "rebuilt", "rebuild". */
const char *plan_indexes_name(enum plan_indexes indexes);
/* The node whose indexes fare worst, the first of several. */
const struct plan_node *plan_worst_indexes(const struct plan *plan);

/* Memory that the plan holds. */
uint64_t plan_bytes(const struct plan *plan);

/* The whole key, and the path below a --into directory, into `out` (cleared first). Both fit: keys
 * have at most 1024 bytes, paths are checked when the plan is built. */
void plan_file_key(const struct plan_file *file, struct buf *out);
void plan_file_target(const struct plan_file *file, struct buf *out);

#endif
