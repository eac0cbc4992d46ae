/* Where files go, what the plan says of them, and what it refuses at the end. */
#include "tests/unit/unit.h"

#include <malloc.h>

#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "tests/unit/backup_world.h"

/* A sanitizer's own memory is beyond any bound. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SANITIZED
#endif
#endif

static int set_up(void **state)
{
    struct world *world = world_new();
    world_both_v2(world, T0, "ks/t-1/nb-10-big", "ten");
    world_both_v2(world, T0, "ks/t-1/nb-9-big", "nine");
    world_both_v2(world, T0, "ks/t-1/.t_idx/nb-1-big", "index");
    world_both_v2(world, T0, "system_auth/roles-3/nb-1-big", "roles");
    world_put_file_v2(world, T0, "ks/t-1/schema.cql", "CREATE");
    world_name(world, world_key_v2(world, T0, "ks/t-1/schema.cql", "NONE"));
    (void)world_snapshot_v2(world, T0);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    world_free((struct world *)*state);
    return 0;
}

static void test_data_layout(void **state)
{
    struct world *world = (struct world *)*state;
    const char *replaced[] = {"ks.t"};
    world->config.replace = (struct name_list){replaced, 1};
    assert_plan(world);
    assert_targets(world, "ks/t-1/schema.cql\nks/t-1/nb-10-big\nks/t-1/nb-9-big\n"
                          "ks/t-1/.t_idx/nb-1-big\nsystem_auth/roles-3/nb-1-big\n");
    const struct plan *plan = world->plan;
    assert_int_equal(plan->table_count, 2);
    assert_string_equal(plan->tables[0].keyspace, "ks");
    assert_string_equal(plan->tables[0].table, "t");
    assert_string_equal(plan->tables[0].table_dir, "t-1");
    assert_string_equal(plan->tables[0].target_folder, "ks/t-1");
    assert_true(plan->tables[0].replace);
    assert_false(plan->tables[1].replace);
    assert_int_equal(plan->tables[0].files, 19);
    assert_int_equal(plan->tables[0].stored_bytes, 6 + 6 * (3 + 4 + 5));
    assert_int_equal(plan->tables[0].plain_bytes, 19 * 7); /* as the manifest says */
    assert_int_equal(plan->file_count, 25);
    assert_int_equal(plan->stored_bytes, plan->tables[0].stored_bytes + 6 * 5);
    assert_int_equal(plan->plain_bytes, 25 * 7);
    assert_true(plan->plain_bytes_exact);
    assert_int_equal(plan->sstable_count, 4);
    assert_int_equal(plan->list_requests, 6);
    const struct plan_sstable *sstable = &plan->sstables[0];
    assert_int_equal(sstable->first, 1);
    assert_int_equal(sstable->count, 6);
    assert_string_equal(plan->files[sstable->data].target_name, "nb-10-big-Data.db");
    assert_string_equal(plan->files[sstable->digest].target_name, "nb-10-big-Digest.crc32");
    assert_string_equal(plan->files[sstable->toc].target_name, "nb-10-big-TOC.txt");
    assert_true(plan_bytes(plan) > plan->file_count * sizeof(struct plan_file));
}

static void test_loader_layout(void **state)
{
    struct world *world = (struct world *)*state;
    world->config.layout = LAYOUT_LOADER;
    assert_plan(world);
    assert_targets(world, "ks/t/nb-10-big\nks/t/nb-9-big\n");
    assert_true(world_has_note(world->plan->skipped, world->plan->skipped_count, "ks.t/.t_idx",
                               "built where it is loaded"));
    assert_true(world_has_note(world->plan->skipped, world->plan->skipped_count,
                               "system_auth.roles", "not for a loader"));
    const char *included[] = {"system_auth.*"};
    world->config.selection.include = (struct name_list){included, 1};
    assert_plan(world);
    assert_targets(world, "system_auth/roles/nb-1-big\n");
}

/* A loader has one place for a table; of two that had its name, nobody can say which is meant when
 * their ids do not. */
static void test_created_twice(void **state)
{
    struct world *world = (struct world *)*state;
    world_put_v2(world, T0 + MINUTES(1), "ks/t-2/nb-1-big", "second", "");
    assert_plan(world);
    world->config.layout = LAYOUT_LOADER;
    assert_no_plan(
        world, ERR_REFUSED,
        "table ks.t was created twice, and their ids do not say which was last: 't-1' and 't-2'");
    assert_string_contains(world->e.hint, "--include ks.t-2");
    world->config.selection.snapshot_only = true;
    assert_plan(world);
    assert_targets(world, "ks/t/nb-10-big\nks/t/nb-9-big\n");
}

#define OLDER "u-00000000000011f18000000000000001"
#define NEWER "u-00000000000011f28000000000000001" /* higher in its last bits of time */
#define NEWEST                                                                                     \
    "u-000000000001"                                                                               \
    "11f28000000000000001"

