/*
 * backup_world: small backups of either dialect, made of a few words, and plans of them. Cluster
 * "c", region "r", base "b/". SSTables are "KS/TABLE-DIR[/INDEX-DIR]/PREFIX", with the components
 * that Cassandra writes; a `tag` is their content, so equal tags make equal SSTables.
 */
#ifndef PENATES_TESTS_BACKUP_WORLD_H
#define PENATES_TESTS_BACKUP_WORLD_H

#include "agent/plan.h"
#include "tests/unit/memory_source.h"

/* 2026-11-23T08:00:00Z, a whole minute, and others from there. */
#define T0 INT64_C(1795420800000)
#define SECONDS(n) (INT64_C(1000) * (n))
#define MINUTES(n) (INT64_C(60000) * (n))

struct world {
    struct source *source;
    struct config config;
    const char *token; /* of what is put next */
    struct buf named;  /* the manifest under way */
    unsigned named_count;
    struct plan *plan;
    struct err e;
};

struct world *world_new(void);
void world_free(struct world *world);

/* The key of one file. v2 has the mtime and a compression; v1 the folder SNAP or SST. */
const char *world_key_v2(const struct world *world, int64_t ms, const char *path, const char *comp);
const char *world_key_v1(const struct world *world, int64_t ms, const char *folder,
                         const char *path);

/* Puts all components of an SSTable but those in `without` ("TOC.txt Data.db", or ""). */
void world_put_v2(struct world *world, int64_t ms, const char *sstable, const char *tag,
                  const char *without);
void world_put_v1(struct world *world, int64_t ms, const char *folder, const char *sstable,
                  const char *tag, const char *without);
/* Puts one file, "KS/TABLE-DIR/FILE". */
void world_put_file_v2(struct world *world, int64_t ms, const char *path, const char *content);

/* Names a key, or all components of an SSTable, in the manifest to come. */
void world_name(struct world *world, const char *key);
void world_name_v2(struct world *world, int64_t ms, const char *sstable);
void world_name_v1(struct world *world, int64_t ms, const char *sstable);
/* Puts the manifest of what was named, and begins anew. Returns its key. */
const char *world_snapshot_v2(struct world *world, int64_t ms);
const char *world_snapshot_v1(struct world *world, int64_t ms);
/* Both at once: an SSTable that is there and named. */
void world_both_v2(struct world *world, int64_t ms, const char *sstable, const char *tag);
void world_both_v1(struct world *world, int64_t ms, const char *sstable, const char *tag);

/* plan_build with world->config; replaces world->plan and world->e. */
int world_plan(struct world *world);
/* As many lines as SSTables, "FOLDER/PREFIX\n", and side files, in the order of the plan. */
const char *world_targets(const struct world *world);
/* True when a line of the list has both words. */
bool world_has_note(const struct plan_note *notes, uint32_t count, const char *subject,
                    const char *why);

#define assert_targets(world, text) assert_string_equal(world_targets(world), (text))
#define assert_plan(world)                                                                         \
    do {                                                                                           \
        if (world_plan(world) < 0) {                                                               \
            fail_msg("%s", (world)->e.text);                                                       \
        }                                                                                          \
    } while (0)
#define assert_no_plan(world, err_kind, words)                                                     \
    do {                                                                                           \
        assert_int_equal(world_plan(world), -1);                                                   \
        assert_int_equal((world)->e.kind, (err_kind));                                             \
        assert_string_contains((world)->e.text, (words));                                          \
    } while (0)
#define assert_string_contains(text, words)                                                        \
    do {                                                                                           \
        if (strstr((text), (words)) == NULL) {                                                     \
            fail_msg("'%s' does not say '%s'", (text), (words));                                   \
        }                                                                                          \
    } while (0)

#endif
