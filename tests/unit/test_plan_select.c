/* Which node, which restore point, and manifests that cannot be used. */
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

static void one_snapshot(struct world *world, const char *token)
{
    world->token = token;
    world_both_v2(world, T0, "ks/t-1/nb-1-big", "one");
    (void)world_snapshot_v2(world, T0);
}

static void test_token(void **state)
{
    struct world *world = (struct world *)*state;
    struct selection *selection = &world->config.selection;
    one_snapshot(world, "100");
    assert_plan(world); /* the only one needs no name */
    one_snapshot(world, "-5");
    one_snapshot(world, "20");
    assert_no_plan(world, ERR_CONFIG, "several tokens: -5, 20, 100");
    const char *wanted[] = {"30", "-5"};
    selection->tokens = (struct name_list){wanted, 1};
    assert_no_plan(world, ERR_CONFIG, "no token 30: the nearest of its 3: 20, 100");
    wanted[0] = "-6";
    assert_no_plan(world, ERR_CONFIG, "the nearest of its 3: -5");
    wanted[0] = "-5";
    selection->tokens.count = 2; /* the same one twice is one */
    assert_plan(world);
    assert_int_equal(world->plan->node_count, 1);
    assert_string_equal(world->plan->nodes[0].token, "-5");
}

static void test_several_tokens(void **state)
{
    struct world *world = (struct world *)*state;
    one_snapshot(world, "100");
    one_snapshot(world, "-5");
    world->config.selection.all_tokens = true;
    assert_no_plan(world, ERR_REFUSED, "2 tokens are selected");
    assert_string_contains(world->e.hint, "--layout loader");
    world->config.layout = LAYOUT_LOADER;
    assert_plan(world);
    assert_targets(world, "-5/ks/t/nb-1-big\n100/ks/t/nb-1-big\n");
    assert_int_equal(world->plan->tables[0].node, 0);
    assert_int_equal(world->plan->tables[1].node, 1);
    /* Nothing is written by a drill, so nothing can get mixed. */
    world->config.layout = LAYOUT_DATA;
    world->config.command = COMMAND_VERIFY;
    assert_plan(world);
    assert_targets(world, "-5/ks/t-1/nb-1-big\n100/ks/t-1/nb-1-big\n");
}

static void test_cluster(void **state)
{
    struct world *world = (struct world *)*state;
    one_snapshot(world, "1");
    memory_source_put(world->source, "b/eu/other/1/202611230800/META/meta.json", "[]");
    assert_no_plan(world, ERR_CONFIG, "several clusters");
    assert_string_contains(world->e.hint, "--cluster");
    world->config.selection.cluster = "c";
    assert_plan(world);
    world->config.selection.cluster = "other";
    assert_plan(world);
    assert_false(world->plan->nodes[0].v2);
    memory_source_put(world->source, "b/us/other/1/202611230800/META/meta.json", "[]");
    assert_no_plan(world, ERR_CONFIG, "several regions: eu, us");
    world->config.selection.source_region = "us";
    assert_plan(world);
    assert_string_equal(world->plan->nodes[0].region, "us");
}

static void two_points(struct world *world)
{
    world_both_v2(world, T0, "ks/t-1/nb-1-big", "one");
    (void)world_snapshot_v2(world, T0);
    world_both_v2(world, T0 + MINUTES(60), "ks/t-1/nb-2-big", "two");
    (void)world_snapshot_v2(world, T0 + MINUTES(60));
    world_both_v1(world, T0 + MINUTES(30), "ks/t-1/nb-3-big", "three");
    (void)world_snapshot_v1(world, T0 + MINUTES(30));
}

/* When, in which dialect, and the snapshot that is taken; -1: none. */
struct when {
    bool latest, range;
    int64_t from_ms, to_ms;
    enum dialect_choice format;
    int64_t snapshot_ms;
};

