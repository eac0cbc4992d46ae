#include "unit.h"

#include "agent/options.h"

static void test_table_is_whole(void **state)
{
    char variable[OPTION_VARIABLE_SIZE];
    (void)state;
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        const struct option_info *info = options_info((enum option_id)i);
        assert_non_null(info->help);
        assert_int_not_equal(info->commands, 0);
        assert_int_equal(options_find(info->name, strlen(info->name)), i);
        if (info->letter != 0) {
            assert_int_equal(options_find_letter(info->letter), i);
        }
        options_variable((enum option_id)i, variable);
        assert_int_equal(strncmp(variable, "PENATES_", 8), 0);
        assert_null(strchr(variable, '-'));
    }
    assert_string_equal(options_variable(OPTION_PATH_STYLE, variable), "PENATES_PATH_STYLE");
}

static void test_names_that_are_not(void **state)
{
    (void)state;
    assert_int_equal(options_find("memor", 5), OPTION_COUNT);
    assert_int_equal(options_find("memory", 5), OPTION_COUNT);
    assert_int_equal(options_find("", 0), OPTION_COUNT);
    assert_int_equal(options_find_letter('Z'), OPTION_COUNT);
}

static void test_commands(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        enum command found = COMMAND_VERSION;
        assert_true(options_find_command(options_command((enum command)i)->name, &found));
        assert_int_equal(found, i);
        assert_true(options_takes(OPTION_HELP, (enum command)i));
    }
    enum command untouched = COMMAND_POLICY;
    assert_false(options_find_command("restor", &untouched));
    assert_int_equal(untouched, COMMAND_POLICY);
}

/* The selection is the same for the three commands that choose a restore point. */
static void test_selection_is_shared(void **state)
{
    (void)state;
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        const enum option_id id = (enum option_id)i;
        if (options_info(id)->group != GROUP_SELECTION) {
            continue;
        }
        assert_true(options_takes(id, COMMAND_PLAN));
        assert_true(options_takes(id, COMMAND_RESTORE));
        assert_true(options_takes(id, COMMAND_VERIFY));
        assert_true(options_is_planned(id));
    }
    assert_true(options_is_planned(OPTION_LAYOUT));
    assert_false(options_is_planned(OPTION_INTO));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_is_whole),
        cmocka_unit_test(test_names_that_are_not),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_selection_is_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
