#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "s3/creds_http.h"
#include "s3/creds_json.h"
#include "s3/creds_provider.h"

/*
 * The agent of ECS or the pod identity agent of EKS, as botocore asks them (utils.py,
 * ContainerMetadataFetcher): the same time-outs and tries. Whoever can set the variables could have
 * the token sent anywhere, so over plain http only the agents' addresses and this host are asked.
 */

enum {
    CONNECT_MS = 2000,
    REQUEST_MS = 2000,
    TRIES = 3,
    PAUSE_MS = 1000,
    TOKEN_MAX = 16 * 1024, /* those of EKS have some 1.5 KiB */
};

static const char relative_name[] = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
static const char full_name[] = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
static const char token_file_name[] = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
static const char token_name[] = "AWS_CONTAINER_AUTHORIZATION_TOKEN";

struct visit {
    const struct creds_system *system;
    char *url; /* owned */
    char header[sizeof("Authorization: ") + TOKEN_MAX];
    struct creds_http_answer answer;
};

static void free_visit(struct visit **visit)
{
    free((*visit)->url);
    OPENSSL_cleanse(*visit, sizeof(**visit));
    free(*visit);
}

#define auto_visit __attribute__((cleanup(free_visit)))

static void cleanup_url(CURLU **url)
{
    curl_url_cleanup(*url);
}

static void cleanup_part(char **part)
{
    curl_free(*part);
}

#define auto_url __attribute__((cleanup(cleanup_url)))
#define auto_part __attribute__((cleanup(cleanup_part)))

/* "localhost" is botocore's too, which does not look what it means either. */
static bool is_allowed_host(const char *host)
{
    static const char *const names[] = {"localhost", "169.254.170.2", "169.254.170.23",
                                        "[fd00:ec2::23]", "[::1]"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcasecmp(host, names[i]) == 0) {
            return true;
        }
    }
    struct in_addr address;
    return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

/* libcurl cuts the URL, as it will when it asks: two readings of one URL are what tricks live on.
 */
static bool is_allowed(const char *text)
{
    auto_url CURLU *url = curl_url();
    ASSERT(url != NULL); /* it fails only without memory */
    auto_part char *scheme = NULL;
    auto_part char *host = NULL;
    if (curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
        return false;
    }
    return strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && is_allowed_host(host));
}

/* NULL: neither variable is set. The caller frees. */
static char *find_url(const struct creds_system *system, const char **ret_variable)
{
    const char *relative = creds_env(system, relative_name);
    const char *full = creds_env(system, full_name);
    if (relative != NULL) {
        *ret_variable = relative_name;
        /* Without the '/' it could go on with the host's name. */
        return relative[0] == '/' ? xasprintf("http://169.254.170.2%s", relative) : xstrdup("");
    }
    *ret_variable = full_name;
    return full == NULL ? NULL : xstrdup(full);
}

static int refuse_url(const char *variable, struct err *e)
{
    if (variable == relative_name) {
        return err_set(e, ERR_CONFIG, "container: %s is no path that begins with '/'", variable);
    }
    (void)err_set(e, ERR_CONFIG, "container: %s is not an address that may be asked", variable);
    return err_hint(e, "https://, or http:// to this host, 169.254.170.2, 169.254.170.23 or "
                       "[fd00:ec2::23], without a user");
}

static int read_token_file(const char *path, char ret[TOKEN_MAX + 1], struct err *e)
{
    autofd const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    size_t size = 0;
    while (fd >= 0 && size <= TOKEN_MAX) {
        const ssize_t n = read(fd, ret + size, TOKEN_MAX + 1 - size);
        if (n == 0) {
            ret[size] = '\0';
            return 0;
        }
        if (n > 0) {
            size += (size_t)n;
        } else if (errno != EINTR) {
            break;
        }
    }
    if (size > TOKEN_MAX) {
        return err_set(e, ERR_CONFIG, "container: the token in '%.200s' has more than %d bytes",
                       path, TOKEN_MAX);
    }
    return err_set_sys(e, ERR_CONFIG, errno, "container: reading the token '%.200s'", path);
}