static const struct when WHENS[] = {
    {true, false, 0, 0, DIALECT_AUTO, T0 + MINUTES(60)},
    {true, false, 0, 0, DIALECT_V1, T0 + MINUTES(30)},
    {false, false, 0, T0 + MINUTES(60) - 1, DIALECT_AUTO, T0 + MINUTES(30)},
    {false, false, 0, T0 + MINUTES(60), DIALECT_AUTO, T0 + MINUTES(60)},
    {false, false, 0, T0 + MINUTES(60) - 1, DIALECT_V2, T0},
    {false, false, 0, T0 + MINUTES(30), DIALECT_V1, T0 + MINUTES(30)},
    {false, false, 0, T0 - 1, DIALECT_AUTO, -1},
    /* Both ends belong to the range in v2, the start also when cut to its second; in v1 the end
     * does not, unless it is the start. */
    {false, true, T0, T0 + MINUTES(60), DIALECT_V2, T0 + MINUTES(60)},
    {false, true, T0 + 999, T0 + SECONDS(1), DIALECT_V2, T0},
    {false, true, T0 + SECONDS(1), T0 + MINUTES(59), DIALECT_V2, -1},
    {false, true, T0, T0 + MINUTES(30), DIALECT_V1, -1},
    {false, true, T0, T0 + MINUTES(31), DIALECT_V1, T0 + MINUTES(30)},
    {false, true, T0 + MINUTES(30), T0 + MINUTES(30), DIALECT_V1, T0 + MINUTES(30)},
};

static void test_when(void **state)
{
    struct world *world = (struct world *)*state;
    two_points(world);
    for (size_t i = 0; i < ARRAY_SIZE(WHENS); i++) {
        const struct when *when = &WHENS[i];
        world->config.selection = (struct selection){.at_latest = when->latest,
                                                     .at_ms = when->to_ms,
                                                     .has_range = when->range,
                                                     .range_start_ms = when->from_ms,
                                                     .range_end_ms = when->to_ms,
                                                     .format = when->format};
        const int result = world_plan(world);
        const int64_t snapshot_ms = result == 0 ? world->plan->nodes[0].snapshot_ms : -1;
        if (snapshot_ms != when->snapshot_ms) {
            fail_msg("case %zu: %s", i, world->e.text);
        }
        assert_true(result == 0 || world->e.kind == ERR_NO_BACKUP);
    }
}

static void test_both_dialects(void **state)
{
    struct world *world = (struct world *)*state;
    two_points(world);
    assert_plan(world);
    assert_true(world_has_note(world->plan->warnings, world->plan->warning_count, "1",
                               "backups of both kinds; the newest restore point is v2"));
    world->config.selection.format = DIALECT_V2;
    assert_plan(world);
    assert_int_equal(world->plan->warning_count, 0);
}

static void test_pinned_again(void **state)
{
    struct world *world = (struct world *)*state;
    world_both_v2(world, T0, "ks/t-1/nb-1-big", "one");
    (void)world_snapshot_v2(world, T0);
    world_put_v2(world, T0 + MINUTES(5), "ks/t-1/nb-2-big", "two", "");
    assert_plan(world);
    assert_int_equal(world->plan->nodes[0].until_ms, T0 + MINUTES(5));
    char id[65];
    memcpy(id, world->plan->id, sizeof(id));
    /* What comes meanwhile is not for a rerun that is pinned to the first run's instant. */
    world->config.selection.at_latest = false;
    world->config.selection.at_ms = world->plan->nodes[0].until_ms;
    world_put_v2(world, T0 + MINUTES(6), "ks/t-1/nb-3-big", "three", "");
    world_both_v2(world, T0 + MINUTES(7), "ks/t-1/nb-4-big", "four");
    (void)world_snapshot_v2(world, T0 + MINUTES(7));
    assert_plan(world);
    assert_string_equal(world->plan->id, id);
    assert_targets(world, "ks/t-1/nb-1-big\nks/t-1/nb-2-big\n");
}

