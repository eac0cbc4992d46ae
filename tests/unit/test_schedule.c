#include "unit.h"

#include "agent/base/mem.h"
#include "agent/base/random.h"
#include "agent/schedule.h"
#include "agent/sstable_name.h"

enum { PART = 1000, FILES_MAX = 400 };

struct world {
    struct plan plan;
    struct plan_file files[FILES_MAX];
    struct plan_sstable sstables[FILES_MAX];
    uint8_t need[FILES_MAX];
    struct transfer_limits limits;
};

static void world_init(struct world *world)
{
    *world = (struct world){
        .limits = {.budget = 10 * PART, .part_size = PART, .parts_max = 100, .open_max = 2}};
    world->plan.files = world->files;
    world->plan.sstables = world->sstables;
}

static uint32_t add_file(struct world *world, uint64_t size)
{
    const uint32_t file = world->plan.file_count++;
    world->files[file] = (struct plan_file){.size = size, .sstable = PLAN_NONE};
    world->need[file] = NEED_FILE;
    return file;
}

/* Index.db, TOC.txt, Data.db, Digest, in that order. */
static uint32_t add_sstable(struct world *world, uint64_t data_size)
{
    const uint32_t first = world->plan.file_count;
    const uint32_t index = world->plan.sstable_count++;
    (void)add_file(world, 50);
    (void)add_file(world, 20);
    (void)add_file(world, data_size);
    (void)add_file(world, 10);
    for (uint32_t i = first; i < first + 4; i++) {
        world->files[i].sstable = index;
    }
    world->sstables[index] = (struct plan_sstable){
        .first = first, .count = 4, .data = first + 2, .digest = first + 3, .toc = first + 1};
    return first;
}

static void expect(struct schedule *schedule, uint32_t file, uint32_t part)
{
    struct schedule_part next;
    assert_int_equal(schedule_next(schedule, &next), SCHEDULE_PART);
    assert_int_equal(next.file, file);
    assert_int_equal(next.part, part);
}

static void test_part_size(void **state)
{
    (void)state;
    assert_int_equal(schedule_part_size(1, 0, 1000), 1);
    assert_int_equal(schedule_part_size(1000, 0, 1000), 1000);
    assert_int_equal(schedule_part_size(1001, 0, 1000), 1000);
    assert_int_equal(schedule_part_size(1001, 1, 1000), 1);
    assert_int_equal(schedule_part_size(5000, 4, 1000), 1000);
}

/* Largest first; a large Data.db behind its digest and TOC; small ones by their SSTable's weight,
 * the digest first. */
static void test_order(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    const uint32_t light = add_sstable(&world, 100);
    const uint32_t heavy = add_sstable(&world, 2500);
    const uint32_t side = add_file(&world, 500);
    const uint32_t empty = add_file(&world, 0);
    const uint32_t unneeded = add_file(&world, 5);
    const uint32_t largest = add_file(&world, 3000);
    world.need[unneeded] = NEED_NOTHING;
    struct schedule *schedule = schedule_new(&world.plan, world.need, &world.limits);
    expect(schedule, largest, 0);
    expect(schedule, largest, 1);
    expect(schedule, largest, 2);
    expect(schedule, heavy + 3, 0);
    expect(schedule, heavy + 1, 0);
    expect(schedule, heavy + 2, 0);
    expect(schedule, heavy + 2, 1);
    expect(schedule, heavy + 2, 2);
    expect(schedule, heavy, 0);
    expect(schedule, side, 0);
    expect(schedule, light + 3, 0);
    expect(schedule, light + 1, 0);
    expect(schedule, light + 2, 0);
    expect(schedule, light, 0);
    struct schedule_part next;
    assert_int_equal(schedule_next(schedule, &next), SCHEDULE_PART);
    assert_int_equal(next.file, empty);
    assert_int_equal(next.part_count, 0);
    assert_int_equal(schedule_next(schedule, &next), SCHEDULE_END);
    schedule_free(schedule);
    schedule_free(NULL);
}

/* One large object takes half the budget, then small ones get their turn; alone it takes all. */
static void test_window(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    const uint32_t large = add_file(&world, 20 * PART);
    const uint32_t small = add_file(&world, 7);
    struct schedule *schedule = schedule_new(&world.plan, world.need, &world.limits);
    for (uint32_t i = 0; i < 5; i++) {
        expect(schedule, large, i);
    }
    expect(schedule, small, 0);
    for (uint32_t i = 5; i < 10; i++) {
        expect(schedule, large, i);
    }
    struct schedule_part next;
    assert_int_equal(schedule_next(schedule, &next), SCHEDULE_WAIT);
    schedule_release_part(schedule, 0, PART);
    expect(schedule, large, 10);
    assert_int_equal(schedule_next(schedule, &next), SCHEDULE_WAIT);
    schedule_free(schedule);
}

