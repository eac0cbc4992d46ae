#include "s3/error_map.h"
#include "tests/unit/unit.h"

static void test_rules(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *code, *message;
        enum verdict verdict;
        enum err_kind kind;
        bool hint;
    } CASES[] = {
        {403, "AccessDenied", "Access Denied", VERDICT_FAIL, ERR_AUTH, false},
        {403, "AccessDenied", "not authorized to perform: kms:Decrypt", VERDICT_FAIL, ERR_AUTH,
         true},
        {403, "InvalidAccessKeyId", "", VERDICT_RENEW, ERR_AUTH, true},
        {403, "SignatureDoesNotMatch", "", VERDICT_FAIL, ERR_AUTH, true},
        {400, "ExpiredToken", "", VERDICT_RENEW, ERR_AUTH, true},
        {400, "InvalidToken", "", VERDICT_RENEW, ERR_AUTH, true},
        {403, "RequestTimeTooSkewed", "", VERDICT_SKEW, ERR_AUTH, true},
        {404, "NoSuchKey", "", VERDICT_FAIL, ERR_NOT_FOUND, false},
        {404, "NoSuchBucket", "", VERDICT_FAIL, ERR_NOT_FOUND, true},
        {412, "PreconditionFailed", "", VERDICT_FAIL, ERR_CHANGED, false},
        {416, "InvalidRange", "", VERDICT_FAIL, ERR_CHANGED, false},
        {403, "InvalidObjectState", "", VERDICT_FAIL, ERR_NOT_FOUND, true},
        {400, "KMS.DisabledException", "", VERDICT_FAIL, ERR_AUTH, true},
        {400, "KMS.KMSInvalidStateException", "", VERDICT_FAIL, ERR_AUTH, true},
        {400, "KMS.ThrottlingException", "", VERDICT_SLOW_DOWN, ERR_SLOW_DOWN, true},
        {503, "SlowDown", "", VERDICT_SLOW_DOWN, ERR_SLOW_DOWN, false},
        {200, "SlowDown", "", VERDICT_SLOW_DOWN, ERR_SLOW_DOWN, false},
        {503, "ServiceUnavailable", "", VERDICT_SLOW_DOWN, ERR_SLOW_DOWN, false},
        {500, "InternalError", "", VERDICT_RETRY, ERR_RETRY, false},
        {400, "RequestTimeout", "", VERDICT_RETRY, ERR_RETRY, false},
        {400, "AuthorizationHeaderMalformed", "", VERDICT_REGION, ERR_CONFIG, true},
        {301, "PermanentRedirect", "", VERDICT_REGION, ERR_CONFIG, true},
        {307, "TemporaryRedirect", "", VERDICT_REGION, ERR_RETRY, true},
        /* Codes that nobody knows, and none at all: the status speaks. */
        {404, "XSomething", "", VERDICT_FAIL, ERR_NOT_FOUND, false},
        {404, "", "", VERDICT_FAIL, ERR_NOT_FOUND, false},
        {401, "", "", VERDICT_FAIL, ERR_AUTH, false},
        {403, "", "", VERDICT_FAIL, ERR_AUTH, false},
        {400, "", "", VERDICT_RENEW, ERR_CONFIG, true},
        {301, "", "", VERDICT_REGION, ERR_CONFIG, true},
        {307, "", "", VERDICT_REGION, ERR_RETRY, true},
        {408, "", "", VERDICT_RETRY, ERR_RETRY, false},
        {412, "", "", VERDICT_FAIL, ERR_CHANGED, false},
        {416, "", "", VERDICT_FAIL, ERR_CHANGED, false},
        {418, "", "", VERDICT_FAIL, ERR_CONFIG, true},
        {429, "", "", VERDICT_SLOW_DOWN, ERR_SLOW_DOWN, false},
        {500, "", "", VERDICT_RETRY, ERR_RETRY, false},
        {501, "", "", VERDICT_FAIL, ERR_CONFIG, true},
        {502, "", "", VERDICT_RETRY, ERR_RETRY, false},
        {503, "", "", VERDICT_SLOW_DOWN, ERR_SLOW_DOWN, false},
        {599, "", "", VERDICT_RETRY, ERR_RETRY, false},
        {200, "", "", VERDICT_RETRY, ERR_RETRY, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const struct error_rule *rule =
            error_map_find(CASES[i].status, CASES[i].code, CASES[i].message);
        if (rule->verdict != CASES[i].verdict || rule->kind != CASES[i].kind) {
            print_error("%d %s\n", CASES[i].status, CASES[i].code);
        }
        assert_int_equal(rule->verdict, CASES[i].verdict);
        assert_int_equal(rule->kind, CASES[i].kind);
        assert_int_equal(rule->hint != NULL, CASES[i].hint);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
