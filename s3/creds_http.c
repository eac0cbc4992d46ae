#include "s3/creds_http.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "s3/ca_bundle.h"
#include "s3/handle.h"
#include "s3/http_headers.h"

enum { ORIGIN_MAX = 256 };

/* One question under way. */
struct asking {
    const struct creds_http_request *request;
    struct creds_http_answer *answer;
    struct http_headers headers;
    size_t sent;
    bool body_too_long;
    bool may_send; /* the body of an announced PUT */
};

static void cleanup_easy(CURL **easy)
{
    curl_easy_cleanup(*easy);
}

static void free_headers(struct curl_slist **headers)
{
    for (struct curl_slist *line = *headers; line != NULL; line = line->next) {
        OPENSSL_cleanse(line->data, strlen(line->data));
    }
    curl_slist_free_all(*headers);
}

#define auto_easy __attribute__((cleanup(cleanup_easy)))
#define auto_headers __attribute__((cleanup(free_headers)))

void creds_http_wipe(struct creds_http_answer *answer)
{
    OPENSSL_cleanse(answer, sizeof(*answer));
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    struct asking *asking = ctx;
    ASSERT(size == 1); /* libcurl says so */
    http_headers_line(&asking->headers, data, count);
    return count;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct asking *asking = ctx;
    struct creds_http_answer *answer = asking->answer;
    ASSERT(size == 1 && answer->size <= CREDS_HTTP_BODY_MAX);
    if (count > CREDS_HTTP_BODY_MAX - answer->size) {
        asking->body_too_long = true;
        return 0;
    }
    memcpy(answer->body + answer->size, data, count);
    answer->size += count;
    answer->body[answer->size] = '\0';
    return count;
}

/* Of a PUT; libcurl asks for it when it may go out. */
static size_t send_body(char *data, size_t size, size_t count, void *ctx)
{
    struct asking *asking = ctx;
    const char *body = asking->request->body == NULL ? "" : asking->request->body;
    if (asking->request->reach == CREDS_HTTP_ANNOUNCE) {
        asking->may_send = true;
        return CURL_READFUNC_ABORT;
    }
    const size_t left = strlen(body) - asking->sent;
    const size_t taken = left < size * count ? left : size * count;
    memcpy(data, body + asking->sent, taken);
    asking->sent += taken;
    return taken;
}

static void set_put(CURL *easy, struct asking *asking)
{
    const struct creds_http_request *request = asking->request;
    const size_t size = request->body == NULL ? 0 : strlen(request->body);
    handle_set(curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L));
    handle_set(curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)size));
    handle_set(curl_easy_setopt(easy, CURLOPT_READFUNCTION, send_body));
    handle_set(curl_easy_setopt(easy, CURLOPT_READDATA, asking));
    /* Who does not answer an announcement gets nothing: the time for all ends first. */
    handle_set(curl_easy_setopt(easy, CURLOPT_EXPECT_100_TIMEOUT_MS, 2 * request->total_ms));
}

static void set_method(CURL *easy, struct asking *asking)
{
    const struct creds_http_request *request = asking->request;
    if (strcmp(request->method, "PUT") == 0) {
        set_put(easy, asking);
    } else if (request->body != NULL) {
        ASSERT(strcmp(request->method, "POST") == 0);
        handle_set(curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(request->body)));
        handle_set(curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body));
    } else {
        ASSERT(strcmp(request->method, "GET") == 0);
        handle_set(curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L));
    }
    if (request->reach == CREDS_HTTP_CONNECT) {
        handle_set(curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L));
    }
}

static void set_network(CURL *easy, const struct creds_http_request *request)
{
    handle_set(curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L));
    handle_set(curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, request->connect_ms));
    handle_set(curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, request->total_ms));
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A name server that is slow would else be waited for beyond the limit. */
    handle_set(curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L));
#endif
#if LIBCURL_VERSION_NUM >= 0x075500
    handle_set(curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https"));
#else
    handle_set(curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)));
#endif
    handle_set(curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2));
    const char *const ca_file = request->ca_file != NULL ? request->ca_file : ca_bundle_find();
    if (ca_file != NULL) {
        handle_set(curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file));
    }
    if (!request->through_proxy) {
        handle_set(curl_easy_setopt(easy, CURLOPT_PROXY, ""));
        handle_set(curl_easy_setopt(easy, CURLOPT_NOPROXY, "*"));
    }
}

