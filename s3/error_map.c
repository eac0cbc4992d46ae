#include "s3/error_map.h"

#include <string.h>

/* What answers can mean. */
static const struct error_rule DENIED = {VERDICT_FAIL, ERR_AUTH, true, NULL};
static const struct error_rule KMS_REFUSED = {
    VERDICT_FAIL, ERR_AUTH, false,
    "allow kms:Decrypt on the object's key, and see that the key is enabled"};
static const struct error_rule CLOSED = {
    VERDICT_FAIL, ERR_AUTH, false, "ask the bucket's owner: AWS has closed an account or a bucket"};
static const struct error_rule NOT_ENABLED = {
    VERDICT_FAIL, ERR_AUTH, false, "enable S3 and the bucket's region for the caller's account"};
static const struct error_rule NOT_LICENSED = {
    VERDICT_FAIL, ERR_AUTH, false, "ask the bucket's owner: China wants an ICP license for it"};
static const struct error_rule UNKNOWN_CALLER = {
    VERDICT_RENEW, ERR_AUTH, false, "check the credentials: profile, environment, instance role"};
static const struct error_rule BAD_SIGNATURE = {VERDICT_FAIL, ERR_AUTH, false,
                                                "check the secret key"};
static const struct error_rule UNSIGNED = {VERDICT_FAIL, ERR_AUTH, false,
                                           "give credentials instead of --no-sign"};
static const struct error_rule SIGNED = {VERDICT_FAIL, ERR_AUTH, false,
                                         "ask with --no-sign, or check --endpoint"};
static const struct error_rule SKEWED = {VERDICT_SKEW, ERR_AUTH, false,
                                         "set this machine's clock (NTP), then run again"};
static const char HINT_MOVED[] =
    "name the bucket's own region with --region, and check --endpoint: "
    "redirects elsewhere are not followed";
static const struct error_rule MOVED = {VERDICT_REGION, ERR_CONFIG, false, HINT_MOVED};
static const struct error_rule MOVED_FOR_NOW = {VERDICT_REGION, ERR_RETRY, false, HINT_MOVED};
static const struct error_rule MISSING = {VERDICT_FAIL, ERR_NOT_FOUND, false, NULL};
static const struct error_rule DELETED = {
    VERDICT_FAIL, ERR_NOT_FOUND, false,
    "the object was deleted (a delete marker), or --endpoint is not S3: check the source"};
static const struct error_rule NO_BUCKET = {VERDICT_FAIL, ERR_NOT_FOUND, false,
                                            "check the bucket's name and --endpoint"};
static const struct error_rule NO_ACCESS_POINT = {
    VERDICT_FAIL, ERR_NOT_FOUND, false, "check the access point's name, account and region"};
static const struct error_rule CHANGED = {VERDICT_FAIL, ERR_CHANGED, false, NULL};
static const struct error_rule ARCHIVED = {
    VERDICT_FAIL, ERR_NOT_FOUND, false,
    "the object is archived, or its thawed copy has expired: run again with --thaw DAYS"};
static const struct error_rule BEING_THAWED = {VERDICT_FAIL, ERR_RETRY, false,
                                               "wait until S3 has brought it back, then run again"};
/* A 503, but not one of load: the hours that the other tiers take are for a person to accept. */
static const struct error_rule NO_EXPEDITED = {
    VERDICT_FAIL, ERR_RETRY, false,
    "S3 has no room for expedited retrievals now: take --thaw-tier standard, or try again later"};
static const struct error_rule WANTS_KEY = {
    VERDICT_FAIL, ERR_AUTH, false,
    "the object is encrypted with a customer's key: give that one with --sse-c-key-file"};
static const struct error_rule WANTS_NO_KEY = {
    VERDICT_FAIL, ERR_CONFIG, false,
    "this object is not encrypted with a customer's key: run without --sse-c-key-file"};
static const struct error_rule WANTS_TLS = {VERDICT_FAIL, ERR_CONFIG, false,
                                            "give an --endpoint with https"};
static const struct error_rule BAD_OWNER = {VERDICT_FAIL, ERR_CONFIG, false,
                                            "give --expected-bucket-owner an account's 12 digits"};
static const struct error_rule BAD_REQUEST = {VERDICT_FAIL, ERR_CONFIG, false,
                                              "check --endpoint, --region and the bucket's name"};
/* HEAD has no body: a wrong region, an expired token and more are all a bare 400. */
static const struct error_rule BAD_SOMEHOW = {VERDICT_RENEW, ERR_CONFIG, false,
                                              "check --endpoint, --region and the credentials"};
static const struct error_rule IS_PROGRAM = {
    VERDICT_FAIL, ERR_CONFIG, false, "name the bucket itself, not its Object Lambda access point"};
static const struct error_rule PROXY_DENIED = {
    VERDICT_FAIL, ERR_AUTH, false, "put the proxy's user and password into https_proxy"};
static const struct error_rule PORTAL = {VERDICT_FAIL, ERR_RETRY, false,
                                         "log in to this network's portal, then run again"};
