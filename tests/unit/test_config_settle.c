/* Options that do not go together, from one source and from two. */
#include "agent/base/mem.h"
#include "config_rig.h"
#include "unit.h"

/* --at of a stronger source overrules --range of a weaker one, and the other way round. */
static void test_at_overrules_range(void **state)
{
    (void)state;
    rig_environment(
        (const char *const[]){"PENATES_CONFIG=/dev/null", "PENATES_RANGE=default", NULL});
    struct config *config = rig_load_good(WORDS("verify", "/s", "--at", "latest"));
    assert_false(config->selection.has_range);
    assert_true(config->selection.at_latest);
    config_free(config);
}

/* A ring's node: what its boot goes by, in the file and in the environment. */
static void use_node_of_a_ring(void)
{
    const char *conf = rig_file("conf", "ring = s3://state/prod/plans/1.json\nslot = auto\n"
                                        "ring-size = 3\napply-yaml = /c.yaml\nhistory = /h\n"
                                        "restore-id = boot\nset-aside-stale = true\n"
                                        "after = /bin/true\nstack = prod\ninto = /d\n"
                                        "memory = 1G\n");
    autofree char *variable = xasprintf("PENATES_CONFIG=%s", conf);
    rig_environment((const char *const[]){variable, "PENATES_STACK_RESOURCE=Slot1", NULL});
}

static void test_boot_of_a_ring(void **state)
{
    (void)state;
    use_node_of_a_ring();
    struct config *config = rig_load_good(WORDS("restore"));
    assert_string_equal(config->ring, "s3://state/prod/plans/1.json");
    assert_string_equal(config->slot, "auto");
    assert_string_equal(config->apply_yaml, "/c.yaml");
    assert_string_equal(config->stack, "prod");
    assert_null(config->source);
    config_free(config);
}

/* The file tells how to reach things, still. */
static void test_by_hand_on_a_node_of_a_ring(void **state)
{
    (void)state;
    use_node_of_a_ring();
    struct config *config = rig_load_good(
        WORDS("restore", "s3://b/base", "--include", "a.b", "--apply-yaml", "/other.yaml"));
    assert_null(config->ring);
    assert_null(config->slot);
    assert_int_equal(config->ring_size, 0);
    assert_null(config->history);
    assert_null(config->restore_id);
    assert_false(config->set_aside_stale);
    assert_int_equal(config->after.count, 0);
    assert_null(config->stack);
    assert_string_equal(config->source, "s3://b/base");
    assert_int_equal(config->selection.include.count, 1);
    assert_string_equal(config->apply_yaml, "/other.yaml");
    assert_string_equal(config->targets[0], "/d");
    assert_int_equal(config->memory, 1 << 30);
    config_free(config);
    /* What is wrong with it is nothing that the stack waits for. */
    config = rig_load_refused(WORDS("restore", "s3://b/base", "--memory", "x"));
    assert_null(config->stack);
    config_free(config);
    config = rig_load_refused(WORDS("restore", "--memory", "x"));
    assert_string_equal(config->stack, "prod");
    config_free(config);
}

/* Both given by hand: the ring's plan, from a copy of its backup. */
static void test_source_beside_a_ring(void **state)
{
    (void)state;
    struct config *config = rig_load_good(
        WORDS("restore", "s3://copy/base", "--into", "/d", "--ring", "/ring.json", "--slot", "1"));
    assert_string_equal(config->ring, "/ring.json");
    assert_string_equal(config->source, "s3://copy/base");
    config_free(config);
}

static void test_loader_leaves_the_node_alone(void **state)
{
    (void)state;
    rig_environment((const char *const[]){"PENATES_CONFIG=/dev/null", "PENATES_APPLY_YAML=/c.yaml",
                                          "PENATES_SET_ASIDE_STALE=true", NULL});
    struct config *config =
        rig_load_good(WORDS("restore", "/s", "--into", "/d", "--layout", "loader"));
    assert_null(config->apply_yaml);
    assert_false(config->set_aside_stale);
    config_free(config);
    config = rig_load_good(WORDS("restore", "/s", "--into", "/d", "--layout", "data"));
    assert_string_equal(config->apply_yaml, "/c.yaml");
    config_free(config);
}

static void test_contradictions(void **state)
{
    (void)state;
    rig_expect_refused(WORDS("restore", "/s", "--into=/d", "--plan=/p", "--token=1"),
                       "--token: the saved plan says it already", "in place of --plan");
    rig_expect_refused(WORDS("restore", "--into=/d", "--plan=/p", "--ring=/r", "--slot=1"),
                       "--ring: excludes --plan", "either");
    rig_expect_refused(WORDS("restore", "/s", "--into=/d", "--layout=loader", "--apply-yaml=/c"),
                       "--apply-yaml: no node starts on", "leave one");
    use_node_of_a_ring();
    rig_expect_refused(WORDS("restore", "--include", "a.b"),
                       "--include: the saved plan says it already", "give a SOURCE in place of ");
    rig_expect_refused(WORDS("restore", "--plan", "/no/such"), "/no/such: ", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_at_overrules_range, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_boot_of_a_ring, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_by_hand_on_a_node_of_a_ring, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_source_beside_a_ring, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_loader_leaves_the_node_alone, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_contradictions, rig_setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
