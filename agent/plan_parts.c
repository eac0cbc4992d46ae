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

/* What a version always writes, as far as names can tell. The first letter of a version orders
 * them: i is Cassandra 1.2, j 2.0, m 3.0; BTI, which begins again with d, is known by
 * Partitions.db. Digests do not count: streamed SSTables may come without. */
const char *plan_parts_lacks(const struct plan_work *work, const struct plan_set *set)
{
    struct sstable_name name = {0};
    const char *file = work_candidate(work, set->sample)->name;
    if (!sstable_name_parse(slice_of(file, strlen(file)), &name)) {
        return NULL;
    }
    const bool bti = (set->parts & (PART_PARTITIONS | PART_ROWS)) != 0;
    const char version = (char)name.version.data[0];
    if ((set->parts & PART_DATA) == 0) {
        return "Data.db";
    }
    if (bti && (set->parts & PART_PARTITIONS) == 0) {
        return "Partitions.db";
    }
    if (bti && (set->parts & PART_ROWS) == 0) {
        return "Rows.db";
    }
    if (!bti && (set->parts & PART_INDEX) == 0) {
        return "Index.db";
    }
    if (set->from_manifest) {
        return NULL; /* a snapshot's directory was whole: what the manifest names is all there was
                      */
    }
    if ((bti || version >= 'i') && (set->parts & PART_STATISTICS) == 0) {
        return "Statistics.db";
    }
    if ((bti || version >= 'i') && (set->parts & PART_TOC) == 0) {
        return "TOC.txt";
    }
    if ((bti || version >= 'j') && (set->parts & (PART_COMPRESSION | PART_CRC)) == 0) {
        return "CompressionInfo.db or CRC.db";
    }
    return NULL;
}
