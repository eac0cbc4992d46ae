#include "s3/transport.h"

#include "s3/proxy.h"

static const char HINT_CERTIFICATE[] = "check --endpoint, this machine's clock, and --ca-file";
static const char HINT_TLS[] = "check that --endpoint speaks TLS, of version 1.2 or later";
static const char HINT_NOT_HTTP[] = "check --endpoint: is it http or https, and is it S3?";

static const struct failure {
    CURLcode code;
    enum verdict verdict;
    enum err_kind kind;
    const char *what; /* before curl's words; "": they do */
    const char *hint; /* NULL: the kind's */
} FAILURES[] = {
    {CURLE_PEER_FAILED_VERIFICATION, VERDICT_FAIL, ERR_RETRY,
     "the server's certificate is not valid for it: ", HINT_CERTIFICATE},
    {CURLE_SSL_ISSUER_ERROR, VERDICT_FAIL, ERR_RETRY,
     "the server's certificate is not valid for it: ", HINT_CERTIFICATE},
    {CURLE_SSL_CACERT_BADFILE, VERDICT_FAIL, ERR_CONFIG,
     "no certificates to trust: ", "check --ca-file, or install the system's CA certificates"},
    {CURLE_SSL_CONNECT_ERROR, VERDICT_RETRY, ERR_RETRY, "TLS: ", HINT_TLS},
    {CURLE_PARTIAL_FILE, VERDICT_RETRY, ERR_CORRUPT, "the body ended early: ", NULL},
    {CURLE_COULDNT_RESOLVE_HOST, VERDICT_RETRY, ERR_RETRY, "",
     "check the endpoint's and the bucket's names, and DNS"},
    {CURLE_COULDNT_CONNECT, VERDICT_RETRY, ERR_RETRY, "",
     "check network, firewall, --endpoint and https_proxy, then run the same command again"},
    {CURLE_GOT_NOTHING, VERDICT_RETRY, ERR_RETRY, "", HINT_NOT_HTTP},
    {CURLE_UNSUPPORTED_PROTOCOL, VERDICT_FAIL, ERR_CONFIG, "", HINT_NOT_HTTP}, /* HTTP/0.9 */
    {CURLE_WEIRD_SERVER_REPLY, VERDICT_FAIL, ERR_CONFIG, "", HINT_NOT_HTTP},
};

enum verdict transport_judge(CURL *easy, CURLcode code, const char *curl_error, struct err *e)
{
    static const struct failure OTHER = {CURLE_OK, VERDICT_RETRY, ERR_RETRY, "", NULL};
    ASSERT(code != CURLE_OK);
    const char *const words = curl_error[0] == '\0' ? curl_easy_strerror(code) : curl_error;
    const enum verdict at_proxy = proxy_judge(easy, code, words, e);
    if (at_proxy != VERDICT_DONE) {
        return at_proxy;
    }
    const struct failure *failure = &OTHER;
    for (size_t i = 0; i < ARRAY_SIZE(FAILURES); i++) {
        failure = FAILURES[i].code == code ? &FAILURES[i] : failure;
    }
    err_set(e, failure->kind, "%s%s", failure->what, words);
    if (failure->hint != NULL) {
        err_hint(e, "%s", failure->hint);
    }
    return failure->verdict;
}