/* "" when there is none to send. The file is read each time: it is replaced while we run. */
static int make_header(struct visit *visit, struct err *e)
{
    static const char name[] = "Authorization: ";
    char *token = visit->header + strlen(name);
    const char *path = creds_env(visit->system, token_file_name);
    const char *given = creds_env(visit->system, token_name);
    if (path == NULL && given == NULL) {
        return 0;
    }
    const char *variable = path != NULL ? token_file_name : token_name;
    if (path != NULL) {
        if (read_token_file(path, token, e) != 0) {
            return -1;
        }
    } else if (strlen(given) > TOKEN_MAX) {
        return err_set(e, ERR_CONFIG, "container: %s has more than %d bytes", variable, TOKEN_MAX);
    } else {
        memcpy(token, given, strlen(given) + 1);
    }
    for (const char *c = token; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~') {
            return err_set(e, ERR_CONFIG,
                           "container: %s: the token has a line end, or another character that no "
                           "header may have",
                           variable);
        }
    }
    if (token[0] == '\0') {
        return err_set(e, ERR_CONFIG, "container: %s: the token is empty", variable);
    }
    memcpy(visit->header, name, strlen(name));
    return 0;
}

static int ask_once(struct visit *visit, struct err *e)
{
    const char *const headers[] = {"Accept: application/json", visit->header};
    const struct creds_http_request request = {
        .url = visit->url,
        .method = "GET",
        .headers = headers,
        .header_count = visit->header[0] == '\0' ? 1 : 2,
        .connect_ms = CONNECT_MS,
        .total_ms = visit->system->imds_ms > 0 ? visit->system->imds_ms : REQUEST_MS,
    };
    if (creds_http_ask(&request, &visit->answer, e) != 0) {
        return err_wrap(e, "container");
    }
    const long status = visit->answer.status;
    if (status == 200) {
        return 0;
    }
    (void)err_set(e, status == 429 || status >= 500 ? ERR_RETRY : ERR_AUTH,
                  "container: asked for credentials, it answers %ld", status);
    e->http = (int)status;
    return err_hint(e, "check the role of the task or of the pod, and %s",
                    visit->header[0] == '\0' ? token_file_name : "the token's age");
}

/* A connection that is refused is tried again too: the agent may be just starting. */
static int ask(struct visit *visit, struct err *e)
{
    for (unsigned tries = 1; ask_once(visit, e) != 0; tries++) {
        const bool may_help = e->kind == ERR_RETRY || e->kind == ERR_NOT_FOUND;
        if (!may_help || tries >= TRIES) {
            /* Never "not found": who named an agent does not mean the instance's role. */
            e->kind = e->kind == ERR_NOT_FOUND ? ERR_RETRY : e->kind;
            return -1;
        }
        visit->system->sleep_ms(visit->system->ctx, PAUSE_MS);
    }
    return 0;
}

int creds_container_parse(char *text, size_t size, struct creds_value *ret, struct err *e)
{
    enum { ID, SECRET, TOKEN, EXPIRATION, FIELDS };
    struct creds_json_field fields[FIELDS] = {[ID] = {.name = "AccessKeyId"},
                                              [SECRET] = {.name = "SecretAccessKey"},
                                              [TOKEN] = {.name = "Token"},
                                              [EXPIRATION] = {.name = "Expiration"}};
    if (creds_json_read(text, size, fields, FIELDS, e) != 0) {
        return err_wrap(e, "container: the credentials");
    }
    for (size_t i = 0; i < FIELDS; i++) {
        if (fields[i].value == NULL) {
            return err_set(e, ERR_CORRUPT, "container: the credentials have no %s", fields[i].name);
        }
    }
    int64_t expires_ms = 0;
    if (!parse_time_ms(fields[EXPIRATION].value, &expires_ms) || expires_ms <= 0) {
        return err_set(e, ERR_CORRUPT, "container: the credentials' Expiration is no time");
    }
    return creds_value_set(ret, "container role", fields[ID].value, fields[SECRET].value,
                           fields[TOKEN].value, expires_ms, e);
}

int creds_container_read(const struct creds_system *system, struct creds_value *ret, struct err *e)
{
    ASSERT(system != NULL && ret != NULL);
    const char *variable = NULL;
    auto_visit struct visit *visit = xcalloc(1, sizeof(*visit));
    visit->system = system;
    visit->url = find_url(system, &variable);
    if (visit->url == NULL) {
        return err_set(e, ERR_NOT_FOUND, "container: %s is not set", full_name);
    }
    if (!is_allowed(visit->url)) {
        return refuse_url(variable, e);
    }
    if (make_header(visit, e) != 0 || ask(visit, e) != 0) {
        return -1;
    }
    return creds_container_parse(visit->answer.body, visit->answer.size, ret, e);
}
