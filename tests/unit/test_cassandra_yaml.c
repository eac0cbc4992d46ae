/* Changes to the text of a cassandra.yaml. */
#include "agent/cassandra_yaml.h"

#include "agent/base/mem.h"
#include "tests/unit/unit.h"

static const struct yaml_setting SETTINGS[] = {
    {"initial_token", "-42"},
    {"num_tokens", "1"},
    {"auto_bootstrap", "false"},
};

static int edit(const char *text, const struct yaml_setting *settings, size_t count, char **ret,
                bool *ret_changed, struct err *e)
{
    autobuf struct buf out = BUF_INIT(YAML_TEXT_MAX);
    if (cassandra_yaml_edit(slice_of(text, strlen(text)), settings, count, &out, ret_changed, e) !=
        0) {
        return -1;
    }
    *ret = xstrdup(buf_str(&out));
    return 0;
}

#define TAIL "initial_token: -42\nnum_tokens: 1\nauto_bootstrap: false\n"

static const struct {
    const char *what, *before, *after;
} EDITS[] = {
    {"absent", "a: b\n", "a: b\n" TAIL},
    {"no line feed at the end", "a: b", "a: b\n" TAIL},
    {"blanks at the end", "a: b\n  ", "a: b\n  \n" TAIL},
    {"comments at the end", "a: b\n# the end\n", "a: b\n# the end\n" TAIL},
    {"in order, with comments",
     "# head\nnum_tokens: 16 # many\n\nauto_bootstrap:   true\t# yes\ninitial_token: 5\nx: [1, "
     "2]\n",
     "# head\nnum_tokens: 1 # many\n\nauto_bootstrap:   false\t# yes\ninitial_token: -42\n"
     "x: [1, 2]\n"},
    {"commented out",
     "# initial_token allows you\n# initial_token:\n#num_tokens: 256\na: b\n#  auto_bootstrap : "
     "x\n",
     "# initial_token allows you\n# initial_token:\ninitial_token: -42\n#num_tokens: 256\n"
     "num_tokens: 1\na: b\n#  auto_bootstrap : x\nauto_bootstrap: false\n"},
    {"commented out on the last line", "a: b\n# initial_token:", "a: b\n# initial_token:\n" TAIL},
    {"commented out inside a list",
     "seeds:\n  - a\n# initial_token: 1\n  - b\nnum_tokens: 1\nauto_bootstrap: false\n",
     "seeds:\n  - a\n# initial_token: 1\n  - b\nnum_tokens: 1\nauto_bootstrap: false\n"
     "initial_token: -42\n"},
    {"commented out inside a text",
     "note: |\n  # initial_token: 1\n  more\nnum_tokens: 1\nauto_bootstrap: false\n",
     "note: |\n  # initial_token: 1\n  more\nnum_tokens: 1\nauto_bootstrap: false\n"
     "initial_token: -42\n"},
    {"the same name below another key", "a:\n  num_tokens: 7\n", "a:\n  num_tokens: 7\n" TAIL},
    {"quoted", "initial_token: \"5\"\nnum_tokens: '7'\n'auto_bootstrap': yes\n",
     "initial_token: -42\nnum_tokens: 1\n'auto_bootstrap': false\n"},
    {"no value", "initial_token:\nnum_tokens: # none\nauto_bootstrap: ~\n",
     "initial_token: -42\nnum_tokens: 1 # none\nauto_bootstrap: false\n"},
    {"value on the next line", "num_tokens:\n    16\na: b\n",
     "num_tokens:\n    1\na: b\ninitial_token: -42\nauto_bootstrap: false\n"},
    {"value over two lines", "initial_token: 1,\n  2\nnum_tokens: 2\nauto_bootstrap: false\n",
     "initial_token: -42\nnum_tokens: 1\nauto_bootstrap: false\n"},
    {"carriage returns", "a: b\r\nnum_tokens: 16\r\n",
     "a: b\r\nnum_tokens: 1\r\ninitial_token: -42\r\nauto_bootstrap: false\r\n"},
    {"carriage returns, no end", "a: b\r\nnum_tokens: 16",
     "a: b\r\nnum_tokens: 1\r\ninitial_token: -42\r\nauto_bootstrap: false\r\n"},
    {"flow", "{a: b, num_tokens: 16}\n",
     "{auto_bootstrap: false, initial_token: -42, a: b, num_tokens: 1}\n"},
    {"empty flow", "{}", "{auto_bootstrap: false, num_tokens: 1, initial_token: -42}"},
    {"JSON", "{\"num_tokens\":16,\n \"initial_token\": \"7\", \"auto_bootstrap\":true}",
     "{\"num_tokens\": 1,\n \"initial_token\": -42, \"auto_bootstrap\": false}"},
    {"document markers", "%YAML 1.1\n---\na: b\n...\n", "%YAML 1.1\n---\na: b\n" TAIL "...\n"},
    {"byte order mark", "\xEF\xBB\xBFnum_tokens: 16\na: b\n",
     "\xEF\xBB\xBFnum_tokens: 1\na: b\ninitial_token: -42\nauto_bootstrap: false\n"},
    {"characters of several bytes", "# \xC3\xBC\xE2\x82\xAC\nnum_tokens: 16 # \xF0\x9F\x90\x8E\n",
     "# \xC3\xBC\xE2\x82\xAC\nnum_tokens: 1 # \xF0\x9F\x90\x8E\n"
     "initial_token: -42\nauto_bootstrap: false\n"},
    {"indented", "  a: b\n  num_tokens: 16\n",
     "  a: b\n  num_tokens: 1\n  initial_token: -42\n  auto_bootstrap: false\n"},
    {"tabs before comments", "a: b\t# x\nnum_tokens:\t16\n",
     "a: b\t# x\nnum_tokens:\t1\ninitial_token: -42\nauto_bootstrap: false\n"},
    {"anchors and aliases elsewhere", "a: &x {b: 1}\nc: *x\n", "a: &x {b: 1}\nc: *x\n" TAIL},
    {"all as wanted", TAIL, TAIL},
    {"all as wanted, in quotes", "initial_token: '-42'\nnum_tokens: 1\nauto_bootstrap: false",
     "initial_token: '-42'\nnum_tokens: 1\nauto_bootstrap: false"},
};

