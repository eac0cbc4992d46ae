#include "unit.h"

#include <stdio.h>

#include "agent/json_write.h"

struct sink {
    char *text;
    size_t size;
    FILE *file;
};

static struct json open_sink(struct sink *sink, bool pretty)
{
    sink->file = open_memstream(&sink->text, &sink->size);
    assert_non_null(sink->file);
    return JSON_INIT(sink->file, pretty);
}

static void close_sink(struct sink *sink, const char *expected)
{
    assert_int_equal(fclose(sink->file), 0);
    assert_string_equal(sink->text, expected);
    free(sink->text);
}

static void test_document(void **state)
{
    struct sink sink;
    struct json json = open_sink(&sink, false);
    (void)state;
    json_open_object(&json, NULL);
    json_string(&json, "a", "b");
    json_string(&json, "none", NULL);
    json_u64(&json, "most", UINT64_MAX);
    json_seconds(&json, "s", 12034);
    json_bool(&json, "yes", true);
    json_bool(&json, "no", false);
    json_time(&json, "t", 0);
    json_open_array(&json, "list");
    json_u64(&json, NULL, 1);
    json_u64(&json, NULL, 2);
    json_close(&json);
    json_open_array(&json, "empty");
    json_close(&json);
    json_open_object(&json, "void");
    json_close(&json);
    json_close(&json);
    json_end(&json);
    close_sink(&sink, "{\"a\":\"b\",\"none\":null,\"most\":18446744073709551615,\"s\":12.034,"
                      "\"yes\":true,\"no\":false,\"t\":\"1970-01-01T00:00:00Z\","
                      "\"list\":[1,2],\"empty\":[],\"void\":{}}\n");
}

static void test_pretty(void **state)
{
    struct sink sink;
    struct json json = open_sink(&sink, true);
    (void)state;
    json_open_object(&json, NULL);
    json_u64(&json, "a", 1);
    json_open_array(&json, "list");
    for (unsigned i = 0; i < 2; i++) {
        json_open_object(&json, NULL);
        json_u64(&json, "x", i);
        json_u64(&json, "y", i);
        json_close(&json);
    }
    json_close(&json);
    json_open_array(&json, "none");
    json_close(&json);
    json_close(&json);
    json_end(&json);
    close_sink(&sink, "{\n  \"a\": 1,\n  \"list\": [\n    {\"x\": 0, \"y\": 0},\n"
                      "    {\"x\": 1, \"y\": 1}\n  ],\n  \"none\": []\n}\n");
}

#define BAD "\xef\xbf\xbd" /* U+FFFD */

static void test_escapes(void **state)
{
    static const struct {
        const char *text;
        size_t size;
        const char *json;
    } CASES[] = {
        {"plain", 5, "\"plain\""},
        {"\"\\/", 3, "\"\\\"\\\\/\""},
        {"\n\t\r\x01\x1f\x7f", 6, "\"\\n\\t\\u000d\\u0001\\u001f\\u007f\""},
        {"a\0b", 3, "\"a\\u0000b\""},
        {"\xc3\xa9", 2, "\"\xc3\xa9\""},                 /* two bytes */
        {"\xe2\x82\xac", 3, "\"\xe2\x82\xac\""},         /* three */
        {"\xf0\x9f\x98\x80", 4, "\"\xf0\x9f\x98\x80\""}, /* four */
        {"\xff", 1, "\"" BAD "\""},
        {"\x80", 1, "\"" BAD "\""},                         /* continuation alone */
        {"\xc3", 1, "\"" BAD "\""},                         /* cut short */
        {"\xe2\x82", 2, "\"" BAD BAD "\""},                 /* cut short */
        {"\xc3q", 2, "\"" BAD "q\""},                       /* no continuation */
        {"\xc0\x80", 2, "\"" BAD BAD "\""},                 /* overlong NUL */
        {"\xe0\x80\x80", 3, "\"" BAD BAD BAD "\""},         /* overlong */
        {"\xf0\x80\x80\x80", 4, "\"" BAD BAD BAD BAD "\""}, /* overlong */
        {"\xed\xa0\x80", 3, "\"" BAD BAD BAD "\""},         /* surrogate */
        {"\xf4\x90\x80\x80", 4, "\"" BAD BAD BAD BAD "\""}, /* past U+10FFFF */
        {"\xf5\x80\x80\x80", 4, "\"" BAD BAD BAD BAD "\""}, /* past U+10FFFF */
        {"", 0, "\"\""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct sink sink;
        struct json json = open_sink(&sink, false);
        json_slice(&json, NULL, slice_of(CASES[i].text, CASES[i].size));
        close_sink(&sink, CASES[i].json);
    }
}

static void test_cut(void **state)
{
    (void)state;
    struct sink sink;
    struct json json = open_sink(&sink, false);
    json_open_array(&json, NULL);
    json_string_cut(&json, NULL, "four", 4);
    json_string_cut(&json, NULL, "\"five", 4);
    json_string_cut(&json, NULL, "\xc3\xa9", 1);
    json_string_cut(&json, NULL, "all", 0);
    json_string_cut(&json, NULL, NULL, 0);
    json_close(&json);
    close_sink(&sink, "[\"four\",\"\\\"fiv...\",\"" BAD "...\",\"...\",null]");
}

/* Names are escaped as values are. */
static void test_names(void **state)
{
    struct sink sink;
    struct json json = open_sink(&sink, false);
    (void)state;
    json_open_object(&json, NULL);
    json_null(&json, "a\"b");
    json_close(&json);
    close_sink(&sink, "{\"a\\\"b\":null}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document), cmocka_unit_test(test_pretty),
        cmocka_unit_test(test_escapes),  cmocka_unit_test(test_cut),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
