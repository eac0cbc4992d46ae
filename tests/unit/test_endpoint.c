#include "s3/endpoint.h"
#include "tests/unit/unit.h"

static void test_aws(void **state)
{
    (void)state;
    static const struct {
        struct endpoint_options options;
        const char *region, *host, *path;
    } CASES[] = {
        {{.bucket = "bkt"}, "us-east-1", "bkt.s3.us-east-1.amazonaws.com", ""},
        {{.bucket = "bkt"}, "cn-north-1", "bkt.s3.cn-north-1.amazonaws.com.cn", ""},
        {{.bucket = "bkt"}, "us-gov-west-1", "bkt.s3.us-gov-west-1.amazonaws.com", ""},
        {{.bucket = "bkt"}, "us-iso-east-1", "bkt.s3.us-iso-east-1.c2s.ic.gov", ""},
        {{.bucket = "bkt"}, "us-isob-east-1", "bkt.s3.us-isob-east-1.sc2s.sgov.gov", ""},
        {{.bucket = "bkt"}, "eusc-de-east-1", "bkt.s3.eusc-de-east-1.amazonaws.eu", ""},
        {{.bucket = "a.b"}, "eu-west-1", "s3.eu-west-1.amazonaws.com", "/a.b"},
        {{.bucket = "Old_B"}, "us-east-1", "s3.us-east-1.amazonaws.com", "/Old_B"},
        {{.bucket = "bkt", .path_style = true}, "eu-west-1", "s3.eu-west-1.amazonaws.com", "/bkt"},
        {{.bucket = "bkt", .dualstack = true},
         "eu-west-1",
         "bkt.s3.dualstack.eu-west-1.amazonaws.com",
         ""},
        {{.bucket = "bkt", .fips = true}, "us-east-2", "bkt.s3-fips.us-east-2.amazonaws.com", ""},
        {{.bucket = "bkt", .fips = true, .dualstack = true, .path_style = true},
         "us-gov-east-1",
         "s3-fips.dualstack.us-gov-east-1.amazonaws.com",
         "/bkt"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct endpoint *endpoint = NULL;
        struct err e = ERR_INIT;
        assert_int_equal(endpoint_new(&CASES[i].options, CASES[i].region, &endpoint, &e), 0);
        assert_string_equal(endpoint->host, CASES[i].host);
        assert_string_equal(endpoint->path, CASES[i].path);
        assert_memory_equal(endpoint->base, "https://", 8);
        assert_string_equal(endpoint->base + 8, CASES[i].host);
        assert_string_equal(endpoint->region, CASES[i].region);
        endpoint_free(endpoint);
    }
}

static void test_custom(void **state)
{
    (void)state;
    static const struct {
        const char *bucket, *url;
        bool path_style;
        const char *base, *host, *path;
    } CASES[] = {
        {"bkt", "http://127.0.0.1:9000", false, "http://127.0.0.1:9000", "127.0.0.1:9000", "/bkt"},
        {"bkt", "http://127.0.0.1:9000/", false, "http://127.0.0.1:9000", "127.0.0.1:9000", "/bkt"},
        {"bkt", "http://[::1]:9000", false, "http://[::1]:9000", "[::1]:9000", "/bkt"},
        {"bkt", "https://[fd00::7]", false, "https://[fd00::7]", "[fd00::7]", "/bkt"},
        {"bkt", "http://localhost:9000", false, "http://localhost:9000", "localhost:9000", "/bkt"},
        {"bkt", "https://s3.example.org", false, "https://bkt.s3.example.org", "bkt.s3.example.org",
         ""},
        {"bkt", "https://s3.example.org", true, "https://s3.example.org", "s3.example.org", "/bkt"},
        {"b.kt", "https://s3.example.org", false, "https://s3.example.org", "s3.example.org",
         "/b.kt"},
        /* The scheme's own port is not sent, so it is not signed either. */
        {"bkt", "https://s3.example.org:443", true, "https://s3.example.org", "s3.example.org",
         "/bkt"},
        {"bkt", "http://10.0.0.1:80", false, "http://10.0.0.1", "10.0.0.1", "/bkt"},
        {"bkt", "https://10.0.0.1:80", false, "https://10.0.0.1:80", "10.0.0.1:80", "/bkt"},
        {"bkt", "https://gw.example.org/s3/", true, "https://gw.example.org", "gw.example.org",
         "/s3/bkt"},
        {"bkt", "https://gw.example.org/s3", false, "https://bkt.gw.example.org",
         "bkt.gw.example.org", "/s3"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const struct endpoint_options options = {
            .bucket = CASES[i].bucket,
            .endpoint = CASES[i].url,
            .path_style = CASES[i].path_style,
        };
        struct endpoint *endpoint = NULL;
        struct err e = ERR_INIT;
        assert_int_equal(endpoint_new(&options, "us-east-1", &endpoint, &e), 0);
        assert_string_equal(endpoint->base, CASES[i].base);
        assert_string_equal(endpoint->host, CASES[i].host);
        assert_string_equal(endpoint->path, CASES[i].path);
        endpoint_free(endpoint);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        struct endpoint_options options;
        const char *region;
    } CASES[] = {
        {{.bucket = ""}, "us-east-1"},
        {{.bucket = "ab"}, "us-east-1"},
        {{.bucket = "a/b"}, "us-east-1"},
        {{.bucket = ".abc"}, "us-east-1"},
        {{.bucket = "abc\n"}, "us-east-1"},
        {{.bucket = "arn:aws:s3:::x"}, "us-east-1"},
        {{.bucket = "1234567890123456789012345678901234567890123456789012345678901234"}, "r"},
        {{.bucket = "bkt"}, ""},
        {{.bucket = "bkt"}, "evil.example.org/"},
        {{.bucket = "bkt"}, "x@evil"},
        {{.bucket = "bkt"}, "123456789012345678901234567890123"},
        {{.bucket = "bkt", .endpoint = ""}, "r"},
        {{.bucket = "bkt", .endpoint = "127.0.0.1:9000"}, "r"},
        {{.bucket = "bkt", .endpoint = "ftp://127.0.0.1"}, "r"},
        {{.bucket = "bkt", .endpoint = "http://"}, "r"},
        {{.bucket = "bkt", .endpoint = "http://:80"}, "r"},
        {{.bucket = "bkt", .endpoint = "http://h:0"}, "r"},
        {{.bucket = "bkt", .endpoint = "http://h:65536"}, "r"},
        {{.bucket = "bkt", .endpoint = "http://h:"}, "r"},
        {{.bucket = "bkt", .endpoint = "http://h:8x"}, "r"},
        {{.bucket = "bkt", .endpoint = "http://u:p@h"}, "r"},
        {{.bucket = "bkt", .endpoint = "http://h/?q"}, "r"},
        {{.bucket = "bkt", .endpoint = "http://h#f"}, "r"},
        {{.bucket = "bkt", .endpoint = "http://h h"}, "r"},
        {{.bucket = "bkt", .endpoint = "http://h\r\nX: y"}, "r"},
        {{.bucket = "bkt", .endpoint = "http://[::1"}, "r"},
        {{.bucket = "bkt", .endpoint = "http://[]"}, "r"},
        {{.bucket = "bkt", .endpoint = "http://[::1]x"}, "r"},
        {{.bucket = "bkt", .endpoint = "http://h", .fips = true}, "r"},
        {{.bucket = "bkt", .endpoint = "http://h", .dualstack = true}, "r"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct endpoint *endpoint = NULL;
        struct err e = ERR_INIT;
        assert_int_equal(endpoint_new(&CASES[i].options, CASES[i].region, &endpoint, &e), -1);
        assert_int_equal(e.kind, ERR_CONFIG);
        assert_null(endpoint);
    }
    endpoint_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aws),
        cmocka_unit_test(test_custom),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
