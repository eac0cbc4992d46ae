/* How a command's text becomes its words. */
#include "tests/unit/unit.h"

#include "agent/base/words.h"

static void test_split(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *words[5];
    } CASES[] = {
        {"a", {"a"}},
        {"  a\tb\nc\r ", {"a", "b", "c"}},
        {"systemctl start cassandra", {"systemctl", "start", "cassandra"}},
        {"a 'b c' \"d e\" f\\ g", {"a", "b c", "d e", "f g"}},
        {"a '' \"\"", {"a", "", ""}},
        {"a'b'\"c\"d", {"abcd"}},
        {"a '\\' \"\\\\\" \\\\", {"a", "\\", "\\", "\\"}},
        {"a '\"' \"'\" \\'\\\"", {"a", "\"", "'", "'\""}},
        {"a \"\\\"\" \"\\n\" '\\n' \\n", {"a", "\"", "\\n", "\\n", "n"}},
        /* No shell: none of this means anything. */
        {"a $HOME ~ *.db `b`", {"a", "$HOME", "~", "*.db", "`b`"}},
        {"a;b |c &&d #e", {"a;b", "|c", "&&d", "#e"}},
        {"a \"$x\" >b", {"a", "$x", ">b"}},
        {"h\xc3\xa9 \xff", {"h\xc3\xa9", "\xff"}},
        {"a b c d e", {"a", "b", "c", "d", "e"}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct words words;
        const char *why;
        assert_true(words_split(CASES[i].text, &words, &why));
        size_t count = 0;
        while (count < ARRAY_SIZE(CASES[i].words) && CASES[i].words[count] != NULL) {
            assert_true(count < words.count);
            assert_string_equal(words.items[count], CASES[i].words[count]);
            count++;
        }
        assert_int_equal(words.count, count);
        assert_null(words.items[count]);
        words_done(&words);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } CASES[] = {
        {"", "names no program"},
        {" \t\n", "names no program"},
        {"'' a", "names no program"},
        {"a 'b", "has a quote that does not end"},
        {"a \"b", "has a quote that does not end"},
        {"a \"b\\\"", "has a quote that does not end"},
        {"a '", "has a quote that does not end"},
        {"a \\", "ends in a backslash"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct words words;
        const char *why;
        assert_false(words_split(CASES[i].text, &words, &why));
        assert_string_equal(why, CASES[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
