#include "s3/endpoint.h"

#include <string.h>

#include "agent/base/mem.h"
#include "tests/unit/unit.h"

/* One line of endpoint_cases.tsv; the order is that of make_endpoint_cases.py. */
enum { F_BUCKET, F_REGION, F_ENDPOINT, F_FLAGS, F_BASE, F_PATH, F_SIGNED_REGION, FIELDS };

static void check_case(const char *const fields[FIELDS])
{
    const char *const flags = fields[F_FLAGS];
    const bool has_endpoint = strcmp(fields[F_ENDPOINT], "-") != 0;
    const struct endpoint_options options = {
        .bucket = fields[F_BUCKET],
        .endpoint = has_endpoint ? fields[F_ENDPOINT] : NULL,
        .path_style = strchr(flags, 'p') != NULL,
        .virtual_host = strchr(flags, 'v') != NULL,
        .dualstack = strchr(flags, 'd') != NULL,
        .fips = strchr(flags, 'f') != NULL,
    };
    struct endpoint *endpoint = NULL;
    struct err e = ERR_INIT;
    const int made = endpoint_new(&options, fields[F_REGION], &endpoint, &e);
    if (strcmp(fields[F_BASE], "refused") == 0) {
        assert_int_equal(made, -1);
        assert_int_equal(e.kind, ERR_CONFIG);
        return;
    }
    assert_int_equal(made, 0);
    assert_string_equal(endpoint->base, fields[F_BASE]);
    assert_string_equal(strstr(endpoint->base, "//") + 2, endpoint->host);
    assert_string_equal(endpoint->path, strcmp(fields[F_PATH], "-") == 0 ? "" : fields[F_PATH]);
    assert_string_equal(endpoint->region, fields[F_SIGNED_REGION]);
    endpoint_free(endpoint);
}

static void test_goes_where_botocore_goes(void **state)
{
    (void)state;
    autofile FILE *file = fopen(TEST_DATA "/endpoint_cases.tsv", "re");
    assert_non_null(file);
    autofree char *line = NULL;
    size_t capacity = 0;
    size_t cases = 0;
    while (getline(&line, &capacity, file) > 0) {
        const char *fields[FIELDS];
        char *at = line;
        for (size_t i = 0; i < FIELDS; i++) {
            fields[i] = strsep(&at, "\t\n");
            assert_non_null(fields[i]);
        }
        check_case(fields);
        cases++;
    }
    assert_int_equal(cases, 176);
}

static void test_custom(void **state)
{
    (void)state;
    static const struct {
        const char *bucket, *url;
        bool virtual_host;
        const char *base, *host, *path;
    } CASES[] = {
        {"bkt", "http://127.0.0.1:9000", false, "http://127.0.0.1:9000", "127.0.0.1:9000", "/bkt"},
        {"bkt", "http://127.0.0.1:9000/", false, "http://127.0.0.1:9000", "127.0.0.1:9000", "/bkt"},
        {"bkt", "http://[::1]:9000", false, "http://[::1]:9000", "[::1]:9000", "/bkt"},
        {"bkt", "https://[fd00::7]", false, "https://[fd00::7]", "[fd00::7]", "/bkt"},
        {"bkt", "http://localhost:9000", false, "http://localhost:9000", "localhost:9000", "/bkt"},
        /* In front of the host where that can be, when told so. */
        {"bkt", "http://127.0.0.1:9000", true, "http://127.0.0.1:9000", "127.0.0.1:9000", "/bkt"},
        {"bkt", "http://[::1]:9000", true, "http://[::1]:9000", "[::1]:9000", "/bkt"},
        {"bkt", "http://localhost:9000", true, "http://localhost:9000", "localhost:9000", "/bkt"},
        {"b.kt", "https://s3.example.org", true, "https://s3.example.org", "s3.example.org",
         "/b.kt"},
        /* The scheme's own port is not sent, so it is not signed either. */
        {"bkt", "https://s3.example.org:443", false, "https://s3.example.org", "s3.example.org",
         "/bkt"},
        {"bkt", "http://10.0.0.1:80", false, "http://10.0.0.1", "10.0.0.1", "/bkt"},
        {"bkt", "https://10.0.0.1:80", false, "https://10.0.0.1:80", "10.0.0.1:80", "/bkt"},
        {"bkt", "https://gw.example.org/s3/", false, "https://gw.example.org", "gw.example.org",
         "/s3/bkt"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const struct endpoint_options options = {
            .bucket = CASES[i].bucket,
            .endpoint = CASES[i].url,
            .virtual_host = CASES[i].virtual_host,
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

#define POINT "arn:aws:s3:us-west-2:123456789012:accesspoint/point"

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
        {{.bucket = "bkt"}, "-x"},
        {{.bucket = "bkt"}, "us-east-1-"},
        {{.bucket = "bkt"}, "US-EAST-1"},
        {{.bucket = "bkt"}, "us_east_1"},
        {{.bucket = "bkt"}, "evil.example"},
        {{.bucket = "bkt"}, "fips-us-east-1"},
        {{.bucket = "bkt"}, "us-gov-west-1-fips"},
        {{.bucket = "bkt"}, "aws-global"},
        {{.bucket = "bkt", .fips = true}, "cn-north-1"},
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
        {{.bucket = POINT, .endpoint = "http://127.0.0.1:9000"}, "us-west-2"},
        {{.bucket = POINT, .endpoint = "http://localhost"}, "us-west-2"},
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
        cmocka_unit_test(test_goes_where_botocore_goes),
        cmocka_unit_test(test_custom),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
