/* Incrementals: what belongs together, what is whole, which version counts; and listing no more
 * than that needs. */
#include "tests/unit/unit.h"

#include "agent/base/mem.h"
#include "tests/unit/backup_world.h"

/* A world with one SSTable in a snapshot at T0. */
static int set_up(void **state)
{
    struct world *world = world_new();
    world_both_v2(world, T0 - MINUTES(60), "ks/t-1/nb-1-big", "one");
    (void)world_snapshot_v2(world, T0);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    world_free((struct world *)*state);
    return 0;
}

static void set_at(struct world *world, int64_t at_ms)
{
    world->config.selection.at_latest = false;
    world->config.selection.at_ms = at_ms;
}

static bool has_warning(const struct world *world, const char *subject, const char *why)
{
    return world_has_note(world->plan->warnings, world->plan->warning_count, subject, why);
}

/* The instant of an SSTable with all its components, and whether it is taken at T0 + 10 minutes. */
static void test_window(void **state)
{
    struct world *world = (struct world *)*state;
    world_put_v2(world, T0 - SECONDS(1), "ks/t-1/nb-2-big", "before", "");
    world_put_v2(world, T0, "ks/t-1/nb-3-big", "at start", "");
    world_put_v2(world, T0 + MINUTES(5), "ks/t-1/nb-4-big", "between", "");
    world_put_v2(world, T0 + MINUTES(10), "ks/t-1/nb-5-big", "at end", "");
    world_put_v2(world, T0 + MINUTES(10) + SECONDS(1), "ks/t-1/nb-6-big", "after", "");
    set_at(world, T0 + MINUTES(10));
    assert_plan(world);
    assert_targets(world, "ks/t-1/nb-1-big\nks/t-1/nb-3-big\nks/t-1/nb-4-big\nks/t-1/nb-5-big\n");
    assert_int_equal(world->plan->nodes[0].newest_ms, T0 + MINUTES(10));
    assert_int_equal(world->plan->nodes[0].until_ms, T0 + MINUTES(10));
    world->config.selection.snapshot_only = true;
    assert_plan(world);
    assert_targets(world, "ks/t-1/nb-1-big\n");
}

static void put_parts(struct world *world, const char *sstable, int64_t data_ms, int64_t rest_ms)
{
    world_put_v2(world, data_ms, sstable, "tag",
                 "CompressionInfo.db Digest.crc32 Index.db Statistics.db TOC.txt");
    world_put_v2(world, rest_ms, sstable, "tag", "Data.db");
}

/* An SSTable is taken or left as a whole, by the time of its Data.db. */
static void test_spread_over_border(void **state)
{
    struct world *world = (struct world *)*state;
    put_parts(world, "ks/t-1/nb-2-big", T0, T0 - SECONDS(2));
    put_parts(world, "ks/t-1/nb-3-big", T0 - SECONDS(1), T0 + SECONDS(1));
    put_parts(world, "ks/t-1/nb-4-big", T0 + MINUTES(10), T0 + MINUTES(10) + SECONDS(3));
    put_parts(world, "ks/t-1/nb-5-big", T0 + MINUTES(10) + SECONDS(1), T0 + MINUTES(10));
    set_at(world, T0 + MINUTES(10));
    assert_plan(world);
    assert_targets(world, "ks/t-1/nb-1-big\nks/t-1/nb-2-big\nks/t-1/nb-4-big\n");
    assert_int_equal(world->plan->file_count, 18);
    assert_int_equal(world->plan->warning_count, 0);
}

/* What was still being uploaded at that time is named and left out, never half taken. */
struct gap {
    const char *sstable;
    const char *without;
    const char *why; /* it is left out; NULL: it is taken */
    const char *note;
};

static const char NO_TOC[] = "TOC.txt is missing from 1 of its incrementals: taken";

