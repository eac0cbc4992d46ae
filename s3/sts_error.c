#include "s3/sts_error.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/err.h"

enum next {
    NEXT_TEXT,   /* the row's own hint */
    NEXT_TRUST,  /* the trust policy must name the caller */
    NEXT_CALLER, /* the caller's keys are not good */
    NEXT_TOKEN,  /* the token file is not good */
    NEXT_REGION, /* another region's STS */
};

/* AWS STS API reference: AssumeRole, AssumeRoleWithWebIdentity, "Common error types". */
struct row {
    const char *code;
    const char *message; /* a part of it; NULL: any */
    enum err_kind kind;
    const char *why;
    enum next next;
    const char *hint;
};

static const struct row rows[] = {
    {"AccessDenied", NULL, ERR_AUTH, "not allowed", NEXT_TRUST, NULL},
    {"AccessDeniedException", NULL, ERR_AUTH, "not allowed", NEXT_TRUST, NULL},
    {"InvalidIdentityToken", NULL, ERR_AUTH, "the web identity token is not accepted", NEXT_TOKEN,
     NULL},
    {"ExpiredTokenException", NULL, ERR_AUTH, "the token has expired", NEXT_TOKEN, NULL},
    {"ExpiredToken", NULL, ERR_AUTH, "the session has ended", NEXT_CALLER, NULL},
    {"IDPRejectedClaim", NULL, ERR_AUTH, "the identity provider rejects the token", NEXT_TOKEN,
     NULL},
    {"IDPCommunicationError", NULL, ERR_RETRY, "STS cannot reach the identity provider", NEXT_TEXT,
     "look at the identity provider: STS must reach it from the Internet"},
    {"InvalidClientTokenId", NULL, ERR_AUTH, "the access key is not known", NEXT_CALLER, NULL},
    {"UnrecognizedClientException", NULL, ERR_AUTH, "the access key is not known", NEXT_CALLER,
     NULL},
    {"InvalidAccessKeyId", NULL, ERR_AUTH, "the access key is not known", NEXT_CALLER, NULL},
    {"SignatureDoesNotMatch", "Signature expired", ERR_AUTH, "the clock is wrong", NEXT_TEXT,
     "set the clock right: chronyc makestep"},
    {"SignatureDoesNotMatch", "Signature not yet current", ERR_AUTH, "the clock is wrong",
     NEXT_TEXT, "set the clock right: chronyc makestep"},
    {"RequestExpired", NULL, ERR_AUTH, "the clock is wrong", NEXT_TEXT,
     "set the clock right: chronyc makestep"},
    {"SignatureDoesNotMatch", NULL, ERR_AUTH, "the secret access key is wrong", NEXT_CALLER, NULL},
    {"IncompleteSignature", NULL, ERR_AUTH, "the signature is not understood", NEXT_CALLER, NULL},
    {"MissingAuthenticationToken", NULL, ERR_AUTH, "the signature is missing", NEXT_TEXT,
     "look for a proxy that takes headers away"},
    {"MalformedPolicyDocument", NULL, ERR_AUTH, "a session policy is malformed", NEXT_TEXT,
     "look at the session tags and policies that the account adds"},
    {"PackedPolicyTooLarge", NULL, ERR_AUTH, "session tags and policies are too large", NEXT_TEXT,
     "lessen the session tags of the caller"},
    {"RegionDisabledException", NULL, ERR_CONFIG, "STS is switched off in this region", NEXT_REGION,
     NULL},
    {"OptInRequired", NULL, ERR_CONFIG, "the account does not use this region", NEXT_REGION, NULL},
    {"ValidationError", "role chaining", ERR_CONFIG, "the duration is too long", NEXT_TEXT,
     "role chaining: at most 1 hour; set duration_seconds = 3600 or leave it out"},
    {"ValidationError", "MaxSessionDuration", ERR_CONFIG, "the duration is too long", NEXT_TEXT,
     "lower duration_seconds, or raise the role's maximum session duration"},
    {"ValidationError", NULL, ERR_CONFIG, "the request is not accepted", NEXT_TEXT,
     "check the role's ARN, the external id, the session's name and the duration"},
    {"Throttling", NULL, ERR_RETRY, "too many requests", NEXT_TEXT, "try again later"},
    {"ThrottlingException", NULL, ERR_RETRY, "too many requests", NEXT_TEXT, "try again later"},
    {"RequestLimitExceeded", NULL, ERR_RETRY, "too many requests", NEXT_TEXT, "try again later"},
    {"InternalFailure", NULL, ERR_RETRY, "STS is in trouble", NEXT_TEXT, "try again later"},
    {"ServiceUnavailable", NULL, ERR_RETRY, "STS is in trouble", NEXT_TEXT, "try again later"},
};
static const struct row server_trouble = {
    "", NULL, ERR_RETRY, "STS is in trouble", NEXT_TEXT, "try again later"};
