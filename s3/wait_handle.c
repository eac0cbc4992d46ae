#include "s3/wait_handle.h"

#include <curl/curl.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "agent/base/mem.h"
#include "s3/creds_http.h"
#include "s3/error_xml.h"

enum {
    CONNECT_MS = 5 * 1000,
    REQUEST_MS = 20 * 1000,
    PROBE_MS = 5 * 1000, /* "100 Continue" takes one round trip where it comes at all */
};

bool wait_handle_is_url(const char *url)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?[]!$&'()*+,;=%";
    const size_t size = strlen(url);
    const size_t scheme = strncmp(url, "https://", 8) == 0  ? 8
                          : strncmp(url, "http://", 7) == 0 ? 7
                                                            : 0;
    return scheme > 0 && size <= WAIT_HANDLE_URL_MAX && strcspn(url + scheme, "/?") > 0 &&
           strchr(url, '?') != NULL && strspn(url, alphabet) == size;
}

void wait_handle_bucket(const char *url, char ret[WAIT_HANDLE_BUCKET_MAX])
{
    static const char prefix[] = "cloudformation-waitcondition-";
    ret[0] = '\0';
    const char *at = strstr(url, prefix);
    const char *query = strchr(url, '?');
    const size_t size = at == NULL ? 0 : strcspn(at, "./?");
    /* First in the host or in the path, so that nothing of the rest gets out. */
    if (size > 0 && size < WAIT_HANDLE_BUCKET_MAX && at[-1] == '/' &&
        (query == NULL || at < query)) {
        (void)snprintf(ret, WAIT_HANDLE_BUCKET_MAX, "%.*s", (int)size, at);
    }
}

static int hint_way(const struct wait_handle *handle, struct err *e)
{
    char bucket[WAIT_HANDLE_BUCKET_MAX];
    wait_handle_bucket(handle->url, bucket);
    return err_hint(e,
                    "a private subnet reaches it by an S3 gateway endpoint, whose policy has to "
                    "allow s3:PutObject on arn:aws:s3:::%s/*",
                    bucket[0] == '\0' ? "cloudformation-waitcondition-REGION" : bucket);
}

/* S3 quotes what was signed in some answers: its words are looked at, and only its code is told. */
static int word_refusal(const struct wait_handle *handle, const struct creds_http_answer *answer,
                        struct err *e)
{
    struct error_xml error = {.code = ""};
    const bool has_error = error_xml_parse(slice_of(answer->body, answer->size), &error);
    const long status = answer->status;
    const char *const code = error.code;
    const bool expired = strcmp(code, "ExpiredToken") == 0 ||
                         (strcmp(code, "AccessDenied") == 0 && strstr(error.message, "expired"));
    if (expired) {
        (void)err_set(e, ERR_NOT_FOUND, "wait condition: its URL has expired: %ld %s", status,
                      code);
        (void)err_hint(e, "nothing has to be done unless the stack is being created still: then "
                          "give it a new handle");
    } else if (status >= 500 || status == 429 || status == 408 ||
               strcmp(code, "RequestTimeout") == 0) {
        (void)err_set(e, ERR_RETRY, "wait condition: S3 is in trouble: %ld %s", status, code);
    } else if (strcmp(code, "AccessDenied") == 0) {
        (void)err_set(e, ERR_AUTH, "wait condition: not allowed: %ld %s", status, code);
        (void)hint_way(handle, e);
    } else {
        (void)err_set(e, ERR_CONFIG, "wait condition: refused: %ld %s", status,
                      has_error ? code : "without an error document");
        (void)err_hint(e, "check that --wait-handle is the whole URL that Ref of the "
                          "WaitConditionHandle gives, and what is between here and S3");
    }
    e->http = (int)status;
    return -1;
}

static int word_unreached(const struct wait_handle *handle, struct err *e)
{
    if (e->kind == ERR_NOT_FOUND) {
        e->kind = ERR_RETRY;
    }
    if (e->kind == ERR_RETRY) {
        (void)hint_way(handle, e);
    }
    return err_wrap(e, "wait condition");
}

static int ask(const struct wait_handle *handle, const char *body, bool announces,
               struct creds_http_answer *ret, struct err *e)
{
    ASSERT(wait_handle_is_url(handle->url) && body[0] != '\0');
    const struct creds_http_request request = {
        .url = handle->url,
        .method = "PUT",
        .body = body,
        .reach = announces ? CREDS_HTTP_ANNOUNCE : CREDS_HTTP_WHOLE,
        .through_proxy = true,
        .ca_file = handle->ca_file,
        .connect_ms = CONNECT_MS,
        .total_ms = announces ? PROBE_MS : REQUEST_MS,
    };
    const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT); /* counted */
    ASSERT(code == CURLE_OK);
    const int rc = creds_http_ask(&request, ret, e);
    curl_global_cleanup();
    return rc;
}

/* Of an object that was put S3 says nothing; a portal has a page for everybody. */
static int judge(const struct wait_handle *handle, const struct creds_http_answer *answer,
                 struct err *e)
{
    if (answer->status != 200) {
        return word_refusal(handle, answer, e);
    }
    if (answer->size == 0) {
        return 0;
    }
    (void)err_set(e, ERR_CONFIG, "wait condition: who answers is not S3");
    return err_hint(e, "look for a proxy or a portal in between");
}

int wait_handle_put(const struct wait_handle *handle, const char *body, struct err *e)
{
    autofree struct creds_http_answer *answer = xcalloc(1, sizeof(*answer));
    const int rc = ask(handle, body, false, answer, e) != 0 ? word_unreached(handle, e)
                                                            : judge(handle, answer, e);
    creds_http_wipe(answer);
    return rc;
}

int wait_handle_probe(const struct wait_handle *handle, enum wait_handle_state *ret, struct err *e)
{
    autofree struct creds_http_answer *answer = xcalloc(1, sizeof(*answer));
    int rc = ask(handle, "{}", true, answer, e);
    if (rc == 0 && answer->status == 100) {
        *ret = WAIT_HANDLE_OPEN;
    } else if (rc == 0) {
        rc = answer->status == 200 ? 0 : word_refusal(handle, answer, e);
        *ret = WAIT_HANDLE_REACHED;
    } else if (e->kind == ERR_RETRY && e->sys == ETIMEDOUT) {
        *ret = WAIT_HANDLE_REACHED; /* a proxy or a server that knows no announcements */
        rc = 0;
    } else {
        rc = word_unreached(handle, e);
    }
    creds_http_wipe(answer);
    return rc;
}