/* Each node has an end of its own: one that was behind takes nothing that came since. */
static void test_pinned_each(void **state)
{
    struct world *world = (struct world *)*state;
    one_snapshot(world, "1");
    world_put_v2(world, T0 + MINUTES(9), "ks/t-1/nb-2-big", "two", "");
    one_snapshot(world, "2");
    world->config.layout = LAYOUT_LOADER;
    world->config.selection.all_tokens = true;
    assert_plan(world);
    struct token_pin pins[] = {{"1", world->plan->nodes[0].until_ms},
                               {"2", world->plan->nodes[1].until_ms}};
    assert_int_equal(pins[0].until_ms, T0 + MINUTES(9));
    assert_int_equal(pins[1].until_ms, T0);
    char id[65];
    memcpy(id, world->plan->id, sizeof(id));
    world_put_v2(world, T0 + MINUTES(5), "ks/t-1/nb-3-big", "three", "");
    (void)world_snapshot_v2(world, T0 + MINUTES(8));
    assert_plan(world);
    assert_string_not_equal(world->plan->id, id);
    world->config.selection.pins = pins;
    world->config.selection.pin_count = ARRAY_SIZE(pins);
    assert_plan(world);
    assert_string_equal(world->plan->id, id);
    assert_int_equal(world->plan->nodes[0].until_ms, T0 + MINUTES(9));
    assert_int_equal(world->plan->nodes[1].until_ms, T0);
    /* They outweigh what a saved plan says for all. */
    world->config.selection.at_latest = false;
    world->config.selection.at_ms = T0 + MINUTES(9);
    assert_plan(world);
    assert_string_equal(world->plan->id, id);
}

/* The range of the last day, a day later. */
static void test_pinned_range(void **state)
{
    struct world *world = (struct world *)*state;
    struct selection *selection = &world->config.selection;
    two_points(world);
    for (int v2 = 0; v2 < 2; v2++) {
        selection->format = v2 ? DIALECT_V2 : DIALECT_V1;
        selection->has_range = selection->range_default = true;
        selection->range_start_ms = T0 - MINUTES(50);
        selection->range_end_ms = T0 + MINUTES(70);
        selection->pin_count = 0;
        assert_plan(world);
        struct token_pin pin = {"1", world->plan->nodes[0].until_ms};
        assert_int_equal(pin.until_ms, T0 + MINUTES(70) - (v2 ? 0 : 1));
        char id[65];
        memcpy(id, world->plan->id, sizeof(id));
        selection->range_start_ms += MINUTES(1440);
        selection->range_end_ms += MINUTES(1440);
        assert_no_plan(world, ERR_NO_BACKUP, "has no snapshot");
        selection->pins = &pin;
        selection->pin_count = 1;
        assert_plan(world);
        assert_string_equal(world->plan->id, id);
        assert_int_equal(world->plan->nodes[0].until_ms, pin.until_ms);
        selection->pins = NULL;
    }
}

static void test_v1_offset(void **state)
{
    struct world *world = (struct world *)*state;
    /* Written at 08:00 UTC by a host two hours ahead: the key says 10:00. */
    world_both_v1(world, T0 + MINUTES(120), "ks/t-1/mc-1-big", "one");
    (void)world_snapshot_v1(world, T0 + MINUTES(120));
    world_put_v1(world, T0 + MINUTES(125), "SST", "ks/t-1/mc-2-big", "two", "");
    world_put_v1(world, T0 + MINUTES(126), "SST", "ks/t-1/mc-3-big", "three", "");
    world->config.selection.v1_offset_ms = -MINUTES(120);
    world->config.selection.at_latest = false;
    world->config.selection.at_ms = T0 + MINUTES(5);
    assert_plan(world);
    assert_targets(world, "ks/t-1/mc-1-big\nks/t-1/mc-2-big\n");
    assert_int_equal(world->plan->nodes[0].snapshot_ms, T0);
    assert_int_equal(world->plan->nodes[0].newest_ms, T0 + MINUTES(5));
    assert_true(world_has_note(world->plan->warnings, world->plan->warning_count, "1",
                               "files of the whole minute of 2026-11-23T08:05:00Z"));
}

