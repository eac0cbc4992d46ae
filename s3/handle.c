#include "s3/handle.h"

#include <string.h>

#include "agent/base/err.h"
#include "s3/ca_bundle.h"

enum {
    CONNECT_TIMEOUT_MS = 10000,
    /* Connections are not kept for ever, so that the load follows S3's changing addresses. */
    CONNECTION_LIFE_S = 300,
    KEEPALIVE_S = 30,
    /* Receive buffers. 512 KiB costs a third less CPU than 128 KiB over plain HTTP, and the same
     * over TLS (measured). curl allocates one for each try: a sixteenth of what that is to bring,
     * so that all together are a fixed share of the memory for what is in flight. */
    BUFFER_MAX = 512 * 1024,
    BUFFER_MIN = 16 * 1024,
    BUFFER_SHARE = 16,
};

void handle_set_buffer(CURL *easy, const struct s3_options *options, uint64_t body_size)
{
    /* A limited flow is read in small sips: each is paid for before the next. */
    const uint64_t most = options->bandwidth > 0 ? BUFFER_MIN : BUFFER_MAX;
    const uint64_t share = body_size / BUFFER_SHARE;
    const uint64_t size = share < BUFFER_MIN ? BUFFER_MIN : share > most ? most : share;
    /* Refused while curl still has the buffer of a try that never got a connection: that one serves
     * as well. */
    (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)size);
}

static void set_network(CURL *easy, const struct s3_options *options, bool tls)
{
    handle_set(curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L));
    handle_set(curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS));
    handle_set(curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L));
    handle_set(curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S));
    /* Short, so that later connections go elsewhere than the first ones: see names.h. */
    (void)curl_easy_setopt(easy, CURLOPT_DNS_SHUFFLE_ADDRESSES, 1L);
    handle_set(curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 1L));
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A try that is cut while its name is looked up leaves that thread to itself. Without this, and
     * always before 7.87, curl waits for it, and all requests of the net thread wait, too. */
    handle_set(curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L));
#endif
#if LIBCURL_VERSION_NUM >= 0x075000
    handle_set(curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, (long)CONNECTION_LIFE_S));
#endif
#if LIBCURL_VERSION_NUM >= 0x075500
    handle_set(curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, tls ? "https" : "http"));
#else
    handle_set(
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(tls ? CURLPROTO_HTTPS : CURLPROTO_HTTP)));
#endif
    if (tls) {
        handle_set(curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L));
        handle_set(curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L));
        handle_set(curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2));
        const char *const ca_file = options->ca_file != NULL ? options->ca_file : ca_bundle_find();
        if (ca_file != NULL) {
            handle_set(curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file));
        }
    }
}

static void set_http(CURL *easy)
{
    /* HTTP/2 would put all requests on one connection, with a window of its own. */
    handle_set(curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1));
    handle_set(curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L));
    handle_set(curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L));
    /* What a proxy says to CONNECT is no word of the store's. */
    handle_set(curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L));
    handle_set(curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L));
    handle_set(curl_easy_setopt(easy, CURLOPT_USERAGENT, "penates"));
}

CURL *handle_new(const struct s3_options *options)
{
    CURL *easy = curl_easy_init();
    ASSERT(easy != NULL); /* fails only without memory */
    const char *const endpoint = options->endpoint;
    set_network(easy, options, endpoint == NULL || strncmp(endpoint, "https:", 6) == 0);
    set_http(easy);
    return easy;
}
