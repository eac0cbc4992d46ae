#include "tests/unit/unit.h"

#include "agent/base/parse.h"
#include "s3/uri.h"

static void test_encode_path(void **state)
{
    (void)state;
    static const struct {
        const char *key, *want;
    } cases[] = {
        {"", ""},
        {"azAZ09-._~", "azAZ09-._~"},
        {"a/b//c/", "a/b//c/"},
        {"./a/../b", "./a/../b"},
        {"a b+c=d", "a%20b%2Bc%3Dd"},
        {"%3d%", "%253d%25"},
        {"\xc3\xa9", "%C3%A9"},
        {"\x01\x7f\xff", "%01%7F%FF"},
        {"!*'();:@&$,?#[]", "%21%2A%27%28%29%3B%3A%40%26%24%2C%3F%23%5B%5D"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        autobuf struct buf out = BUF_INIT(256);
        assert_true(uri_encode_path(cases[i].key, &out));
        assert_string_equal(buf_str(&out), cases[i].want);
    }
}

static void test_encode_query(void **state)
{
    (void)state;
    autobuf struct buf out = BUF_INIT(64);
    assert_true(uri_encode_query("a/b c", &out));
    assert_true(uri_encode_query("=~", &out));
    assert_string_equal(buf_str(&out), "a%2Fb%20c%3D~");
}

static void test_encode_is_whole_or_nothing(void **state)
{
    (void)state;
    autobuf struct buf out = BUF_INIT(8);
    assert_true(buf_append_str(&out, "12"));
    assert_true(uri_encode_path("ab=c", &out));
    assert_string_equal(buf_str(&out), "12ab%3Dc");
    buf_clear(&out);
    assert_true(buf_append_str(&out, "123"));
    assert_false(uri_encode_path("ab=c", &out));
    assert_string_equal(buf_str(&out), "123");
    assert_false(uri_encode_query("abcdef", &out));
    assert_string_equal(buf_str(&out), "123");
    buf_clear(&out);
    assert_false(uri_encode_query("abcdefghi", &out));
    assert_string_equal(buf_str(&out), "");
}

static void test_decode(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool plus_is_space;
        const char *want; /* NULL: refused */
    } cases[] = {
        {"", false, ""},
        {"a%20b", false, "a b"},
        {"a+b", false, "a+b"},
        {"a+b%2B", true, "a b+"},
        {"%c3%A9", false, "\xc3\xa9"},
        {"%25", false, "%"},
        {"%2525", false, "%25"},
        {"%", false, NULL},
        {"a%2", false, NULL},
        {"%zz", false, NULL},
        {"%+1", false, NULL},
        {"% 1", true, NULL},
        {"%00", false, NULL},
        {"12345678901234567", false, NULL}, /* one more than fits */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        autobuf struct buf out = BUF_INIT(16);
        const bool ok =
            uri_decode(cases[i].text, strlen(cases[i].text), cases[i].plus_is_space, &out);
        assert_int_equal(ok, cases[i].want != NULL);
        assert_string_equal(buf_str(&out), ok ? cases[i].want : "");
    }
}

static void test_decode_refuses_nul_and_stops_at_size(void **state)
{
    (void)state;
    autobuf struct buf out = BUF_INIT(16);
    assert_false(uri_decode("a\0b", 3, false, &out));
    assert_string_equal(buf_str(&out), "");
    assert_false(uri_decode("a%41", 3, false, &out)); /* the escape crosses the end */
    assert_true(uri_decode("a%41", 1, false, &out));
    assert_string_equal(buf_str(&out), "a");
    assert_true(uri_decode(NULL, 0, false, &out));
}

static void test_every_byte_survives(void **state)
{
    (void)state;
    char all[256];
    for (unsigned i = 1; i < 256; i++) {
        all[i - 1] = (char)i;
    }
    all[255] = '\0';
    autobuf struct buf encoded = BUF_INIT(1024);
    autobuf struct buf decoded = BUF_INIT(255);
    assert_true(uri_encode_query(all, &encoded));
    assert_true(uri_decode(buf_str(&encoded), encoded.size, true, &decoded));
    assert_int_equal(decoded.size, 255);
    assert_memory_equal(decoded.data, all, 255);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode_path),
        cmocka_unit_test(test_encode_query),
        cmocka_unit_test(test_encode_is_whole_or_nothing),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_decode_refuses_nul_and_stops_at_size),
        cmocka_unit_test(test_every_byte_survives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