static const struct row unknown = {
    "", NULL, ERR_AUTH, "refused", NEXT_TEXT, "look up the code in the STS API reference"};

static const struct row *find_row(long status, const struct error_xml *error)
{
    for (size_t i = 0; error != NULL && i < ARRAY_SIZE(rows); i++) {
        if (strcmp(rows[i].code, error->code) == 0 &&
            (rows[i].message == NULL || strstr(error->message, rows[i].message) != NULL)) {
            return &rows[i];
        }
    }
    return status >= 500 || status == 429 ? &server_trouble : &unknown;
}

enum { CALLER_MAX = 200 };

/* "User: ARN is not authorized to perform: ..." tells whose credentials these are. */
static void find_caller(const struct sts_asked *asked, const struct error_xml *error,
                        char ret[CALLER_MAX])
{
    static const char before[] = "User: ";
    const char *user = strstr(error->message, before);
    const char *at = user == NULL ? "" : user + strlen(before);
    const char *end = strstr(at, " is not authorized");
    if (end != NULL) {
        (void)snprintf(ret, CALLER_MAX, "%.*s", (int)(end - at), at);
    } else {
        (void)snprintf(ret, CALLER_MAX, "%s", asked->caller);
    }
}

static int hint_trust(const struct sts_asked *asked, const struct error_xml *error, struct err *e)
{
    if (asked->caller == NULL) {
        return err_hint(e,
                        "the role's trust policy must allow sts:AssumeRoleWithWebIdentity to the "
                        "token's issuer, subject and audience");
    }
    char caller[CALLER_MAX];
    find_caller(asked, error, caller);
    return err_hint(e,
                    "the trust policy of %.80s must allow sts:AssumeRole to %.90s, or the "
                    "external id is wrong",
                    asked->arn, caller);
}

static int hint_next(const struct row *row, const struct sts_asked *asked,
                     const struct error_xml *error, struct err *e)
{
    const bool is_web = asked->caller == NULL;
    enum next next = row->next;
    if (is_web && next == NEXT_CALLER) {
        next = NEXT_TOKEN;
    } else if (!is_web && next == NEXT_TOKEN) {
        next = NEXT_CALLER;
    }
    switch (next) {
    case NEXT_TEXT:
        return err_hint(e, "%s", row->hint);
    case NEXT_TRUST:
        return hint_trust(asked, error, e);
    case NEXT_CALLER:
        return err_hint(e, "renew the credentials of the caller: %s", asked->caller);
    case NEXT_TOKEN:
        return err_hint(e, "check who writes the token to %.150s, and for which audience",
                        asked->token_file);
    case NEXT_REGION:
        return err_hint(e,
                        "switch STS on for %.32s in the account's settings (IAM), or name another "
                        "region: --region",
                        asked->region);
    }
    return -1;
}

int sts_error_word(const struct sts_asked *asked, long status, const struct error_xml *error,
                   struct err *e)
{
    ASSERT(asked->arn != NULL && asked->region != NULL);
    ASSERT(asked->caller != NULL || asked->token_file != NULL);
    const struct row *row = find_row(status, error);
    if (error == NULL) {
        (void)err_set(e, row->kind, "assuming %.200s: %s: HTTP %ld without an error document",
                      asked->arn, row->why, status);
    } else {
        (void)err_set(e, row->kind, "assuming %.200s: %s: %s%s%.300s", asked->arn, row->why,
                      error->code, error->message[0] == '\0' ? "" : ": ", error->message);
    }
    e->http = (int)status;
    return hint_next(row, asked, error, e);
}
