/* The schema of a backup: which text of several counts, in which order, and what is said of it. */
#include "tests/unit/unit.h"

#include "agent/base/mem.h"
#include "agent/schema.h"
#include "tests/unit/backup_world.h"

/* Ids of 2026-11-23, the second one three minutes after the first. */
#define OLD_ID "9f5d1af0e71311f1b649316984ca392d"
#define NEW_ID "0a9f6a20e71411f1b649316984ca392d"

static int set_up(void **state)
{
    struct world *world = world_new();
    world->config.plan_schema = true;
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    world_free((struct world *)*state);
    return 0;
}

/* A table with one SSTable, and its schema.cql unless `cql` is NULL. */
static void put_table(struct world *world, int64_t ms, const char *dir, const char *cql)
{
    autofree char *sstable = xasprintf("%s/nb-1-big", dir);
    world_both_v2(world, ms, sstable, dir);
    if (cql != NULL) {
        autofree char *path = xasprintf("%s/schema.cql", dir);
        world_put_file_v2(world, ms, path, cql);
        world_name(world, world_key_v2(world, ms, path, "NONE"));
    }
}

/* What --schema prints of the world; freed by the caller. */
static char *print(struct world *world)
{
    struct schema schema;
    char *text = NULL;
    size_t size;
    assert_plan(world);
    if (schema_read(&world->config, world->source, world->plan, &schema, &world->e) != 0) {
        fail_msg("%s", world->e.text);
    }
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    schema_print(&schema, "mem", file);
    assert_int_equal(fclose(file), 0);
    schema_done(&schema);
    return text;
}

static unsigned count(const char *text, const char *word)
{
    unsigned found = 0;
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) {
        found++;
    }
    return found;
}

static void assert_order(const char *text, const char *first, const char *second)
{
    const char *a = strstr(text, first);
    const char *b = strstr(text, second);
    if (a == NULL || b == NULL || a > b) {
        fail_msg("not '%s' before '%s' in:\n%s", first, second, text);
    }
}

static void test_order(void **state)
{
    struct world *world = (struct world *)*state;
    put_table(world, T0, "ks/a-1",
              "CREATE MATERIALIZED VIEW ks.a AS SELECT * FROM ks.Users WHERE x IS NOT NULL;");
    put_table(world, T0, "ks/Users-2",
              "CREATE TYPE ks.inner(x int);\nCREATE TYPE ks.outer(x frozen<inner>);\n"
              "CREATE TABLE ks.\"Users\" (x int);\nALTER TABLE ks.\"Users\" DROP y;\n"
              "CREATE INDEX i ON ks.\"Users\" (x);\n");
    put_table(world, T0, "ks/z-3", "CREATE TYPE ks.inner(x int);\nCREATE TABLE ks.z (x int);\n");
    put_table(world, T0, "other/t-4", "CREATE TABLE other.t (x int);");
    put_table(world, T0, "system_auth/roles-5", "CREATE TABLE system_auth.roles (x int);");
    (void)world_snapshot_v2(world, T0);
    autofree char *text = print(world);
    assert_order(text, "CREATE TYPE ks.inner", "CREATE TYPE ks.outer");
    assert_order(text, "CREATE TYPE ks.outer", "CREATE TABLE ks.\"Users\"");
    assert_order(text, "CREATE TABLE ks.\"Users\"", "ALTER TABLE");
    assert_order(text, "ALTER TABLE", "CREATE TABLE ks.z");
    assert_order(text, "CREATE TABLE ks.z", "CREATE INDEX");
    assert_order(text, "CREATE INDEX", "CREATE MATERIALIZED VIEW ks.a");
    assert_order(text, "CREATE MATERIALIZED VIEW", "-- CREATE KEYSPACE other ");
    assert_order(text, "-- CREATE KEYSPACE other ", "CREATE TABLE other.t");
    assert_int_equal(count(text, "CREATE TYPE ks.inner"), 1);
    assert_int_equal(count(text, "\nCREATE KEYSPACE"), 0);
    assert_int_equal(count(text, "system_auth"), 0);
    assert_int_equal(count(text, "warning"), 0);
    /* The quotes that Cassandra 3.11 leaves out. */
    assert_string_contains(text, "FROM ks.\"Users\" WHERE x IS NOT NULL;");
    assert_string_contains(text, "-- Cassandra 3.11 left out the quotes");
}

