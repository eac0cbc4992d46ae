#include "unit.h"

#include <stdio.h>

#include "agent/base/mem.h"
#include "agent/identity.h"
#include "agent/plan_json.h"
#include "agent/plan_print.h"
#include "config_rig.h"
#include "small_plan.h"

static char *write_plan(const struct config *config)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    plan_json_write(config, "s3://bucket/backup", &small_plan, file);
    assert_int_equal(fclose(file), 0);
    return text;
}

/* What plan saves, restore --plan takes for its own: pinned to node, dialect and instant. */
static void test_round_trip(void **state)
{
    (void)state;
    struct config *planned = rig_load_good(WORDS(
        "plan", "s3://bucket/backup", "--include", "ks.t,a.*", "--exclude=x.y", "--snapshot-only",
        "--system-auth=keep", "--v1-utc-offset=+05:30", "--layout=loader", "--allow-incomplete"));
    autofree char *text = write_plan(planned);
    /* Weaker sources have no say beside a plan. */
    rig_environment((const char *const[]){"PENATES_CONFIG=/dev/null", "PENATES_CLUSTER=other",
                                          "PENATES_RANGE=default", "PENATES_EXCLUDE=ks.t", NULL});
    struct config *restored =
        rig_load_good(WORDS("restore", "--into=/d", "--plan", rig_file("plan.json", text)));
    const struct selection *selection = &restored->selection;
    assert_string_equal(restored->plan_id, small_plan.id);
    assert_string_equal(restored->source, "s3://bucket/backup");
    assert_string_equal(selection->cluster, "c d");
    assert_string_equal(selection->source_region, "us-east-1");
    assert_int_equal(selection->tokens.count, 1);
    assert_string_equal(selection->tokens.names[0], "-5");
    assert_int_equal(selection->format, DIALECT_V1);
    assert_false(selection->at_latest || selection->has_range);
    assert_int_equal(selection->at_ms, 3000);
    assert_int_equal(selection->pin_count, 1);
    assert_string_equal(selection->pins[0].token, "-5");
    assert_int_equal(selection->pins[0].until_ms, 3000);
    assert_int_equal(selection->include.count, 2);
    assert_int_equal(selection->exclude.count, 1);
    assert_string_equal(selection->exclude.names[0], "x.y");
    assert_true(selection->snapshot_only && selection->skip_system_auth);
    assert_true(selection->allow_incomplete);
    assert_int_equal(selection->v1_offset_ms, planned->selection.v1_offset_ms);
    assert_int_equal(restored->layout, LAYOUT_LOADER);
    config_free(restored);
    config_free(planned);
}

static void test_range_round_trip(void **state)
{
    (void)state;
    struct config *planned =
        rig_load_good(WORDS("plan", "/s", "--range=202611220800,202611230800"));
    autofree char *text = write_plan(planned);
    struct config *restored = rig_load_good(
        WORDS("restore", "/mirror", "--into=/d", "--plan", rig_file("plan.json", text)));
    assert_string_equal(restored->source, "/mirror");
    assert_true(restored->selection.has_range);
    assert_int_equal(restored->selection.range_start_ms, planned->selection.range_start_ms);
    assert_int_equal(restored->selection.range_end_ms, planned->selection.range_end_ms);
    config_free(restored);
    config_free(planned);
}

