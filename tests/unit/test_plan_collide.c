/* SSTables of one name, and whether system."IndexInfo" can be believed. */
#include "tests/unit/unit.h"

#include "agent/base/mem.h"
#include "tests/unit/backup_world.h"

static int set_up(void **state)
{
    *state = world_new();
    return 0;
}

static int tear_down(void **state)
{
    world_free((struct world *)*state);
    return 0;
}

static bool has_warning(const struct world *world, const char *subject, const char *why)
{
    return world_has_note(world->plan->warnings, world->plan->warning_count, subject, why);
}

/* A replaced node counts from 1 again: both SSTables are data, one gets another number. */
static void test_renumbered(void **state)
{
    struct world *world = (struct world *)*state;
    world_both_v2(world, T0 - MINUTES(600), "ks/t-1/nb-1-big", "old one");
    world_both_v2(world, T0 - MINUTES(600), "ks/t-1/nb-17-big", "old seventeen");
    (void)world_snapshot_v2(world, T0);
    world_put_v2(world, T0 + MINUTES(60), "ks/t-1/nb-1-big", "new one", "");
    world_put_v2(world, T0 + MINUTES(61), "ks/t-1/nb-2-big", "new two", "");
    world_put_v2(world, T0 + MINUTES(62), "ks/t-1/nb-17-big", "new seventeen", "");
    assert_plan(world);
    assert_targets(world, "ks/t-1/nb-1-big\nks/t-1/nb-17-big\nks/t-1/nb-18-big\nks/t-1/nb-19-big\n"
                          "ks/t-1/nb-2-big\n");
    assert_int_equal(world->plan->file_count, 30);
    assert_true(has_warning(world, "ks.t nb-1-big", "gets number 18"));
    assert_true(has_warning(world, "ks.t nb-17-big", "gets number 19"));
    for (uint32_t i = 0; i < 12; i++) {
        assert_false(world->plan->files[i].incremental); /* the snapshot's kept their names */
    }
    const struct plan_sstable *renumbered = &world->plan->sstables[2];
    assert_string_equal(world->plan->files[renumbered->data].target_name, "nb-18-big-Data.db");
    assert_string_equal(world->plan->files[renumbered->data].key_name, "nb-1-big-Data.db");
    assert_int_equal(world->plan->files[renumbered->data].size, strlen("new one"));
}

/* Between incrementals, the first keeps its name. */
static void test_renumbered_incremental(void **state)
{
    struct world *world = (struct world *)*state;
    (void)world_snapshot_v1(world, T0);
    world_put_v1(world, T0 + MINUTES(1), "SST", "ks/t-1/ks-t-ka-4", "old", "");
    world_put_v1(world, T0 + MINUTES(90), "SST", "ks/t-1/ks-t-ka-4", "newer", "");
    world_put_v1(world, T0 + MINUTES(180), "SST", "ks/t-1/ks-t-ka-4", "newest of all", "");
    assert_plan(world);
    assert_targets(world, "ks/t-1/ks-t-ka-4\nks/t-1/ks-t-ka-5\nks/t-1/ks-t-ka-6\n");
    assert_int_equal(world->plan->files[world->plan->sstables[2].data].size, 13);
}

/* A restored node uploads what it was given again, under new mtimes. */
static void test_same_content(void **state)
{
    struct world *world = (struct world *)*state;
    world_both_v2(world, T0 - MINUTES(600), "ks/t-1/nb-1-big", "one");
    (void)world_snapshot_v2(world, T0);
    world_put_v2(world, T0 + MINUTES(60), "ks/t-1/nb-1-big", "one", "");
    assert_plan(world);
    assert_targets(world, "ks/t-1/nb-1-big\n");
    assert_false(world->plan->files[0].incremental);
    assert_int_equal(world->plan->warning_count, 0);
}

/* Under SSE-KMS equal bytes have different ETags: time and sizes say that it is the same. */
static void test_same_without_etags(void **state)
{
    struct world *world = (struct world *)*state;
    static const char *const COMPONENTS[] = {"Data.db", "Index.db",      "Digest.crc32",
                                             "TOC.txt", "Statistics.db", "CompressionInfo.db"};
    world_both_v1(world, T0, "ks/t-1/mc-1-big", "one");
    (void)world_snapshot_v1(world, T0);
    world_put_v1(world, T0, "SST", "ks/t-1/mc-1-big", "one", "");
    for (size_t i = 0; i < ARRAY_SIZE(COMPONENTS); i++) {
        autofree char *path = xasprintf("ks/t-1/mc-1-big-%s", COMPONENTS[i]);
        autofree char *etag = xasprintf("kms-%zu", i);
        memory_source_set_etag(world->source, world_key_v1(world, T0, "SST", path), etag);
    }
    assert_plan(world);
    assert_targets(world, "ks/t-1/mc-1-big\n");
}