/* The id says when a table was created. */
static void test_incarnations(void **state)
{
    struct world *world = (struct world *)*state;
    world_both_v2(world, T0, "ks/" NEWER "/nb-1-big", "newer");
    world_both_v2(world, T0, "ks/" OLDER "/nb-1-big", "older");
    world_both_v2(world, T0, "ks/" NEWEST "/nb-2-big", "newest");
    (void)world_snapshot_v2(world, T0 + MINUTES(1));
    assert_plan(world);
    assert_targets(world, "ks/" OLDER "/nb-1-big\nks/" NEWER "/nb-1-big\nks/" NEWEST "/nb-2-big\n");
    world->config.layout = LAYOUT_LOADER;
    assert_plan(world);
    assert_targets(world, "ks/u/nb-2-big\n");
    assert_string_equal(world->plan->tables[0].table_dir, NEWEST);
    assert_true(world_has_note(world->plan->skipped, world->plan->skipped_count, "ks." OLDER,
                               "'" NEWEST "' is newer"));
    assert_true(world_has_note(world->plan->skipped, world->plan->skipped_count, "ks." NEWER,
                               "'" NEWEST "' is newer"));
    const char *excluded[] = {"ks." NEWEST};
    world->config.selection.exclude = (struct name_list){excluded, 1};
    assert_plan(world);
    assert_targets(world, "ks/u/nb-1-big\n");
    assert_string_equal(world->plan->tables[0].table_dir, NEWER);
}

static void test_mapped(void **state)
{
    struct world *world = (struct world *)*state;
    struct table_mapping items[] = {{.from = "ks.*", .keyspace = "ks9"},
                                    {.from = "ks.t", .keyspace = "ks2", .table = "u"},
                                    {.from = "ks.t-3", .keyspace = "ks3", .table = "v"}};
    world->config.map = (struct table_map){items, 2};
    const char *included[] = {"ks.*"};
    world->config.selection.include = (struct name_list){included, 1};
    assert_plan(world);
    assert_targets(world, "ks2/u/nb-10-big\nks2/u/nb-9-big\n"); /* no index, no schema.cql */
    assert_true(world->plan->tables[0].added && plan_is_staged(&world->plan->tables[0]));
    assert_string_equal(world->plan->tables[0].as_table, "u");
    assert_true(world_has_note(world->plan->skipped, world->plan->skipped_count, "ks.t/.t_idx",
                               "built where it is loaded"));
    items[1].id = "0123";
    assert_plan(world);
    assert_targets(world, "ks2/u-0123/nb-10-big\nks2/u-0123/nb-9-big\n");
    items[1].id = NULL;
    world->config.layout = LAYOUT_LOADER;
    assert_plan(world);
    assert_targets(world, "ks2/u/nb-10-big\nks2/u/nb-9-big\n");
    assert_false(world->plan->tables[0].added);
    world->config.map.count = 3;
    assert_no_plan(world, ERR_CONFIG, "--table-map ks.t-3: no table");
    world->config.map = (struct table_map){&items[0], 1};
    assert_plan(world);
    assert_targets(world, "ks9/t/nb-10-big\nks9/t/nb-9-big\n");
}

/* --as is for one table; and names that hold the table's are written anew. */
static void test_as(void **state)
{
    struct world *world = (struct world *)*state;
    struct table_mapping item = {.keyspace = "a", .table = "b"};
    world->config.map = (struct table_map){&item, 1};
    assert_no_plan(world, ERR_CONFIG, "--as: several tables are selected: ks.t, system_auth.roles");
    world_both_v2(world, T0, "ks/o-1/ks-o-ka-5", "old");
    world_both_v2(world, T0, "ks/o-1/ks-o.idx-ka-5", "its index");
    (void)world_snapshot_v2(world, T0 + MINUTES(1));
    assert_plan(world);
    assert_targets(world, "a/b/a-b-ka-5\n");
}

static void test_id(void **state)
{
    struct world *world = (struct world *)*state;
    char id[65];
    assert_plan(world);
    memcpy(id, world->plan->id, sizeof(id));
    assert_plan(world);
    assert_string_equal(world->plan->id, id);
    const char *key = world_key_v2(world, T0, "ks/t-1/nb-9-big-TOC.txt", "NONE");
    memory_source_put(world->source, key, "nein"); /* other bytes */
    assert_plan(world);
    assert_string_not_equal(world->plan->id, id);
    memory_source_put(world->source, key, "nine");
    assert_plan(world);
    assert_string_equal(world->plan->id, id);
    world->config.layout = LAYOUT_LOADER; /* other targets */
    assert_plan(world);
    assert_string_not_equal(world->plan->id, id);
}