static void test_quotes_are_left_alone(void **state)
{
    struct world *world = (struct world *)*state;
    static const char *const VIEWS[] = {
        "CREATE MATERIALIZED VIEW ks.v AS SELECT * FROM ks.\"Users\" WHERE x IS NOT NULL;",
        "CREATE MATERIALIZED VIEW ks.w AS SELECT * FROM ks.users WHERE x IS NOT NULL;",
    };
    put_table(world, T0, "ks/Users-1", "CREATE TABLE ks.\"Users\" (x int);");
    put_table(world, T0, "ks/users-2", "CREATE TABLE ks.users (x int);");
    put_table(world, T0, "ks/v-3", VIEWS[0]);
    put_table(world, T0, "ks/w-4", VIEWS[1]);
    (void)world_snapshot_v2(world, T0);
    autofree char *text = print(world);
    assert_string_contains(text, VIEWS[0]);
    assert_string_contains(text, VIEWS[1]);
    assert_int_equal(count(text, "left out the quotes"), 0);
    assert_int_equal(count(text, "warning"), 0);
}

static void test_view_without_its_table(void **state)
{
    struct world *world = (struct world *)*state;
    put_table(world, T0, "ks/v-3", "CREATE MATERIALIZED VIEW ks.v AS SELECT * FROM ks.t;");
    (void)world_snapshot_v2(world, T0);
    autofree char *text = print(world);
    assert_string_contains(text, "view ks.v: its table t is not among these");
}

static void test_created_twice(void **state)
{
    struct world *world = (struct world *)*state;
    assert_true(schema_created_ms("t-" OLD_ID) < schema_created_ms("t-" NEW_ID));
    put_table(world, T0, "ks/t-" OLD_ID, "CREATE TABLE ks.t (old int);");
    put_table(world, T0, "ks/t-" NEW_ID, "CREATE TABLE ks.t (new int);");
    (void)world_snapshot_v2(world, T0);
    autofree char *text = print(world);
    assert_string_contains(text, "CREATE TABLE ks.t (new int);");
    assert_int_equal(count(text, "(old int)"), 0);
    assert_string_contains(text, "t-" NEW_ID " is the last one; left out: t-" OLD_ID " of 2026-");
}

static void test_created_ms(void **state)
{
    (void)state;
    /* 2026-11-23T07:58:08.927Z and 2026-11-23T08:01:08.877Z. */
    assert_int_equal(schema_created_ms("orders-" OLD_ID), INT64_C(1795420688927));
    assert_int_equal(schema_created_ms("my-table-" NEW_ID), INT64_C(1795420868877));
    assert_int_equal(schema_created_ms("t"), 0);
    assert_int_equal(schema_created_ms("t-9f5d"), 0);
    assert_int_equal(schema_created_ms("t-9f5d1af0e71341f1b649316984ca392d"), 0); /* version 4 */
    assert_int_equal(schema_created_ms("t-00000000000010000000000000000000"), 0); /* of 1582 */
}

static void test_nodes_agree_once(void **state)
{
    struct world *world = (struct world *)*state;
    static const char *const TOKENS[] = {"1", "2", "3"};
    for (size_t i = 0; i < 3; i++) {
        world->token = TOKENS[i];
        put_table(world, T0, "ks/t-1", "CREATE TABLE ks.t (x int);");
        (void)world_snapshot_v2(world, T0);
    }
    world->config.selection.all_tokens = true;
    assert_plan(world);
    const uint64_t before = source_stats(world->source).requests;
    struct schema schema;
    assert_int_equal(schema_read(&world->config, world->source, world->plan, &schema, &world->e),
                     0);
    assert_int_equal(source_stats(world->source).requests - before, 1);
    schema_done(&schema);
    autofree char *text = print(world);
    assert_int_equal(count(text, "CREATE TABLE ks.t"), 1);
    assert_int_equal(count(text, "warning"), 0);
}

