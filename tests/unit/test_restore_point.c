#include "agent/restore_point.h"

#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "tests/unit/backup_world.h"
#include "tests/unit/unit.h"

/* One line a point: "token kind time files stored plain missing why". */
static int tell(void *ctx, const struct restore_point *point, struct err *e)
{
    (void)e;
    struct buf *lines = (struct buf *)ctx;
    char time[TIME_TEXT_SIZE];
    assert_true(point->complete == (point->why_not[0] == '\0'));
    assert_true((point->missing > 0) == (point->missing_first[0] != '\0'));
    assert_true(buf_appendf(
        lines, "%s %s %s %u %u %u %u %s\n", point->node->token, point->node->v2 ? "v2" : "v1",
        format_minute(point->time_ms, time), (unsigned)point->files, (unsigned)point->stored_bytes,
        (unsigned)point->plain_bytes, (unsigned)point->missing, point->why_not));
    return 0;
}

static int find(struct world *world, struct buf *lines)
{
    buf_clear(lines);
    world->e = ERR_INIT;
    return restore_points_find(&world->config, world->source, tell, lines, &world->e);
}

static void test_points(void **state)
{
    (void)state;
    struct world *world = world_new();
    autobuf struct buf lines = BUF_INIT(4096);
    world->token = "7";
    world_both_v2(world, T0, "ks/t-1/nb-1-big", "one");
    (void)world_snapshot_v2(world, T0);
    world_both_v2(world, T0 + MINUTES(1), "ks/t-1/nb-2-big", "second");
    world_name_v2(world, T0, "ks/t-1/nb-1-big");
    world_name_v2(world, T0 + MINUTES(1), "ks/t-1/nb-3-big");
    world_put_v2(world, T0 + MINUTES(1), "ks/t-1/nb-3-big", "three", "Data.db Index.db");
    (void)world_snapshot_v2(world, T0 + MINUTES(1));
    world->token = "-8";
    world_both_v1(world, T0, "ks/t-1/mc-1-big", "one");
    world_name_v1(world, T0, "system/local-7/mc-1-big"); /* never restored, never missed */
    (void)world_snapshot_v1(world, T0);
    (void)world_snapshot_v1(world, T0 + MINUTES(5));
    autofree char *bad = xstrdup(world_snapshot_v1(world, T0 + MINUTES(2)));
    memory_source_put(world->source, bad, "[");
    assert_int_equal(find(world, &lines), 0);
    /* v2 keys have no region, so they come first. */
    autofree char *expected =
        xasprintf("7 v2 202611230801 18 74 126 2 2 of its objects are missing\n"
                  "7 v2 202611230800 6 18 42 0 \n"
                  "-8 v1 202611230805 0 0 0 0 \n"
                  "-8 v1 202611230802 0 0 0 0 manifest '%s': ",
                  bad);
    assert_memory_equal(buf_str(&lines), expected, strlen(expected));
    const char *rest = strchr(buf_str(&lines) + strlen(expected), '\n');
    assert_non_null(rest);
    assert_string_equal(rest + 1, "-8 v1 202611230800 6 18 0 0 \n");
    const char *tokens[] = {"7"};
    world->config.selection.tokens = (struct name_list){tokens, 1};
    assert_int_equal(find(world, &lines), 0);
    assert_memory_equal(buf_str(&lines), "7 v2 202611230801", 17);
    world_free(world);
}

static void test_sibling_is_there(void **state)
{
    (void)state;
    struct world *world = world_new();
    autobuf struct buf lines = BUF_INIT(4096);
    const char *path = "ks/t-1/nb-1-big-Data.db";
    world_name(world, world_key_v2(world, T0, path, "SNAPPY"));
    memory_source_put(world->source, world_key_v2(world, T0, path, "NONE"), "plain");
    (void)world_snapshot_v2(world, T0);
    assert_int_equal(find(world, &lines), 0);
    assert_string_equal(buf_str(&lines), "1 v2 202611230800 1 5 7 0 \n");
    world_free(world);
}

static void test_trouble(void **state)
{
    (void)state;
    struct world *world = world_new();
    autobuf struct buf lines = BUF_INIT(4096);
    assert_int_equal(find(world, &lines), -1);
    assert_int_equal(world->e.kind, ERR_NO_BACKUP);
    for (int i = 0; i < 1000; i++) {
        char sstable[64];
        (void)snprintf(sstable, sizeof(sstable), "ks/t-1/nb-%d-big", i);
        world_put_v2(world, T0, sstable, "x", "");
    }
    (void)world_snapshot_v2(world, T0);
    world->config.memory = 64 << 10; /* 4,096 marks */
    assert_int_equal(find(world, &lines), -1);
    assert_int_equal(world->e.kind, ERR_LIMIT);
    world->config.memory = 1 << 20;
    assert_int_equal(find(world, &lines), 0);
    world_free(world);
}

/* More snapshots than are judged at once, each by what lies in its own minute. */
static void test_many(void **state)
{
    (void)state;
    struct world *world = world_new();
    autobuf struct buf lines = BUF_INIT(4096);
    autobuf struct buf wanted = BUF_INIT(4096);
    for (int i = 10; i >= 0; i--) {
        char minute[TIME_TEXT_SIZE];
        for (int j = 0; j < i; j++) {
            autofree char *sstable = xasprintf("ks/t-1/mc-%d-big", j);
            world_both_v1(world, T0 + MINUTES(i), sstable, "x");
        }
        if (i == 5) {
            const char *path = "ks/t-1/mc-0-big-Data.db";
            memory_source_remove(world->source, world_key_v1(world, T0 + MINUTES(i), "SNAP", path));
        }
        (void)world_snapshot_v1(world, T0 + MINUTES(i));
        assert_true(buf_appendf(&wanted, "1 v1 %s %d %d 0 %d %s\n",
                                format_minute(T0 + MINUTES(i), minute), 6 * i, 6 * i - (i == 5),
                                i == 5, i == 5 ? "1 of its objects are missing" : ""));
    }
    assert_int_equal(find(world, &lines), 0);
    assert_string_equal(buf_str(&lines), buf_str(&wanted));
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_points),
                                       cmocka_unit_test(test_sibling_is_there),
                                       cmocka_unit_test(test_many), cmocka_unit_test(test_trouble)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
