#include "agent/schedule.h"

#include "agent/base/mem.h"
#include "agent/base/thread.h"

struct lane {
    bool open;
    uint32_t file;
    uint32_t part_next, part_count;
    uint64_t in_flight; /* bytes handed out and not released */
    uint64_t age;       /* when it was opened: the oldest is served first */
};

struct schedule {
    /* set once */
    const struct plan *plan;
    size_t part_size;
    uint64_t window_shared, window_alone;
    uint32_t lane_count, parts_max;

    /* dispatcher */
    uint32_t *large; /* files, largest first */
    uint32_t large_count, large_next;
    uint32_t *small; /* files in order of issue */
    uint32_t small_count, small_next;
    uint8_t *need; /* NEED_NOTHING once handed out */

    /* under lock */
    pthread_mutex_t lock;
    struct lane *lanes;
    uint64_t opened;
    uint32_t parts_out; /* of all lanes, handed out and not released */
};

size_t schedule_part_size(uint64_t size, uint32_t part, size_t part_size)
{
    const uint64_t offset = (uint64_t)part * part_size;
    ASSERT(offset < size);
    return size - offset < part_size ? (size_t)(size - offset) : part_size;
}

static int larger_first(const void *a, const void *b, void *ctx)
{
    const struct plan_file *files = ctx;
    const uint32_t file_a = *(const uint32_t *)a;
    const uint32_t file_b = *(const uint32_t *)b;
    if (files[file_a].size != files[file_b].size) {
        return files[file_a].size > files[file_b].size ? -1 : 1;
    }
    return file_a < file_b ? -1 : 1;
}

/* SSTables and side files compete by size: of Data.db, or of the file. */
struct group {
    uint64_t weight;
    uint32_t first, count;
    uint32_t sstable; /* PLAN_NONE: a side file */
};

static int heavier_first(const void *a, const void *b)
{
    const struct group *group_a = a;
    const struct group *group_b = b;
    if (group_a->weight != group_b->weight) {
        return group_a->weight > group_b->weight ? -1 : 1;
    }
    return group_a->first < group_b->first ? -1 : 1;
}

static void add_small(struct schedule *schedule, uint32_t file, uint8_t *placed)
{
    if (file == PLAN_NONE || placed[file] || schedule->need[file] == NEED_NOTHING ||
        schedule->plan->files[file].size > schedule->part_size) {
        return;
    }
    placed[file] = 1;
    schedule->small[schedule->small_count++] = file;
}

static struct group *sorted_groups(const struct plan *plan, size_t *ret_count)
{
    struct group *groups = xcalloc((size_t)plan->file_count + 1, sizeof(*groups));
    size_t count = 0;
    for (uint32_t i = 0; i < plan->sstable_count; i++) {
        const struct plan_sstable *sstable = &plan->sstables[i];
        groups[count++] = (struct group){
            .weight = sstable->data == PLAN_NONE ? 0 : plan->files[sstable->data].size,
            .first = sstable->first,
            .count = sstable->count,
            .sstable = i,
        };
    }
    for (uint32_t i = 0; i < plan->file_count; i++) {
        if (plan->files[i].sstable == PLAN_NONE) {
            groups[count++] = (struct group){
                .weight = plan->files[i].size, .first = i, .count = 1, .sstable = PLAN_NONE};
        }
    }
    qsort(groups, count, sizeof(*groups), heavier_first);
    *ret_count = count;
    return groups;
}

static void order_small(struct schedule *schedule)
{
    const struct plan *plan = schedule->plan;
    size_t count = 0;
    autofree struct group *groups = sorted_groups(plan, &count);
    autofree uint8_t *placed = xcalloc((size_t)plan->file_count + 1, 1);
    for (size_t i = 0; i < count; i++) {
        if (groups[i].sstable != PLAN_NONE) {
            const struct plan_sstable *sstable = &plan->sstables[groups[i].sstable];
            add_small(schedule, sstable->digest, placed);
            add_small(schedule, sstable->toc, placed);
            add_small(schedule, sstable->data, placed);
        }
        for (uint32_t j = 0; j < groups[i].count; j++) {
            add_small(schedule, groups[i].first + j, placed);
        }
    }
}

