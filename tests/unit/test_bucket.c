#include "s3/bucket.h"

#include <string.h>

#include "tests/unit/unit.h"

static void test_taken(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, *point_region;
    } CASES[] = {
        {"bkt", "bkt", ""},
        {"a.b-c_D", "a.b-c_D", ""},
        {"my-point-1a2b-s3alias", "my-point-1a2b-s3alias", ""},
        {"fsx-point-1a2b-ext-s3alias", "fsx-point-1a2b-ext-s3alias", ""},
        {"arn:aws:s3:us-west-2:123456789012:accesspoint/point", "point-123456789012", "us-west-2"},
        {"arn:aws:s3:us-west-2:123456789012:accesspoint:point", "point-123456789012", "us-west-2"},
        {"arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/point", "point-123456789012",
         "cn-north-1"},
        {"arn:aws:s3:r:123456789012:accesspoint/"
         "a2345678901234567890123456789012345678901234567890",
         "a2345678901234567890123456789012345678901234567890-123456789012", "r"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct bucket bucket;
        struct err e = ERR_INIT;
        assert_int_equal(bucket_parse(CASES[i].text, &bucket, &e), 0);
        assert_string_equal(bucket.name, CASES[i].name);
        assert_string_equal(bucket.point_region, CASES[i].point_region);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *says; /* in its error or its hint */
    } CASES[] = {
        {"", "not a bucket's name"},
        {"ab", "not a bucket's name"},
        {"a/b", "not a bucket's name"},
        {".abc", "not a bucket's name"},
        {"abc\n", "not a bucket's name"},
        {"b@host", "not a bucket's name"},
        {"1234567890123456789012345678901234567890123456789012345678901234", "not a bucket's name"},
        {"data--use1-az4--x-s3", "S3 Express"},
        {"point--use1-az4--xa-s3", "general purpose"},
        {"point-1a2b--op-s3", "Outposts"},
        {"point-1a2b--ol-s3", "the Lambda reads from"},
        {"mfzwi23gnjvgw.mrap", "SigV4A"},
        {"arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap", "one of the buckets behind it"},
        {"arn:aws:s3::123456789012:accesspoint:mfzwi23gnjvgw.mrap", "SigV4A"},
        {"arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-01ac/accesspoint/point",
         "Outposts"},
        {"arn:aws:s3-object-lambda:us-west-2:123456789012:accesspoint/point", "Object Lambda"},
        {"arn:aws:s3express:us-west-2:123456789012:bucket/data--usw2-az1--x-s3", "S3 Express"},
        {"arn:aws:s3express:us-west-2:123456789012:accesspoint/p--usw2-az1--xa-s3", "S3 Express"},
        {"arn:aws:s3:::bkt", "not the ARN of an access point"},
        {"arn:aws:iam::123456789012:role/x", "not the ARN of an access point"},
        {"arn:", "not the ARN of an access point"},
        {"arn:aws:s3:us-west-2", "not the ARN of an access point"},
        {"arn:aws:s3:us-west-2:123456789012:accesspoint", "not the ARN of an access point"},
        {"arn:aws:s3:us-west-2:123456789012:accesspoint/", "not the ARN of an access point"},
        {"arn:aws:s3:us-west-2:123456789012:accesspoint/a/b", "not the ARN of an access point"},
        {"arn:aws:s3:us-west-2:123456789012:accesspoint/evil.org", "not the ARN"},
        {"arn:aws:s3:us-west-2:123456789012:accesspoint/-point", "not the ARN"},
        {"arn:aws:s3:us-west-2:123456789012:accesspoint/Point", "not the ARN"},
        {"arn:aws:s3:us-west-2:12345678901:accesspoint/point", "not the ARN"},
        {"arn:aws:s3:us-west-2:12345678901x:accesspoint/point", "not the ARN"},
        {"arn:aws:s3:us.evil:123456789012:accesspoint/point", "not the ARN"},
        {"arn:aws:s3::123456789012:accesspoint/point", "not the ARN"},
        {"arn:aws:s3:cn-north-1:123456789012:accesspoint/point", "'arn:aws-cn:'"},
        {"arn:aws-cn:s3:us-west-2:123456789012:accesspoint/point", "'arn:aws:'"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct bucket bucket = {.name = "untouched"};
        struct err e = ERR_INIT;
        assert_int_equal(bucket_parse(CASES[i].text, &bucket, &e), -1);
        assert_int_equal(e.kind, ERR_CONFIG);
        if (strstr(e.text, CASES[i].says) == NULL && strstr(e.hint, CASES[i].says) == NULL) {
            fail_msg("%s: %s (%s)", CASES[i].text, e.text, e.hint);
        }
        assert_string_equal(bucket.name, "untouched");
    }
}

static void test_span(void **state)
{
    (void)state;
    static const struct {
        const char *bucket, *rest;
    } CASES[] = {
        {"bkt", ""},
        {"bkt", "/"},
        {"bkt", "/a/b:c"},
        {"", "/a"},
        {"arn:aws:s3:us-west-2:123456789012:accesspoint/point", ""},
        {"arn:aws:s3:us-west-2:123456789012:accesspoint/point", "/backup/x:y"},
        {"arn:aws:s3:us-west-2:123456789012:accesspoint:point", "/backup/x:y"},
        {"arn:aws:s3:::bkt/backup", "/x"},
        {"arn:x", "/a:b:c:d:e:f/g"},
        {"arn:", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        char text[128];
        (void)snprintf(text, sizeof(text), "%s%s", CASES[i].bucket, CASES[i].rest);
        assert_int_equal(bucket_span(text), strlen(CASES[i].bucket));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_span),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
