/*
 * target_rig: a small restore without a source: two tables, an index folder, side files, whose
 * bytes follow from their names, written through file_sink and commit as transfer does it.
 */
#ifndef PENATES_TESTS_TARGET_RIG_H
#define PENATES_TESTS_TARGET_RIG_H

#include "agent/commit.h"
#include "agent/target.h"
#include "tests/unit/tree.h"

enum { RIG_FILES = 12, RIG_SSTABLES = 4, RIG_TABLES = 2 };

#define RIG_IDENTITY "s3://bucket/backup --cluster c --token 42 --at latest"

struct rig {
    struct tree tree;
    char *into[2];
    struct config config;
    struct plan plan;
    struct plan_file files[RIG_FILES];
    struct plan_sstable sstables[RIG_SSTABLES];
    struct plan_table tables[RIG_TABLES];
    struct plan_node node;
    const char *replace[1];
    struct table_mapping mapping[2];
    unsigned written;                  /* files that rig_run wrote, not found finished */
    void (*after_file)(uint32_t file); /* when one is handed to commit; NULL: nothing */
};

/* `dirs` directories, "a" and "b" below the tree, not made yet. */
void rig_init(struct rig *rig, unsigned dirs);
void rig_done(struct rig *rig);

/* --replace of table 0. */
void rig_replace(struct rig *rig);

/*
 * Both tables are added to those of the target: ks.people, which is there ("a/ks/people-ID") and
 * holds SSTables 2 and 9, and logs.lines, whose id is given and which is not. A finished restore of
 * another selection is in the way.
 */
void rig_add(struct rig *rig);

/* Each Data.db of an added table has all its components beside it, and what was there is. */
void rig_assert_data_last(const struct rig *rig);

/* rig_assert_restored, with the new numbers, and the other restore was put away whole. */
void rig_assert_added(const struct rig *rig);

/* The bytes of a file; freed by the caller. */
char *rig_content(const struct rig *rig, uint32_t file);

/* Check, begin, write what is not finished, commit, finish. -1 and *e as the first that fails. */
int rig_run(struct rig *rig, struct target *target, struct err *e);

/* As rig_run, with all of target_open before. A finished restore is left alone: 1. */
int rig_restore(struct rig *rig, struct err *e);

/* rig_run without target_finish; without target_check and target_begin as well. */
int rig_fill(struct rig *rig, struct target *target, struct err *e);
int rig_write(struct rig *rig, struct target *target, struct err *e);

/* Fails the test with the text of the error. */
static inline void rig_assert_ok(int result, const struct err *e)
{
    if (result != 0) {
        fail_msg("%s", e->text);
    }
}

/* Every file is in place with its bytes, in one of the directories; .penates/ has no leftovers. */
void rig_assert_restored(const struct rig *rig);

/* Whatever is under a final name is whole. `old` is what --replace may find there, or NULL. */
void rig_assert_nothing_partial(const struct rig *rig, const char *old);

/* Something that --replace takes out of the way, and what it must leave; and a check that it did.
 */
void rig_old_table(struct rig *rig);
void rig_assert_swapped(const struct rig *rig);

/* Each old file is in its place, or where --replace puts it; never nowhere, never in both. */
void rig_assert_old_kept(const struct rig *rig);

/* The whole of a file below the tree, or NULL. Freed by the caller. */
char *rig_read(const struct rig *rig, const char *path);
bool rig_exists(const struct rig *rig, const char *path);

#endif
