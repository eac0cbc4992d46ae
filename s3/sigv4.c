#include "s3/sigv4.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "agent/base/parse.h"
#include "s3/uri.h"

enum {
    STAMP_SIZE = sizeof("20130524T000000Z"),
    DATE_SIZE = sizeof("20130524"),
    HEX_SIZE = 2 * SIGV4_KEY_SIZE + 1,
    SCOPE_SIZE = DATE_SIZE + 2 * SIGV4_SCOPE_MAX + sizeof("/aws4_request"),
    /* A key of 1 KiB encoded, a query and a token of some KiB: well under, so hitting it is a bug
       or an attack. */
    CANONICAL_MAX = 64 * 1024,
};

static const char algorithm[] = "AWS4-HMAC-SHA256";

void sigv4_key_cache_wipe(struct sigv4_key_cache *cache)
{
    OPENSSL_cleanse(cache, sizeof(*cache));
}

static void hmac(const void *key, size_t key_size, const char *text, uint8_t ret[SIGV4_KEY_SIZE])
{
    unsigned size = 0;
    ASSERT(key_size <= INT32_MAX);
    const uint8_t *mac =
        HMAC(EVP_sha256(), key, (int)key_size, (const uint8_t *)text, strlen(text), ret, &size);
    ASSERT(mac != NULL && size == SIGV4_KEY_SIZE);
}

static void sha256_hex(struct slice bytes, char ret[HEX_SIZE])
{
    uint8_t digest[SIGV4_KEY_SIZE];
    unsigned size = 0;
    const int done = EVP_Digest(bytes.data, bytes.size, digest, &size, EVP_sha256(), NULL);
    ASSERT(done == 1 && size == sizeof(digest));
    format_hex(digest, sizeof(digest), ret);
}

static int compare_pairs(const void *a, const void *b)
{
    const struct sigv4_pair *x = a;
    const struct sigv4_pair *y = b;
    const int by_name = strcmp(x->name, y->name);
    return by_name != 0 ? by_name : strcmp(x->value, y->value);
}

static int too_long(struct err *e)
{
    return err_set(e, ERR_LIMIT, "signing a request: it is longer than %d bytes", CANONICAL_MAX);
}

static int format_stamp(int64_t now_ms, char ret[STAMP_SIZE], struct err *e)
{
    const int64_t day_s = INT64_C(24) * 60 * 60;
    const int64_t now_s = now_ms / 1000;
    if (now_ms < 0 || now_s / day_s >= days_from_civil(10000, 1, 1)) {
        return err_set(e, ERR_CONFIG,
                       "signing a request: the clock is outside of the years 1970-9999");
    }
    int64_t year;
    unsigned month;
    unsigned day;
    civil_from_days(now_s / day_s, &year, &month, &day);
    const unsigned s = (unsigned)(now_s % day_s);
    /* The masks tell the compiler what the check above has shown. */
    const int size = snprintf(ret, STAMP_SIZE, "%04u%02u%02uT%02u%02u%02uZ", (unsigned)year % 10000,
                              month % 100, day % 100, s / 3600 % 100, s / 60 % 60, s % 60);
    ASSERT(size == STAMP_SIZE - 1);
    return 0;
}

static bool encode_pairs(const struct sigv4_pair *pairs, size_t count, struct buf *ret_text)
{
    for (size_t i = 0; i < count; i++) {
        if (!uri_encode_query(pairs[i].name, ret_text) || !buf_append_char(ret_text, '\0') ||
            !uri_encode_query(pairs[i].value, ret_text) || !buf_append_char(ret_text, '\0')) {
            return false;
        }
    }
    return true;
}

/* Sorted by encoded name, then by encoded value: sorting "name=value" as one text would put "a-b"
 * before "a", because '-' is less than '='. */
static int canonical_query(const struct sigv4_request *request, struct buf *out, struct err *e)
{
    ASSERT(request->query_count <= SIGV4_PAIRS_MAX);
    autobuf struct buf text = BUF_INIT(CANONICAL_MAX);
    if (!encode_pairs(request->query, request->query_count, &text)) {
        return too_long(e);
    }
    struct sigv4_pair pairs[SIGV4_PAIRS_MAX];
    const char *at = buf_str(&text);
    for (size_t i = 0; i < request->query_count; i++) {
        pairs[i].name = at;
        pairs[i].value = at + strlen(at) + 1;
        at = pairs[i].value + strlen(pairs[i].value) + 1;
    }
    qsort(pairs, request->query_count, sizeof(pairs[0]), compare_pairs);
    for (size_t i = 0; i < request->query_count; i++) {
        buf_appendf(out, "%s%s=%s", i == 0 ? "" : "&", pairs[i].name, pairs[i].value);
    }
    return out->overflowed ? too_long(e) : 0;
}