static void test_incomplete(void **state)
{
    struct world *world = (struct world *)*state;
    world_both_v2(world, T0, "ks/t-1/nb-1-big", "one");
    (void)world_snapshot_v2(world, T0);
    world_both_v2(world, T0 + MINUTES(60), "ks/t-1/nb-2-big", "two");
    world_name_v2(world, T0 + MINUTES(60), "ks/t-1/nb-3-big");
    world_put_v2(world, T0 + MINUTES(60), "ks/t-1/nb-3-big", "three", "Index.db Data.db");
    (void)world_snapshot_v2(world, T0 + MINUTES(60));
    assert_no_plan(world, ERR_NO_BACKUP, "2026-11-23T09:00:00Z is not complete: 2 of its objects");
    assert_string_contains(world->e.text, "nb-3-big-Data.db'");
    assert_string_contains(world->e.hint, "--at 2026-11-23T08:00:00Z");
    assert_string_contains(world->e.hint, "--allow-incomplete");
    /* The plan is there to be shown; nothing older was taken in its place. */
    assert_non_null(world->plan);
    assert_int_equal(world->plan->nodes[0].snapshot_ms, T0 + MINUTES(60));
    assert_int_equal(world->plan->missing_total, 2);
    world->config.selection.allow_incomplete = true;
    assert_plan(world);
    assert_targets(world, "ks/t-1/nb-2-big\n"); /* half an SSTable stops Cassandra */
    assert_int_equal(world->plan->file_count, 6);
    /* What is not selected cannot be missed. */
    const char *excluded[] = {"ks.t"};
    world->config.selection.allow_incomplete = false;
    world->config.selection.exclude = (struct name_list){excluded, 1};
    assert_plan(world);
    assert_int_equal(world->plan->file_count, 0);
}

/* The number is that of the node that is named. */
static void test_incomplete_nodes(void **state)
{
    struct world *world = (struct world *)*state;
    for (int i = 1; i <= 2; i++) {
        world->token = i == 1 ? "1" : "2";
        world_both_v2(world, T0, "ks/t-1/nb-1-big", "one");
        world_name(world, world_key_v2(world, T0, "ks/t-1/nb-1-big-Filter.db", "NONE"));
        (void)world_snapshot_v2(world, T0);
    }
    world->config.selection.all_tokens = true;
    world->config.layout = LAYOUT_LOADER;
    assert_no_plan(world, ERR_NO_BACKUP,
                   "token 1: the restore point of 2026-11-23T08:00:00Z is "
                   "not complete: 1 of its objects missing");
}

static void test_unessential_lost(void **state)
{
    struct world *world = (struct world *)*state;
    world_both_v2(world, T0, "ks/t-1/nb-1-big", "one");
    world_name(world, world_key_v2(world, T0, "ks/t-1/nb-1-big-Filter.db", "NONE"));
    (void)world_snapshot_v2(world, T0);
    assert_no_plan(world, ERR_NO_BACKUP, "nb-1-big-Filter.db");
    world->config.selection.allow_incomplete = true;
    assert_plan(world);
    assert_targets(world, "ks/t-1/nb-1-big\n");
    assert_int_equal(world->plan->file_count, 5);
    assert_int_equal(world->plan->sstables[0].toc, PLAN_NONE); /* it would promise Filter.db */
}

/* Up to 3.1.51 Priam's v1 manifest left out what it failed to upload. */
static void test_not_even_named(void **state)
{
    struct world *world = (struct world *)*state;
    world_name(world, world_key_v1(world, T0, "SNAP", "ks/t-1/ks-t-ka-1-Index.db"));
    memory_source_put(world->source, world_key_v1(world, T0, "SNAP", "ks/t-1/ks-t-ka-1-Index.db"),
                      "index");
    (void)world_snapshot_v1(world, T0);
    assert_no_plan(world, ERR_NO_BACKUP, "ks.t ks-t-ka-1-Data.db");
    assert_int_equal(world->plan->missing_total, 1);
}