static const struct error_rule AGAIN = {VERDICT_RETRY, ERR_RETRY, false, NULL};
static const struct error_rule BUSY = {VERDICT_SLOW_DOWN, ERR_SLOW_DOWN, false, NULL};
static const struct error_rule KMS_BUSY = {
    VERDICT_SLOW_DOWN, ERR_SLOW_DOWN, false,
    "ask for a higher KMS request quota, or use fewer --connections"};

/* S3 API Reference, "Error responses" and "Common errors"; what botocore takes for throttling; and
 * the names that other stores use for the same. */
static const struct {
    const char *code;
    const struct error_rule *rule;
} BY_CODE[] = {
    {"AccessDenied", &DENIED},
    {"AccessDeniedException", &DENIED},
    {"AccessForbidden", &DENIED},
    {"NotAuthorized", &DENIED},
    {"UnauthorizedAccess", &DENIED},

    {"AccountProblem", &CLOSED},
    {"AllAccessDisabled", &CLOSED},
    {"InvalidPayer", &CLOSED},
    {"InvalidRegion", &NOT_ENABLED},
    {"NotSignedUp", &NOT_ENABLED},
    {"OptInRequired", &NOT_ENABLED},
    {"UnauthorizedAccessError", &NOT_LICENSED},
    {"UnexpectedIPError", &NOT_LICENSED},

    {"ExpiredToken", &UNKNOWN_CALLER},
    {"ExpiredTokenException", &UNKNOWN_CALLER},
    {"InvalidAccessKeyId", &UNKNOWN_CALLER},
    {"InvalidClientTokenId", &UNKNOWN_CALLER},
    {"InvalidSecurity", &UNKNOWN_CALLER},
    {"InvalidSessionException", &UNKNOWN_CALLER},
    {"InvalidToken", &UNKNOWN_CALLER},
    {"InvalidTokenId", &UNKNOWN_CALLER},
    {"TokenRefreshRequired", &UNKNOWN_CALLER},
    {"UnrecognizedClientException", &UNKNOWN_CALLER},
    {"IncompleteSignature", &BAD_SIGNATURE},
    {"InvalidSignature", &BAD_SIGNATURE},
    {"SignatureDoesNotMatch", &BAD_SIGNATURE},
    {"UnsupportedSignature", &BAD_SIGNATURE},
    {"MissingAuthenticationToken", &UNSIGNED},
    {"MissingSecurityHeader", &UNSIGNED},
    {"CredentialsNotSupported", &SIGNED},
    {"RequestExpired", &SKEWED},
    {"RequestTimeTooSkewed", &SKEWED},

    {"AuthorizationHeaderMalformed", &MOVED},
    {"EndpointNotFound", &MOVED},
    {"IllegalLocationConstraintException", &MOVED},
    {"IncorrectEndpoint", &MOVED},
    {"PermanentRedirect", &MOVED},
    {"PermanentRedirectControlError", &MOVED},
    {"Redirect", &MOVED_FOR_NOW},
    {"TemporaryRedirect", &MOVED_FOR_NOW},

    {"MethodNotAllowed", &DELETED},
    {"NoSuchKey", &MISSING},
    {"NoSuchVersion", &MISSING},
    {"NoSuchBucket", &NO_BUCKET},
    {"InvalidAccessPoint", &NO_ACCESS_POINT},
    {"InvalidAccessPointAliasError", &NO_ACCESS_POINT},
    {"NoSuchAccessPoint", &NO_ACCESS_POINT},
    {"NoSuchMultiRegionAccessPoint", &NO_ACCESS_POINT},

    {"InvalidPartNumber", &CHANGED},
    {"InvalidRange", &CHANGED},
    {"ObjectAlreadyInActiveTierError", &CHANGED},
    {"PreconditionFailed", &CHANGED},
    {"InvalidObjectState", &ARCHIVED},
    {"ObjectNotInActiveTierError", &ARCHIVED},
    {"RestoreAlreadyInProgress", &BEING_THAWED},
    {"GlacierExpeditedRetrievalNotAvailable", &NO_EXPEDITED},

    {"InvalidEncryptionAlgorithmError", &WANTS_KEY},
    {"InvalidBucketOwnerAWSAccountID", &BAD_OWNER},
    {"InvalidAddressingHeader", &BAD_REQUEST},
    {"InvalidArgument", &BAD_REQUEST},
    {"InvalidBucketName", &BAD_REQUEST},
    {"InvalidBucketState", &BAD_REQUEST},
    {"InvalidDigest", &BAD_REQUEST},
    {"InvalidHostHeader", &BAD_REQUEST},
    {"InvalidHttpMethod", &BAD_REQUEST},
    {"InvalidRequest", &BAD_REQUEST},
    {"InvalidURI", &BAD_REQUEST},
    {"KeyTooLongError", &BAD_REQUEST},
    {"MalformedHttpRequestException", &BAD_REQUEST},
    {"MalformedXML", &BAD_REQUEST},
    {"MaxMessageLengthExceeded", &BAD_REQUEST},
    {"MissingContentLength", &BAD_REQUEST},
    {"MissingRequestBodyError", &BAD_REQUEST},
    {"NotImplemented", &BAD_REQUEST},
    {"RequestEntityTooLargeException", &BAD_REQUEST},
    {"RequestHeaderSectionTooLarge", &BAD_REQUEST},
    {"UnexpectedContent", &BAD_REQUEST},
    {"UnknownOperationException", &BAD_REQUEST},
    {"UnsupportedArgument", &BAD_REQUEST},
    {"ValidationError", &BAD_REQUEST},
    {"NoTransformationDefined", &IS_PROGRAM},

    {"BadDigest", &AGAIN}, /* of a body of ours, broken on the way */
    {"ConditionalRequestConflict", &AGAIN},
    {"ConnectionClosedByRequester", &AGAIN},
    {"IncompleteBody", &AGAIN},
    {"InternalError", &AGAIN},
    {"InternalFailure", &AGAIN},
    {"OperationAborted", &AGAIN},
    {"PriorRequestNotComplete", &AGAIN},
    {"RequestAbortedException", &AGAIN},
    {"RequestTimeout", &AGAIN},
    {"RequestTimeoutException", &AGAIN},
    {"ResponseInterrupted", &AGAIN},
    {"XAmzContentSHA256Mismatch", &AGAIN}, /* as BadDigest */

    {"503 SlowDown", &BUSY}, /* so in the reference, beside the other */
    {"BandwidthLimitExceeded", &BUSY},
    {"LimitExceededException", &BUSY},
    {"QpsLimitExceeded", &BUSY},
    {"RateLimitExceeded", &BUSY},
    {"RequestLimitExceeded", &BUSY},
    {"RequestThrottled", &BUSY},
    {"RequestThrottledException", &BUSY},
    {"ServiceUnavailable", &BUSY},
    {"ServiceUnavailableException", &BUSY},
    {"SlowDown", &BUSY},
    {"SlowDownRead", &BUSY},
    {"ThrottledException", &BUSY},
    {"Throttling", &BUSY},
    {"ThrottlingException", &BUSY},
    {"TooManyRequests", &BUSY},
    {"TooManyRequestsException", &BUSY},
};

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* KMS.DisabledException, KMS.NotFoundException, ... are S3's names for what KMS told it. */
static const struct error_rule *find_kms(const char *code)
{
    static const struct {
        const char *part;
        const struct error_rule *rule;
    } PARTS[] = {
        {"AccessDenied", &DENIED}, {"Thrott", &KMS_BUSY},   {"LimitExceeded", &KMS_BUSY},
        {"Internal", &AGAIN},      {"Unavailable", &AGAIN}, {"Timeout", &AGAIN},
    };
    for (size_t i = 0; i < ARRAY_SIZE(PARTS); i++) {
        if (strstr(code, PARTS[i].part) != NULL) {
            return PARTS[i].rule;
        }
    }
    return &KMS_REFUSED;
}

