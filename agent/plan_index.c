#include <string.h>

#include "agent/plan_work.h"

/*
 * system."IndexInfo" names the secondary indexes that are built. Cassandra believes it: with it but
 * without the index SSTables, queries by index silently lack rows; without it the indexes are built
 * anew at the first start (priam spec 11.2.12). So it is restored only when every index SSTable is
 * provably there, which takes little to doubt.
 */
static bool is_index_info(const struct candidate_dir *dir)
{
    return strcmp(dir->table, "IndexInfo") == 0 && strcmp(dir->keyspace, "system") == 0;
}

/* From Cassandra 2.2 (version "la") on index SSTables have directories of their own; before, they
 * are ordinary files of their table. */
static bool has_index_dirs(const struct candidate *c)
{
    struct sstable_name name;
    return sstable_name_parse(slice_of(c->name, strlen(c->name)), &name) &&
           (name.version.data[0] >= 'l' || name.version.data[0] < 'g'); /* "da" is BTI, of 5.0 */
}

static bool is_of_index_dirs(const struct plan_work *work)
{
    for (uint32_t i = 0; i < work->set_count; i++) {
        const struct plan_set *set = &work->sets[i];
        if (!set->dropped && !set->side && is_index_info(work_dir(work, set->dir)) &&
            has_index_dirs(work_candidate(work, set->sample))) {
            return true;
        }
    }
    return false;
}

/* An index directory that the backup knows and the manifest does not (3.11.82 to 3.11.93), or none
 * in the manifest at all (before 3.11.73). */
static bool manifest_lacks_index(const struct plan_work *work)
{
    bool any_named = false;
    for (uint32_t i = 0; i < work->candidates.dir_count; i++) {
        const struct candidate_dir *dir = work_dir(work, i);
        if (dir->index_dir[0] != '\0' && dir->left_out == NULL && !dir->named) {
            return true;
        }
        any_named |= dir->index_dir[0] != '\0' && dir->named;
    }
    return !any_named;
}

/* When an SSTable of a directory was written. */
struct written {
    uint32_t dir;
    int64_t time_ms;
};

static int compare_written(const void *a, const void *b)
{
    const struct written *x = (const struct written *)a;
    const struct written *y = (const struct written *)b;
    if (x->dir != y->dir) {
        return x->dir < y->dir ? -1 : 1;
    }
    return (x->time_ms > y->time_ms) - (x->time_ms < y->time_ms);
}

/* The first one of `dir` that is not before `time_ms`, or where it would be. */
static uint32_t lower_bound(const struct written *sorted, uint32_t count, struct written wanted)
{
    uint32_t low = 0;
    while (low < count) {
        const uint32_t middle = low + (count - low) / 2;
        if (compare_written(&sorted[middle], &wanted) < 0) {
            low = middle + 1;
        } else {
            count = middle;
        }
    }
    return low;
}

static bool has_near(const struct written *sorted, uint32_t count, uint32_t dir, int64_t time_ms)
{
    const uint32_t at = lower_bound(
        sorted, count, (struct written){.dir = dir, .time_ms = time_ms - PLAN_SPREAD_MS});
    return at < count && sorted[at].dir == dir && sorted[at].time_ms <= time_ms + PLAN_SPREAD_MS;
}

/* Each flush of a table flushes its indexes too, so each incremental SSTable of an indexed table
 * has one of the same time in every index directory. Compaction and empty indexes break the rule:
 * then the index is rebuilt for nothing, which costs time and no rows. */
static bool incremental_lacks_index(const struct plan_work *work)
{
    autofree struct written *written =
        (struct written *)xcalloc(work->set_count, sizeof(struct written));
    uint32_t count = 0;
    for (uint32_t i = 0; i < work->set_count; i++) {
        const struct plan_set *set = &work->sets[i];
        if (!set->dropped && !set->side && work_dir(work, set->dir)->index_dir[0] != '\0') {
            written[count++] = (struct written){.dir = set->dir, .time_ms = set->time_ms};
        }
    }
    qsort(written, count, sizeof(*written), compare_written);
    for (uint32_t d = 0; d < work->candidates.dir_count; d++) {
        const struct candidate_dir *index = work_dir(work, d);
        for (uint32_t i = 0; index->index_dir[0] != '\0' && i < work->set_count; i++) {
            const struct plan_set *set = &work->sets[i];
            const struct candidate_dir *table = work_dir(work, set->dir);
            /* Interned names are equal when their addresses are. */
            if (!set->dropped && !set->from_manifest && table->index_dir[0] == '\0' &&
                table->table_dir == index->table_dir && table->keyspace == index->keyspace &&
                !has_near(written, count, d, set->time_ms)) {
                return true;
            }
        }
    }
    return false;
}

static const char *why_doubted(const struct plan_work *work)
{
    if (work->index_incomplete) {
        return "an index SSTable is not whole";
    }
    if (!is_of_index_dirs(work)) {
        return NULL;
    }
    if (!work->choice->node->v2) {
        return "backups of this kind have no secondary indexes";
    }
    if (work->index_filtered) {
        return "index SSTables are not selected";
    }
    if (manifest_lacks_index(work)) {
        return "the manifest names no index SSTables, or not those of each index";
    }
    if (incremental_lacks_index(work)) {
        return "an incremental SSTable came without its index's";
    }
    return NULL;
}

/* Returns whether it was there. */
static bool drop_index_info(struct plan_work *work, const char *why)
{
    uint64_t files = 0, bytes = 0;
    for (uint32_t i = 0; i < work->set_count; i++) {
        struct plan_set *set = &work->sets[i];
        if (!set->dropped && is_index_info(work_dir(work, set->dir))) {
            set->dropped = true;
            files += set->count;
            bytes += plan_group_bytes(work, set);
        }
    }
    if (files > 0) {
        plan_notes_count(work->plan, plan_notes_skipped(work->plan, "system.IndexInfo", why), files,
                         bytes);
        plan_notes_warn(work->plan, "system.IndexInfo", files, bytes,
                        "left out (%s): Cassandra builds secondary indexes at its first start",
                        why);
    }
    return files > 0;
}

static bool takes_index_info(const struct plan_work *work)
{
    for (uint32_t i = 0; i < work->set_count; i++) {
        const struct plan_set *set = &work->sets[i];
        if (!set->dropped && set->count > 0 && is_index_info(work_dir(work, set->dir))) {
            return true;
        }
    }
    return false;
}

static void tell(struct plan_work *work, enum plan_indexes indexes, const char *why)
{
    work->node->indexes = indexes;
    work->node->indexes_why = why;
}

void plan_index(struct plan_work *work)
{
    const char *doubt = why_doubted(work);
    const bool dropped = doubt != NULL && drop_index_info(work, doubt);
    const char *why;
    if (work->config->layout == LAYOUT_LOADER) {
        tell(work, INDEXES_REBUILT, "built where the files are loaded");
    } else if (work->config->map.count > 0) {
        tell(work, INDEXES_REBUILD,
             "of an added table: nodetool refresh builds them, a start of "
             "Cassandra does not");
    } else if (!selection_takes_table(&work->config->selection, "system", "IndexInfo", &why)) {
        tell(work, INDEXES_REBUILD, "system.IndexInfo is not selected: that of the target counts");
    } else if (dropped) {
        tell(work, INDEXES_REBUILT, doubt);
    } else if (takes_index_info(work)) {
        tell(work, INDEXES_COMPLETE, "system.IndexInfo and all index SSTables are there");
    } else {
        tell(work, INDEXES_REBUILT, "there is no system.IndexInfo to say that they are built");
    }
}
