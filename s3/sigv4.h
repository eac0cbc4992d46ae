/*
 * sigv4: AWS Signature Version 4 for requests without a body, or with a small one.
 *
 *     request ──▶ canonical query, sorted ──▶ canonical request ──▶ signature ──▶ header lines
 *
 * The path is signed as it is, encoded once and not normalised: that is S3's rule, where a key may
 * hold "//" or "..". Other services sign it normalised and encoded once more: of them only paths
 * may be asked that neither changes, such as the "/" of STS. x-amz-content-sha256, which only S3
 * demands, is sent to all.
 *
 * Sent and signed are the same bytes: the caller puts the returned query and headers on the wire as
 * they are. Pure: the time comes in with the request. Any thread; a key cache has one user at a
 * time.
 */
#ifndef PENATES_S3_SIGV4_H
#define PENATES_S3_SIGV4_H

#include "agent/base/buf.h"
#include "agent/base/err.h"
#include "s3/creds.h"

enum {
    SIGV4_PAIRS_MAX =
        32, /* query pairs, and headers with those added here; S3 calls use under 12 */
    SIGV4_SCOPE_MAX = 64, /* a region or service name; the longest region has 16 characters */
    SIGV4_KEY_SIZE = 32,  /* SHA-256 */
};

struct sigv4_pair {
    const char *name;
    const char *value;
};

struct sigv4_request {
    const char *method;             /* "GET" */
    const char *host;               /* as in the Host header, with the port when it is sent */
    const char *path;               /* from '/' on, encoded, as sent */
    const struct sigv4_pair *query; /* not encoded, any order */
    size_t query_count;
    const struct sigv4_pair *headers; /* lower-case names, without host; every one is signed */
    size_t header_count;
    struct slice body; /* signed by its hash; empty: none */
    const char *region;
    const char *service; /* "s3" */
    const struct creds_value *creds;
    int64_t now_ms; /* since 1970, already repaired for the server's clock */
};

/* The signing key of a day, region and secret, kept so that a request costs one HMAC, not five.
 * Zero it before first use; it is as secret as the key: wipe it with sigv4_key_cache_wipe. */
struct sigv4_key_cache {
    char date[9]; /* yyyyMMdd, "": nothing cached */
    char region[SIGV4_SCOPE_MAX];
    char service[SIGV4_SCOPE_MAX];
    char secret[CREDS_SECRET_MAX]; /* not the id: a corrected secret keeps its id */
    uint8_t key[SIGV4_KEY_SIZE];
};

void sigv4_key_cache_wipe(struct sigv4_key_cache *cache);

/*
 * Appends to ret_query the encoded canonical query, to be sent as is ("" when there is none), and
 * to ret_headers lines "name: value\n": x-amz-date, x-amz-content-sha256, x-amz-security-token
 * (with a session token only), authorization. These lines are secret. Fails with ERR_LIMIT when
 * something is longer than its bound, and with ERR_CONFIG on a control character in a header value.
 */
int sigv4_sign(const struct sigv4_request *request, struct sigv4_key_cache *cache,
               struct buf *ret_query, struct buf *ret_headers, struct err *e) MUST_CHECK;

#endif
