#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "s3/creds_file.h"
#include "s3/creds_http.h"
#include "s3/creds_json.h"

/*
 * A visit asks for a token, then for what it came for; nothing is kept between visits, because the
 * token (6 h) lives about as long as the credentials that it fetches. Version 1, without a token,
 * is never tried: an operator who switched it off would get somebody's forged answer instead.
 */

enum {
    TIMEOUT_S = 1, /* the service is on the host itself: a millisecond away, or nowhere */
    TIMEOUT_MAX_S = 60,
    TRIES = 5,
    CONNECT_TRIES = 2, /* a laptop's user waits for this */
    TRIES_MAX = 10,
    BACKOFF_MS = 100, /* then 200, 400, 800, and so on up to: */
    BACKOFF_MAX_MS = 1600,
    TOKEN_LINE_MAX = 1024, /* tokens have 56 characters today */
    ROLE_MAX = 64,         /* IAM's limit */
    REGION_MAX = 32,
};

static const char role_path[] = "/latest/meta-data/iam/security-credentials/";

struct visit {
    const struct creds_system *system;
    char endpoint[CREDS_ENDPOINT_MAX];
    struct creds_imds_limits limits;
    char token_line[TOKEN_LINE_MAX]; /* "": none yet */
    unsigned failed_tries;
    struct creds_http_answer answer;
};

static void visit_free(struct visit *visit)
{
    if (visit != NULL) {
        OPENSSL_cleanse(visit, sizeof(*visit));
        free(visit);
    }
}

static void cleanup_visit(struct visit **visit)
{
    visit_free(*visit);
}

#define auto_visit __attribute__((cleanup(cleanup_visit)))

/* Where it is unless an address is given; NULL with *e set for a mode that is none. */
static const char *find_default(const struct creds_system *system, const char *profile,
                                struct err *e)
{
    static const char name[] = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE";
    autofree char *mode = creds_shared_setting(system, profile, name, CREDS_PROPERTY_IMDS_MODE);
    /* The older setting counts only where there is no mode (botocore). */
    const bool is_ipv6 = mode != NULL ? strcasecmp(mode, "ipv6") == 0
                                      : creds_shared_is_true(system, profile, "AWS_IMDS_USE_IPV6",
                                                             CREDS_PROPERTY_IMDS_IPV6);
    if (mode != NULL && !is_ipv6 && strcasecmp(mode, "ipv4") != 0) {
        (void)err_set(e, ERR_CONFIG,
                      "instance metadata: %s, or the profile's setting, is '%.40s', neither IPv4 "
                      "nor IPv6",
                      name, mode);
        return NULL;
    }
    return is_ipv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
}

int creds_imds_endpoint(const struct creds_system *system, const char *profile,
                        char ret[CREDS_ENDPOINT_MAX], struct err *e)
{
    static const char name[] = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
    const char *endpoint = find_default(system, profile, e);
    if (endpoint == NULL) {
        return -1;
    }
    autofree char *given =
        creds_shared_setting(system, profile, name, CREDS_PROPERTY_IMDS_ENDPOINT);
    endpoint = given != NULL ? given : endpoint;
    size_t size = strlen(endpoint);
    while (size > 0 && endpoint[size - 1] == '/') {
        size--;
    }
    const bool is_http =
        strncmp(endpoint, "http://", 7) == 0 || strncmp(endpoint, "https://", 8) == 0;
    if (!is_http || size >= CREDS_ENDPOINT_MAX) {
        return err_set(e, ERR_CONFIG,
                       "instance metadata: %s, or the profile's setting, is no http:// address of "
                       "up to %d characters",
                       name, CREDS_ENDPOINT_MAX - 1);
    }
    (void)snprintf(ret, CREDS_ENDPOINT_MAX, "%.*s", (int)size, endpoint);
    return 0;
}