static void test_edits(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(EDITS); i++) {
        autofree char *once = NULL;
        autofree char *twice = NULL;
        bool changed = false;
        struct err e = ERR_INIT;
        if (edit(EDITS[i].before, SETTINGS, ARRAY_SIZE(SETTINGS), &once, &changed, &e) != 0) {
            fail_msg("%s: %s", EDITS[i].what, e.text);
        }
        if (strcmp(once, EDITS[i].after) != 0) {
            fail_msg("%s:\n%s", EDITS[i].what, once);
        }
        assert_int_equal(changed, strcmp(EDITS[i].before, EDITS[i].after) != 0);
        assert_int_equal(edit(once, SETTINGS, ARRAY_SIZE(SETTINGS), &twice, &changed, &e), 0);
        assert_false(changed);
        assert_string_equal(twice, once);
    }
}

static const struct {
    const char *what, *text, *why;
} REFUSED[] = {
    {"empty", "", "no keys"},
    {"comments only", "# a: b\n", "no keys"},
    {"a list", "- a\n- b\n", "not a mapping"},
    {"a word", "cassandra\n", "not a mapping"},
    {"two documents", "a: b\n---\nc: d\n", "second document"},
    {"twice", "num_tokens: 1\na: b\nnum_tokens: 2\n", "num_tokens: is there 2 times"},
    {"twice, in quotes", "num_tokens: 1\n\"num_tokens\": 1\n", "num_tokens: is there 2 times"},
    {"a list of tokens", "initial_token: [1, 2]\n", "initial_token: its value is not a plain one"},
    {"a block", "initial_token: |\n  1\n", "initial_token: its value is not a plain one"},
    {"an anchor", "num_tokens: &n 16\n", "num_tokens: its value is not a plain one"},
    {"a tag", "num_tokens: !!int 16\n", "num_tokens: its value is not a plain one"},
    {"an alias", "a: &n 16\nnum_tokens: *n\n", "num_tokens: its value is not a plain one"},
    {"a tab before a comment", "\t# a\na: b\n", "line 1: "},
    {"a tab in the indent", "a:\n\tb: c\n", "line 2: "},
    {"an open bracket", "a: [1, 2\nb: c\n", "line "},
    {"an open quote", "a: 'b\n", "line "},
    {"a bad escape", "a: \"\\q\"\n", "line 1: "},
    {"not UTF-8", "a: \xFF\xC0\n", "invalid"},
    {"UTF-16",
     "\xFF\xFE"
     "a",
     "not in UTF-8"},
    {"a control character", "a: \x01\n", "control characters"},
    {"a key without a colon", "? num_tokens\n", ": cannot be set"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(REFUSED); i++) {
        autofree char *text = NULL;
        bool changed = false;
        struct err e = ERR_INIT;
        if (edit(REFUSED[i].text, SETTINGS, ARRAY_SIZE(SETTINGS), &text, &changed, &e) == 0) {
            fail_msg("%s was taken:\n%s", REFUSED[i].what, text);
        }
        assert_int_equal(e.kind, ERR_CONFIG);
        if (strstr(e.text, REFUSED[i].why) == NULL) {
            fail_msg("%s: %s", REFUSED[i].what, e.text);
        }
    }
}