/* Some codes say too little: what is wrong with encryption is an InvalidRequest, an InvalidArgument
 * or an AccessDenied. */
static const struct error_rule *refine(const struct error_rule *rule, const char *message)
{
    if (rule == &BUSY && strstr(message, "KMS") != NULL) {
        return &KMS_BUSY;
    }
    if (rule != &DENIED && rule != &BAD_REQUEST) {
        return rule;
    }
    if (strstr(message, "ciphertext refers to") != NULL) {
        return &KMS_REFUSED; /* KMS's own words: another account's key, or one that is gone */
    }
    if (strstr(message, "secure connection") != NULL) {
        return &WANTS_TLS;
    }
    if (strstr(message, "encryption parameters are not applicable") != NULL) {
        return &WANTS_NO_KEY;
    }
    return strstr(message, "Server Side Encryption") != NULL ? &WANTS_KEY : rule;
}

static const struct error_rule *find_code(const char *code, const char *message)
{
    if (begins(code, "KMS.")) {
        return find_kms(code);
    }
    if (begins(code, "Lambda")) {
        return &IS_PROGRAM;
    }
    for (size_t i = 0; i < ARRAY_SIZE(BY_CODE); i++) {
        if (strcmp(code, BY_CODE[i].code) == 0) {
            return refine(BY_CODE[i].rule, message);
        }
    }
    return NULL;
}

static const struct error_rule *find_status(int status)
{
    switch (status) {
    case 301:
    case 308:
        return &MOVED;
    case 302:
    case 307:
        return &MOVED_FOR_NOW;
    case 400:
        return &BAD_SOMEHOW;
    case 401:
    case 403:
        return &DENIED;
    case 404:
    case 410:
        return &MISSING;
    case 405:
        return &DELETED;
    case 407:
        return &PROXY_DENIED;
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
        return &BAD_REQUEST;
    case 511:
        return &PORTAL;
    default:
        return status >= 300 && status < 500 ? &BAD_REQUEST : &AGAIN;
    }
}

const struct error_rule *error_map_find(int status, const char *code, const char *message)
{
    ASSERT(code != NULL && message != NULL);
    const struct error_rule *const rule = code[0] == '\0' ? NULL : find_code(code, message);
    return rule == NULL ? find_status(status) : rule;
}