/* *ret stays when nobody says a number. */
static int read_number(const struct creds_system *system, const char *profile, const char *variable,
                       enum creds_property property, uint64_t most, uint64_t *ret, struct err *e)
{
    autofree char *text = creds_shared_setting(system, profile, variable, property);
    uint64_t number = *ret;
    if (text != NULL && (!parse_u64(text, strlen(text), &number) || number == 0 || number > most)) {
        return err_set(e, ERR_CONFIG,
                       "instance metadata: %s, or the profile's setting, is '%.40s', not a number "
                       "from 1 to %" PRIu64,
                       variable, text, most);
    }
    *ret = number;
    return 0;
}

int creds_imds_limits(const struct creds_system *system, const char *profile,
                      struct creds_imds_limits *ret, struct err *e)
{
    uint64_t timeout_s = TIMEOUT_S;
    uint64_t tries = 0;
    if (read_number(system, profile, "AWS_METADATA_SERVICE_TIMEOUT", CREDS_PROPERTY_IMDS_TIMEOUT,
                    TIMEOUT_MAX_S, &timeout_s, e) != 0 ||
        read_number(system, profile, "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
                    CREDS_PROPERTY_IMDS_ATTEMPTS, TRIES_MAX, &tries, e) != 0) {
        return -1;
    }
    /* In botocore the time is that of the connection, and then that of the answer. */
    *ret = (struct creds_imds_limits){
        .connect_ms = (long)timeout_s * 1000,
        .total_ms = system->imds_ms > 0 ? system->imds_ms : 2 * (long)timeout_s * 1000,
        .tries = tries > 0 ? (unsigned)tries : TRIES,
        .connect_tries = tries > 0 ? (unsigned)tries : CONNECT_TRIES,
    };
    return 0;
}

static struct visit *visit_new(const struct creds_system *system, const char *profile,
                               struct err *e)
{
    const char *disabled = creds_env(system, "AWS_EC2_METADATA_DISABLED");
    if (disabled != NULL && strcasecmp(disabled, "true") == 0) {
        (void)err_set(e, ERR_NOT_FOUND,
                      "instance metadata: switched off by AWS_EC2_METADATA_DISABLED");
        return NULL;
    }
    char endpoint[CREDS_ENDPOINT_MAX];
    struct creds_imds_limits limits;
    if (creds_imds_endpoint(system, profile, endpoint, e) != 0 ||
        creds_imds_limits(system, profile, &limits, e) != 0) {
        return NULL;
    }
    struct visit *visit = xcalloc(1, sizeof(*visit));
    visit->system = system;
    visit->limits = limits;
    memcpy(visit->endpoint, endpoint, sizeof(endpoint));
    return visit;
}

static int ask_once(struct visit *visit, bool is_put, const char *path, struct err *e)
{
    autofree char *url = xasprintf("%s%s", visit->endpoint, path);
    const char *header = is_put ? "X-aws-ec2-metadata-token-ttl-seconds: 21600" : visit->token_line;
    const struct creds_http_request request = {
        .url = url,
        .method = is_put ? "PUT" : "GET",
        .headers = &header,
        .header_count = 1,
        .connect_ms = visit->limits.connect_ms,
        .total_ms = visit->limits.total_ms,
    };
    if (creds_http_ask(&request, &visit->answer, e) != 0) {
        return err_wrap(e, "instance metadata");
    }
    const long status = visit->answer.status;
    if (status == 429 || status >= 500) {
        return err_set(e, ERR_RETRY, "instance metadata: %s answers %ld", visit->endpoint, status);
    }
    return 0;
}

static unsigned tries_of(const struct visit *visit, enum err_kind kind)
{
    if (kind == ERR_RETRY) {
        return visit->limits.tries;
    }
    return kind == ERR_NOT_FOUND ? visit->limits.connect_tries : 1;
}

/* The tries are the visit's, not the request's: so a visit is bounded by that many requests and
 * four quick answers. */
