#include <curl/curl.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "s3/creds_json.h"
#include "s3/creds_provider.h"

/*
 * A visit asks for a token, then for what it came for; nothing is kept between visits, because the
 * token (6 h) lives about as long as the credentials that it fetches. Version 1, without a token,
 * is never tried: an operator who switched it off would get somebody's forged answer instead.
 */

enum {
    CONNECT_MS = 1000, /* the service is on the host itself: a millisecond away, or nowhere */
    REQUEST_MS = 2000,
    TRIES = 5,         /* of a visit, that fail: the service throttles and is late at boot */
    CONNECT_TRIES = 2, /* off EC2 nobody answers, and a laptop's user waits for this */
    BACKOFF_MS = 100,  /* then 200, 400, 800 */
    BODY_MAX = 64 * 1024,
    TOKEN_LINE_MAX = 1024, /* tokens have 56 characters today */
    ROLE_MAX = 64,         /* IAM's limit */
    REGION_MAX = 32,
};

static const char role_path[] = "/latest/meta-data/iam/security-credentials/";

struct visit {
    const struct creds_system *system;
    CURL *curl;
    char endpoint[CREDS_ENDPOINT_MAX];
    char token_line[TOKEN_LINE_MAX]; /* "": none yet */
    unsigned failed_tries;
    size_t body_size;
    bool body_too_long;
    char body[BODY_MAX + 1]; /* fixed, because a buffer that grows leaves secrets behind */
};

static void visit_free(struct visit *visit)
{
    if (visit != NULL) {
        curl_easy_cleanup(visit->curl);
        OPENSSL_cleanse(visit, sizeof(*visit));
        free(visit);
    }
}

static void cleanup_visit(struct visit **visit)
{
    visit_free(*visit);
}

static void cleanup_headers(struct curl_slist **headers)
{
    curl_slist_free_all(*headers);
}

#define auto_visit __attribute__((cleanup(cleanup_visit)))
#define auto_headers __attribute__((cleanup(cleanup_headers)))

int creds_imds_endpoint(const struct creds_system *system, char ret[CREDS_ENDPOINT_MAX],
                        struct err *e)
{
    const char *mode = creds_env(system, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    const bool is_ipv6 = mode != NULL && strcasecmp(mode, "ipv6") == 0;
    if (mode != NULL && !is_ipv6 && strcasecmp(mode, "ipv4") != 0) {
        return err_set(e, ERR_CONFIG,
                       "instance metadata: AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is '%.40s', "
                       "neither IPv4 nor IPv6",
                       mode);
    }
    const char *endpoint = creds_env(system, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    if (endpoint == NULL) {
        endpoint = is_ipv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
    }
    size_t size = strlen(endpoint);
    while (size > 0 && endpoint[size - 1] == '/') {
        size--;
    }
    const bool is_http =
        strncmp(endpoint, "http://", 7) == 0 || strncmp(endpoint, "https://", 8) == 0;
    if (!is_http || size >= CREDS_ENDPOINT_MAX) {
        return err_set(e, ERR_CONFIG,
                       "instance metadata: AWS_EC2_METADATA_SERVICE_ENDPOINT is no http:// address "
                       "of up to %d characters",
                       CREDS_ENDPOINT_MAX - 1);
    }
    (void)snprintf(ret, CREDS_ENDPOINT_MAX, "%.*s", (int)size, endpoint);
    return 0;
}

static struct visit *visit_new(const struct creds_system *system, struct err *e)
{
    const char *disabled = creds_env(system, "AWS_EC2_METADATA_DISABLED");
    if (disabled != NULL && strcasecmp(disabled, "true") == 0) {
        (void)err_set(e, ERR_NOT_FOUND,
                      "instance metadata: switched off by AWS_EC2_METADATA_DISABLED");
        return NULL;
    }
    char endpoint[CREDS_ENDPOINT_MAX];
    if (creds_imds_endpoint(system, endpoint, e) != 0) {
        return NULL;
    }
    struct visit *visit = xcalloc(1, sizeof(*visit));
    visit->system = system;
    memcpy(visit->endpoint, endpoint, sizeof(endpoint));
    visit->curl = curl_easy_init();
    ASSERT(visit->curl != NULL); /* it fails for want of memory only */
    return visit;
}

static size_t take_body(char *data, size_t size, size_t count, void *ctx)
{
    struct visit *visit = ctx;
    ASSERT(size == 1); /* libcurl says so */
    if (count > BODY_MAX - visit->body_size) {
        visit->body_too_long = true;
        return 0;
    }
    memcpy(visit->body + visit->body_size, data, count);
    visit->body_size += count;
    visit->body[visit->body_size] = '\0';
    return count;
}

static size_t send_nothing(char *data, size_t size, size_t count, void *ctx)
{
    (void)data;
    (void)size;
    (void)count;
    (void)ctx;
    return 0;
}

static long request_ms(const struct creds_system *system)
{
    return system->imds_ms > 0 ? system->imds_ms : REQUEST_MS;
}

static void set_options(struct visit *visit, bool is_put, const char *url,
                        struct curl_slist *headers)
{
    CURL *curl = visit->curl;
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    /* A proxy would be asked for its own instance's role. */
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, request_ms(visit->system));
    /* One connection each, so that the connect time tells whether anybody was there. */
    curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, visit);
    if (is_put) {
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)0);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, send_nothing);
    }
}

