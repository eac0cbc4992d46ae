#include "s3/answer.h"
#include "tests/unit/unit.h"

/*
 * What each answer means: one row for every code of the S3 API reference ("Error responses" and
 * "Common errors") that a request of ours can get, for the names that other stores have for the
 * same, and for answers without a code. Ours are ListObjectsV2, ListObjectVersions, GetObject,
 * HeadObject and RestoreObject, signed by headers. So no row is needed for a code that takes an
 * upload, a delete, a setting of a bucket, a form, a presigned URL, SELECT, SOAP or a Snowball.
 */
enum method { LIST, VERSIONS, GET, HEAD, RESTORE };

static const struct row {
    enum method method;
    int status;
    const char *code, *message; /* "": none */
    enum verdict verdict;
    int exit_code;    /* when it ends here */
    const char *next; /* in the next step */
} ROWS[] = {
    {LIST, 403, "AccessDenied", "Access Denied", VERDICT_FAIL, 77, "allow it (penates policy"},
    {GET, 403, "AccessDenied", "Access Denied", VERDICT_FAIL, 77, "without s3:ListBucket"},
    {HEAD, 403, "", "", VERDICT_FAIL, 77, "without s3:ListBucket"},
    {VERSIONS, 403, "AccessDenied", "Access Denied", VERDICT_FAIL, 77, "allow it (penates policy"},
    {RESTORE, 403, "AccessDenied", "Access Denied", VERDICT_FAIL, 77, "allow it (penates policy"},
    {GET, 403, "AccessDenied", "User: u is not authorized to perform: kms:Decrypt on resource: k",
     VERDICT_FAIL, 77, "kms:Decrypt"},
    {GET, 403, "AccessDenied",
     "The ciphertext refers to a customer master key that does not exist, does not exist in this "
     "region, or you are not allowed to access.",
     VERDICT_FAIL, 77, "kms:Decrypt"},
    {GET, 403, "AccessDenied",
     "Requests specifying Server Side Encryption with Customer provided keys must provide the "
     "correct secret key.",
     VERDICT_FAIL, 77, "customer's key"},
    {LIST, 403, "AccessDeniedException", "", VERDICT_FAIL, 77, "allow it"},
    {LIST, 403, "AccessForbidden", "", VERDICT_FAIL, 77, "allow it"},
    {LIST, 401, "NotAuthorized", "", VERDICT_FAIL, 77, "allow it"},
    {GET, 401, "UnauthorizedAccess", "", VERDICT_FAIL, 77, "allow it"},
    {LIST, 403, "AccountProblem", "", VERDICT_FAIL, 77, "the bucket's owner"},
    {LIST, 403, "AllAccessDisabled", "", VERDICT_FAIL, 77, "the bucket's owner"},
    {GET, 403, "InvalidPayer", "", VERDICT_FAIL, 77, "the bucket's owner"},
    {LIST, 403, "InvalidRegion", "", VERDICT_FAIL, 77, "enable"},
    {LIST, 403, "NotSignedUp", "", VERDICT_FAIL, 77, "enable"},
    {LIST, 403, "OptInRequired", "", VERDICT_FAIL, 77, "enable"},
    {LIST, 403, "UnauthorizedAccessError", "", VERDICT_FAIL, 77, "ICP"},
    {LIST, 403, "UnexpectedIPError", "", VERDICT_FAIL, 77, "ICP"},
    {LIST, 400, "ExpiredToken", "", VERDICT_RENEW, 77, "check the credentials"},
    {HEAD, 400, "", "", VERDICT_RENEW, 64, "credentials"},
    {LIST, 403, "ExpiredTokenException", "", VERDICT_RENEW, 77, "check the credentials"},
    {LIST, 403, "InvalidAccessKeyId", "", VERDICT_RENEW, 77, "check the credentials"},
    {LIST, 403, "InvalidClientTokenId", "", VERDICT_RENEW, 77, "check the credentials"},
    {LIST, 403, "InvalidSecurity", "", VERDICT_RENEW, 77, "check the credentials"},
    {LIST, 400, "InvalidSessionException", "", VERDICT_RENEW, 77, "check the credentials"},
    {LIST, 400, "InvalidToken", "", VERDICT_RENEW, 77, "check the credentials"},
    {LIST, 403, "InvalidTokenId", "", VERDICT_RENEW, 77, "check the credentials"},
    {LIST, 400, "TokenRefreshRequired", "", VERDICT_RENEW, 77, "check the credentials"},
    {LIST, 403, "UnrecognizedClientException", "", VERDICT_RENEW, 77, "check the credentials"},
    {LIST, 403, "IncompleteSignature", "", VERDICT_FAIL, 77, "secret key"},
    {LIST, 400, "InvalidSignature", "", VERDICT_FAIL, 77, "secret key"},
    {LIST, 403, "SignatureDoesNotMatch", "", VERDICT_FAIL, 77, "secret key"},
    {LIST, 400, "UnsupportedSignature", "", VERDICT_FAIL, 77, "secret key"},
    {LIST, 403, "MissingAuthenticationToken", "", VERDICT_FAIL, 77, "--no-sign"},
    {LIST, 400, "MissingSecurityHeader", "", VERDICT_FAIL, 77, "--no-sign"},
    {LIST, 400, "CredentialsNotSupported", "", VERDICT_FAIL, 77, "--no-sign"},
    {LIST, 403, "RequestExpired", "", VERDICT_SKEW, 77, "clock"},
    {GET, 403, "RequestTimeTooSkewed", "", VERDICT_SKEW, 77, "clock"},
    {LIST, 400, "AuthorizationHeaderMalformed", "", VERDICT_REGION, 64, "--region"},
    {LIST, 400, "EndpointNotFound", "", VERDICT_REGION, 64, "--region"},
    {LIST, 400, "IllegalLocationConstraintException", "", VERDICT_REGION, 64, "--region"},
    {LIST, 400, "IncorrectEndpoint", "", VERDICT_REGION, 64, "--region"},
    {LIST, 301, "PermanentRedirect", "", VERDICT_REGION, 64, "--region"},
    {HEAD, 301, "", "", VERDICT_REGION, 64, "--region"},
    {LIST, 301, "PermanentRedirectControlError", "", VERDICT_REGION, 64, "--region"},
    {LIST, 307, "Redirect", "", VERDICT_REGION, 69, "--region"},
    {GET, 307, "TemporaryRedirect", "", VERDICT_REGION, 69, "--region"},
    {HEAD, 307, "", "", VERDICT_REGION, 69, "--region"},
    {LIST, 302, "", "", VERDICT_REGION, 69, "--region"},
    {LIST, 308, "", "", VERDICT_REGION, 64, "--region"},
    {GET, 405, "MethodNotAllowed", "", VERDICT_FAIL, 66, "check the source"},
    {HEAD, 405, "", "", VERDICT_FAIL, 66, "check the source"},
    {GET, 404, "NoSuchKey", "", VERDICT_FAIL, 66, "check the source"},
    {HEAD, 404, "", "", VERDICT_FAIL, 66, "check the source"},
    {GET, 404, "NoSuchVersion", "", VERDICT_FAIL, 66, "check the source"},
    {LIST, 404, "NoSuchBucket", "", VERDICT_FAIL, 66, "the bucket's name"},
    {LIST, 400, "InvalidAccessPoint", "", VERDICT_FAIL, 66, "access point"},
    {LIST, 400, "InvalidAccessPointAliasError", "", VERDICT_FAIL, 66, "access point"},
    {LIST, 404, "NoSuchAccessPoint", "", VERDICT_FAIL, 66, "access point"},
    {LIST, 404, "NoSuchMultiRegionAccessPoint", "", VERDICT_FAIL, 66, "access point"},
    {LIST, 410, "", "", VERDICT_FAIL, 66, "check the source"},
    {GET, 416, "InvalidPartNumber", "", VERDICT_FAIL, 75, "plan with the new object"},
    {GET, 416, "InvalidRange", "", VERDICT_FAIL, 75, "plan with the new object"},
    {HEAD, 416, "", "", VERDICT_FAIL, 75, "plan with the new object"},
    {GET, 412, "PreconditionFailed", "", VERDICT_FAIL, 75, "plan with the new object"},
    {HEAD, 412, "", "", VERDICT_FAIL, 75, "plan with the new object"},
    {RESTORE, 403, "ObjectAlreadyInActiveTierError", "", VERDICT_FAIL, 75,
     "plan with the new object"},
    {GET, 403, "InvalidObjectState", "", VERDICT_FAIL, 66, "archived"},
    {GET, 403, "ObjectNotInActiveTierError", "", VERDICT_FAIL, 66, "archived"},
    {RESTORE, 409, "RestoreAlreadyInProgress", "", VERDICT_FAIL, 69, "wait"},
    {RESTORE, 503, "GlacierExpeditedRetrievalNotAvailable", "", VERDICT_FAIL, 69, "--thaw-tier"},
    {GET, 400, "InvalidEncryptionAlgorithmError", "", VERDICT_FAIL, 77, "customer's key"},
    {GET, 400, "InvalidRequest", "The object was stored using a form of Server Side Encryption.",
     VERDICT_FAIL, 77, "customer's key"},
    {GET, 400, "InvalidRequest", "The encryption parameters are not applicable to this object.",
     VERDICT_FAIL, 64, "without --sse-c-key-file"},
    {GET, 400, "InvalidArgument",
     "Requests specifying Server Side Encryption with AWS KMS managed keys must be made over a "
     "secure connection.",
     VERDICT_FAIL, 64, "https"},
    {LIST, 400, "InvalidBucketOwnerAWSAccountID", "", VERDICT_FAIL, 64, "12 digits"},
    {LIST, 400, "InvalidAddressingHeader", "", VERDICT_FAIL, 64, "--endpoint"},
    {LIST, 400, "InvalidArgument", "", VERDICT_FAIL, 64, "--endpoint"},
    {LIST, 400, "InvalidBucketName", "", VERDICT_FAIL, 64, "--endpoint"},
    {LIST, 409, "InvalidBucketState", "", VERDICT_FAIL, 64, "--endpoint"},
    {RESTORE, 400, "InvalidDigest", "", VERDICT_FAIL, 64, "--endpoint"},
    {LIST, 400, "InvalidHostHeader", "", VERDICT_FAIL, 64, "--endpoint"},
    {LIST, 400, "InvalidHttpMethod", "", VERDICT_FAIL, 64, "--endpoint"},
    {LIST, 400, "InvalidRequest", "", VERDICT_FAIL, 64, "--endpoint"},
    {LIST, 400, "InvalidURI", "", VERDICT_FAIL, 64, "--endpoint"},
    {GET, 400, "KeyTooLongError", "", VERDICT_FAIL, 64, "--endpoint"},
    {LIST, 400, "MalformedHttpRequestException", "", VERDICT_FAIL, 64, "--endpoint"},
    {RESTORE, 400, "MalformedXML", "", VERDICT_FAIL, 64, "--endpoint"},
    {LIST, 400, "MaxMessageLengthExceeded", "", VERDICT_FAIL, 64, "--endpoint"},
    {RESTORE, 411, "MissingContentLength", "", VERDICT_FAIL, 64, "--endpoint"},
    {RESTORE, 400, "MissingRequestBodyError", "", VERDICT_FAIL, 64, "--endpoint"},
    {LIST, 501, "NotImplemented", "", VERDICT_FAIL, 64, "--endpoint"},
    {LIST, 413, "RequestEntityTooLargeException", "", VERDICT_FAIL, 64, "--endpoint"},
    {LIST, 400, "RequestHeaderSectionTooLarge", "", VERDICT_FAIL, 64, "--endpoint"},
    {LIST, 400, "UnexpectedContent", "", VERDICT_FAIL, 64, "--endpoint"},
    {LIST, 404, "UnknownOperationException", "", VERDICT_FAIL, 64, "--endpoint"},
    {LIST, 400, "UnsupportedArgument", "", VERDICT_FAIL, 64, "--endpoint"},
    {LIST, 400, "ValidationError", "", VERDICT_FAIL, 64, "--endpoint"},
    {HEAD, 501, "", "", VERDICT_FAIL, 64, "--endpoint"},
    {LIST, 407, "", "", VERDICT_FAIL, 77, "https_proxy"},
    {LIST, 511, "", "", VERDICT_FAIL, 69, "portal"},
    {LIST, 412, "", "", VERDICT_RENEW, 64, "credentials"},
    {LIST, 418, "", "", VERDICT_FAIL, 64, "--endpoint"},
    {GET, 404, "NoTransformationDefined", "", VERDICT_FAIL, 64, "Object Lambda"},
    {GET, 400, "LambdaInvocationFailed", "", VERDICT_FAIL, 64, "Object Lambda"},
    {GET, 504, "LambdaTimeout", "", VERDICT_FAIL, 64, "Object Lambda"},
    {GET, 400, "KMS.DisabledException", "", VERDICT_FAIL, 77, "kms:Decrypt"},
    {GET, 400, "KMS.NotFoundException", "", VERDICT_FAIL, 77, "kms:Decrypt"},
    {GET, 400, "KMS.KMSInvalidStateException", "", VERDICT_FAIL, 77, "kms:Decrypt"},
    {GET, 400, "KMS.InvalidStateException", "", VERDICT_FAIL, 77, "kms:Decrypt"},
    {GET, 400, "KMS.InvalidKeyUsageException", "", VERDICT_FAIL, 77, "kms:Decrypt"},
    {GET, 400, "KMS.AccessDeniedException", "User: u is not authorized to perform: kms:Decrypt",
     VERDICT_FAIL, 77, "kms:Decrypt"},
    {GET, 400, "KMS.ThrottlingException", "", VERDICT_SLOW_DOWN, 69, "quota"},
    {GET, 503, "KMS.ThrottlingException", "", VERDICT_SLOW_DOWN, 69, "quota"},
    {GET, 400, "KMS.LimitExceededException", "", VERDICT_SLOW_DOWN, 69, "quota"},
    {GET, 400, "ThrottlingException", "You have exceeded the rate at which you may call KMS.",
     VERDICT_SLOW_DOWN, 69, "quota"},
    {GET, 500, "KMS.KMSInternalException", "", VERDICT_RETRY, 69, "same command"},
    {GET, 500, "KMS.KeyUnavailableException", "", VERDICT_RETRY, 69, "same command"},
    {GET, 503, "KMS.DependencyTimeoutException", "", VERDICT_RETRY, 69, "same command"},
    {RESTORE, 400, "BadDigest", "", VERDICT_RETRY, 69, "same command"},
    {RESTORE, 409, "ConditionalRequestConflict", "", VERDICT_RETRY, 69, "same command"},
    {GET, 400, "ConnectionClosedByRequester", "", VERDICT_RETRY, 69, "same command"},
    {RESTORE, 400, "IncompleteBody", "", VERDICT_RETRY, 69, "same command"},
    {GET, 500, "InternalError", "", VERDICT_RETRY, 69, "same command"},
    {GET, 200, "InternalError", "", VERDICT_RETRY, 69, "same command"},
    {LIST, 500, "InternalFailure", "", VERDICT_RETRY, 69, "same command"},
    {LIST, 409, "OperationAborted", "", VERDICT_RETRY, 69, "same command"},
    {LIST, 400, "PriorRequestNotComplete", "", VERDICT_RETRY, 69, "same command"},
    {LIST, 400, "RequestAbortedException", "", VERDICT_RETRY, 69, "same command"},
    {GET, 400, "RequestTimeout", "", VERDICT_RETRY, 69, "same command"},
    {LIST, 408, "RequestTimeoutException", "", VERDICT_RETRY, 69, "same command"},
    {GET, 400, "ResponseInterrupted", "", VERDICT_RETRY, 69, "same command"},
    {RESTORE, 400, "XAmzContentSHA256Mismatch", "", VERDICT_RETRY, 69, "same command"},
    {HEAD, 408, "", "", VERDICT_RETRY, 69, "same command"},
    {HEAD, 409, "", "", VERDICT_RETRY, 69, "same command"},
    {HEAD, 500, "", "", VERDICT_RETRY, 69, "same command"},
    {HEAD, 502, "", "", VERDICT_RETRY, 69, "same command"},
    {HEAD, 504, "", "", VERDICT_RETRY, 69, "same command"},
    {HEAD, 599, "", "", VERDICT_RETRY, 69, "same command"},
    {LIST, 200, "", "", VERDICT_RETRY, 69, "same command"},
    {LIST, 503, "503 SlowDown", "", VERDICT_SLOW_DOWN, 69, "--connections"},
    {LIST, 509, "BandwidthLimitExceeded", "", VERDICT_SLOW_DOWN, 69, "--connections"},
    {LIST, 400, "LimitExceededException", "", VERDICT_SLOW_DOWN, 69, "--connections"},
    {LIST, 403, "QpsLimitExceeded", "", VERDICT_SLOW_DOWN, 69, "--connections"},
    {LIST, 403, "RateLimitExceeded", "", VERDICT_SLOW_DOWN, 69, "--connections"},
    {LIST, 503, "RequestLimitExceeded", "", VERDICT_SLOW_DOWN, 69, "--connections"},
    {LIST, 400, "RequestThrottled", "", VERDICT_SLOW_DOWN, 69, "--connections"},
    {LIST, 400, "RequestThrottledException", "", VERDICT_SLOW_DOWN, 69, "--connections"},
    {GET, 503, "ServiceUnavailable", "", VERDICT_SLOW_DOWN, 69, "--connections"},
    {LIST, 503, "ServiceUnavailableException", "", VERDICT_SLOW_DOWN, 69, "--connections"},
    {GET, 503, "SlowDown", "", VERDICT_SLOW_DOWN, 69, "--connections"},
    {GET, 200, "SlowDown", "", VERDICT_SLOW_DOWN, 69, "--connections"},
    {LIST, 503, "SlowDownRead", "", VERDICT_SLOW_DOWN, 69, "--connections"},
    {LIST, 400, "ThrottledException", "", VERDICT_SLOW_DOWN, 69, "--connections"},
    {LIST, 400, "Throttling", "", VERDICT_SLOW_DOWN, 69, "--connections"},
    {LIST, 400, "ThrottlingException", "", VERDICT_SLOW_DOWN, 69, "--connections"},
    {LIST, 429, "TooManyRequests", "", VERDICT_SLOW_DOWN, 69, "--connections"},
    {LIST, 429, "TooManyRequestsException", "", VERDICT_SLOW_DOWN, 69, "--connections"},
    {HEAD, 503, "", "", VERDICT_SLOW_DOWN, 69, "--connections"},
    {HEAD, 429, "", "", VERDICT_SLOW_DOWN, 69, "--connections"},
    {LIST, 404, "SomethingNew", "", VERDICT_FAIL, 66, "check the source"},
    {LIST, 403, "SomethingNew", "", VERDICT_FAIL, 77, "allow it"},
    {LIST, 400, "SomethingNew", "", VERDICT_RENEW, 64, "--endpoint"},
    {LIST, 503, "SomethingNew", "", VERDICT_SLOW_DOWN, 69, "--connections"},
};

