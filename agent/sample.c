#include "agent/sample.h"

#include "agent/base/mem.h"
#include "agent/base/random.h"

/* Files of one unit stand together in the plan: it is sorted by table, then SSTable. */
static bool starts_unit(const struct plan *plan, uint32_t file)
{
    const uint32_t sstable = plan->files[file].sstable;
    return sstable == PLAN_NONE || plan->sstables[sstable].first == file;
}

/* Knuth's selection sampling: each unit is taken with the share that is still wanted of those that
 * are left, which takes exactly as many as wanted, all choices equally likely. */
uint8_t *sample_pick(const struct plan *plan, double share, uint64_t seed)
{
    ASSERT(share > 0 && share <= 1);
    uint8_t *take = (uint8_t *)xcalloc(plan->file_count, sizeof(uint8_t));
    struct random random = {.state = seed};
    uint64_t left = 0;
    for (uint32_t i = 0; i < plan->file_count; i++) {
        left += starts_unit(plan, i) ? 1 : 0;
    }
    uint64_t wanted = (uint64_t)((double)left * share);
    if (wanted == 0 && left > 0) {
        wanted = 1;
    }
    bool taken = false;
    for (uint32_t i = 0; i < plan->file_count; i++) {
        if (starts_unit(plan, i)) {
            taken = random_below(&random, left) < wanted;
            wanted -= taken ? 1 : 0;
            left--;
        }
        take[i] = taken ? 1 : 0;
    }
    ASSERT(left == 0 && wanted == 0);
    return take;
}