/* The kind decides: ERR_RETRY is tried again, ERR_NOT_FOUND (nobody there) a little. */
static int word_failure(struct visit *visit, CURLcode code, struct err *e)
{
    const char *endpoint = visit->endpoint;
    if (visit->body_too_long) {
        return err_set(e, ERR_LIMIT, "instance metadata: %s answers with more than %d bytes",
                       endpoint, BODY_MAX);
    }
    curl_off_t connect_us = 0;
    (void)curl_easy_getinfo(visit->curl, CURLINFO_CONNECT_TIME_T, &connect_us);
    const bool has_connected = connect_us > 0;
    if (code == CURLE_OPERATION_TIMEDOUT) {
        (void)err_set(e, has_connected ? ERR_RETRY : ERR_NOT_FOUND,
                      "instance metadata: no %s %s within %ld ms",
                      has_connected ? "answer from" : "connection to", endpoint,
                      has_connected ? request_ms(visit->system) : CONNECT_MS);
        e->sys = ETIMEDOUT;
        return -1;
    }
    return err_set(e, has_connected ? ERR_RETRY : ERR_NOT_FOUND, "instance metadata: %s: %s",
                   endpoint, curl_easy_strerror(code));
}

static int ask_once(struct visit *visit, bool is_put, const char *path, long *ret_status,
                    struct err *e)
{
    autofree char *url = xasprintf("%s%s", visit->endpoint, path);
    auto_headers struct curl_slist *headers = curl_slist_append(
        NULL, is_put ? "X-aws-ec2-metadata-token-ttl-seconds: 21600" : visit->token_line);
    ASSERT(headers != NULL);
    set_options(visit, is_put, url, headers);
    visit->body_size = 0;
    visit->body[0] = '\0';
    visit->body_too_long = false;
    const CURLcode code = curl_easy_perform(visit->curl);
    if (code != CURLE_OK) {
        return word_failure(visit, code, e);
    }
    long status = 0;
    (void)curl_easy_getinfo(visit->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status == 429 || status >= 500) {
        return err_set(e, ERR_RETRY, "instance metadata: %s answers %ld", visit->endpoint, status);
    }
    *ret_status = status;
    return 0;
}

static unsigned tries_of(enum err_kind kind)
{
    if (kind == ERR_RETRY) {
        return TRIES;
    }
    return kind == ERR_NOT_FOUND ? CONNECT_TRIES : 1;
}

/* The tries are the visit's, not the request's: so a visit is bounded by TRIES * REQUEST_MS and
 * four quick answers. */
static int ask(struct visit *visit, bool is_put, const char *path, long *ret_status, struct err *e)
{
    while (ask_once(visit, is_put, path, ret_status, e) != 0) {
        if (visit->failed_tries + 1 >= tries_of(e->kind)) {
            return -1;
        }
        ASSERT(visit->failed_tries < TRIES);
        visit->system->sleep_ms(visit->system->ctx, (uint64_t)BACKOFF_MS << visit->failed_tries);
        visit->failed_tries++;
    }
    return 0;
}

static void trim_end(struct visit *visit)
{
    while (visit->body_size > 0 && strchr(" \t\r\n", visit->body[visit->body_size - 1]) != NULL) {
        visit->body_size--;
    }
    visit->body[visit->body_size] = '\0';
}

/* One line of visible characters, as tokens, roles and regions are. */
static bool is_word(const struct visit *visit, size_t size_max)
{
    for (size_t i = 0; i < visit->body_size; i++) {
        if (visit->body[i] < '!' || visit->body[i] > '~') {
            return false;
        }
    }
    return visit->body_size > 0 && visit->body_size <= size_max;
}

static int fetch_token(struct visit *visit, struct err *e)
{
    static const char name[] = "X-aws-ec2-metadata-token: ";
    long status = 0;
    if (ask(visit, true, "/latest/api/token", &status, e) != 0) {
        /* Somebody is there, but the answer to the PUT gets lost. */
        return e->kind == ERR_RETRY && e->sys == ETIMEDOUT
                   ? err_hint(e, "in a container raise the hop limit: aws ec2 "
                                 "modify-instance-metadata-options --http-put-response-hop-limit 2 "
                                 "--instance-id ...")
                   : -1;
    }
    if (status == 403) {
        return err_set(e, ERR_AUTH,
                       "instance metadata: switched off, or not for this process (403)");
    }
    trim_end(visit);
    if (status != 200 || !is_word(visit, TOKEN_LINE_MAX - sizeof(name))) {
        return err_set(e, ERR_AUTH, "instance metadata: %s gives no IMDSv2 token (%ld)",
                       visit->endpoint, status);
    }
    memcpy(visit->token_line, name, strlen(name));
    memcpy(visit->token_line + strlen(name), visit->body, visit->body_size + 1);
    return 0;
}

