#include "unit.h"

#include "agent/policy.h"

#include "agent/base/mem.h"

static char *make(const char *source, const char *cluster, const char *region,
                  enum dialect_choice format)
{
    const struct config config = {
        .source = source,
        .region = "eu-central-1",
        .selection = {.cluster = cluster, .source_region = region, .format = format},
    };
    char *text = NULL;
    struct err e = ERR_INIT;
    if (policy_make(&config, &text, &e) != 0) {
        fail_msg("%s", e.text);
    }
    return text;
}

static void test_whole(void **state)
{
    (void)state;
    autofree char *text = make("s3://b/backup", "cass_cluster", "us-east-1", DIALECT_AUTO);
    assert_string_equal(
        text,
        "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n"
        "    {\"Sid\": \"ListTheBackup\", \"Effect\": \"Allow\", \"Action\": [\"s3:ListBucket\"], "
        "\"Resource\": \"arn:aws:s3:::b\", \"Condition\": {\"StringLike\": {\"s3:prefix\": "
        "[\"backup/1705_cass_cluster/*\", \"backup/us-east-1/cass_cluster/*\"]}}},\n"
        "    {\"Sid\": \"ReadTheBackup\", \"Effect\": \"Allow\", \"Action\": \"s3:GetObject\", "
        "\"Resource\": [\"arn:aws:s3:::b/backup/1705_cass_cluster/*\", "
        "\"arn:aws:s3:::b/backup/us-east-1/cass_cluster/*\"]}\n  ]\n}\n");
}

/* A ring's own bucket: of one restore, or of all. */
static void test_state(void **state)
{
    (void)state;
    const struct config all = {.source = "s3://b/x", .state = "s3://st/prod"};
    const struct config one = {.source = "s3://b/x", .state = "s3://st", .restore_id = "dr*1"};
    const struct config bad = {.source = "s3://b/x", .state = "/tmp"};
    autofree char *text = NULL, *narrow = NULL, *none = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(policy_make(&all, &text, &e), 0);
    assert_non_null(strstr(text, "\"s3:GetObject\", \"Resource\": "
                                 "[\"arn:aws:s3:::st/prod/plans/*.json\", "
                                 "\"arn:aws:s3:::st/prod/claims/*/*.json\", "
                                 "\"arn:aws:s3:::st/prod/nodes/*/*.json\"]"));
    assert_non_null(strstr(text, "\"s3:PutObject\", \"Resource\": "
                                 "[\"arn:aws:s3:::st/prod/claims/*/*.json\", "
                                 "\"arn:aws:s3:::st/prod/nodes/*/*.json\"]"));
    assert_int_equal(policy_make(&one, &narrow, &e), 0);
    assert_non_null(strstr(narrow, "\"arn:aws:s3:::st/nodes/dr${*}1/*.json\""));
    assert_int_equal(policy_make(&bad, &none, &e), -1);
    assert_int_equal(e.kind, ERR_CONFIG);
    assert_null(none);
}

static void test_versions(void **state)
{
    (void)state;
    const struct config config = {.source = "s3://b", .selection = {.version_at_ms = 1}};
    autofree char *text = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(policy_make(&config, &text, &e), 0);
    assert_non_null(strstr(text, "[\"s3:ListBucket\", \"s3:ListBucketVersions\"]"));
    assert_non_null(strstr(text, "\"Action\": \"s3:GetObjectVersion\""));
}

/* One action for objects and versions. */
static void test_thaw(void **state)
{
    (void)state;
    const struct config config = {
        .source = "s3://b/x", .thaw_days = 1, .selection = {.version_at_ms = 1}};
    autofree char *text = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(policy_make(&config, &text, &e), 0);
    assert_non_null(strstr(text, "{\"Sid\": \"ThawTheBackup\", \"Effect\": \"Allow\", \"Action\": "
                                 "\"s3:RestoreObject\", \"Resource\": "
                                 "[\"arn:aws:s3:::b/x/*\"]}"));
}

/* A star in the path of a role is no wildcard. */
static void test_role(void **state)
{
    (void)state;
    struct config config = {.source = "s3://b/x",
                            .role_arn = "arn:aws:iam::123456789012:role/a*/restore"};
    autofree char *text = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(policy_make(&config, &text, &e), 0);
    assert_non_null(strstr(text, "{\"Sid\": \"AssumeTheRole\", \"Effect\": \"Allow\", \"Action\": "
                                 "\"sts:AssumeRole\", \"Resource\": "
                                 "\"arn:aws:iam::123456789012:role/a${*}/restore\"}"));
    config.role_arn = "arn:aws:iam::1:role/x";
    char *none = NULL;
    assert_int_equal(policy_make(&config, &none, &e), -1);
    assert_int_equal(e.kind, ERR_CONFIG);
    assert_non_null(strstr(e.text, "--role-arn"));
    assert_null(none);
    autofree char *without = make("s3://b/x", NULL, NULL, DIALECT_AUTO);
    assert_null(strstr(without, "sts:"));
}