/* Spaces at both ends fall away and runs of them become one, as the verifier will see it. */
static void append_value(const char *value, struct buf *out)
{
    const size_t size_before = out->size;
    bool space = false;
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == ' ') {
            space = out->size > size_before;
            continue;
        }
        if (space) {
            buf_append_char(out, ' ');
            space = false;
        }
        buf_append_char(out, *at);
    }
}

static int check_value(const struct sigv4_pair *header, struct err *e)
{
    for (const char *at = header->value; *at != '\0'; at++) {
        if ((uint8_t)*at < 0x20 || *at == 0x7f) {
            return err_set(e, ERR_CONFIG,
                           "signing a request: header %s: it has a control character",
                           header->name);
        }
    }
    return 0;
}

struct signed_headers {
    struct sigv4_pair pairs[SIGV4_PAIRS_MAX];
    size_t count;
    char body_hash[HEX_SIZE];
};

static void add_header(struct signed_headers *headers, const char *name, const char *value)
{
    ASSERT(headers->count < SIGV4_PAIRS_MAX);
    ASSERT(name != NULL && value != NULL);
    headers->pairs[headers->count++] = (struct sigv4_pair){.name = name, .value = value};
}

static int collect_headers(const struct sigv4_request *request, const char *stamp,
                           struct signed_headers *ret, struct err *e)
{
    ret->count = 0;
    sha256_hex(request->body, ret->body_hash);
    for (size_t i = 0; i < request->header_count; i++) {
        add_header(ret, request->headers[i].name, request->headers[i].value);
    }
    add_header(ret, "host", request->host);
    add_header(ret, "x-amz-date", stamp);
    add_header(ret, "x-amz-content-sha256", ret->body_hash);
    if (request->creds->token[0] != '\0') {
        add_header(ret, "x-amz-security-token", request->creds->token);
    }
    qsort(ret->pairs, ret->count, sizeof(ret->pairs[0]), compare_pairs);
    for (size_t i = 0; i < ret->count; i++) {
        ASSERT(i == 0 || strcmp(ret->pairs[i - 1].name, ret->pairs[i].name) != 0);
        if (check_value(&ret->pairs[i], e) != 0) {
            return -1;
        }
    }
    return 0;
}

/* The appenders leave it to buf.overflowed to tell that something did not fit. */
static void append_names(const struct signed_headers *headers, struct buf *out)
{
    for (size_t i = 0; i < headers->count; i++) {
        buf_appendf(out, "%s%s", i == 0 ? "" : ";", headers->pairs[i].name);
    }
}

static void append_canonical(const struct sigv4_request *request, const char *query,
                             const struct signed_headers *headers, struct buf *out)
{
    buf_appendf(out, "%s\n%s\n%s\n", request->method, request->path, query);
    for (size_t i = 0; i < headers->count; i++) {
        buf_appendf(out, "%s:", headers->pairs[i].name);
        append_value(headers->pairs[i].value, out);
        buf_append_char(out, '\n');
    }
    buf_append_char(out, '\n');
    append_names(headers, out);
    buf_appendf(out, "\n%s", headers->body_hash);
}

static void derive_key(struct sigv4_key_cache *cache)
{
    char start[sizeof("AWS4") + CREDS_SECRET_MAX];
    const int size = snprintf(start, sizeof(start), "AWS4%s", cache->secret);
    ASSERT(size > 4 && (size_t)size < sizeof(start));
    hmac(start, (size_t)size, cache->date, cache->key);
    hmac(cache->key, SIGV4_KEY_SIZE, cache->region, cache->key);
    hmac(cache->key, SIGV4_KEY_SIZE, cache->service, cache->key);
    hmac(cache->key, SIGV4_KEY_SIZE, "aws4_request", cache->key);
    OPENSSL_cleanse(start, sizeof(start));
}

static bool cache_holds(const struct sigv4_key_cache *cache, const struct sigv4_request *request,
                        const char *date)
{
    return strcmp(cache->date, date) == 0 && strcmp(cache->region, request->region) == 0 &&
           strcmp(cache->service, request->service) == 0 &&
           strcmp(cache->secret, request->creds->secret) == 0;
}