struct schedule *schedule_new(const struct plan *plan, const uint8_t *need,
                              const struct transfer_limits *limits)
{
    ASSERT(limits->open_max > 0 && limits->parts_max > 0 && limits->part_size > 0);
    struct schedule *schedule = xcalloc(1, sizeof(*schedule));
    schedule->plan = plan;
    schedule->part_size = limits->part_size;
    schedule->window_shared = limits->budget / 2;
    schedule->window_alone = limits->budget;
    schedule->lane_count = limits->open_max;
    schedule->parts_max = limits->parts_max;
    schedule->large = xcalloc((size_t)plan->file_count + 1, sizeof(*schedule->large));
    schedule->small = xcalloc((size_t)plan->file_count + 1, sizeof(*schedule->small));
    schedule->need = xcalloc((size_t)plan->file_count + 1, 1);
    schedule->lanes = xcalloc(limits->open_max, sizeof(*schedule->lanes));
    mutex_init(&schedule->lock);
    for (uint32_t i = 0; i < plan->file_count; i++) {
        schedule->need[i] = need[i];
        if (need[i] != NEED_NOTHING && plan->files[i].size > schedule->part_size) {
            schedule->large[schedule->large_count++] = i;
        }
    }
    qsort_r(schedule->large, schedule->large_count, sizeof(*schedule->large), larger_first,
            plan->files);
    order_small(schedule);
    return schedule;
}

void schedule_free(struct schedule *schedule)
{
    if (schedule != NULL) {
        mutex_done(&schedule->lock);
        free(schedule->lanes);
        free(schedule->need);
        free(schedule->small);
        free(schedule->large);
        free(schedule);
    }
}

/* False when it was handed out already, ahead of its turn, or is a large one. */
static bool take_small(struct schedule *schedule, uint32_t file, struct schedule_part *ret)
{
    if (file == PLAN_NONE || schedule->need[file] == NEED_NOTHING ||
        schedule->plan->files[file].size > schedule->part_size) {
        return false;
    }
    schedule->need[file] = NEED_NOTHING;
    *ret = (struct schedule_part){.file = file,
                                  .part_count = schedule->plan->files[file].size > 0 ? 1 : 0,
                                  .lane = SCHEDULE_NO_LANE};
    return true;
}

static bool next_small(struct schedule *schedule, struct schedule_part *ret)
{
    while (schedule->small_next < schedule->small_count) {
        if (take_small(schedule, schedule->small[schedule->small_next++], ret)) {
            return true;
        }
    }
    return false;
}

static bool take_part_locked(struct schedule *schedule, struct lane *lane,
                             struct schedule_part *ret)
{
    ASSERT(lane->part_next < lane->part_count);
    if (schedule->parts_out >= schedule->parts_max) {
        return false;
    }
    const uint64_t size = schedule->plan->files[lane->file].size;
    const size_t bytes = schedule_part_size(size, lane->part_next, schedule->part_size);
    const bool alone = schedule->small_next == schedule->small_count &&
                       schedule->large_next == schedule->large_count;
    const uint64_t window = alone ? schedule->window_alone : schedule->window_shared;
    /* One part is always in the window, however small that is. */
    if (lane->in_flight > 0 && lane->in_flight + bytes > window) {
        return false;
    }
    *ret = (struct schedule_part){.file = lane->file,
                                  .part = lane->part_next,
                                  .part_count = lane->part_count,
                                  .lane = (uint32_t)(lane - schedule->lanes)};
    lane->part_next++;
    lane->in_flight += bytes;
    schedule->parts_out++;
    return true;
}

/* The oldest lane whose window has room. *ret_free is a lane without object, or NULL; *ret_parts
 * tells whether any lane has parts left. */