/* Not only what every SSTable has: without CompressionInfo.db Cassandra would read nonsense. */
static void test_compression_not_named(void **state)
{
    struct world *world = (struct world *)*state;
    static const char *const COMPONENTS[] = {"Data.db", "Index.db", "Statistics.db"};
    for (size_t i = 0; i < ARRAY_SIZE(COMPONENTS); i++) {
        autofree char *path = xasprintf("ks/t-1/ks-t-ka-1-%s", COMPONENTS[i]);
        memory_source_put(world->source, world_key_v1(world, T0, "SNAP", path), "x");
        world_name(world, world_key_v1(world, T0, "SNAP", path));
    }
    autofree char *key = xstrdup(world_snapshot_v1(world, T0));
    assert_no_plan(world, ERR_NO_BACKUP, "ks.t ks-t-ka-1-CompressionInfo.db or CRC.db");
    world->config.selection.allow_incomplete = true;
    assert_plan(world);
    assert_targets(world, "");
    /* Named and lost is another matter: CRC.db is none that Cassandra needs. */
    memory_source_remove(world->source, key);
    for (size_t i = 0; i < ARRAY_SIZE(COMPONENTS); i++) {
        autofree char *path = xasprintf("ks/t-1/ks-t-ka-1-%s", COMPONENTS[i]);
        world_name(world, world_key_v1(world, T0, "SNAP", path));
    }
    world_name(world, world_key_v1(world, T0, "SNAP", "ks/t-1/ks-t-ka-1-CRC.db"));
    (void)world_snapshot_v1(world, T0);
    assert_plan(world);
    assert_targets(world, "ks/t-1/ks-t-ka-1\n");
    assert_int_equal(world->plan->missing_total, 1);
}

static void test_sibling(void **state)
{
    struct world *world = (struct world *)*state;
    world_both_v2(world, T0, "ks/t-1/nb-1-big", "one");
    const char *path = "ks/t-1/nb-1-big-Data.db";
    memory_source_remove(world->source, world_key_v2(world, T0, path, "NONE"));
    memory_source_put(world->source, world_key_v2(world, T0, path, "SNAPPY"), "packed");
    (void)world_snapshot_v2(world, T0);
    assert_plan(world);
    const struct plan_file *data = &world->plan->files[world->plan->sstables[0].data];
    autobuf struct buf key = BUF_INIT(2048);
    plan_file_key(data, &key);
    assert_string_equal(buf_str(&key), world_key_v2(world, T0, path, "SNAPPY"));
    assert_int_equal(data->claim, CODEC_CLAIM_SNAPPY);
    assert_int_equal(data->plain_size, 7);
    assert_int_equal(data->size, strlen("packed"));
    /* When both are there, the one that the manifest names is taken. */
    memory_source_put(world->source, world_key_v2(world, T0, path, "NONE"), "one");
    assert_plan(world);
    assert_int_equal(world->plan->files[world->plan->sstables[0].data].claim, CODEC_CLAIM_NONE);
}

/* Old Priam kept the last slash of its base and put one of its own behind it. */
static void test_doubled_slash(void **state)
{
    struct world *world = (struct world *)*state;
    static const char *const COMPONENTS[] = {"Data.db", "Index.db", "Statistics.db", "CRC.db"};
    autobuf struct buf manifest = BUF_INIT(4096);
    for (size_t i = 0; i < ARRAY_SIZE(COMPONENTS); i++) {
        autofree char *path = xasprintf("ks/t-1/ks-t-ka-1-%s", COMPONENTS[i]);
        autofree char *key = xasprintf("b//%s", world_key_v1(world, T0, "SNAP", path) + 2);
        memory_source_put(world->source, key, "x");
        (void)buf_appendf(&manifest, "%c\"%s\"", i == 0 ? '[' : ',', key);
    }
    (void)buf_append_char(&manifest, ']');
    autofree char *meta = xasprintf("b//%s", world_key_v1(world, T0, "META", "meta.json") + 2);
    memory_source_put(world->source, meta, buf_str(&manifest));
    assert_no_plan(world, ERR_NO_BACKUP, "no Priam backup; but below ");
    assert_string_contains(world->e.hint, "// as SOURCE");
    free(world->source->base);
    world->source->base = xstrdup("b//");
    assert_plan(world);
    assert_targets(world, "ks/t-1/ks-t-ka-1\n");
}