static const struct gap GAPS[] = {
    {"ks/t-1/nb-2-big", "Data.db", "no Data.db", NULL},
    {"ks/t-1/nb-2-big", "Index.db", "no Index.db", NULL},
    {"ks/t-1/nb-2-big", "Statistics.db", "no Statistics.db", NULL},
    {"ks/t-1/nb-2-big", "CompressionInfo.db", "no CompressionInfo.db or CRC.db", NULL},
    {"ks/t-1/nb-2-big", "Index.db TOC.txt", "no Index.db", NULL},
    {"ks/t-1/nb-2-big", "Digest.crc32", NULL, NULL}, /* streamed ones may have none */
    {"ks/t-1/nb-2-big", "TOC.txt", NULL, NO_TOC},    /* nor this, when streamed whole */
    {"ks/t-1/mc-2-big", "TOC.txt Digest.crc32", NULL, NO_TOC},
    {"ks/t-1/ks-t-ic-2", "CompressionInfo.db", NULL, NULL}, /* 1.2 wrote no CRC.db either */
    {"ks/t-1/ks-t-hd-2", "TOC.txt Statistics.db", NULL, NULL},
};

static void test_gaps(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(GAPS); i++) {
        const struct gap *gap = &GAPS[i];
        void *fresh = NULL;
        (void)set_up(&fresh);
        struct world *world = (struct world *)fresh;
        world_put_v2(world, T0 + MINUTES(1), gap->sstable, "two", gap->without);
        assert_plan(world);
        assert_int_equal(world->plan->sstable_count, gap->why == NULL ? 2 : 1);
        assert_int_equal(world->plan->warning_count, gap->why != NULL || gap->note != NULL);
        if (gap->note != NULL && !has_warning(world, "ks.t", gap->note)) {
            fail_msg("case %zu: no word of TOC.txt", i);
        }
        if (gap->why != NULL && !has_warning(world, strrchr(gap->sstable, '/') + 1, gap->why)) {
            fail_msg("case %zu: %s", i, world->plan->warnings[0].why);
        }
        world_free(world);
    }
}

/* BTI has Partitions.db and Rows.db for Index.db. */
static void test_bti(void **state)
{
    struct world *world = (struct world *)*state;
    const char *sstable = "ks/t-1/da-3gp1_0kd1_1abcdefghijklmnopq-bti";
    world_put_v2(world, T0 + MINUTES(1), sstable, "two", "Index.db");
    world_put_file_v2(world, T0 + MINUTES(1),
                      "ks/t-1/da-3gp1_0kd1_1abcdefghijklmnopq-bti-Partitions.db", "p");
    assert_plan(world);
    assert_int_equal(world->plan->sstable_count, 1);
    assert_true(has_warning(world, "da-3gp1", "no Rows.db"));
    world_put_file_v2(world, T0 + MINUTES(1), "ks/t-1/da-3gp1_0kd1_1abcdefghijklmnopq-bti-Rows.db",
                      "");
    assert_plan(world);
    assert_int_equal(world->plan->sstable_count, 2);
    assert_int_equal(world->plan->warning_count, 0);
}

static const char *etag_of(const struct world *world, const char *target)
{
    autobuf struct buf path = BUF_INIT(4096);
    for (uint32_t i = 0; i < world->plan->file_count; i++) {
        plan_file_target(&world->plan->files[i], &path);
        if (strcmp(buf_str(&path), target) == 0) {
            return world->plan->files[i].etag;
        }
    }
    fail_msg("%s is not in the plan", target);
    return "";
}

/* Statistics.db is rewritten in place: the newest up to the instant counts. */
static void test_rewritten(void **state)
{
    struct world *world = (struct world *)*state;
    const char *path = "ks/t-1/nb-2-big-Statistics.db";
    world_put_v2(world, T0 + MINUTES(1), "ks/t-1/nb-2-big", "two", "");
    world_put_file_v2(world, T0 + MINUTES(40), path, "repaired");
    world_put_file_v2(world, T0 + MINUTES(80), path, "repaired again");
    char first[64], second[64];
    set_at(world, T0 + MINUTES(39));
    assert_plan(world);
    (void)snprintf(first, sizeof(first), "%s", etag_of(world, path));
    set_at(world, T0 + MINUTES(79));
    assert_plan(world);
    (void)snprintf(second, sizeof(second), "%s", etag_of(world, path));
    assert_string_not_equal(first, second);
    set_at(world, T0 + MINUTES(80));
    assert_plan(world);
    assert_string_not_equal(etag_of(world, path), second);
    assert_int_equal(world->plan->file_count, 12);
    assert_int_equal(world->plan->warning_count, 0);
}