static bool next_of_lanes_locked(struct schedule *schedule, struct schedule_part *ret,
                                 struct lane **ret_free, bool *ret_parts)
{
    uint64_t younger_than = 0;
    *ret_free = NULL;
    *ret_parts = false;
    for (uint32_t turn = 0; turn < schedule->lane_count; turn++) {
        struct lane *oldest = NULL;
        for (uint32_t i = 0; i < schedule->lane_count; i++) {
            struct lane *lane = &schedule->lanes[i];
            if (!lane->open) {
                *ret_free = *ret_free == NULL ? lane : *ret_free;
            } else if (lane->part_next < lane->part_count && lane->age > younger_than &&
                       (oldest == NULL || lane->age < oldest->age)) {
                oldest = lane;
            }
        }
        if (oldest == NULL) {
            return false;
        }
        *ret_parts = true;
        if (take_part_locked(schedule, oldest, ret)) {
            return true;
        }
        younger_than = oldest->age;
    }
    return false;
}

static bool open_lane_locked(struct schedule *schedule, struct lane *lane,
                             struct schedule_part *ret)
{
    const uint32_t file = schedule->large[schedule->large_next++];
    const uint64_t size = schedule->plan->files[file].size;
    const uint64_t parts = (size - 1) / schedule->part_size + 1;
    ASSERT(parts > 1 && parts < UINT32_MAX); /* 4 PiB at 1 MiB a part; S3 ends at 5 TiB */
    schedule->opened++;
    *lane = (struct lane){
        .open = true, .file = file, .part_count = (uint32_t)parts, .age = schedule->opened};
    return take_part_locked(schedule, lane, ret);
}

/* The digest and the TOC of the next large object, when it is a Data.db. */
static bool next_companion(struct schedule *schedule, struct schedule_part *ret)
{
    const uint32_t file = schedule->large[schedule->large_next];
    const uint32_t index = schedule->plan->files[file].sstable;
    if (index == PLAN_NONE || schedule->plan->sstables[index].data != file) {
        return false;
    }
    const struct plan_sstable *sstable = &schedule->plan->sstables[index];
    return take_small(schedule, sstable->digest, ret) || take_small(schedule, sstable->toc, ret);
}

enum schedule_answer schedule_next(struct schedule *schedule, struct schedule_part *ret)
{
    struct lane *free_lane = NULL;
    bool parts_left = false;
    mutex_lock(&schedule->lock);
    bool found = next_of_lanes_locked(schedule, ret, &free_lane, &parts_left);
    if (!found && free_lane != NULL && schedule->large_next < schedule->large_count &&
        schedule->parts_out < schedule->parts_max) {
        found = next_companion(schedule, ret) || open_lane_locked(schedule, free_lane, ret);
        ASSERT(found);
    }
    mutex_unlock(&schedule->lock);
    if (found || next_small(schedule, ret)) {
        return SCHEDULE_PART;
    }
    return parts_left || schedule->large_next < schedule->large_count ? SCHEDULE_WAIT
                                                                      : SCHEDULE_END;
}

void schedule_release_part(struct schedule *schedule, uint32_t lane, uint64_t bytes)
{
    mutex_lock(&schedule->lock);
    ASSERT(lane < schedule->lane_count && schedule->lanes[lane].open);
    ASSERT(schedule->lanes[lane].in_flight >= bytes);
    ASSERT(schedule->parts_out > 0);
    schedule->lanes[lane].in_flight -= bytes;
    schedule->parts_out--;
    mutex_unlock(&schedule->lock);
}

void schedule_release_lane(struct schedule *schedule, uint32_t lane)
{
    mutex_lock(&schedule->lock);
    ASSERT(lane < schedule->lane_count && schedule->lanes[lane].open);
    ASSERT(schedule->lanes[lane].in_flight == 0);
    ASSERT(schedule->lanes[lane].part_next == schedule->lanes[lane].part_count);
    schedule->lanes[lane].open = false;
    mutex_unlock(&schedule->lock);
}
