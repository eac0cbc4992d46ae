#include "unit.h"

#include "agent/options.h"
#include "agent/suggest.h"

static void test_distance(void **state)
{
    static const struct {
        const char *a, *b;
        size_t distance;
    } CASES[] = {
        {"", "", 0},        {"", "abc", 3},          {"abc", "", 3},
        {"abc", "abc", 0},  {"abc", "abd", 1},       {"abc", "ab", 1},
        {"abc", "abcd", 1}, {"memroy", "memory", 1}, {"kitten", "sitting", 3},
        {"ca", "abc", 3},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        assert_int_equal(suggest_distance(CASES[i].a, CASES[i].b), CASES[i].distance);
    }
}

static void test_long_words_are_cut(void **state)
{
    char a[1000], b[1000];
    (void)state;
    memset(a, 'a', sizeof(a) - 1);
    memset(b, 'b', sizeof(b) - 1);
    a[sizeof(a) - 1] = b[sizeof(b) - 1] = '\0';
    assert_int_equal(suggest_distance(a, b), SUGGEST_SIZE_MAX);
}

static void test_nearest(void **state)
{
    static const struct {
        const char *word, *option;
    } CASES[] = {
        {"memroy", "memory"},    {"inot", "into"},
        {"tokens", "token"},     {"souce-region", "source-region"},
        {"excludes", "exclude"}, {"endpoint-url", "endpoint"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        assert_string_equal(options_nearest(CASES[i].word), CASES[i].option);
    }
    assert_string_equal(options_nearest_command("restor"), "restore");
    assert_string_equal(options_nearest_command("verfiy"), "verify");
    assert_string_equal(options_nearest_command("ls"), "list");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_long_words_are_cut),
        cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