struct bad_manifest {
    const char *content;
    enum err_kind kind;
    const char *words;
};

static const struct bad_manifest BAD_MANIFESTS[] = {
    {"", ERR_CORRUPT, "is empty"},
    {"<html>", ERR_CORRUPT, "manifest 'b/"},
    {"{\"info\":{},\"data\":[", ERR_CORRUPT, "manifest 'b/"},
    {"{\"data\":[{\"sstables\":[{\"sstableComponents\":[{\"backupPath\":\"b/9_other/1/SST_V2/1/"
     "ks/t/NONE/PLAINTEXT/nb-1-big-Data.db\"}]}]}]}",
     ERR_REFUSED, "outside the backup of token 1"},
    {"{\"data\":[{\"sstables\":[{\"sstableComponents\":[{\"backupPath\":\"b/99_c/1/META_V2/1/"
     "NONE/PLAINTEXT/meta_v2_202611230800.json\"}]}]}]}",
     ERR_REFUSED, "not a data file"},
    {"{\"data\":[{\"sstables\":[{\"sstableComponents\":[{\"backupPath\":\"b/99_c/1/SST_V2/1/"
     "ks/../NONE/PLAINTEXT/nb-1-big-Data.db\"}]}]}]}",
     ERR_REFUSED, "'..'"},
};

static void test_bad_manifests(void **state)
{
    struct world *world = (struct world *)*state;
    assert_int_equal(backup_key_cluster_hash("c", 1), 99);
    autofree char *key = xstrdup(world_snapshot_v2(world, T0));
    for (size_t i = 0; i < ARRAY_SIZE(BAD_MANIFESTS); i++) {
        memory_source_put(world->source, key, BAD_MANIFESTS[i].content);
        assert_no_plan(world, BAD_MANIFESTS[i].kind, BAD_MANIFESTS[i].words);
        assert_string_contains(world->e.text, key);
        assert_null(world->plan);
    }
}

/* A manifest of nothing is a restore point, though an odd one. */
static void test_manifest_of_nothing(void **state)
{
    struct world *world = (struct world *)*state;
    (void)world_snapshot_v1(world, T0);
    assert_plan(world);
    assert_int_equal(world->plan->file_count, 0);
    assert_true(world_has_note(world->plan->warnings, world->plan->warning_count, "meta.json",
                               "names no file"));
}

static void test_file_named_twice(void **state)
{
    struct world *world = (struct world *)*state;
    world_both_v2(world, T0, "ks/t-1/nb-1-big", "one");
    world_name_v2(world, T0, "ks/t-1/nb-1-big"); /* by the same keys: once */
    (void)world_snapshot_v2(world, T0);
    assert_plan(world);
    assert_int_equal(world->plan->file_count, 6);
    world_both_v2(world, T0, "ks/t-1/nb-1-big", "one");
    world_both_v2(world, T0 + SECONDS(1), "ks/t-1/nb-1-big", "two"); /* by others: never both */
    (void)world_snapshot_v2(world, T0 + SECONDS(2));
    assert_no_plan(world, ERR_REFUSED, "two objects for one file");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_token),
        TEST(test_several_tokens),
        TEST(test_cluster),
        TEST(test_when),
        TEST(test_both_dialects),
        TEST(test_pinned_again),
        TEST(test_pinned_each),
        TEST(test_pinned_range),
        TEST(test_v1_offset),
        TEST(test_incomplete),
        TEST(test_incomplete_nodes),
        TEST(test_unessential_lost),
        TEST(test_not_even_named),
        TEST(test_compression_not_named),
        TEST(test_sibling),
        TEST(test_doubled_slash),
        TEST(test_bad_manifests),
        TEST(test_manifest_of_nothing),
        TEST(test_file_named_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
