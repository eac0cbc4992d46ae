#include <inttypes.h>
#include <string.h>

#include "agent/plan_work.h"

/* Components that Cassandra rewrites in place, long after the others: levels and repairs change
 * Statistics.db, resampling Summary.db, new storage-attached indexes TOC.txt. */
bool plan_parts_is_rewritable(const struct candidate *c)
{
    static const char *const NAMES[] = {"Statistics.db", "Summary.db", "TOC.txt"};
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
        if (strcmp(candidate_component(c), NAMES[i]) == 0) {
            return true;
        }
    }
    return false;
}

unsigned plan_parts_of(const struct candidate *c)
{
    static const struct {
        const char *component;
        unsigned part;
    } PARTS[] = {
        {"Data.db", PART_DATA},
        {"Index.db", PART_INDEX},
        {"Partitions.db", PART_PARTITIONS},
        {"Rows.db", PART_ROWS},
        {"Statistics.db", PART_STATISTICS},
        {"CompressionInfo.db", PART_COMPRESSION},
        {"CRC.db", PART_CRC},
        {"TOC.txt", PART_TOC},
    };
    for (size_t i = 0; i < ARRAY_SIZE(PARTS); i++) {
        if (strcmp(candidate_component(c), PARTS[i].component) == 0) {
            return PARTS[i].part;
        }
    }
    return 0;
}

static bool parse_sample(const struct plan_work *work, const struct plan_set *set,
                         struct sstable_name *ret)
{
    const char *file = work_candidate(work, set->sample)->name;
    return sstable_name_parse(slice_of(file, strlen(file)), ret);
}

/* The first letter of a version orders them: i is Cassandra 1.2, j 2.0, m 3.0; BTI, which begins
 * again with d, is known by its index. */
static bool is_since(const struct sstable_name *name, unsigned parts, char letter)
{
    return (parts & (PART_PARTITIONS | PART_ROWS)) != 0 || (char)name->version.data[0] >= letter;
}

/* What a version always writes, as far as names can tell. Digests do not count: streamed SSTables
 * may come without. Nor does TOC.txt, which Cassandra makes anew: one that was streamed whole (4.0
 * and later) has none before it is opened again. */
const char *plan_parts_lacks(const struct plan_work *work, const struct plan_set *set,
                             unsigned parts)
{
    struct sstable_name name;
    if (!parse_sample(work, set, &name)) {
        return NULL;
    }
    const bool bti = (parts & (PART_PARTITIONS | PART_ROWS)) != 0;
    if ((parts & PART_DATA) == 0) {
        return "Data.db";
    }
    if (bti && (parts & PART_PARTITIONS) == 0) {
        return "Partitions.db";
    }
    if (bti && (parts & PART_ROWS) == 0) {
        return "Rows.db";
    }
    if (!bti && (parts & PART_INDEX) == 0) {
        return "Index.db";
    }
    if (set->from_manifest && work->node->v2) {
        return NULL; /* it lists the snapshot's directory, which was whole */
    }
    if (is_since(&name, parts, 'i') && (parts & PART_STATISTICS) == 0) {
        return "Statistics.db";
    }
    if (is_since(&name, parts, 'j') && (parts & (PART_COMPRESSION | PART_CRC)) == 0) {
        return "CompressionInfo.db or CRC.db";
    }
    return NULL;
}

static bool lacks_toc(const struct plan_work *work, const struct plan_set *set)
{
    struct sstable_name name;
    return !set->dropped && !set->side && !set->from_manifest && (set->parts & PART_TOC) == 0 &&
           parse_sample(work, set, &name) && is_since(&name, set->parts, 'i');
}

void plan_parts_warn_toc(struct plan_work *work)
{
    for (uint32_t first = 0, end; first < work->set_count; first = end) {
        const struct candidate_dir *dir = work_dir(work, work->sets[first].dir);
        uint64_t sstables = 0, files = 0, bytes = 0;
        for (end = first; end < work->set_count && work->sets[end].dir == work->sets[first].dir;
             end++) {
            if (lacks_toc(work, &work->sets[end])) {
                sstables++;
                files += work->sets[end].count;
                bytes += plan_group_bytes(work, &work->sets[end]);
            }
        }
        if (sstables > 0) {
            autofree char *subject =
                xasprintf("%s.%s%s%s", dir->keyspace, dir->table,
                          dir->index_dir[0] == '\0' ? "" : "/", dir->index_dir);
            plan_notes_warn(work->plan, subject, files, bytes,
                            "TOC.txt is missing from %" PRIu64
                            " of its incrementals: taken, as all that "
                            "Cassandra needs is there",
                            sstables);
        }
    }
}