/* ... but not what another SSTable of that name began with. */
static void test_not_rewritten(void **state)
{
    struct world *world = (struct world *)*state;
    const char *path = "ks/t-1/nb-2-big-Statistics.db";
    world_put_v2(world, T0 + MINUTES(1), "ks/t-1/nb-2-big", "two", "");
    world_put_file_v2(world, T0 + MINUTES(40), path, "another");
    world_put_file_v2(world, T0 + MINUTES(40), "ks/t-1/nb-2-big-Index.db", "another");
    world_put_v2(world, T0 + MINUTES(2), "ks/t-1/nb-9-big", "two", "");
    assert_plan(world);
    assert_string_equal(etag_of(world, path), etag_of(world, "ks/t-1/nb-9-big-Statistics.db"));
    assert_true(has_warning(world, "nb-2-big", "no Data.db"));
}

/* What the manifest names is taken as it names it. */
static void test_manifest_stands(void **state)
{
    struct world *world = (struct world *)*state;
    const char *path = "ks/t-1/nb-1-big-Statistics.db";
    assert_plan(world);
    char named[64];
    (void)snprintf(named, sizeof(named), "%s", etag_of(world, path));
    world_put_file_v2(world, T0 + MINUTES(5), path, "another");
    assert_plan(world);
    assert_string_equal(etag_of(world, path), named);
    assert_int_equal(world->plan->warning_count, 0);
}

/* manifest.json and schema.cql come with the snapshot, not from later ones. */
static void test_side_files(void **state)
{
    struct world *world = (struct world *)*state;
    world_both_v2(world, T0, "ks/t-1/nb-1-big", "one");
    world_put_file_v2(world, T0 + SECONDS(1), "ks/t-1/manifest.json", "{}");
    world_name(world, world_key_v2(world, T0 + SECONDS(1), "ks/t-1/manifest.json", "NONE"));
    (void)world_snapshot_v2(world, T0 + SECONDS(1));
    world_put_file_v2(world, T0 + MINUTES(1), "ks/t-1/manifest.json", "{1}");
    world_put_file_v2(world, T0 + MINUTES(1), "ks/t-1/schema.cql", "CREATE");
    assert_plan(world);
    assert_targets(world, "ks/t-1/manifest.json\nks/t-1/nb-1-big\n");
    assert_int_equal(world->plan->files[0].sstable, PLAN_NONE);
    assert_int_equal(world->plan->files[0].size, 2);
}

static void test_left_out(void **state)
{
    struct world *world = (struct world *)*state;
    world_both_v2(world, T0, "system/local-7/nb-9-big", "local");
    (void)world_snapshot_v2(world, T0 + SECONDS(1)); /* counted once, though in the window too */
    world_put_v2(world, T0 + MINUTES(1), "system/local-7/nb-1-big", "local", "");
    world_put_v2(world, T0 + SECONDS(2), "ks/t-1/nb-1-big", "one", "");
    world_put_v2(world, T0 + MINUTES(1), "ks/u-2/nb-1-big", "u", "");
    const char *excluded[] = {"ks.u"};
    world->config.selection.exclude = (struct name_list){excluded, 1};
    assert_plan(world);
    assert_targets(world, "ks/t-1/nb-1-big\n");
    const struct plan *plan = world->plan;
    assert_true(world_has_note(plan->skipped, plan->skipped_count, "system.local", "node-local"));
    assert_true(world_has_note(plan->skipped, plan->skipped_count, "ks.u", "excluded"));
    assert_int_equal(plan->skipped_count, 2);
    assert_int_equal(plan->skipped[0].files, 6);
    assert_int_equal(plan->skipped[0].bytes, 6);
    assert_int_equal(plan->skipped[1].files, 12);
    assert_int_equal(plan->skipped[1].bytes, 6 * 7 + 6 * 5); /* plain as named, stored as listed */
}

