#include "s3/error_map.h"

#include <string.h>

static const char HINT_CREDENTIALS[] = "check the credentials: profile, environment, instance role";
static const char HINT_REGION[] = "name the bucket's own region with --region";
static const char HINT_CLOCK[] = "set this machine's clock (NTP), then run again";
static const char HINT_KMS[] =
    "allow kms:Decrypt on the object's key, and see that the key is enabled";
static const char HINT_ARCHIVED[] =
    "the object is archived, or its thawed copy has expired: run again with --thaw DAYS";
static const char HINT_EXPEDITED[] =
    "S3 has no room for expedited retrievals now: take --thaw-tier standard, or try again later";
static const char HINT_REQUEST[] = "check --endpoint, --region and the bucket's name";

/* S3 API Reference, "Error responses"; and the names that other stores use for the same. */
static const struct error_rule BY_CODE[] = {
    {"AccessDenied", VERDICT_FAIL, ERR_AUTH, NULL},
    {"AllAccessDisabled", VERDICT_FAIL, ERR_AUTH, NULL},
    {"AccountProblem", VERDICT_FAIL, ERR_AUTH, NULL},
    {"InvalidAccessKeyId", VERDICT_RENEW, ERR_AUTH, HINT_CREDENTIALS},
    {"SignatureDoesNotMatch", VERDICT_FAIL, ERR_AUTH, "check the secret key"},
    {"ExpiredToken", VERDICT_RENEW, ERR_AUTH, HINT_CREDENTIALS},
    {"InvalidToken", VERDICT_RENEW, ERR_AUTH, HINT_CREDENTIALS},
    {"InvalidTokenId", VERDICT_RENEW, ERR_AUTH, HINT_CREDENTIALS},
    {"TokenRefreshRequired", VERDICT_RENEW, ERR_AUTH, HINT_CREDENTIALS},
    {"RequestTimeTooSkewed", VERDICT_SKEW, ERR_AUTH, HINT_CLOCK},
    {"RequestExpired", VERDICT_SKEW, ERR_AUTH, HINT_CLOCK},
    {"AuthorizationHeaderMalformed", VERDICT_REGION, ERR_CONFIG, HINT_REGION},
    {"IllegalLocationConstraintException", VERDICT_REGION, ERR_CONFIG, HINT_REGION},
    {"PermanentRedirect", VERDICT_REGION, ERR_CONFIG, HINT_REGION},
    {"TemporaryRedirect", VERDICT_REGION, ERR_RETRY, HINT_REGION},
    {"Redirect", VERDICT_REGION, ERR_RETRY, HINT_REGION},
    {"NoSuchKey", VERDICT_FAIL, ERR_NOT_FOUND, NULL},
    {"NoSuchVersion", VERDICT_FAIL, ERR_NOT_FOUND, NULL},
    {"NoSuchBucket", VERDICT_FAIL, ERR_NOT_FOUND, "check the bucket's name and --endpoint"},
    {"PreconditionFailed", VERDICT_FAIL, ERR_CHANGED, NULL},
    {"InvalidRange", VERDICT_FAIL, ERR_CHANGED, NULL},
    {"InvalidObjectState", VERDICT_FAIL, ERR_NOT_FOUND, HINT_ARCHIVED},
    /* A 503, but not one of load: the hours that the other tiers take are for a person to accept.
     */
    {"GlacierExpeditedRetrievalNotAvailable", VERDICT_FAIL, ERR_RETRY, HINT_EXPEDITED},
    {"InvalidArgument", VERDICT_FAIL, ERR_CONFIG, HINT_REQUEST},
    {"InvalidBucketName", VERDICT_FAIL, ERR_CONFIG, HINT_REQUEST},
    {"InvalidRequest", VERDICT_FAIL, ERR_CONFIG, HINT_REQUEST},
    {"MethodNotAllowed", VERDICT_FAIL, ERR_NOT_FOUND, NULL}, /* a delete marker */
    {"NotImplemented", VERDICT_FAIL, ERR_CONFIG, HINT_REQUEST},
    {"InternalError", VERDICT_RETRY, ERR_RETRY, NULL},
    {"OperationAborted", VERDICT_RETRY, ERR_RETRY, NULL},
    {"RequestTimeout", VERDICT_RETRY, ERR_RETRY, NULL},
    {"SlowDown", VERDICT_SLOW_DOWN, ERR_SLOW_DOWN, NULL},
    {"SlowDownRead", VERDICT_SLOW_DOWN, ERR_SLOW_DOWN, NULL},
    {"ServiceUnavailable", VERDICT_SLOW_DOWN, ERR_SLOW_DOWN, NULL},
    {"BandwidthLimitExceeded", VERDICT_SLOW_DOWN, ERR_SLOW_DOWN, NULL},
    {"RequestLimitExceeded", VERDICT_SLOW_DOWN, ERR_SLOW_DOWN, NULL},
    {"Throttling", VERDICT_SLOW_DOWN, ERR_SLOW_DOWN, NULL},
    {"ThrottlingException", VERDICT_SLOW_DOWN, ERR_SLOW_DOWN, NULL},
    {"TooManyRequests", VERDICT_SLOW_DOWN, ERR_SLOW_DOWN, NULL},
};

