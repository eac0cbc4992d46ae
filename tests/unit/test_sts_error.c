#include "tests/unit/unit.h"

#include <string.h>

#include "agent/base/err.h"
#include "s3/sts_error.h"

#define ARN "arn:aws:iam::123456789012:role/backup"
#define USER "arn:aws:sts::210987654321:assumed-role/node/i-1"

static const struct sts_asked by_caller = {
    .arn = ARN, .caller = "instance role 'node'", .region = "eu-west-1"};
static const struct sts_asked by_token = {
    .arn = ARN, .token_file = "/var/run/token", .region = "eu-west-1"};

struct refusal {
    const struct sts_asked *asked;
    long status;
    const char *code; /* NULL: no error document */
    const char *message;
    enum err_kind kind;
    const char *text, *hint; /* parts */
};

static const struct refusal refusals[] = {
    {&by_caller, 403, "AccessDenied",
     "User: " USER " is not authorized to perform: sts:AssumeRole on resource: " ARN, ERR_AUTH,
     "assuming " ARN ": not allowed: AccessDenied: User: ",
     "the trust policy of " ARN " must allow sts:AssumeRole to " USER
     ", or the external id is wrong"},
    {&by_caller, 403, "AccessDenied", "", ERR_AUTH, "not allowed: AccessDenied",
     "must allow sts:AssumeRole to instance role 'node', or"},
    {&by_caller, 403, "AccessDenied", "User: is not authorized to perform: sts:AssumeRole",
     ERR_AUTH, "not allowed", "must allow sts:AssumeRole to instance role 'node', or"},
    {&by_token, 403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity",
     ERR_AUTH, "not allowed", "must allow sts:AssumeRoleWithWebIdentity to the token's issuer"},
    {&by_caller, 403, "ExpiredToken", "The security token included in the request is expired",
     ERR_AUTH, "the session has ended", "renew the credentials of the caller: instance role"},
    {&by_token, 400, "ExpiredTokenException", "Token expired: current date/time", ERR_AUTH,
     "the token has expired", "who writes the token to /var/run/token"},
    {&by_token, 400, "InvalidIdentityToken", "No OpenIDConnect provider found", ERR_AUTH,
     "the web identity token is not accepted", "/var/run/token"},
    {&by_token, 400, "IDPCommunicationError", "", ERR_RETRY, "cannot reach the identity provider",
     "look at the identity provider"},
    {&by_token, 403, "IDPRejectedClaim", "", ERR_AUTH, "rejects the token", "/var/run/token"},
    {&by_caller, 400, "MalformedPolicyDocument", "", ERR_AUTH, "malformed", "session tags"},
    {&by_caller, 400, "PackedPolicyTooLarge", "", ERR_AUTH, "too large", "session tags"},
    {&by_caller, 403, "RegionDisabledException", "", ERR_CONFIG, "switched off in this region",
     "switch STS on for eu-west-1"},
    {&by_caller, 403, "SignatureDoesNotMatch", "The request signature we calculated", ERR_AUTH,
     "the secret access key is wrong", "renew the credentials of the caller"},
    {&by_caller, 403, "SignatureDoesNotMatch", "Signature expired: 20261123T080000Z is now earlier",
     ERR_AUTH, "the clock is wrong", "set the clock right"},
    {&by_caller, 403, "SignatureDoesNotMatch", "Signature not yet current: 2026", ERR_AUTH,
     "the clock is wrong", "set the clock right"},
    {&by_caller, 400, "RequestExpired", "", ERR_AUTH, "the clock is wrong", "set the clock right"},
    {&by_caller, 403, "InvalidClientTokenId",
     "The security token included in the request is "
     "invalid.",
     ERR_AUTH, "the access key is not known", "renew the credentials of the caller"},
    {&by_caller, 400, "ValidationError",
     "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role "
     "chaining.",
     ERR_CONFIG, "the duration is too long", "role chaining: at most 1 hour"},
    {&by_caller, 400, "ValidationError",
     "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", ERR_CONFIG,
     "the duration is too long", "maximum session duration"},
    {&by_caller, 400, "ValidationError", "1 validation error detected", ERR_CONFIG, "not accepted",
     "check the role's ARN"},
    {&by_caller, 400, "Throttling", "Rate exceeded", ERR_RETRY, "too many requests", "later"},
    {&by_caller, 500, "InternalFailure", "", ERR_RETRY, "STS is in trouble", "later"},
    {&by_caller, 503, "NeverHeardOf", "", ERR_RETRY, "STS is in trouble: NeverHeardOf", "later"},
    {&by_caller, 503, NULL, NULL, ERR_RETRY, "STS is in trouble: HTTP 503", "later"},
    {&by_caller, 429, NULL, NULL, ERR_RETRY, "HTTP 429", "later"},
    {&by_caller, 400, "NeverHeardOf", "why", ERR_AUTH, "refused: NeverHeardOf: why", "STS API"},
    {&by_caller, 302, NULL, NULL, ERR_AUTH, "refused: HTTP 302 without an error document", "STS"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
        const struct refusal *want = &refusals[i];
        struct error_xml error = {.code = ""};
        (void)snprintf(error.code, sizeof(error.code), "%s", want->code == NULL ? "" : want->code);
        (void)snprintf(error.message, sizeof(error.message), "%s",
                       want->message == NULL ? "" : want->message);
        struct err e = ERR_INIT;
        assert_int_equal(
            sts_error_word(want->asked, want->status, want->code == NULL ? NULL : &error, &e), -1);
        if (e.kind != want->kind || strstr(e.text, want->text) == NULL ||
            strstr(e.hint, want->hint) == NULL) {
            fail_msg("row %zu: kind %s, '%s', '%s'", i, err_kind_name(e.kind), e.text, e.hint);
        }
        assert_int_equal(e.http, want->status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
