#include "s3/sts_error.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/mem.h"
#include "s3/service_error.h"

enum {
    NEXT_TOKEN = SERVICE_NEXT_OWN, /* the token file is not good */
    NEXT_REGION,                   /* another region's STS */
};

/* AWS STS API reference: AssumeRole, AssumeRoleWithWebIdentity. */
static const struct service_refusal own[] = {
    {"InvalidIdentityToken", NULL, ERR_AUTH, "the web identity token is not accepted", NEXT_TOKEN,
     NULL},
    {"ExpiredTokenException", NULL, ERR_AUTH, "the token has expired", NEXT_TOKEN, NULL},
    {"IDPRejectedClaim", NULL, ERR_AUTH, "the identity provider rejects the token", NEXT_TOKEN,
     NULL},
    {"IDPCommunicationError", NULL, ERR_RETRY, "STS cannot reach the identity provider",
     SERVICE_NEXT_TEXT, "look at the identity provider: STS must reach it from the Internet"},
    {"InvalidAccessKeyId", NULL, ERR_AUTH, "the access key is not known", SERVICE_NEXT_KEYS, NULL},
    {"MalformedPolicyDocument", NULL, ERR_AUTH, "a session policy is malformed", SERVICE_NEXT_TEXT,
     "look at the session tags and policies that the account adds"},
    {"PackedPolicyTooLarge", NULL, ERR_AUTH, "session tags and policies are too large",
     SERVICE_NEXT_TEXT, "lessen the session tags of the caller"},
    {"RegionDisabledException", NULL, ERR_CONFIG, "STS is switched off in this region", NEXT_REGION,
     NULL},
    {"OptInRequired", NULL, ERR_CONFIG, "the account does not use this region", NEXT_REGION, NULL},
    {"ValidationError", "role chaining", ERR_CONFIG, "the duration is too long", SERVICE_NEXT_TEXT,
     "role chaining: at most 1 hour; set duration_seconds = 3600 or leave it out"},
    {"ValidationError", "MaxSessionDuration", ERR_CONFIG, "the duration is too long",
     SERVICE_NEXT_TEXT, "lower duration_seconds, or raise the role's maximum session duration"},
    {"ValidationError", NULL, ERR_CONFIG, "the request is not accepted", SERVICE_NEXT_TEXT,
     "check the role's ARN, the external id, the session's name and the duration"},
};
static const struct service_errors errors = {
    .title = "STS",
    .own = own,
    .own_count = ARRAY_SIZE(own),
    .unknown = {"", NULL, ERR_AUTH, "refused", SERVICE_NEXT_TEXT,
                "look up the code in the STS API reference"},
};

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

static int hint_next(const struct service_refusal *row, const struct sts_asked *asked,
                     const struct error_xml *error, struct err *e)
{
    const bool is_web = asked->caller == NULL;
    int next = row->next;
    if (is_web && next == SERVICE_NEXT_KEYS) {
        next = NEXT_TOKEN;
    } else if (!is_web && next == NEXT_TOKEN) {
        next = SERVICE_NEXT_KEYS;
    }
    switch (next) {
    case SERVICE_NEXT_RIGHT:
        return hint_trust(asked, error, e);
    case SERVICE_NEXT_KEYS:
        return err_hint(e, "renew the credentials of the caller: %s", asked->caller);
    case NEXT_TOKEN:
        return err_hint(e, "check who writes the token to %.150s, and for which audience",
                        asked->token_file);
    case NEXT_REGION:
        return err_hint(e,
                        "switch STS on for %.32s in the account's settings (IAM), or name another "
                        "region: --region",
                        asked->region);
    default:
        ASSERT(next == SERVICE_NEXT_TEXT);
        return err_hint(e, "%s", row->hint);
    }
}

int sts_error_word(const struct sts_asked *asked, long status, const struct error_xml *error,
                   struct err *e)
{
    ASSERT(asked->arn != NULL && asked->region != NULL);
    ASSERT(asked->caller != NULL || asked->token_file != NULL);
    const struct service_refusal *row = service_error_find(&errors, status, error);
    autofree char *what = xasprintf("assuming %.200s", asked->arn);
    service_error_word(&errors, row, what, status, error, e);
    return hint_next(row, asked, error, e);
}