static int ask(struct visit *visit, bool is_put, const char *path, struct err *e)
{
    while (ask_once(visit, is_put, path, e) != 0) {
        if (visit->failed_tries + 1 >= tries_of(visit, e->kind)) {
            return -1;
        }
        ASSERT(visit->failed_tries < TRIES_MAX);
        const uint64_t pause_ms = (uint64_t)BACKOFF_MS << visit->failed_tries;
        visit->system->sleep_ms(visit->system->ctx,
                                pause_ms < BACKOFF_MAX_MS ? pause_ms : BACKOFF_MAX_MS);
        visit->failed_tries++;
    }
    return 0;
}

static void trim_end(struct creds_http_answer *answer)
{
    while (answer->size > 0 && strchr(" \t\r\n", answer->body[answer->size - 1]) != NULL) {
        answer->size--;
    }
    answer->body[answer->size] = '\0';
}

/* One line of visible characters, as tokens, roles and regions are. */
static bool is_word(const struct creds_http_answer *answer, size_t size_max)
{
    for (size_t i = 0; i < answer->size; i++) {
        if (answer->body[i] < '!' || answer->body[i] > '~') {
            return false;
        }
    }
    return answer->size > 0 && answer->size <= size_max;
}

static int fetch_token(struct visit *visit, struct err *e)
{
    static const char name[] = "X-aws-ec2-metadata-token: ";
    if (ask(visit, true, "/latest/api/token", e) != 0) {
        if (e->kind != ERR_RETRY || e->sys != ETIMEDOUT) {
            return -1;
        }
        /* Somebody is there, but the answer to the PUT gets lost: another run would not help. */
        e->kind = ERR_AUTH;
        return err_hint(e, "in a container raise the hop limit: aws ec2 "
                           "modify-instance-metadata-options --http-put-response-hop-limit 2 "
                           "--instance-id ...");
    }
    struct creds_http_answer *answer = &visit->answer;
    if (answer->status == 403) {
        return err_set(e, ERR_AUTH,
                       "instance metadata: switched off, or not for this process (403)");
    }
    trim_end(answer);
    if (answer->status != 200 || !is_word(answer, TOKEN_LINE_MAX - sizeof(name))) {
        return err_set(e, ERR_AUTH, "instance metadata: %s gives no IMDSv2 token (%ld)",
                       visit->endpoint, answer->status);
    }
    memcpy(visit->token_line, name, strlen(name));
    memcpy(visit->token_line + strlen(name), answer->body, answer->size + 1);
    return 0;
}

/* A GET with the token; one that is no longer known is replaced once. */
static int get(struct visit *visit, const char *path, struct err *e)
{
    if (visit->token_line[0] == '\0' && fetch_token(visit, e) != 0) {
        return -1;
    }
    if (ask(visit, false, path, e) != 0) {
        return -1;
    }
    if (visit->answer.status != 401) {
        return 0;
    }
    return fetch_token(visit, e) != 0 ? -1 : ask(visit, false, path, e);
}

static int refused(const char *what, long status, struct err *e)
{
    return err_set(e, ERR_AUTH, "instance metadata: asked for %s, it answers %ld", what, status);
}

