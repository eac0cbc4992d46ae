#include "s3/region.h"

#include "tests/unit/unit.h"

static void test_told(void **state)
{
    (void)state;
    static const struct {
        const char *header, *region, *endpoint, *told;
    } CASES[] = {
        {"", "", "", ""},
        {"eu-west-1", "", "", "eu-west-1"},
        {"", "eu-west-1", "", "eu-west-1"},
        {"eu-west-1", "us-west-2", "", "eu-west-1"},
        {"", "Region_One", "", "Region_One"}, /* of another store */
        {"", "", "bkt.s3.eu-west-1.amazonaws.com", "eu-west-1"},
        {"", "", "bkt.s3-eu-west-1.amazonaws.com", "eu-west-1"},
        {"", "", "s3.eu-west-1.amazonaws.com", "eu-west-1"},
        {"", "", "s3-eu-west-1.amazonaws.com", "eu-west-1"},
        {"", "", "bkt.s3.cn-north-1.amazonaws.com.cn", "cn-north-1"},
        {"", "", "a.s3.x.s3.eu-west-1.amazonaws.com", "eu-west-1"},
        {"", "", "s3bucket.s3.eu-west-1.amazonaws.com", "eu-west-1"},
        /* What is no region's name is not told; a host is that of S3, or it is nothing. */
        {"evil.example.org", "", "", ""},
        {"eu-west-1/", "", "", ""},
        {"a b", "x@y", "", ""},
        {"", "\r\nHost: x", "", ""},
        {"", "", "bkt.s3.amazonaws.com", ""},
        {"", "", "s3-external-1.amazonaws.com", ""},
        {"", "", "bkt.s3.eu-west-1.amazonaws.com.evil.org", ""},
        {"", "", "bkt.s3.eu-west-1.amazonaws.com.cn", ""},
        {"", "", "bkt.s3.eu-west-1.amazonaws.comx", ""},
        {"", "", "bkt.s3.cn-north-1.amazonaws.com", ""},
        {"", "", "evil.example.org", ""},
        {"", "", "evil.org/s3.eu-west-1.amazonaws.com:443", ""},
        {"", "", "https://bkt.s3.eu-west-1.amazonaws.com/x", ""},
        {"", "", "s3", ""},
        {"", "", "x.s3", ""},
        {"", "", "s3.", ""},
        {"", "", "bkt.s3..amazonaws.com", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct http_headers headers = {.status = 301};
        struct error_xml error = {.code = ""};
        (void)snprintf(headers.bucket_region, sizeof(headers.bucket_region), "%s", CASES[i].header);
        (void)snprintf(error.region, sizeof(error.region), "%s", CASES[i].region);
        (void)snprintf(error.endpoint, sizeof(error.endpoint), "%s", CASES[i].endpoint);
        char told[S3_REGION_MAX] = "overwritten";
        region_told(&headers, &error, told);
        assert_string_equal(told, CASES[i].told);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