/* A time of 14 digits lies among those of 13: it is no sign that enough was seen. */
static void test_odd_time(void **state)
{
    struct world *world = (struct world *)*state;
    world_put_file_v2(world, T0 * 10, "ks/t-1/nb-9-big-Data.db", "of the year 2538");
    world_put_v2(world, T0 + MINUTES(1), "ks/t-1/nb-2-big", "two", "");
    set_at(world, T0 + MINUTES(2));
    assert_plan(world);
    assert_targets(world, "ks/t-1/nb-1-big\nks/t-1/nb-2-big\n");
}

/* Days of minutes before the newest snapshot are not looked at, nor for the snapshot before. */
static void test_v1_listing_is_short(void **state)
{
    (void)state;
    static const int64_t AT = INT64_C(1700000040000);
    struct world *world = world_new();
    for (int i = 1; i < 9000; i++) {
        const char *key = world_key_v1(world, AT - MINUTES(i), "SST", "ks/t-1/mc-1-big-Data.db");
        memory_source_put(world->source, key, "x");
    }
    world_both_v1(world, AT - MINUTES(1440), "ks/t-1/mc-1-big", "one");
    (void)world_snapshot_v1(world, AT - MINUTES(1440));
    world_both_v1(world, AT, "ks/t-1/mc-2-big", "two");
    (void)world_snapshot_v1(world, AT);
    set_at(world, AT + MINUTES(5));
    assert_plan(world);
    assert_targets(world, "ks/t-1/mc-2-big\n");
    /* Four for the node, the minutes twice, sixteen META/, SNAP/ and eleven SST/. */
    assert_in_range(world->plan->list_requests, 10, 34);
    assert_in_range(memory_source_listed(world->source), 100, 3000);
    /* It may be long ago. */
    set_at(world, AT + MINUTES(300000));
    assert_plan(world);
    assert_targets(world, "ks/t-1/mc-2-big\n");
    world_free(world);
}

/* A v1 manifest knows no sizes, and what is not listed for it has none. */
static void test_left_out_v1(void **state)
{
    (void)state;
    struct world *world = world_new();
    world_both_v1(world, T0, "ks/t-1/mc-1-big", "one");
    world_both_v1(world, T0, "system/local-7/mc-9-big", "local");
    (void)world_snapshot_v1(world, T0);
    world_put_v1(world, T0 + MINUTES(1), "SST", "system/local-7/mc-10-big", "local", "");
    assert_plan(world);
    assert_int_equal(world->plan->skipped_count, 1);
    assert_int_equal(world->plan->skipped[0].files, 12);
    assert_true(world->plan->skipped[0].bytes == PLAN_SIZE_UNKNOWN);
    world_free(world);
}

/* A misspelt name must not end in a restore of less, or of nothing. */
static void test_misspelt(void **state)
{
    struct world *world = (struct world *)*state;
    struct selection *selection = &world->config.selection;
    const char *names[] = {"ks.tt", "ks.t"};
    selection->exclude = (struct name_list){names, 1};
    assert_plan(world);
    assert_int_equal(world->plan->warning_count, 1);
    assert_true(has_warning(world, "ks.tt", "--exclude names it"));
    selection->exclude.count = 0;
    selection->include = (struct name_list){names, 2};
    assert_plan(world);
    assert_targets(world, "ks/t-1/nb-1-big\n");
    assert_true(has_warning(world, "ks.tt", "--include names it"));
    selection->include.count = 1;
    assert_no_plan(world, ERR_NO_BACKUP, "no table of the restore point is 'ks.tt'");
    /* Empty for a reason that was asked for. */
    selection->exclude = (struct name_list){names + 1, 1};
    selection->include = (struct name_list){names + 1, 1};
    assert_plan(world);
    assert_int_equal(world->plan->file_count, 0);
    assert_int_equal(world->plan->warning_count, 0);
}