/* KMS.DisabledException, KMS.NotFoundException, KMS.KMSInvalidStateException, ... */
static const struct error_rule KMS_REFUSED = {"KMS.", VERDICT_FAIL, ERR_AUTH, HINT_KMS};
static const struct error_rule KMS_BUSY = {"KMS.ThrottlingException", VERDICT_SLOW_DOWN,
                                           ERR_SLOW_DOWN,
                                           "ask for a higher KMS request quota, or use fewer "
                                           "--connections"};

static const struct error_rule *find_code(const char *code, const char *message)
{
    if (strncmp(code, "KMS.", 4) == 0) {
        return strstr(code, "Thrott") != NULL ? &KMS_BUSY : &KMS_REFUSED;
    }
    /* S3 words a key policy's refusal as its own AccessDenied and names the action in the text. */
    if (strcmp(code, "AccessDenied") == 0 && strstr(message, "kms:") != NULL) {
        return &KMS_REFUSED;
    }
    for (size_t i = 0; i < ARRAY_SIZE(BY_CODE); i++) {
        if (strcmp(code, BY_CODE[i].code) == 0) {
            return &BY_CODE[i];
        }
    }
    return NULL;
}

static const struct error_rule *find_status(int status)
{
    static const struct error_rule MOVED = {NULL, VERDICT_REGION, ERR_CONFIG, HINT_REGION};
    static const struct error_rule MOVED_FOR_NOW = {NULL, VERDICT_REGION, ERR_RETRY, HINT_REGION};
    /* HEAD has no body: a wrong region, an expired token and more are all a bare 400. */
    static const struct error_rule BAD = {NULL, VERDICT_RENEW, ERR_CONFIG, HINT_REQUEST};
    static const struct error_rule DENIED = {NULL, VERDICT_FAIL, ERR_AUTH, NULL};
    static const struct error_rule MISSING = {NULL, VERDICT_FAIL, ERR_NOT_FOUND, NULL};
    static const struct error_rule CHANGED = {NULL, VERDICT_FAIL, ERR_CHANGED, NULL};
    static const struct error_rule AGAIN = {NULL, VERDICT_RETRY, ERR_RETRY, NULL};
    static const struct error_rule BUSY = {NULL, VERDICT_SLOW_DOWN, ERR_SLOW_DOWN, NULL};
    static const struct error_rule REFUSED = {NULL, VERDICT_FAIL, ERR_CONFIG, HINT_REQUEST};
    switch (status) {
    case 301:
    case 308:
        return &MOVED;
    case 302:
    case 307:
        return &MOVED_FOR_NOW;
    case 400:
        return &BAD;
    case 401:
    case 403:
        return &DENIED;
    case 404:
    case 405:
    case 410:
        return &MISSING;
    case 412:
    case 416:
        return &CHANGED;
    case 429:
    case 503:
        return &BUSY;
    case 408:
    case 409:
        return &AGAIN;
    case 501:
        return &REFUSED;
    default:
        return status >= 300 && status < 500 ? &REFUSED : &AGAIN;
    }
}

const struct error_rule *error_map_find(int status, const char *code, const char *message)
{
    ASSERT(code != NULL && message != NULL);
    const struct error_rule *const rule = code[0] == '\0' ? NULL : find_code(code, message);
    return rule == NULL ? find_status(status) : rule;
}