static void test_no_plan(void **state)
{
    static const char HEAD[] = "{\"format\":\"penates-plan\",\"id\":\"x\",\"source\":\"/s\"";
    static const struct {
        const char *head, *tail;
    } CASES[] = {
        {"", ""},
        {"", "[]"},
        {"", "not JSON"},
        {"", "{\"format\":\"penates-plan\"}"},
        {"", "{\"format\":\"penates-report\",\"id\":\"x\",\"source\":\"/s\"}"},
        {HEAD, ""},                                    /* cut */
        {HEAD, ",\"files\":[{\"key\":\"a\""},          /* cut later */
        {HEAD, ",\"selection\":{\"memory\":\"1G\"}}"}, /* not what a plan pins */
        {HEAD, ",\"selection\":{\"clutser\":\"x\"}}"}, /* unknown */
        {HEAD, ",\"x\":[[[[[[[[[[1]]]]]]]]]]}"},       /* nested too deep */
        {HEAD, ",\"selection\":{\"cluster\":\"\\u0000\"}}"},
        {HEAD, ",\"nodes\":[{\"token\":\"1\"}]}"}, /* until when? */
        {HEAD, ",\"nodes\":[{\"until\":\"2026-11-23T08:00:00Z\"}]}"},
        {HEAD, ",\"nodes\":[{\"token\":\"1\",\"until\":\"noon\"}]}"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        autofree char *name = xasprintf("plan%zu", i);
        autofree char *text = xasprintf("%s%s", CASES[i].head, CASES[i].tail);
        rig_expect_refused(WORDS("restore", "--into=/d", "--plan", rig_file(name, text)),
                           "is not a whole plan", "");
    }
}

static void test_bad_value_names_the_file(void **state)
{
    (void)state;
    const char *path =
        rig_file("plan.json", "{\"format\":\"penates-plan\",\"id\":\"x\",\"source\":\"/s\","
                              "\"selection\":{\"at\":\"noon\"}}");
    struct config *config = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(rig_load(WORDS("restore", "--into=/d", "--plan", path), &config, &e), -1);
    assert_int_equal(strncmp(e.text, path, strlen(path)), 0);
    assert_non_null(strstr(e.text, "at: 'noon' is not a time"));
}

static void test_identity(void **state)
{
    (void)state;
    struct config *config = rig_load_good(WORDS("restore", "/s", "--into=/d"));
    autofree char *plain = identity_of(config, "/s");
    assert_string_equal(plain, "/s --at latest");
    config_free(config);
    /* Order and spelling of lists do not matter; a blank cannot forge an option. */
    config = rig_load_good(WORDS("restore", "/s", "--into=/d", "--exclude", "b.b,a.a", "--cluster",
                                 "x --layout loader", "--range=default", "--replace=k.t",
                                 "--token=7", "--token=-3"));
    autofree char *full = identity_of(config, "/s");
    assert_string_equal(full, "/s --range default --cluster x\\ --layout\\ loader --token -3 "
                              "--token 7 --exclude a.a --exclude b.b --replace k.t");
    config_free(config);
}

static void test_requests(void **state)
{
    (void)state;
    assert_int_equal(plan_get_requests(&small_plan, 1 << 20), SMALL_PLAN_FILES);
    assert_int_equal(plan_get_requests(&small_plan, 100), 1 + 1 + 1 + 10 + 1);
}

static void test_free_space(void **state)
{
    uint64_t bytes = 0;
    (void)state;
    assert_true(plan_free_space("/tmp/no/such/directory", &bytes));
    assert_true(bytes > 0);
    assert_true(plan_free_space("no-such", &bytes));
    assert_true(plan_free_space("/no-such", &bytes));
    assert_false(plan_free_space("/dev/null/x", &bytes));
}

static void test_print(void **state)
{
    static const char *const PARTS[] = {"source: /s\n",
                                        "c d      -5     v1:us-east-1",
                                        "ks.t       5   1.1 KiB",
                                        "at least 2.2 KiB",
                                        "left out:\n  WHAT ",
                                        "system.local      9    0 B  node-local\n",
                                        "warnings:\n  WHAT  WHY\n  ks.t  is a test\n",
                                        "requests: 3 to list, 5 to fetch"};
    (void)state;
    struct config *config = rig_load_good(WORDS("plan", "/s"));
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    plan_print(config, "/s", &small_plan, file);
    assert_int_equal(fclose(file), 0);
    for (size_t i = 0; i < ARRAY_SIZE(PARTS); i++) {
        if (strstr(text, PARTS[i]) == NULL) {
            fail_msg("'%s' is not in:\n%s", PARTS[i], text);
        }
    }
    assert_null(strstr(text, "missing:"));
    free(text);
    config_free(config);
}

static char *print_skipped(struct plan_note *skipped, uint32_t count)
{
    struct config *config = rig_load_good(WORDS("plan", "/s"));
    struct plan plan = small_plan;
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    plan.skipped = skipped;
    plan.skipped_count = count;
    plan_print(config, "/s", &plan, file);
    assert_int_equal(fclose(file), 0);
    config_free(config);
    return text;
}

/* Many tables that one option leaves out are one line; what is not known is not 0. */
static void test_print_left_out(void **state)
{
    struct plan_note skipped[] = {
        {"a.a", "not included", 8, 1024},      {"a.b", "excluded", 8, PLAN_SIZE_UNKNOWN},
        {"a.c", "not included", 8, 1024},      {"a.c/.idx", "not included", 8, 1024},
        {"a.d", "not included", 8, 1024},      {"a.e", "not included", 8, 1024},
        {"system.peers", "node-local", 9, 10}, {"z.z", "not included", 8, 1024},
    };
    (void)state;
    autofree char *text = print_skipped(skipped, ARRAY_SIZE(skipped));
    assert_non_null(strstr(text, "  5 tables         48  6.0 KiB  not included\n"));
    assert_non_null(strstr(text, "  a.b               8        -  excluded\n"));
    assert_non_null(strstr(text, "  system.peers      9     10 B  node-local\n"));
    assert_null(strstr(text, "a.a"));
    skipped[7].bytes = PLAN_SIZE_UNKNOWN;
    autofree char *unknown = print_skipped(skipped, ARRAY_SIZE(skipped));
    assert_non_null(strstr(unknown, "  5 tables         48      -  not included\n"));
    skipped[7].why = "system_auth is kept";
    autofree char *few = print_skipped(skipped, ARRAY_SIZE(skipped));
    assert_non_null(strstr(few, "a.c/.idx "));
    assert_null(strstr(few, "tables "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_range_round_trip, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_no_plan, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_bad_value_names_the_file, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_identity, rig_setup, rig_teardown),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_free_space),
        cmocka_unit_test_setup_teardown(test_print, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_print_left_out, rig_setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