static void cache_fill(struct sigv4_key_cache *cache, const struct sigv4_request *request,
                       const char *date)
{
    if (cache_holds(cache, request, date)) {
        return;
    }
    (void)snprintf(cache->date, sizeof(cache->date), "%s", date);
    (void)snprintf(cache->region, sizeof(cache->region), "%s", request->region);
    (void)snprintf(cache->service, sizeof(cache->service), "%s", request->service);
    (void)snprintf(cache->secret, sizeof(cache->secret), "%s", request->creds->secret);
    derive_key(cache);
}

static void sign_text(const struct sigv4_request *request, struct sigv4_key_cache *cache,
                      const char *date, const char *text, char ret[HEX_SIZE])
{
    struct sigv4_key_cache own = {.date = ""};
    struct sigv4_key_cache *used = cache != NULL ? cache : &own;
    cache_fill(used, request, date);
    uint8_t mac[SIGV4_KEY_SIZE];
    hmac(used->key, sizeof(used->key), text, mac);
    format_hex(mac, sizeof(mac), ret);
    sigv4_key_cache_wipe(&own);
}

static void compute_signature(const struct sigv4_request *request, struct sigv4_key_cache *cache,
                              const char *stamp, const struct buf *canonical,
                              char ret_scope[SCOPE_SIZE], char ret_signature[HEX_SIZE])
{
    char date[DATE_SIZE];
    (void)snprintf(date, sizeof(date), "%.8s", stamp);
    const int scope_size = snprintf(ret_scope, SCOPE_SIZE, "%s/%s/%s/aws4_request", date,
                                    request->region, request->service);
    ASSERT(scope_size > 0 && scope_size < SCOPE_SIZE);

    char hash[HEX_SIZE];
    sha256_hex(slice_of(buf_str(canonical), canonical->size), hash);
    char text[sizeof(algorithm) + STAMP_SIZE + SCOPE_SIZE + HEX_SIZE];
    const int text_size =
        snprintf(text, sizeof(text), "%s\n%s\n%s\n%s", algorithm, stamp, ret_scope, hash);
    ASSERT(text_size > 0 && (size_t)text_size < sizeof(text));
    sign_text(request, cache, date, text, ret_signature);
}

static void append_lines(const struct sigv4_request *request, const char *stamp, const char *scope,
                         const struct signed_headers *headers, const char *signature,
                         struct buf *out)
{
    const struct creds_value *creds = request->creds;
    buf_appendf(out, "x-amz-date: %s\nx-amz-content-sha256: %s\n", stamp, headers->body_hash);
    if (creds->token[0] != '\0') {
        buf_appendf(out, "x-amz-security-token: %s\n", creds->token);
    }
    buf_appendf(out, "authorization: %s Credential=%s/%s, SignedHeaders=", algorithm, creds->id,
                scope);
    append_names(headers, out);
    buf_appendf(out, ", Signature=%s\n", signature);
}

int sigv4_sign(const struct sigv4_request *request, struct sigv4_key_cache *cache,
               struct buf *ret_query, struct buf *ret_headers, struct err *e)
{
    ASSERT(request->path[0] == '/' && request->host[0] != '\0');
    ASSERT(request->creds != NULL && request->creds->id[0] != '\0');
    ASSERT(request->creds->secret[0] != '\0');
    if (strlen(request->region) >= SIGV4_SCOPE_MAX || strlen(request->service) >= SIGV4_SCOPE_MAX) {
        return err_set(e, ERR_LIMIT, "signing a request: the region's name is too long");
    }
    char stamp[STAMP_SIZE];
    struct signed_headers headers;
    autobuf struct buf query = BUF_INIT(CANONICAL_MAX);
    if (format_stamp(request->now_ms, stamp, e) != 0 ||
        collect_headers(request, stamp, &headers, e) != 0 ||
        canonical_query(request, &query, e) != 0) {
        return -1;
    }
    autobuf struct buf canonical = BUF_INIT(CANONICAL_MAX);
    append_canonical(request, buf_str(&query), &headers, &canonical);
    if (canonical.overflowed) {
        return too_long(e);
    }
    char scope[SCOPE_SIZE];
    char signature[HEX_SIZE];
    compute_signature(request, cache, stamp, &canonical, scope, signature);

    autobuf struct buf lines = BUF_INIT(CANONICAL_MAX);
    append_lines(request, stamp, scope, &headers, signature, &lines);
    if (lines.overflowed || query.size > ret_query->size_max - ret_query->size ||
        !buf_append(ret_headers, buf_str(&lines), lines.size)) {
        return too_long(e);
    }
    const bool fits = buf_append(ret_query, buf_str(&query), query.size);
    ASSERT(fits); /* room was checked before the first output changed */
    return 0;
}