static void test_archived(void **state)
{
    struct world *world = (struct world *)*state;
    const char *key = world_key_v2(world, T0, "ks/t-1/nb-9-big-Data.db", "NONE");
    memory_source_archive(world->source, key, "STANDARD_IA");
    assert_plan(world);
    memory_source_archive(world->source, key, "DEEP_ARCHIVE");
    assert_plan(world); /* whoever needs them asks */
    assert_true(plan_has_archived(world->plan));
    const struct plan_archive *sum = &world->plan->archives[ARCHIVE_DEEP_ARCHIVE];
    assert_int_equal(sum->files, 1);
    assert_true(sum->bytes == sum->first->size && sum->thawing == 0);
    assert_string_equal(sum->first->key_name, strrchr(key, '/') + 1);
    const char *excluded[] = {"ks.t"};
    world->config.selection.exclude = (struct name_list){excluded, 1};
    assert_plan(world); /* what is not taken need not be thawed */
    assert_false(plan_has_archived(world->plan));
    memory_source_archive(world->source, world->plan->nodes[0].manifest_key, "GLACIER");
    assert_no_plan(world, ERR_REFUSED, "needs the manifest");
}

static void test_notes_are_capped(void **state)
{
    struct world *world = (struct world *)*state;
    enum { COUNT = 3000 };
    for (int i = 0; i < COUNT; i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "ks/t-1/nb-%d-big-Data.db", i);
        world_name(world, world_key_v2(world, T0 + SECONDS(1), path, "NONE"));
    }
    (void)world_snapshot_v2(world, T0 + SECONDS(1));
    assert_no_plan(world, ERR_NO_BACKUP, "3000 of its objects missing");
    assert_int_equal(world->plan->missing_total, COUNT);
    assert_int_equal(world->plan->missing_count, 1000);
    assert_int_equal(world->plan->missing[999].files, COUNT - 999);
    assert_true(world->plan->missing[0].bytes == PLAN_SIZE_UNKNOWN);
}

enum { BIG_SSTABLES = 31250, BIG_COMPONENTS = 8 };

/* 250,000 components with real names. */
static struct world *big_world(void)
{
    static const char *const COMPONENTS[BIG_COMPONENTS] = {
        "CompressionInfo.db", "Data.db",       "Digest.crc32", "Filter.db",
        "Index.db",           "Statistics.db", "Summary.db",   "TOC.txt"};
    struct world *world = world_new();
    for (int i = 0; i < BIG_SSTABLES; i++) {
        for (int j = 0; j < BIG_COMPONENTS; j++) {
            char path[160];
            (void)snprintf(path, sizeof(path),
                           "keyspace_%d/table_%d-9fdcab30e71311f1b649316984ca392d/nb-%d-big-%s",
                           i % 7, i % 100, i + 1, COMPONENTS[j]);
            const char *key = world_key_v2(world, T0 - MINUTES(40000) + MINUTES(i), path, "NONE");
            memory_source_put(world->source, key, "x");
            world_name(world, key);
        }
    }
    (void)world_snapshot_v2(world, T0);
    return world;
}

/* VmRSS or VmHWM, the most there was since the last forget_peak(), in KiB. */
static uint64_t resident(const char *name)
{
    char line[256];
    autofile FILE *file = fopen("/proc/self/status", "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        uint64_t kib;
        const char *digits = line + strcspn(line, "0123456789");
        if (strncmp(line, name, strlen(name)) == 0 &&
            parse_u64(digits, strspn(digits, "0123456789"), &kib)) {
            return kib;
        }
    }
    fail_msg("no %s", name);
    return 0;
}

static void forget_peak(void)
{
    autofile FILE *file = fopen("/proc/self/clear_refs", "we");
    assert_non_null(file);
    assert_true(fputs("5", file) >= 0);
    assert_int_equal(fflush(file), 0);
}

static void test_big(void **state)
{
    (void)state;
    struct world *world = big_world();
    world->config.part_size = 8 << 20;
    assert_int_equal(malloc_trim(0) & ~1, 0);
    forget_peak();
    const uint64_t before = resident("VmRSS:");
    assert_plan(world);
#ifndef SANITIZED
    /* The bound of all: --memory and a fixed 32 MiB, here with the manifest's part in it. */
    assert_in_range(resident("VmHWM:") - before, 1, (64 + 32) * 1024);
#else
    assert_true(resident("VmHWM:") >= before);
#endif
    assert_int_equal(world->plan->file_count, BIG_SSTABLES * BIG_COMPONENTS);
    assert_int_equal(world->plan->sstable_count, BIG_SSTABLES);
    assert_in_range(plan_bytes(world->plan), 20 << 20, 48 << 20);
    /* A plan that leaves no room for data is refused, with what would do. */
    world->config.memory = 32 << 20;
    assert_no_plan(world, ERR_LIMIT, "--memory 32.0 MiB leaves less");
    assert_string_contains(world->e.hint, "--memory ");
    world_free(world);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_data_layout),
        TEST(test_loader_layout),
        TEST(test_created_twice),
        TEST(test_incarnations),
        TEST(test_mapped),
        TEST(test_as),
        TEST(test_id),
        TEST(test_archived),
        TEST(test_notes_are_capped),
        cmocka_unit_test(test_big),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