static void test_quotes(void **state)
{
    (void)state;
    static const struct {
        const char *value, *line;
    } VALUES[] = {
        {"1,-2", "initial_token: '1,-2'\n"},
        {"0a'b", "initial_token: '0a''b'\n"},
        {"-", "initial_token: '-'\n"},
        {"170141183460469231731687303715884105727",
         "initial_token: 170141183460469231731687303715884105727\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(VALUES); i++) {
        const struct yaml_setting setting = {"initial_token", VALUES[i].value};
        autofree char *text = NULL;
        bool changed = false;
        struct err e = ERR_INIT;
        assert_int_equal(edit("initial_token: 5\n", &setting, 1, &text, &changed, &e), 0);
        assert_string_equal(text, VALUES[i].line);
    }
    const struct yaml_setting bad = {"initial_token", "1\nevil: 2"};
    autofree char *text = NULL;
    bool changed = false;
    struct err e = ERR_INIT;
    assert_int_equal(edit("a: b\n", &bad, 1, &text, &changed, &e), -1);
    assert_int_equal(e.kind, ERR_CONFIG);
}

static void test_limits(void **state)
{
    (void)state;
    autobuf struct buf deep = BUF_INIT(YAML_TEXT_MAX), wide = BUF_INIT(YAML_TEXT_MAX + 10);
    assert_true(buf_append_str(&deep, "a: "));
    for (unsigned i = 0; i < YAML_DEPTH_MAX; i++) {
        assert_true(buf_append_char(&deep, '['));
    }
    autofree char *text = NULL;
    bool changed = false;
    struct err e = ERR_INIT;
    assert_int_equal(edit(buf_str(&deep), SETTINGS, 1, &text, &changed, &e), -1);
    assert_int_equal(e.kind, ERR_LIMIT);
    while (wide.size <= YAML_TEXT_MAX) {
        assert_true(buf_append_str(&wide, "# long\n"));
    }
    assert_int_equal(edit(buf_str(&wide), SETTINGS, 1, &text, &changed, &e), -1);
    assert_int_equal(e.kind, ERR_LIMIT);
}

static void test_value(void **state)
{
    (void)state;
    static const char TEXT[] =
        "a: /var/lib # x\nb: '/with space'\nc:\nd: null\ne: [1]\nf:\n  a: 2\n";
    static const struct {
        const char *key, *want;
    } VALUES[] = {{"a", "/var/lib"}, {"b", "/with space"}, {"c", NULL}, {"d", NULL}, {"g", NULL}};
    struct err e = ERR_INIT;
    for (size_t i = 0; i < ARRAY_SIZE(VALUES); i++) {
        autofree char *value = NULL;
        const struct slice text = slice_of(TEXT, sizeof(TEXT) - 1);
        assert_int_equal(cassandra_yaml_value(text, VALUES[i].key, &value, &e), 0);
        if (VALUES[i].want == NULL) {
            assert_null(value);
        } else {
            assert_string_equal(value, VALUES[i].want);
        }
    }
    autofree char *value = NULL;
    assert_int_equal(cassandra_yaml_value(slice_of(TEXT, sizeof(TEXT) - 1), "e", &value, &e), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edits),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_quotes), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