/* A GET with the token; one that is no longer known is replaced once. */
static int get(struct visit *visit, const char *path, long *ret_status, struct err *e)
{
    if (visit->token_line[0] == '\0' && fetch_token(visit, e) != 0) {
        return -1;
    }
    long status = 0;
    if (ask(visit, false, path, &status, e) != 0) {
        return -1;
    }
    if (status == 401 && (fetch_token(visit, e) != 0 || ask(visit, false, path, &status, e) != 0)) {
        return -1;
    }
    *ret_status = status;
    return 0;
}

static int refused(const char *what, long status, struct err *e)
{
    return err_set(e, ERR_AUTH, "instance metadata: asked for %s, it answers %ld", what, status);
}

/* A name of IAM's alphabet only, because it goes into a path. */
static int get_role(struct visit *visit, char ret_role[ROLE_MAX + 1], struct err *e)
{
    long status = 0;
    if (get(visit, role_path, &status, e) != 0) {
        return -1;
    }
    if (status == 404) {
        (void)err_set(e, ERR_NOT_FOUND, "instance metadata: this instance has no role");
        return err_hint(e, "attach an instance profile that may read the bucket");
    }
    trim_end(visit);
    if (status != 200) {
        return refused("the role", status, e);
    }
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=,.@-";
    if (!is_word(visit, ROLE_MAX) || strspn(visit->body, alphabet) != visit->body_size) {
        return err_set(e, ERR_AUTH, "instance metadata: %s answers with no role's name",
                       visit->endpoint);
    }
    memcpy(ret_role, visit->body, visit->body_size + 1);
    return 0;
}

int creds_imds_parse(char *text, size_t size, struct creds_value *ret, struct err *e)
{
    enum { CODE, MESSAGE, ID, SECRET, TOKEN, EXPIRATION, FIELDS };
    struct creds_json_field fields[FIELDS] = {
        [CODE] = {.name = "Code"},      [MESSAGE] = {.name = "Message"},
        [ID] = {.name = "AccessKeyId"}, [SECRET] = {.name = "SecretAccessKey"},
        [TOKEN] = {.name = "Token"},    [EXPIRATION] = {.name = "Expiration"},
    };
    if (creds_json_read(text, size, fields, FIELDS, e) != 0) {
        return err_wrap(e, "instance metadata: the credentials");
    }
    const char *code = fields[CODE].value;
    if (code == NULL || strcmp(code, "Success") != 0) {
        const char *message = fields[MESSAGE].value;
        return err_set(e, ERR_AUTH,
                       "instance metadata: the role gives no credentials: %.80s%s%.200s",
                       code == NULL ? "no code" : code, message == NULL ? "" : ": ",
                       message == NULL ? "" : message);
    }
    int64_t expires_ms = 0;
    if (fields[ID].value == NULL || fields[SECRET].value == NULL || fields[TOKEN].value == NULL ||
        fields[EXPIRATION].value == NULL || !parse_time_ms(fields[EXPIRATION].value, &expires_ms) ||
        expires_ms <= 0) {
        return err_set(e, ERR_CORRUPT, "instance metadata: the credentials: a part is missing");
    }
    return creds_value_set(ret, "instance metadata", fields[ID].value, fields[SECRET].value,
                           fields[TOKEN].value, expires_ms, e);
}

int creds_imds_read(const struct creds_system *system, struct creds_value *ret, struct err *e)
{
    ASSERT(system != NULL && ret != NULL);
    auto_visit struct visit *visit = visit_new(system, e);
    char role[ROLE_MAX + 1];
    if (visit == NULL || get_role(visit, role, e) != 0) {
        return -1;
    }
    autofree char *path = xasprintf("%s%s", role_path, role);
    long status = 0;
    if (get(visit, path, &status, e) != 0) {
        return -1;
    }
    if (status != 200) {
        return refused("credentials", status, e);
    }
    if (creds_imds_parse(visit->body, visit->body_size, ret, e) != 0) {
        return -1;
    }
    (void)snprintf(ret->source, sizeof(ret->source), "instance role '%.40s'", role);
    return 0;
}

char *creds_imds_region(const struct creds_system *system)
{
    ASSERT(system != NULL);
    struct err ignored = ERR_INIT; /* the caller does without, and creds_get tells it */
    auto_visit struct visit *visit = visit_new(system, &ignored);
    long status = 0;
    if (visit == NULL || get(visit, "/latest/meta-data/placement/region", &status, &ignored) != 0) {
        return NULL;
    }
    trim_end(visit);
    /* It becomes a part of a host's name. */
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    const bool is_region = status == 200 && is_word(visit, REGION_MAX) &&
                           strspn(visit->body, alphabet) == visit->body_size;
    return is_region ? xstrdup(visit->body) : NULL;
}