/* A name of IAM's alphabet only, because it goes into a path. */
static int get_role(struct visit *visit, char ret_role[ROLE_MAX + 1], struct err *e)
{
    struct creds_http_answer *answer = &visit->answer;
    if (get(visit, role_path, e) != 0) {
        return -1;
    }
    if (answer->status == 404) {
        (void)err_set(e, ERR_NOT_FOUND, "instance metadata: this instance has no role");
        return err_hint(e, "attach an instance profile that may read the bucket");
    }
    trim_end(answer);
    if (answer->status != 200) {
        return refused("the role", answer->status, e);
    }
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=,.@-";
    if (!is_word(answer, ROLE_MAX) || strspn(answer->body, alphabet) != answer->size) {
        return err_set(e, ERR_AUTH, "instance metadata: %s answers with no role's name",
                       visit->endpoint);
    }
    memcpy(ret_role, answer->body, answer->size + 1);
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

/* The document of the role that there is: another one may be attached between the two questions,
 * and then the first is not found. */
static int get_document(struct visit *visit, char ret_role[ROLE_MAX + 1], struct err *e)
{
    for (unsigned tries = 1;; tries++) {
        if (get_role(visit, ret_role, e) != 0) {
            return -1;
        }
        autofree char *path = xasprintf("%s%s", role_path, ret_role);
        if (get(visit, path, e) != 0) {
            return -1;
        }
        const long status = visit->answer.status;
        if (status == 200) {
            return 0;
        }
        if (status != 404 || tries == 2) {
            return refused("credentials", status, e);
        }
    }
}

int creds_imds_read(const struct creds_system *system, const char *profile, struct creds_value *ret,
                    struct err *e)
{
    ASSERT(system != NULL && ret != NULL);
    auto_visit struct visit *visit = visit_new(system, profile, e);
    char role[ROLE_MAX + 1];
    if (visit == NULL || get_document(visit, role, e) != 0 ||
        creds_imds_parse(visit->answer.body, visit->answer.size, ret, e) != 0) {
        return -1;
    }
    (void)snprintf(ret->source, sizeof(ret->source), "instance role '%.40s'", role);
    return 0;
}

char *creds_imds_region(const struct creds_system *system, const char *profile)
{
    ASSERT(system != NULL);
    struct err ignored = ERR_INIT; /* the caller does without, and creds_get tells it */
    auto_visit struct visit *visit = visit_new(system, profile, &ignored);
    if (visit == NULL || get(visit, "/latest/meta-data/placement/region", &ignored) != 0) {
        return NULL;
    }
    struct creds_http_answer *answer = &visit->answer;
    trim_end(answer);
    /* It becomes a part of a host's name. */
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    const bool is_region = answer->status == 200 && is_word(answer, REGION_MAX) &&
                           strspn(answer->body, alphabet) == answer->size;
    return is_region ? xstrdup(answer->body) : NULL;
}

/* What may be missing. Other answers than 200 are for the caller to refuse. */
static int get_if_there(struct visit *visit, const char *path, const char *what, struct err *e)
{
    if (visit == NULL || get(visit, path, e) != 0) {
        return -1;
    }
    return visit->answer.status != 404
               ? 0
               : err_set(e, ERR_NOT_FOUND, "instance metadata: there is no %s", what);
}

int creds_imds_text(const struct creds_system *system, const char *profile, const char *path,
                    struct buf *ret, struct err *e)
{
    ASSERT(system != NULL && path != NULL && path[0] == '/');
    auto_visit struct visit *visit = visit_new(system, profile, e);
    const char *what = strrchr(path, '/') + 1;
    if (get_if_there(visit, path, what, e) != 0) {
        return -1;
    }
    const struct creds_http_answer *answer = &visit->answer;
    if (answer->status != 200) {
        return refused(what, answer->status, e);
    }
    buf_clear(ret);
    return buf_append(ret, answer->body, answer->size)
               ? 0
               : err_set(e, ERR_LIMIT, "instance metadata: %s has %zu bytes", what, answer->size);
}

int creds_imds_word(const struct creds_system *system, const char *profile, const char *path,
                    char ret[CREDS_METADATA_SIZE], struct err *e)
{
    ASSERT(system != NULL && path != NULL);
    auto_visit struct visit *visit = visit_new(system, profile, e);
    autofree char *whole = xasprintf("/latest/meta-data/%s", path);
    if (get_if_there(visit, whole, path, e) != 0) {
        return -1;
    }
    struct creds_http_answer *answer = &visit->answer;
    trim_end(answer);
    if (answer->status != 200 || !is_word(answer, CREDS_METADATA_SIZE - 1)) {
        return refused(path, answer->status, e);
    }
    memcpy(ret, answer->body, answer->size + 1);
    return 0;
}
