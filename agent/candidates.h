/*
 * candidates: the objects that a plan may take, found again by what they are rather than by how
 * they are stored: one file can lie under SNAPPY and under NONE (priam spec 5.3), and is one
 * candidate. Entries keep their index for good. One thread.
 */
#ifndef PENATES_CANDIDATES_H
#define PENATES_CANDIDATES_H

#include "agent/archive.h"
#include "agent/backup_key.h"
#include "agent/base/mem.h"
#include "agent/sstable_name.h"

enum { CANDIDATE_NONE = UINT32_MAX };

/* One table directory of a node, or one index directory in it. Strings are the arena's. */
struct candidate_dir {
    const char *keyspace;
    const char *table; /* without id */
    const char *table_dir;
    const char *index_dir;   /* "": the table itself */
    const char *left_out;    /* why nothing of it is taken; NULL: it is taken */
    bool named;              /* the manifest names files of it that are taken */
    uint32_t note;           /* its line in plan->skipped once something was left out */
    uint32_t rank;           /* by name, among the node's */
    int64_t left_out_ms;     /* newest of what the manifest names and is left out */
    uint64_t generation_max; /* highest number of an SSTable seen, taken or not */
};

/* There are hundreds of thousands: 80 bytes. */
struct candidate {
    const char *key_folder; /* with its last '/' */
    const char *key_name;
    const char *name; /* the file's own, which the oldest v2 keys append the compression to; new
                         when the SSTable was renumbered */
    const char *etag; /* NULL: not listed */
    const char *version_id; /* of a listing of versions, else "" */
    uint64_t size;          /* stored bytes, as listed */
    uint64_t plain_size;
    int64_t time_ms; /* as in the key */
    uint32_t dir;
    uint32_t next;       /* of the same SSTable, CANDIDATE_NONE: the last */
    uint8_t prefix_size; /* of the SSTable's prefix in name; 0: a side file */
    uint8_t component;   /* enum component_kind */
    uint8_t kind;        /* enum key_kind */
    uint8_t claim;       /* enum codec_claim of the key above */
    uint8_t claim_named; /* what the manifest named */
    uint8_t checksum;    /* enum s3_checksum_kind */
    bool checksum_composite : 1;
    enum archive archive : 3; /* enum archive, as the listing has it */
    bool from_manifest : 1;   /* else found by listing */
};

/* Open addressing over indexes; a power of two, at most half full. */
struct candidate_slots {
    uint32_t *items;
    uint32_t size;
};

struct candidates {
    struct candidate *items;
    struct candidate_dir *dirs;
    uint32_t count, capacity, dir_count, dir_capacity;
    struct candidate_slots by_key, by_dir;
    struct arena *strings; /* borrowed */
};

void candidates_init(struct candidates *set, struct arena *strings);
void candidates_done(struct candidates *set);

/* The index of the same file of the same kind and time, whatever its compression. */
uint32_t candidates_find(const struct candidates *set, const struct backup_key *key);

/* No more files come: nothing is found or added any more. */
void candidates_close(struct candidates *set);

/* Adds a file that is not there yet; `whole` is the key it lies under. Returns its index. */
uint32_t candidates_add(struct candidates *set, const struct backup_key *key, const char *whole);

/* The candidate lies under `whole`, the key that `key` was parsed from. */
void candidates_move(struct candidates *set, uint32_t at, const struct backup_key *key,
                     const char *whole);

/* The index of the key's directory; a new one has left_out NULL. *ret_new: it is one. */
uint32_t candidates_dir(struct candidates *set, const struct backup_key *key, bool *ret_new);

/* Directories are numbered as listings came; this ranks them by name. */
void candidates_rank_dirs(struct candidates *set);

/* What candidates_find goes by, as a number; equal for the compressions of one file. */
uint64_t candidates_hash(const struct backup_key *key);

static inline bool candidate_is_side_file(const struct candidate *c)
{
    return c->prefix_size == 0;
}

static inline struct slice candidate_prefix(const struct candidate *c)
{
    return slice_of(c->name, c->prefix_size);
}

/* "Data.db"; a side file is its own component. */
static inline const char *candidate_component(const struct candidate *c)
{
    return candidate_is_side_file(c) ? c->name : c->name + c->prefix_size + 1;
}

#endif