/* Years of SSTables lie before the snapshot's oldest and after the end: they are not looked at. */
static void test_listing_is_short(void **state)
{
    struct world *world = (struct world *)*state;
    for (int i = 0; i < 200; i++) {
        world_put_v2(world, T0 - MINUTES(1000) + MINUTES(i), "ks/t-1/nb-7-big", "old", "");
        world_put_v2(world, T0 + MINUTES(1000) + MINUTES(i), "ks/t-1/nb-8-big", "new", "");
    }
    set_at(world, T0 + MINUTES(1));
    assert_plan(world);
    assert_targets(world, "ks/t-1/nb-1-big\n");
    /* One folder listing each of regions, tokens and dialects; the manifest; six components and the
     * one past the end that says enough. */
    assert_in_range(memory_source_listed(world->source), 8, 20);
}

static void test_v1_minutes(void **state)
{
    (void)state;
    struct world *world = world_new();
    world_both_v1(world, T0, "ks/t-1/mc-1-big", "one");
    (void)world_snapshot_v1(world, T0);
    /* What was flushed for the snapshot is uploaded twice. */
    world_put_v1(world, T0, "SST", "ks/t-1/mc-1-big", "one", "");
    world_put_v1(world, T0 + MINUTES(2), "SST", "ks/t-1/mc-2-big", "two", "TOC.txt");
    world_put_v1(world, T0 + MINUTES(3), "SST", "ks/t-1/mc-2-big", "two",
                 "Data.db Index.db Statistics.db CompressionInfo.db Digest.crc32");
    world_put_v1(world, T0 + MINUTES(3), "SST", "ks/t-1/mc-3-big", "three", "");
    set_at(world, T0 + MINUTES(2));
    assert_plan(world);
    assert_targets(world, "ks/t-1/mc-1-big\nks/t-1/mc-2-big\n");
    assert_int_equal(world->plan->file_count, 12);
    assert_false(world->plan->files[0].incremental);
    assert_true(world->plan->files[6].incremental);
    assert_false(world->plan->plain_bytes_exact);
    /* Priam's own end is exclusive. */
    world->config.selection.has_range = true;
    world->config.selection.range_start_ms = T0;
    world->config.selection.range_end_ms = T0 + MINUTES(2);
    assert_plan(world);
    assert_targets(world, "ks/t-1/mc-1-big\n");
    world_free(world);
}

/* Keys without a table directory are Cassandra 1.0's. */
static void test_cassandra_1_0(void **state)
{
    (void)state;
    struct world *world = world_new();
    world_both_v1(world, T0, "ks/cf-g-5", "one");
    (void)world_snapshot_v1(world, T0);
    world_put_v1(world, T0 + MINUTES(2), "SST", "ks/cf-g-6", "two", "");
    assert_plan(world);
    assert_targets(world, "ks/cf/cf-g-5\nks/cf/cf-g-6\n");
    world_free(world);
}

/* One incremental file under both compressions is one file: the smaller object. */
static void test_incremental_siblings(void **state)
{
    struct world *world = (struct world *)*state;
    const char *path = "ks/t-1/nb-2-big-Data.db";
    world_put_v2(world, T0, "ks/t-1/nb-2-big", "plain, and longer", "");
    memory_source_put(world->source, world_key_v2(world, T0, path, "SNAPPY"), "packed");
    assert_plan(world);
    assert_targets(world, "ks/t-1/nb-1-big\nks/t-1/nb-2-big\n");
    assert_int_equal(world->plan->file_count, 12);
    const struct plan_file *data = &world->plan->files[world->plan->sstables[1].data];
    assert_int_equal(data->claim, CODEC_CLAIM_SNAPPY);
    assert_int_equal(data->size, strlen("packed"));
}

