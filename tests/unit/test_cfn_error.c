#include "tests/unit/unit.h"

#include <string.h>

#include "agent/base/err.h"
#include "agent/base/mem.h"
#include "s3/cfn_error.h"

static const struct cfn_asked by_instance = {
    .stack = "prod", .resource = "Nodes", .region = "eu-west-1"};
static const struct cfn_asked by_keys = {
    .stack = "prod", .resource = "Nodes", .region = "eu-west-1", .is_signed = true};

static int judge(const struct cfn_asked *asked, long status, const char *body, struct err *e)
{
    *e = ERR_INIT;
    return cfn_answer_judge(asked, status, slice_of(body, strlen(body)), e);
}

static void test_taken(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "<SignalResourceResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\">"
        "<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></SignalResourceResponse>",
        "<?xml version=\"1.0\"?>\n<SignalResourceResponse/>",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        struct err e;
        assert_int_equal(judge(&by_instance, 200, bodies[i], &e), 0);
        assert_int_equal(e.kind, ERR_NONE);
    }
}

static void test_answers_of_somebody_else(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "OK",
        "<html><body>log in</body></html>",
        "<SignalResourceResponse>", /* cut */
        "<a><SignalResourceResponse/></a>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]><SignalResourceResponse/>",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        struct err e;
        assert_int_equal(judge(&by_instance, 200, bodies[i], &e), -1);
        assert_int_equal(e.kind, ERR_CONFIG);
        assert_non_null(strstr(e.text, "signalling Nodes: who answers is not CloudFormation"));
    }
}

struct refusal {
    const struct cfn_asked *asked;
    long status;
    const char *code; /* NULL: no error document */
    const char *message;
    enum err_kind kind;
    const char *text, *hint; /* parts */
};

static const struct refusal refusals[] = {
    {&by_instance, 400, "ValidationError",
     "Stack arn:aws:cloudformation:x is in CREATE_COMPLETE state and cannot be signaled",
     ERR_NOT_FOUND, "it is not waited for any more: ValidationError: Stack arn:", "nothing has"},
    {&by_instance, 400, "ValidationError",
     "Resource Nodes is in CREATE_FAILED state and can not be signaled", ERR_NOT_FOUND,
     "it is not waited for any more", "nothing has"},
    {&by_instance, 400, "ValidationError", "Stack [prod] does not exist", ERR_CONFIG,
     "there is no such stack or resource", "check --stack"},
    {&by_instance, 400, "ValidationError", "Resource X does not exist for stack prod", ERR_CONFIG,
     "there is no such stack or resource", "--stack-resource"},
    {&by_instance, 400, "ValidationError", "1 validation error detected", ERR_CONFIG,
     "the request is not accepted", "--unique-id"},
    {&by_instance, 403, "AccessDenied", "no", ERR_AUTH, "not allowed", "one of the stack"},
    {&by_keys, 403, "AccessDenied",
     "User: x is not authorized to perform: cloudformation:SignalResource", ERR_AUTH,
     "not allowed: AccessDenied: User: x", "allow cloudformation:SignalResource"},
    {&by_keys, 403, "AccessDeniedException", "", ERR_AUTH, "not allowed", "penates policy"},
    {&by_keys, 403, "NotAuthorized", "", ERR_AUTH, "not allowed", "allow"},
    {&by_keys, 403, "ExpiredToken", "", ERR_AUTH, "the session has ended", "renew"},
    {&by_keys, 403, "InvalidClientTokenId", "", ERR_AUTH, "not known", "renew"},
    {&by_keys, 403, "UnrecognizedClientException", "", ERR_AUTH, "not known", "renew"},
    {&by_keys, 403, "SignatureDoesNotMatch", "Signature expired: 1 is now earlier", ERR_AUTH,
     "the clock is wrong", "chronyc"},
    {&by_keys, 403, "SignatureDoesNotMatch", "Signature not yet current", ERR_AUTH,
     "the clock is wrong", "chronyc"},
    {&by_keys, 403, "SignatureDoesNotMatch", "The request\nAKIA-secret", ERR_AUTH,
     "the secret access key is wrong: SignatureDoesNotMatch: The request", "renew"},
    {&by_instance, 403, "SignatureDoesNotMatch", "", ERR_AUTH, "wrong", "metadata gives"},
    {&by_keys, 400, "RequestExpired", "", ERR_AUTH, "the clock is wrong", "chronyc"},
    {&by_keys, 400, "IncompleteSignature", "", ERR_AUTH, "not understood", "renew"},
    {&by_keys, 403, "MissingAuthenticationToken", "", ERR_AUTH, "is missing", "proxy"},
    {&by_keys, 403, "OptInRequired", "", ERR_CONFIG, "does not use this region", "ARN"},
    {&by_keys, 400, "Throttling", "Rate exceeded", ERR_RETRY, "too many requests", "later"},
    {&by_keys, 400, "ThrottlingException", "", ERR_RETRY, "too many requests", "later"},
    {&by_keys, 503, "RequestLimitExceeded", "", ERR_RETRY, "too many requests", "later"},
    {&by_keys, 500, "InternalFailure", "", ERR_RETRY, "in trouble", "later"},
    {&by_keys, 503, "ServiceUnavailable", "", ERR_RETRY, "in trouble", "later"},
    {&by_keys, 502, NULL, NULL, ERR_RETRY, "HTTP 502 without an error document", "later"},
    {&by_keys, 429, NULL, NULL, ERR_RETRY, "HTTP 429 without", "later"},
    {&by_keys, 404, NULL, NULL, ERR_AUTH, "refused: HTTP 404 without", "proxy"},
    {&by_keys, 301, NULL, NULL, ERR_AUTH, "refused: HTTP 301 without", "proxy"},
    {&by_keys, 418, "Teapot", "short and stout", ERR_AUTH, "refused: Teapot: short", "look up"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
        const struct refusal *want = &refusals[i];
        autofree char *body =
            want->code == NULL
                ? xstrdup("<html>no</html>")
                : xasprintf("<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s"
                            "</Message></Error><RequestId>1</RequestId></ErrorResponse>",
                            want->code, want->message);
        struct err e;
        assert_int_equal(judge(want->asked, want->status, body, &e), -1);
        if (e.kind != want->kind || strstr(e.text, want->text) == NULL ||
            strstr(e.hint, want->hint) == NULL) {
            fail_msg("case %zu: %s: '%s'; '%s'", i, err_kind_name(e.kind), e.text, e.hint);
        }
        assert_int_equal(e.http, want->status);
        assert_int_equal(strncmp(e.text, "signalling Nodes: ", 18), 0);
        assert_null(strstr(e.text, "AKIA"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_answers_of_somebody_else),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