/* Priam 3.11.73 to 3.11.78 filed index SSTables with their table: of two with one name and one time
 * nobody can say which is which. */
static void test_mislabelled_index(void **state)
{
    struct world *world = (struct world *)*state;
    world_both_v2(world, T0 - MINUTES(60), "ks/t-1/nb-1-big", "one");
    (void)world_snapshot_v2(world, T0);
    world_put_v2(world, T0 + MINUTES(1), "ks/t-1/nb-2-big", "rows", "");
    world_put_v2(world, T0 + MINUTES(1) + SECONDS(1), "ks/t-1/nb-2-big", "index entries", "");
    assert_no_plan(world, ERR_REFUSED, "an index's that Priam filed with its table");
    assert_string_contains(world->e.text, "SST_V2/1795420860000/");
    assert_string_contains(world->e.text, "SST_V2/1795420861000/");
    assert_string_contains(world->e.hint, "--exclude ks.t");
}

static void test_not_renumbered(void **state)
{
    struct world *world = (struct world *)*state;
    const char *uuid = "ks/t-1/nb-3gp1_0kd1_1abcdefghijklmnopq-big";
    world_both_v2(world, T0 - MINUTES(60), uuid, "one");
    (void)world_snapshot_v2(world, T0);
    world_put_v2(world, T0 + MINUTES(60), uuid, "another", "");
    assert_no_plan(world, ERR_REFUSED, "cannot be renumbered");
    assert_string_contains(world->e.text, "SST_V2/1795417200000/");
    assert_string_contains(world->e.text, "SST_V2/1795424400000/");
    memory_source_remove(world->source, "b/99_c/1/META_V2/1795420800000/NONE/PLAINTEXT/"
                                        "meta_v2_202611230800.json");
    /* Nor past what Cassandra can read. */
    world_both_v2(world, T0, "ks/u-1/nb-2147483647-big", "one");
    (void)world_snapshot_v2(world, T0 + MINUTES(70));
    world_put_v2(world, T0 + MINUTES(90), "ks/u-1/nb-2147483647-big", "another", "");
    assert_no_plan(world, ERR_REFUSED, "cannot be renumbered");
}

/* An incremental that repeats the manifest's by half is not worth a word. */
static void test_half_repeated(void **state)
{
    struct world *world = (struct world *)*state;
    world_both_v1(world, T0, "ks/t-1/mc-1-big", "one");
    (void)world_snapshot_v1(world, T0);
    world_put_v1(world, T0, "SST", "ks/t-1/mc-1-big", "one", "TOC.txt");
    assert_plan(world);
    assert_targets(world, "ks/t-1/mc-1-big\n");
    assert_int_equal(world->plan->warning_count, 0);
}

/* A snapshot of an indexed table, with IndexInfo, at T0. */
static void indexed_v2(struct world *world, bool name_index)
{
    world_both_v2(world, T0 - SECONDS(5), "ks/t-1/nb-1-big", "rows");
    world_both_v2(world, T0 - SECONDS(4), "system/IndexInfo-9/nb-1-big", "built");
    world_put_v2(world, T0 - SECONDS(5), "ks/t-1/.t_idx/nb-1-big", "index", "");
    if (name_index) {
        world_name_v2(world, T0 - SECONDS(5), "ks/t-1/.t_idx/nb-1-big");
    }
    (void)world_snapshot_v2(world, T0);
}

#define WITH_INDEX_INFO "ks/t-1/nb-1-big\nks/t-1/.t_idx/nb-1-big\nsystem/IndexInfo-9/nb-1-big\n"

static void test_index_info_kept(void **state)
{
    struct world *world = (struct world *)*state;
    indexed_v2(world, true);
    assert_plan(world);
    assert_targets(world, WITH_INDEX_INFO);
    assert_int_equal(world->plan->table_count, 2); /* an index lies in its table */
    /* Incrementals of the table come with those of its index, which Priam forgets. */
    world_put_v2(world, T0 + MINUTES(5), "ks/t-1/nb-2-big", "rows", "");
    world_put_v2(world, T0 + MINUTES(5) + SECONDS(1), "ks/t-1/.t_idx/nb-2-big", "index", "");
    assert_plan(world);
    assert_targets(world, "ks/t-1/nb-1-big\nks/t-1/nb-2-big\nks/t-1/.t_idx/nb-1-big\n"
                          "ks/t-1/.t_idx/nb-2-big\nsystem/IndexInfo-9/nb-1-big\n");
    assert_int_equal(world->plan->warning_count, 0);
}

/* What the plan says becomes of the indexes. */
static void assert_indexes(const struct world *world, enum plan_indexes indexes, const char *why)
{
    const struct plan_node *node = plan_worst_indexes(world->plan);
    assert_string_equal(plan_indexes_name(node->indexes), plan_indexes_name(indexes));
    assert_string_contains(node->indexes_why, why);
}