static void set_http(CURL *easy, struct asking *asking)
{
    handle_set(curl_easy_setopt(easy, CURLOPT_URL, asking->request->url));
    handle_set(curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L));
    handle_set(curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1));
    handle_set(curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L));
    handle_set(curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L));
    handle_set(curl_easy_setopt(easy, CURLOPT_USERAGENT, "penates"));
    handle_set(curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header));
    handle_set(curl_easy_setopt(easy, CURLOPT_HEADERDATA, asking));
    handle_set(curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body));
    handle_set(curl_easy_setopt(easy, CURLOPT_WRITEDATA, asking));
}

static struct curl_slist *list_headers(const struct creds_http_request *request)
{
    /* A body goes out at once, unless it is announced: most services never say "100 Continue". */
    const bool announces = request->reach == CREDS_HTTP_ANNOUNCE;
    struct curl_slist *list =
        curl_slist_append(NULL, announces ? "Expect: 100-continue" : "Expect:");
    for (size_t i = 0; list != NULL && i < request->header_count; i++) {
        struct curl_slist *longer = curl_slist_append(list, request->headers[i]);
        ASSERT(longer == list); /* it fails only without memory */
    }
    ASSERT(list != NULL);
    return list;
}

/* "http://host:port": a path may be a secret, and a user in it is one. */
static void make_origin(const char *url, char ret[ORIGIN_MAX])
{
    const char *mark = strstr(url, "://");
    const char *host = mark == NULL ? url : mark + 3;
    const size_t size = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', size);
    const char *shown = at == NULL ? host : at + 1;
    (void)snprintf(ret, ORIGIN_MAX, "%.*s%.*s", (int)(host - url), url, (int)(host + size - shown),
                   shown);
}

static int word_timeout(const struct asking *asking, bool has_connected, const char *origin,
                        struct err *e)
{
    (void)err_set(e, has_connected ? ERR_RETRY : ERR_NOT_FOUND, "no %s %s within %ld ms",
                  has_connected ? "answer from" : "connection to", origin,
                  has_connected ? asking->request->total_ms : asking->request->connect_ms);
    e->sys = ETIMEDOUT;
    return -1;
}

static bool is_setup(CURLcode code)
{
    static const CURLcode codes[] = {CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL,
                                     CURLE_LOGIN_DENIED, /* a user in the URL */
                                     CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE};
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        if (code == codes[i]) {
            return true;
        }
    }
    return false;
}

static int word_failure(const struct asking *asking, CURL *easy, CURLcode code, struct err *e)
{
    char origin[ORIGIN_MAX];
    make_origin(asking->request->url, origin);
    if (asking->body_too_long) {
        return err_set(e, ERR_LIMIT, "%s answers with more than %d bytes", origin,
                       CREDS_HTTP_BODY_MAX);
    }
    curl_off_t connect_us = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connect_us);
    const bool has_connected = connect_us > 0;
    if (code == CURLE_OPERATION_TIMEDOUT) {
        return word_timeout(asking, has_connected, origin, e);
    }
    const enum err_kind trouble = has_connected ? ERR_RETRY : ERR_NOT_FOUND;
    return err_set(e, is_setup(code) ? ERR_CONFIG : trouble, "%s: %s", origin,
                   curl_easy_strerror(code));
}

int creds_http_ask(const struct creds_http_request *request, struct creds_http_answer *ret,
                   struct err *e)
{
    ASSERT(request->url != NULL && request->method != NULL && ret != NULL);
    ASSERT(request->connect_ms > 0 && request->total_ms > 0);
    ret->status = 0;
    ret->size = 0;
    ret->body[0] = '\0';
    struct asking asking = {.request = request, .answer = ret, .headers = {.date_ms = -1}};
    /* A handle and a connection each, so that the connect time tells whether anybody was there. */
    auto_headers struct curl_slist *headers = list_headers(request);
    auto_easy CURL *easy = curl_easy_init();
    ASSERT(easy != NULL); /* it fails only without memory */
    set_method(easy, &asking);
    set_network(easy, request);
    set_http(easy, &asking);
    handle_set(curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers));
    const CURLcode code = curl_easy_perform(easy);
    if (asking.may_send) {
        ret->status = 100;
        return 0;
    }
    if (code != CURLE_OK) {
        return word_failure(&asking, easy, code, e);
    }
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &ret->status);
    ret->date_ms = asking.headers.date_ms;
    return 0;
}