static enum verdict answer(const struct row *row, struct error_xml *ret_error, struct err *e)
{
    static const char *const ACTIONS[] = {
        [LIST] = "s3:ListBucket", [VERSIONS] = "s3:ListBucketVersions", [GET] = "s3:GetObject",
        [HEAD] = "s3:GetObject",  [RESTORE] = "s3:RestoreObject",
    };
    const bool list = row->method == LIST || row->method == VERSIONS;
    const struct answer_want want = {
        .head = row->method == HEAD,
        .page = list,
        .etag = "",
        .region = "eu-west-1",
        .signed_at_ms = 1000,
        .asked = {.action = ACTIONS[row->method],
                  .list = list,
                  .bucket = "b",
                  .key = "k",
                  .region = "eu-west-1",
                  .caller = "environment"},
    };
    const struct http_headers headers = {.status = row->status, .date_ms = 2000};
    char body[1000] = "";
    if (row->code[0] != '\0' && row->method != HEAD) {
        (void)snprintf(body, sizeof(body),
                       "<?xml version=\"1.0\"?>\n<Error><Code>%s</Code><Message>%s</Message>"
                       "<RequestId>1</RequestId></Error>",
                       row->code, row->message);
    }
    return answer_error(&want, &headers, slice_of(body, strlen(body)), ret_error, e);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        const struct row *row = &ROWS[i];
        struct err e = ERR_INIT;
        struct error_xml error;
        const enum verdict verdict = answer(row, &error, &e);
        char begin[100];
        const bool told = row->code[0] != '\0' && row->method != HEAD;
        (void)snprintf(begin, sizeof(begin), "%d%s%s: ", row->status, told ? " " : "",
                       told ? row->code : "");
        if (verdict != row->verdict || err_exit_code(e.kind) != row->exit_code ||
            strncmp(e.text, begin, strlen(begin)) != 0 || strlen(e.text) == strlen(begin) ||
            strstr(err_next_step(&e), row->next) == NULL || e.http != row->status) {
            fail_msg("row %zu, %d %s: verdict %d, exit code %d, '%s; %s'", i, row->status,
                     row->code, (int)verdict, err_exit_code(e.kind), e.text, err_next_step(&e));
        }
        assert_string_equal(error.code, told ? row->code : "");
    }
}

