#include <inttypes.h>
#include <string.h>

#include "agent/base/parse.h"
#include "agent/plan_work.h"

/*
 * A table that was dropped and created again has two directories in one backup, told apart by the
 * table's id. Where both would come to one place, the one that was created last is taken: ids are
 * UUIDs of version 1, which hold the time that they were made at (RFC 4122, 4.2.2).
 */

/* False: the directory's name has no such id. *ret: in units of 100 ns, for comparison only. */
static bool created_at(const char *table_dir, uint64_t *ret)
{
    const char *dash = strrchr(table_dir, '-');
    uint8_t id[TABLE_ID_SIZE / 2];
    if (dash == NULL || strlen(dash + 1) != TABLE_ID_SIZE ||
        !parse_hex(dash + 1, TABLE_ID_SIZE, id, sizeof(id)) || id[6] >> 4 != 1) {
        return false;
    }
    /* time_hi (12 bits), time_mid, time_low. */
    const uint8_t order[] = {6, 7, 4, 5, 0, 1, 2, 3};
    uint64_t time = 0;
    for (size_t i = 0; i < sizeof(order); i++) {
        time = time << 8 | id[order[i]];
    }
    *ret = time & (UINT64_MAX >> 4);
    return true;
}

static int refuse(const char *keyspace, const char *table, const char *a, const char *b,
                  const char *why, struct err *e)
{
    (void)err_set(e, ERR_REFUSED, "table %s.%s was created twice, and %s: '%s' and '%s'", keyspace,
                  table, why, a, b);
    return err_hint(e, "choose one by its id with --include %.80s.%.120s, or --exclude the other",
                    keyspace, b);
}

/* NULL: it keeps its name. */
static const struct table_mapping *mapping_of(const struct plan_work *work,
                                              const struct candidate_dir *dir)
{
    return table_map_find(&work->config->map, dir->keyspace, dir->table_dir);
}

/* False: its directory in the target has its id. */
static bool has_one_place(const struct plan_work *work, const struct candidate_dir *dir)
{
    return work->config->layout == LAYOUT_LOADER || mapping_of(work, dir) != NULL;
}

/* Leaves out what an earlier incarnation holds. */
static void drop_dir(struct plan_work *work, uint32_t at, const struct candidate_dir *newest)
{
    const struct candidate_dir *dir = work_dir(work, at);
    autofree char *subject = xasprintf("%s.%s", dir->keyspace, dir->table_dir);
    autofree char *why =
        xasprintf("the table was dropped and created again: '%s' is newer", newest->table_dir);
    uint64_t files = 0, bytes = 0;
    for (uint32_t i = 0; i < work->set_count; i++) {
        struct plan_set *set = &work->sets[i];
        if (!set->dropped && set->dir == at) {
            set->dropped = true;
            files += set->count;
            bytes += plan_group_bytes(work, set);
        }
    }
    plan_notes_count(work->plan, plan_notes_skipped(work->plan, subject, why), files, bytes);
}

/* Of two that have one place: whether it is the same. Interned names are equal when their addresses
 * are; --table-map may give each incarnation a name of its own. */
static bool same_place(const struct plan_work *work, const struct candidate_dir *a,
                       const struct candidate_dir *b)
{
    return a->keyspace == b->keyspace && a->table == b->table &&
           mapping_of(work, a) == mapping_of(work, b);
}

/* The newest of those that have the place of the directory at `first`, which is the first of them.
 */
static int settle_place(struct plan_work *work, uint32_t first, const bool *taken, struct err *e)
{
    uint32_t newest = first;
    for (uint32_t i = first + 1; i < work->candidates.dir_count; i++) {
        const struct candidate_dir *a = work_dir(work, newest), *b = work_dir(work, i);
        if (!taken[i] || !same_place(work, a, b) || a->table_dir == b->table_dir) {
            continue;
        }
        uint64_t time_a, time_b;
        if (!created_at(a->table_dir, &time_a) || !created_at(b->table_dir, &time_b) ||
            time_a == time_b) {
            return refuse(a->keyspace, a->table, a->table_dir, b->table_dir,
                          "their ids do not say which was last", e);
        }
        newest = time_b > time_a ? i : newest;
    }
    for (uint32_t i = first; i < work->candidates.dir_count; i++) {
        const struct candidate_dir *a = work_dir(work, newest), *b = work_dir(work, i);
        if (taken[i] && same_place(work, a, b) && a->table_dir != b->table_dir) {
            drop_dir(work, i, a);
        }
    }
    return 0;
}

int plan_incarnation(struct plan_work *work, struct err *e)
{
    const uint32_t count = work->candidates.dir_count;
    autofree bool *taken = (bool *)xcalloc((size_t)count + 1, sizeof(bool));
    for (uint32_t i = 0; i < work->set_count; i++) {
        const struct plan_set *set = &work->sets[i];
        taken[set->dir] |= !set->dropped && set->count > 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        taken[i] = taken[i] && has_one_place(work, work_dir(work, i));
    }
    for (uint32_t i = 0; i < count; i++) {
        bool first = taken[i];
        for (uint32_t k = 0; k < i && first; k++) {
            first = !taken[k] || !same_place(work, work_dir(work, k), work_dir(work, i));
        }
        if (first && settle_place(work, i, taken, e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Each node has settled for its newest. One that has files of the dropped table only would bring
 * its rows back. */
int plan_incarnation_check(const struct plan *plan, const struct config *config, struct err *e)
{
    for (uint32_t i = 0; i < plan->table_count && config->layout == LAYOUT_LOADER; i++) {
        const struct plan_table *a = &plan->tables[i];
        for (uint32_t k = 0; k < i; k++) {
            const struct plan_table *b = &plan->tables[k];
            if (a->keyspace == b->keyspace && a->table == b->table &&
                a->as_keyspace == b->as_keyspace && a->as_table == b->as_table &&
                a->table_dir != b->table_dir) {
                return refuse(a->keyspace, a->table, a->table_dir, b->table_dir,
                              "not on every node the last one has files", e);
            }
        }
    }
    return 0;
}