/* All large objects together have parts_max parts under way; small ones do not wait for them. */
static void test_parts_max(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world.limits.parts_max = 3;
    const uint32_t a = add_file(&world, 3 * PART);
    const uint32_t b = add_file(&world, 2 * PART);
    const uint32_t small = add_file(&world, 7);
    struct schedule *schedule = schedule_new(&world.plan, world.need, &world.limits);
    for (uint32_t i = 0; i < 3; i++) {
        expect(schedule, a, i);
    }
    expect(schedule, small, 0);
    struct schedule_part next;
    assert_int_equal(schedule_next(schedule, &next), SCHEDULE_WAIT);
    schedule_release_part(schedule, 0, PART);
    expect(schedule, b, 0);
    assert_int_equal(schedule_next(schedule, &next), SCHEDULE_WAIT);
    schedule_release_part(schedule, 0, PART);
    expect(schedule, b, 1);
    schedule_free(schedule);
}

/* A third large object waits for the lane of one that ended. */
static void test_lanes(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    const uint32_t a = add_file(&world, 2 * PART);
    const uint32_t b = add_file(&world, 2 * PART);
    const uint32_t c = add_file(&world, 2 * PART);
    struct schedule *schedule = schedule_new(&world.plan, world.need, &world.limits);
    expect(schedule, a, 0);
    expect(schedule, a, 1);
    expect(schedule, b, 0);
    expect(schedule, b, 1);
    struct schedule_part next;
    assert_int_equal(schedule_next(schedule, &next), SCHEDULE_WAIT);
    schedule_release_part(schedule, 1, PART);
    schedule_release_part(schedule, 1, PART);
    assert_int_equal(schedule_next(schedule, &next), SCHEDULE_WAIT);
    schedule_release_lane(schedule, 1);
    assert_int_equal(schedule_next(schedule, &next), SCHEDULE_PART);
    assert_int_equal(next.file, c);
    assert_int_equal(next.lane, 1);
    expect(schedule, c, 1);
    assert_int_equal(schedule_next(schedule, &next), SCHEDULE_END);
    schedule_free(schedule);
}

/* Random plans and releases: every part of every needed file comes once and in order, no object is
 * beyond its window, and waiting never lasts once everything was released. */
static void test_random(void **state)
{
    (void)state;
    static struct world world;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct random random = {.state = seed};
        world_init(&world);
        world.limits.open_max = 1 + (unsigned)random_below(&random, 4);
        for (unsigned i = 0; i < 60; i++) {
            const uint64_t size = random_below(&random, i % 4 == 0 ? 15 * PART : PART);
            if (i % 2 == 0) {
                (void)add_sstable(&world, size);
            } else {
                world.need[add_file(&world, size)] = (uint8_t)random_below(&random, 2);
            }
        }
        struct schedule *schedule = schedule_new(&world.plan, world.need, &world.limits);
        uint32_t got[FILES_MAX] = {0};
        uint32_t lane_file[4] = {0};
        uint64_t in_flight[4] = {0};
        bool open[4] = {false};
        unsigned waits = 0;
        for (;;) {
            struct schedule_part next;
            const enum schedule_answer answer = schedule_next(schedule, &next);
            if (answer == SCHEDULE_END) {
                break;
            }
            if (answer == SCHEDULE_PART) {
                assert_int_equal(next.part, got[next.file]);
                got[next.file]++;
                waits = 0;
                if (next.lane != SCHEDULE_NO_LANE) {
                    assert_true(next.lane < world.limits.open_max);
                    lane_file[next.lane] = next.file;
                    open[next.lane] = true;
                    in_flight[next.lane] +=
                        schedule_part_size(world.files[next.file].size, next.part, PART);
                    assert_true(in_flight[next.lane] <= world.limits.budget);
                }
            } else {
                assert_true(++waits < 50);
            }
            for (uint32_t lane = 0; lane < world.limits.open_max; lane++) {
                const uint64_t some = in_flight[lane] < PART ? in_flight[lane] : PART;
                if (some > 0 && (answer == SCHEDULE_WAIT || random_below(&random, 4) == 0)) {
                    schedule_release_part(schedule, lane, some);
                    in_flight[lane] -= some;
                }
                const uint64_t size = world.files[lane_file[lane]].size;
                if (open[lane] && in_flight[lane] == 0 &&
                    got[lane_file[lane]] == (size + PART - 1) / PART) {
                    schedule_release_lane(schedule, lane);
                    open[lane] = false;
                }
            }
        }
        for (uint32_t i = 0; i < world.plan.file_count; i++) {
            const uint64_t size = world.files[i].size;
            const uint64_t parts = size == 0 ? 1 : (size + PART - 1) / PART;
            assert_int_equal(got[i], world.need[i] == NEED_NOTHING ? 0 : parts);
        }
        schedule_free(schedule);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_part_size), cmocka_unit_test(test_order),
        cmocka_unit_test(test_window),    cmocka_unit_test(test_parts_max),
        cmocka_unit_test(test_lanes),     cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