/* A proxy, a portal, a web server: what it means stays, the words and the next step are others. */
static void test_html_is_not_the_store(void **state)
{
    (void)state;
    static const char *const PAGES[] = {"<!DOCTYPE html>\n<html>", " \r\n<html lang=en>", "<HTML>"};
    const struct answer_want want = {.page = true, .etag = "", .region = "r", .signed_at_ms = -1};
    const struct http_headers headers = {.status = 403, .date_ms = -1};
    for (size_t i = 0; i < ARRAY_SIZE(PAGES); i++) {
        struct err e = ERR_INIT;
        struct error_xml error;
        assert_int_equal(
            answer_error(&want, &headers, slice_of(PAGES[i], strlen(PAGES[i])), &error, &e),
            VERDICT_FAIL);
        assert_string_equal(e.text, "403: denied, in a page of HTML");
        assert_non_null(strstr(e.hint, "something other than S3"));
        assert_int_equal(err_exit_code(e.kind), 77);
    }
    assert_false(answer_is_html(slice_of("<?xml version=\"1.0\"?><ListBucketResult/>", 41)));
    assert_false(answer_is_html(slice_of("<htm", 4)));
    assert_false(answer_is_html(slice_of("", 0)));
}

/* HEAD has no body: what its headers tell decides. */
static void test_head_is_read_from_its_headers(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *bucket_region;
        int64_t date_ms;
        enum verdict verdict;
    } CASES[] = {
        {400, "eu-central-1", 1000, VERDICT_REGION},
        {400, "eu-west-1", 1000, VERDICT_RENEW},
        {400, "", 1000, VERDICT_RENEW},
        {403, "", 1000, VERDICT_FAIL},
        {403, "", 400 * 1000, VERDICT_SKEW},
        {403, "", -1, VERDICT_FAIL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const struct answer_want want = {
            .head = true,
            .etag = "",
            .region = "eu-west-1",
            .signed_at_ms = 1000,
            .asked = {.action = "s3:GetObject", .bucket = "b", .key = "k", .region = "eu-west-1"},
        };
        struct http_headers headers = {.status = CASES[i].status, .date_ms = CASES[i].date_ms};
        (void)snprintf(headers.bucket_region, sizeof(headers.bucket_region), "%s",
                       CASES[i].bucket_region);
        struct err e = ERR_INIT;
        struct error_xml error;
        assert_int_equal(answer_error(&want, &headers, slice_of("", 0), &error, &e),
                         CASES[i].verdict);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_html_is_not_the_store),
        cmocka_unit_test(test_head_is_read_from_its_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