/* Priam 3.1.68 put the compression behind the file's name. */
static void test_oldest_v2_keys(void **state)
{
    struct world *world = (struct world *)*state;
    static const char *const COMPONENTS[] = {"CRC.db", "Data.db", "Index.db", "Statistics.db",
                                             "TOC.txt"};
    for (size_t i = 0; i < ARRAY_SIZE(COMPONENTS); i++) {
        autofree char *key = xasprintf("b/99_c/1/SST_V2/%lld/ks/t-1/ma-2-big-%s.SNAPPY",
                                       (long long)T0, COMPONENTS[i]);
        memory_source_put(world->source, key, "two");
    }
    assert_plan(world);
    assert_targets(world, "ks/t-1/ma-2-big\nks/t-1/nb-1-big\n");
    assert_string_equal(world->plan->files[1].target_name, "ma-2-big-Data.db");
    assert_string_equal(world->plan->files[1].key_name, "ma-2-big-Data.db.SNAPPY");
    assert_int_equal(world->plan->files[1].claim, CODEC_CLAIM_SNAPPY);
}

static void test_oldest_v2_manifest(void **state)
{
    (void)state;
    struct world *world = world_new();
    static const char *const COMPONENTS[] = {"Data.db", "Index.db", "Statistics.db"};
    for (size_t i = 0; i < ARRAY_SIZE(COMPONENTS); i++) {
        autofree char *key = xasprintf("b/99_c/1/SST_V2/%lld/ks/t-1/ma-2-big-%s.SNAPPY",
                                       (long long)T0, COMPONENTS[i]);
        memory_source_put(world->source, key, "two");
        world_name(world, key);
    }
    autofree char *now = xstrdup(world_snapshot_v2(world, T0));
    assert_plan(world);
    memory_source_remove(world->source, now);
    assert_no_plan(world, ERR_NO_BACKUP, "no snapshot");
    autofree char *then =
        xasprintf("b/99_c/1/META_V2/%lld/meta_v2_202611230800.json.NONE", (long long)T0);
    memory_source_put(world->source, then,
                      "{\"data\":[{\"sstables\":[{\"sstableComponents\":[{\"backupPath\":"
                      "\"b/99_c/1/SST_V2/1795420800000/ks/t-1/ma-2-big-Data.db.SNAPPY\"},"
                      "{\"backupPath\":"
                      "\"b/99_c/1/SST_V2/1795420800000/ks/t-1/ma-2-big-Index.db.SNAPPY\"}]}]}]}");
    assert_plan(world);
    assert_targets(world, "ks/t-1/ma-2-big\n");
    assert_string_equal(world->plan->nodes[0].manifest_key, then);
    assert_false(world->plan->files[0].incremental);
    assert_string_equal(world->plan->files[0].key_name, "ma-2-big-Data.db.SNAPPY");
    world_free(world);
}

static void test_hostile_names(void **state)
{
    struct world *world = (struct world *)*state;
    memory_source_put(world->source,
                      "b/99_c/1/SST_V2/1795420800000/ks/t/NONE/PLAINTEXT/a\nb-1-Data.db", "x");
    memory_source_put(world->source, "b/99_c/1/SST_V2/1795420800000/../../x", "x");
    assert_plan(world);
    assert_targets(world, "ks/t-1/nb-1-big\n");
    assert_int_equal(world->plan->skipped[0].files, 2);
    assert_int_equal(world->plan->skipped[0].bytes, 2);
    assert_true(world_has_note(world->plan->skipped, 1, "..", "has a '.' or '..' component; "));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_window),
        TEST(test_spread_over_border),
        cmocka_unit_test(test_gaps),
        TEST(test_bti),
        TEST(test_rewritten),
        TEST(test_not_rewritten),
        TEST(test_manifest_stands),
        TEST(test_side_files),
        TEST(test_left_out),
        TEST(test_listing_is_short),
        TEST(test_hostile_names),
        TEST(test_oldest_v2_keys),
        TEST(test_incremental_siblings),
        TEST(test_odd_time),
        TEST(test_misspelt),
        cmocka_unit_test(test_v1_listing_is_short),
        cmocka_unit_test(test_oldest_v2_manifest),
        cmocka_unit_test(test_left_out_v1),
        cmocka_unit_test(test_v1_minutes),
        cmocka_unit_test(test_cassandra_1_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
