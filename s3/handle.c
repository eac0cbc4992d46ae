#include "s3/handle.h"

#include <string.h>

#include "agent/base/err.h"

enum {
    CONNECT_TIMEOUT_MS = 10000,
    /* Connections are not kept for ever, so that the load follows S3's changing addresses. */
    CONNECTION_LIFE_S = 300,
    KEEPALIVE_S = 30,
    /* Receive buffers. 512 KiB costs a third less CPU than 128 KiB over plain HTTP, and the same
     * over TLS (measured); with many connections all of them together stay at 8 MiB, within the
     * fixed share of memory. */
    BUFFER_MAX = 512 * 1024,
    BUFFER_MIN = 16 * 1024,
    BUFFERS_TOTAL = 8 * 1024 * 1024,
};

static long buffer_size(const struct s3_options *options)
{
    const long share = (long)(BUFFERS_TOTAL / options->connections);
    /* A limited flow is read in small sips: each is paid for before the next. */
    if (options->bandwidth > 0 || share < BUFFER_MIN) {
        return BUFFER_MIN;
    }
    return share > BUFFER_MAX ? BUFFER_MAX : share;
}

static void set_network(CURL *easy, const struct s3_options *options, bool tls)
{
    const long buffer = buffer_size(options);
    handle_set(curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L));
    handle_set(curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, buffer));
    handle_set(curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS));
    handle_set(curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L));
    handle_set(curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S));
    /* Addresses are shuffled when they enter the cache, so a long cache sends every connection to
     * one address of the many that S3 names (libcurl 7.88, hostip.c). */
    (void)curl_easy_setopt(easy, CURLOPT_DNS_SHUFFLE_ADDRESSES, 1L);
    handle_set(curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 1L));
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
        if (options->ca_file != NULL) {
            handle_set(curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_file));
        }
    }
}

static void set_http(CURL *easy)
{
    /* HTTP/2 would put all requests on one connection, with a window of its own. */
    handle_set(curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1));
    handle_set(curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L));
    handle_set(curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L));
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