static void test_patterns(void **state)
{
    static const struct {
        const char *source, *cluster, *region;
        enum dialect_choice format;
        const char *holds, *lacks;
    } CASES[] = {
        {"s3://b/backup/", "test_cluster", NULL, DIALECT_V2, "[\"backup/-4675_test_cluster/*\"]",
         "backup/*/"},
        {"s3://b/backup", "prod", NULL, DIALECT_V1, "[\"backup/\", \"backup/*/prod/*\"]", "_prod"},
        {"s3://b/backup", NULL, NULL, DIALECT_AUTO, "[\"backup/*\"]", "_"},
        {"s3://b/backup", NULL, "us-east-1", DIALECT_V1, "[\"backup/us-east-1/*\"]", "backup/*"},
        {"s3://b/backup", NULL, "us-east-1", DIALECT_AUTO, "[\"backup/*\"]", "us-east-1"},
        {"s3://b", "prod", NULL, DIALECT_V1, "[\"\", \"*/prod/*\"]", "//"},
        {"s3://b", NULL, NULL, DIALECT_V1, "[\"*\"]", "//"},
        {"s3://b/x", "a*b?c$", "r", DIALECT_V1, "\"x/r/a${*}b${?}c${$}/*\"", "a*b"},
        {"s3://b/backup", "clust\xc3\xa9r", NULL, DIALECT_V2, "backup/6246_clust\xc3\xa9r/*", "?"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        autofree char *text =
            make(CASES[i].source, CASES[i].cluster, CASES[i].region, CASES[i].format);
        if (strstr(text, CASES[i].holds) == NULL || strstr(text, CASES[i].lacks) != NULL) {
            fail_msg("%s", text);
        }
    }
}

/* IAM knows an access point by its own ARN, and its objects below "object/". */
static void test_access_point(void **state)
{
    (void)state;
    static const char *const SOURCES[] = {
        "s3://arn:aws:s3:us-west-2:123456789012:accesspoint/point/backup",
        "s3://arn:aws:s3:us-west-2:123456789012:accesspoint:point/backup",
    };
    for (size_t i = 0; i < ARRAY_SIZE(SOURCES); i++) {
        autofree char *text = make(SOURCES[i], NULL, NULL, DIALECT_AUTO);
        assert_non_null(strstr(text, "[\"s3:ListBucket\"], \"Resource\": "
                                     "\"arn:aws:s3:us-west-2:123456789012:accesspoint/point\""));
        assert_non_null(strstr(text, "\"arn:aws:s3:us-west-2:123456789012:accesspoint/point/"
                                     "object/backup/*\""));
        assert_null(strstr(text, "s3:::"));
    }
}

static void test_partition(void **state)
{
    static const struct {
        const char *region, *arn;
    } CASES[] = {
        {"cn-north-1", "\"arn:aws-cn:s3:::b\""},
        {"us-gov-west-1", "\"arn:aws-us-gov:s3:::b\""},
        {"us-west-2", "\"arn:aws:s3:::b\""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const struct config config = {.source = "s3://b", .region = CASES[i].region};
        autofree char *text = NULL;
        struct err e = ERR_INIT;
        assert_int_equal(policy_make(&config, &text, &e), 0);
        assert_non_null(strstr(text, CASES[i].arn));
    }
}

/* Or none that a policy could name. */
static void test_no_bucket(void **state)
{
    static const char *const SOURCES[] = {"/dir", "file:///dir", "s3://", "s3:///base",
                                          "s3://point-ab12cd34-s3alias/base"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(SOURCES); i++) {
        const struct config config = {.source = SOURCES[i]};
        char *text = NULL;
        struct err e = ERR_INIT;
        assert_int_equal(policy_make(&config, &text, &e), -1);
        assert_int_equal(e.kind, ERR_CONFIG);
        assert_null(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_access_point), cmocka_unit_test(test_whole),
        cmocka_unit_test(test_versions),     cmocka_unit_test(test_thaw),
        cmocka_unit_test(test_patterns),     cmocka_unit_test(test_partition),
        cmocka_unit_test(test_no_bucket),    cmocka_unit_test(test_role),
        cmocka_unit_test(test_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