static void test_newest_node_counts(void **state)
{
    struct world *world = (struct world *)*state;
    world->token = "1";
    put_table(world, T0, "ks/t-1", "CREATE TYPE ks.a(x int);CREATE TABLE ks.t (x int);");
    (void)world_snapshot_v2(world, T0);
    world->token = "2";
    put_table(world, T0 + MINUTES(3), "ks/t-1",
              "CREATE TYPE ks.a(x int);CREATE TABLE ks.t (x int, y int);");
    put_table(world, T0 + MINUTES(3), "ks/u-2",
              "CREATE TYPE ks.a(x int, z int);CREATE TABLE ks.u (x int);");
    (void)world_snapshot_v2(world, T0 + MINUTES(3));
    world->config.selection.all_tokens = true;
    autofree char *text = print(world);
    assert_string_contains(text, "CREATE TABLE ks.t (x int, y int);");
    assert_int_equal(count(text, "CREATE TABLE ks.t "), 1);
    assert_string_contains(text, "warning: ks.t: nodes 2 and 1 define it differently");
    /* One instant, two definitions of a type: one is printed, and it is said. */
    assert_int_equal(count(text, "CREATE TYPE ks.a"), 1);
    assert_string_contains(text, "warning: type ks.a: t-1 and u-2 define it differently");
}

static void test_unusable_files(void **state)
{
    struct world *world = (struct world *)*state;
    put_table(world, T0, "ks/cut-1", "CREATE TABLE ks.cut (x int");
    put_table(world, T0, "ks/foe-2", "CREATE TABLE ks.foe (x int);\nDROP KEYSPACE ks;\n");
    put_table(world, T0, "ks/liar-3", "CREATE TABLE ks.foe (x int);");
    put_table(world, T0, "ks/none-4", NULL);
    put_table(world, T0, "ks/thrift-5",
              "/*\nWarning: omitted\nCREATE TABLE ks.thrift (x int);\n*/");
    put_table(world, T0, "ks/well-6", "CREATE TABLE ks.well (x int);");
    (void)world_snapshot_v2(world, T0);
    autofree char *text = print(world);
    assert_string_contains(text, "warning: ks.cut: its schema.cql is cut short, or holds more");
    assert_string_contains(text, "warning: ks.foe: its schema.cql is cut short, or holds more");
    assert_string_contains(text, "warning: ks.liar: its schema.cql is cut short, or holds more");
    assert_string_contains(text, "warning: ks.none (none-4): no schema.cql in the backup");
    assert_string_contains(text, "warning: ks.thrift: its schema.cql does not define it");
    assert_string_contains(text, "\n--   Warning: omitted\n");
    assert_string_contains(text, "\n--   DROP KEYSPACE ks;\n");
    assert_int_equal(count(text, "\nCREATE"), 1);
    assert_string_contains(text, "\nCREATE TABLE ks.well (x int);\n");
}

static void test_limit(void **state)
{
    struct world *world = (struct world *)*state;
    char *cql = (char *)xcalloc(SCHEMA_FILE_MAX + 2, 1);
    memset(cql, ' ', SCHEMA_FILE_MAX + 1);
    put_table(world, T0, "ks/t-1", cql);
    free(cql);
    (void)world_snapshot_v2(world, T0);
    assert_plan(world);
    struct schema schema;
    assert_int_equal(schema_read(&world->config, world->source, world->plan, &schema, &world->e),
                     -1);
    assert_int_equal(world->e.kind, ERR_LIMIT);
    assert_string_contains(world->e.text, "ks/t-1/NONE/PLAINTEXT/schema.cql'");
}

static void test_limit_of_all(void **state)
{
    struct world *world = (struct world *)*state;
    world->config.memory = UINT64_C(20) << 20;
    autofree char *cql = (char *)xcalloc(SCHEMA_FILE_MAX + 1, 1);
    memset(cql, ' ', SCHEMA_FILE_MAX);
    for (unsigned i = 0; i <= 20 / SCHEMA_MEMORY_SHARE; i++) {
        autofree char *dir = xasprintf("ks/t%u-1", i);
        put_table(world, T0, dir, cql);
    }
    (void)world_snapshot_v2(world, T0);
    assert_plan(world);
    struct schema schema;
    assert_int_equal(schema_read(&world->config, world->source, world->plan, &schema, &world->e),
                     -1);
    assert_int_equal(world->e.kind, ERR_LIMIT);
    assert_string_contains(world->e.text, "more than 1/4 of --memory");
    world->config.memory = UINT64_C(24) << 20;
    assert_int_equal(schema_read(&world->config, world->source, world->plan, &schema, &world->e),
                     0);
    schema_done(&schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_quotes_are_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_view_without_its_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_created_twice, set_up, tear_down),
        cmocka_unit_test(test_created_ms),
        cmocka_unit_test_setup_teardown(test_nodes_agree_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_newest_node_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unusable_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limit_of_all, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
