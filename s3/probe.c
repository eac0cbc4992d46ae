#include "s3/probe.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/base/thread.h"
#include "s3/handle.h"
#include "s3/request.h"
#include "s3/transport.h"

_Static_assert((int)S3_REGION_MAX == (int)HTTP_REGION_MAX, "a region's name fits both");
_Static_assert(PROBE_ADDRESS_MAX >= INET6_ADDRSTRLEN, "an address fits");

enum {
    HEAD_MAX = 64 * 1024, /* all header lines of the answer */
    PAUSE_MS = 500,       /* between two tries: enough for a restart of what listens */
    TRY_MAX_MS = 10000,   /* as long as a request of a restore waits for a connection */
};

/* One try. */
struct attempt {
    CURL *easy;
    struct probe *probe;
    struct http_headers headers;
    size_t head_size;
    bool asked_proxy; /* by a whole URL, as only a proxy is */
    char curl_error[CURL_ERROR_SIZE];
};

/* curl tells of the TLS session only while the connection is at work. */
static void note_tls(struct attempt *attempt)
{
    const struct curl_tlssessioninfo *session = NULL;
    if (curl_easy_getinfo(attempt->easy, CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK ||
        session == NULL || session->internals == NULL) {
        return;
    }
    const bool openssl = session->backend == CURLSSLBACKEND_OPENSSL;
    (void)snprintf(attempt->probe->tls, PROBE_TLS_MAX, "%s",
                   openssl ? SSL_get_version((const SSL *)session->internals) : "TLS");
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    static const char ID[] = "x-amz-request-id:";
    struct attempt *const attempt = ctx;
    const size_t bytes = size * count;
    if (attempt->head_size == 0) {
        note_tls(attempt);
    }
    attempt->head_size += bytes;
    if (attempt->head_size > HEAD_MAX) {
        return 0;
    }
    http_headers_line(&attempt->headers, data, bytes);
    if (bytes > sizeof(ID) && strncasecmp(data, ID, sizeof(ID) - 1) == 0) {
        attempt->probe->is_s3 = true;
    }
    return bytes;
}

/* Of a tunnel the answer to CONNECT tells. Nothing that is seen here is kept: it may hold the
 * proxy's password. */
static int on_debug(CURL *easy, curl_infotype type, char *data, size_t size, void *ctx)
{
    static const char START[] = "HEAD http://";
    struct attempt *const attempt = ctx;
    (void)easy;
    if (type == CURLINFO_HEADER_OUT && size >= sizeof(START) - 1 &&
        memcmp(data, START, sizeof(START) - 1) == 0) {
        attempt->asked_proxy = true;
    }
    return 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    (void)data; /* a server that answers a HEAD with a body is none of ours to judge here */
    (void)ctx;
    return size * count;
}

static void take_times(struct attempt *attempt)
{
    struct probe *const probe = attempt->probe;
    curl_off_t connect_us = 0, answer_us = 0;
    char *address = NULL;
    long connect_code = 0;
    (void)curl_easy_getinfo(attempt->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
    (void)curl_easy_getinfo(attempt->easy, CURLINFO_STARTTRANSFER_TIME_T, &answer_us);
    (void)curl_easy_getinfo(attempt->easy, CURLINFO_PRIMARY_IP, &address);
    (void)curl_easy_getinfo(attempt->easy, CURLINFO_HTTP_CONNECTCODE, &connect_code);
    probe->connect_ms = (uint64_t)connect_us / 1000;
    probe->answer_ms = (uint64_t)answer_us / 1000;
    probe->proxied = connect_code != 0 || attempt->asked_proxy;
    (void)snprintf(probe->address, PROBE_ADDRESS_MAX, "%s", address == NULL ? "" : address);
}

/* For an operator to read: what is odd about a name matters where requests go by it. */
static bool looks_like_region(const char *name)
{
    return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static void take_answer(struct attempt *attempt)
{
    struct probe *const probe = attempt->probe;
    const struct http_headers *const headers = &attempt->headers;
    probe->status = headers->status;
    probe->has_date = headers->date_ms >= 0;
    probe->skew_ms = probe->has_date ? headers->date_ms - clock_wall_ms() : 0;
    if (looks_like_region(headers->bucket_region)) {
        memcpy(probe->bucket_region, headers->bucket_region, S3_REGION_MAX);
    }
    take_times(attempt);
}

static enum verdict try_once(const struct s3_options *options, const char *url, uint64_t timeout_ms,
                             struct probe *probe, struct err *e)
{
    struct attempt attempt = {.easy = handle_new(options), .probe = probe};
    attempt.headers.date_ms = -1;
    handle_set(curl_easy_setopt(attempt.easy, CURLOPT_URL, url));
    handle_set(curl_easy_setopt(attempt.easy, CURLOPT_NOBODY, 1L));
    handle_set(curl_easy_setopt(attempt.easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms));
    handle_set(curl_easy_setopt(attempt.easy, CURLOPT_HEADERFUNCTION, on_header));
    handle_set(curl_easy_setopt(attempt.easy, CURLOPT_HEADERDATA, &attempt));
    handle_set(curl_easy_setopt(attempt.easy, CURLOPT_WRITEFUNCTION, on_body));
    handle_set(curl_easy_setopt(attempt.easy, CURLOPT_ERRORBUFFER, attempt.curl_error));
    handle_set(curl_easy_setopt(attempt.easy, CURLOPT_DEBUGFUNCTION, on_debug));
    handle_set(curl_easy_setopt(attempt.easy, CURLOPT_DEBUGDATA, &attempt));
    handle_set(curl_easy_setopt(attempt.easy, CURLOPT_VERBOSE, 1L));
    const CURLcode code = curl_easy_perform(attempt.easy);
    enum verdict verdict = VERDICT_DONE;
    if (attempt.headers.status != 0) {
        take_answer(&attempt);
    } else if (code != CURLE_OK) {
        verdict = transport_judge(attempt.easy, code, attempt.curl_error, e);
        (void)err_wrap(e, "%s", probe->url);
    } else {
        (void)err_set(e, ERR_RETRY, "%s: the answer is no HTTP", probe->url);
        verdict = VERDICT_FAIL;
    }
    curl_easy_cleanup(attempt.easy);
    return verdict;
}

/* "host", "host:port" or "[v6]:port" of a Host header, without the port. */
static char *host_name(const char *host)
{
    if (host[0] == '[') {
        return xstrndup(host + 1, strcspn(host + 1, "]"));
    }
    return xstrndup(host, strcspn(host, ":"));
}

/* Only once curl has found the host: so the resolver is there, and answers at once. */
static void count_addresses(const char *host, struct probe *probe)
{
    autofree char *name = host_name(host);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(name, NULL, &hints, &found) != 0) {
        return;
    }
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        probe->addresses4 += at->ai_family == AF_INET ? 1 : 0;
        probe->addresses6 += at->ai_family == AF_INET6 ? 1 : 0;
    }
    freeaddrinfo(found);
}

static const struct endpoint *endpoint_now(struct s3_client *client)
{
    mutex_lock(&client->lock);
    const struct endpoint *const endpoint = client->endpoint; /* lives as long as the client */
    mutex_unlock(&client->lock);
    return endpoint;
}

/* A try after another while there is time for one. */
static enum verdict try_for(const struct s3_options *options, const char *url, uint64_t budget_ms,
                            struct probe *probe, struct err *e)
{
    const uint64_t begin_ms = clock_mono_ms();
    uint64_t left_ms = budget_ms == 0 ? TRY_MAX_MS : budget_ms;
    for (;;) {
        const uint64_t timeout_ms = left_ms < TRY_MAX_MS ? left_ms : TRY_MAX_MS;
        const enum verdict verdict = try_once(options, url, timeout_ms, probe, e);
        const uint64_t next_ms = clock_mono_ms() - begin_ms + PAUSE_MS;
        if (verdict != VERDICT_RETRY || next_ms >= budget_ms) {
            return verdict;
        }
        clock_sleep_ms(PAUSE_MS);
        left_ms = budget_ms - next_ms;
    }
}

int s3_probe(struct s3_client *client, uint64_t budget_ms, struct probe *ret, struct err *e)
{
    const struct endpoint *const endpoint = endpoint_now(client);
    ASSERT(strlen(endpoint->base) < PROBE_URL_MAX && strlen(endpoint->region) < S3_REGION_MAX);
    *ret = (struct probe){.url = ""};
    (void)snprintf(ret->url, PROBE_URL_MAX, "%s", endpoint->base); /* fits, as does the region */
    (void)snprintf(ret->region, S3_REGION_MAX, "%s", endpoint->region);
    autofree char *url =
        xasprintf("%s%s", endpoint->base, endpoint->path[0] == '\0' ? "/" : endpoint->path);
    if (try_for(&client->options, url, budget_ms, ret, e) != VERDICT_DONE) {
        return -1;
    }
    if (!ret->proxied) {
        count_addresses(endpoint->host, ret);
    }
    return 0;
}