static bool has_index_info(const struct world *world)
{
    return strstr(world_targets(world), "IndexInfo") != NULL;
}

static void assert_index_info_dropped(struct world *world, const char *why)
{
    assert_plan(world);
    assert_false(has_index_info(world));
    assert_true(has_warning(world, "system.IndexInfo", "builds secondary indexes at its first"));
    assert_true(
        world_has_note(world->plan->skipped, world->plan->skipped_count, "system.IndexInfo", why));
    assert_indexes(world, INDEXES_REBUILT, why);
}

static void test_index_not_named(void **state)
{
    struct world *world = (struct world *)*state;
    indexed_v2(world, false);
    assert_index_info_dropped(world, "the manifest names no index");
    world->config.selection.snapshot_only = true;
    assert_index_info_dropped(world, "the manifest names no index");
}

static void test_index_lags(void **state)
{
    struct world *world = (struct world *)*state;
    indexed_v2(world, true);
    world_put_v2(world, T0 + MINUTES(30), "ks/t-1/nb-2-big", "rows", "");
    assert_index_info_dropped(world, "came without its index's");
    world_put_v2(world, T0 + MINUTES(30), "ks/t-1/.t_idx/nb-2-big", "index", "Index.db");
    assert_index_info_dropped(world, "is not whole");
    /* Of another table's nothing follows. */
    world_put_v2(world, T0 + MINUTES(30), "ks/t-1/.t_idx/nb-2-big", "index", "");
    world_put_v2(world, T0 + MINUTES(60), "ks/u-2/nb-2-big", "rows", "");
    assert_plan(world);
    assert_true(has_index_info(world));
}

static void test_index_excluded(void **state)
{
    struct world *world = (struct world *)*state;
    const char *excluded[] = {"ks.t"};
    indexed_v2(world, true);
    world->config.selection.exclude = (struct name_list){excluded, 1};
    assert_index_info_dropped(world, "not selected");
}

static void test_index_told(void **state)
{
    struct world *world = (struct world *)*state;
    const char *tables[] = {"ks.t"};
    indexed_v2(world, true);
    assert_plan(world);
    assert_indexes(world, INDEXES_COMPLETE, "all index SSTables are there");
    /* Another node's are not. */
    world->token = "7";
    indexed_v2(world, false);
    world->config.selection.all_tokens = true;
    world->config.command = COMMAND_VERIFY;
    assert_plan(world);
    assert_int_equal(world->plan->node_count, 2);
    assert_indexes(world, INDEXES_REBUILT, "the manifest names no index");
    /* One table into what may hold another IndexInfo. */
    world->config.selection.include = (struct name_list){tables, 1};
    assert_plan(world);
    assert_indexes(world, INDEXES_REBUILD, "that of the target counts");
    world->config.layout = LAYOUT_LOADER;
    assert_plan(world);
    assert_indexes(world, INDEXES_REBUILT, "where the files are loaded");
}

static void test_index_info_absent(void **state)
{
    struct world *world = (struct world *)*state;
    world_both_v2(world, T0, "ks/t-1/nb-1-big", "rows");
    (void)world_snapshot_v2(world, T0);
    assert_plan(world);
    assert_indexes(world, INDEXES_REBUILT, "there is no system.IndexInfo");
}

/* v1 has index SSTables up to Cassandra 2.1 only, as files of their table. */
static void test_index_v1(void **state)
{
    struct world *world = (struct world *)*state;
    world_both_v1(world, T0, "ks/t-1/ks-t-ka-1", "rows");
    world_both_v1(world, T0, "ks/t-1/ks-t.t_idx-ka-1", "index");
    world_both_v1(world, T0, "system/IndexInfo-9/system-IndexInfo-ka-1", "built");
    (void)world_snapshot_v1(world, T0);
    assert_plan(world);
    assert_true(has_index_info(world));
    world_put_v1(world, T0 + MINUTES(30), "SST", "ks/t-1/ks-t.t_idx-ka-2", "index", "Index.db");
    assert_index_info_dropped(world, "is not whole");
    world_both_v1(world, T0 + MINUTES(60), "ks/t-1/mc-1-big", "rows");
    world_both_v1(world, T0 + MINUTES(60), "system/IndexInfo-9/mc-1-big", "built");
    (void)world_snapshot_v1(world, T0 + MINUTES(60));
    assert_index_info_dropped(world, "no secondary indexes");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_renumbered),        TEST(test_renumbered_incremental),
        TEST(test_same_content),      TEST(test_same_without_etags),
        TEST(test_mislabelled_index), TEST(test_not_renumbered),
        TEST(test_half_repeated),     TEST(test_index_info_kept),
        TEST(test_index_not_named),   TEST(test_index_lags),
        TEST(test_index_excluded),    TEST(test_index_v1),
        TEST(test_index_told),        TEST(test_index_info_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
