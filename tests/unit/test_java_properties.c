#include "unit.h"

#include "agent/java_properties.h"

/* "name=value;" of each property. */
static void collect(void *ctx, const char *name, const char *value)
{
    struct buf *out = (struct buf *)ctx;
    assert_true(buf_appendf(out, "%s=%s;", name, value));
}

static void test_properties(void **state)
{
    static const struct {
        const char *text, *expected;
    } CASES[] = {
        {"", ""},
        {"a=b", "a=b;"},
        {"a=b\n", "a=b;"},
        {"a = b \n", "a=b ;"},
        {"  a : b", "a=b;"},
        {"a b c", "a=b c;"},
        {"a", "a=;"},
        {"a\nb", "a=;b=;"},
        {"a=\nb=2", "a=;b=2;"},
        {"# no\n! no\n\n  # no\na=1\r\nb=2\rc=3", "a=1;b=2;c=3;"},
        {"a=b#c", "a=b#c;"},
        {"a=1\\\n   2\\\r\n\t3", "a=123;"},
        {"a=x\\", "a=x;"},
        {"a\\ b\\=c\\:d=e", "a b=c:d=e;"},
        {"a=\\t\\q\\\\", "a=\tq\\;"},
        {"a==b", "a==b;"},
        {"clust\xe9r=\xfc", "clust\xc3\xa9r=\xc3\xbc;"},
        {"a=\\u00e9\\u20ac", "a=\xc3\xa9\xe2\x82\xac;"},
        {"a=\\ud83d\\ude00", "a=\xf0\x9f\x98\x80;"},
        {"a=\\ud83dx", "a=\xef\xbf\xbdx;"},
        {"a=\\ud83d", "a=\xef\xbf\xbd;"},
        {"a=\\ude00", "a=\xef\xbf\xbd;"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        autobuf struct buf out = BUF_INIT(4096);
        unsigned line = 0;
        assert_true(java_properties_parse(slice_of(CASES[i].text, strlen(CASES[i].text)), collect,
                                          &out, &line));
        assert_string_equal(buf_str(&out), CASES[i].expected);
    }
}

static void test_malformed(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
    } CASES[] = {
        {"a=\\u12", 1},
        {"a=1\nb=\\u12x4\n", 2},
        {"# x\r\n\r\na\\uzzzz=1", 3},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        autobuf struct buf out = BUF_INIT(4096);
        unsigned line = 0;
        assert_false(java_properties_parse(slice_of(CASES[i].text, strlen(CASES[i].text)), collect,
                                           &out, &line));
        assert_int_equal(line, CASES[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
