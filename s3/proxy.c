#include "s3/proxy.h"

#include <string.h>

enum { PROXY_NAME_MAX = 128 };

static const char *find(bool tls)
{
    static const char *const NAMES[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    const char *found = tls ? NULL : getenv("http_proxy");
    for (size_t i = tls ? 0 : 2; i < ARRAY_SIZE(NAMES) && found == NULL; i++) {
        found = getenv(NAMES[i]);
    }
    return found == NULL ? "" : found;
}

/* That of the environment, without user and password; "": none. Only libcurl knows whether the host
 * is in no_proxy. */
static void proxy_name(bool tls, char ret[PROXY_NAME_MAX])
{
    const char *url = find(tls);
    const char *const scheme_end = strstr(url, "://");
    url = scheme_end == NULL ? url : scheme_end + 3;
    /* A password that was not encoded may have any of these in it: so the last '@' counts. */
    const char *const user_end = strrchr(url, '@');
    url = user_end == NULL ? url : user_end + 1;
    (void)snprintf(ret, PROXY_NAME_MAX, "%.*s", (int)strcspn(url, "/?#"), url);
}

static int word_login(const char *name, struct err *e)
{
    (void)err_set(e, ERR_AUTH, "proxy %s: wants a user and a password, or others (407)", name);
    return err_hint(e, "put them into the proxy's URL: http://USER:PASSWORD@HOST:PORT");
}

/* The answer to a CONNECT that was none of 2xx. */
static enum verdict judge_connect(long status, const char *name, struct err *e)
{
    if (status == 407) {
        (void)word_login(name, e);
        return VERDICT_FAIL;
    }
    if (status >= 400 && status < 500) {
        (void)err_set(e, ERR_CONFIG, "proxy %s: does not let us through (%ld)", name, status);
        (void)err_hint(e, "allow the store's host at the proxy, or name it in no_proxy");
        return VERDICT_FAIL;
    }
    (void)err_set(e, ERR_RETRY, "proxy %s: cannot reach the store (%ld)", name, status);
    (void)err_hint(e, "check the proxy, or name the store's host in no_proxy");
    return VERDICT_RETRY;
}

/* libcurl names whom it could not connect to: "Failed to connect to HOST port PORT ...". */
static bool is_about(const char *words, const char *name)
{
    char host[PROXY_NAME_MAX];
    const char *const port = strrchr(name, ':');
    const size_t size = port == NULL ? strlen(name) : (size_t)(port - name);
    (void)snprintf(host, sizeof(host), "%.*s port %s", (int)size, name,
                   port == NULL ? "" : port + 1);
    return strstr(words, host) != NULL;
}

enum verdict proxy_judge(CURL *easy, CURLcode code, const char *words, struct err *e)
{
    ASSERT(code != CURLE_OK);
    char *url = NULL;
    (void)curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
    char name[PROXY_NAME_MAX];
    proxy_name(url != NULL && strncmp(url, "https:", 6) == 0, name);
    if (name[0] == '\0') {
        return VERDICT_DONE;
    }
    long status = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status);
    if (status >= 300) {
        return judge_connect(status, name, e);
    }
    /* Under more than one code, and with the whole URL in libcurl's words. */
    if (strncmp(words, "Unsupported proxy", 17) == 0) {
        (void)err_set(e, ERR_CONFIG, "proxy %s: its URL is malformed, or of an unknown kind", name);
        (void)err_hint(e, "check the proxy's variable in the environment");
        return VERDICT_FAIL;
    }
    const char *why = NULL;
    if (code == CURLE_COULDNT_RESOLVE_PROXY) {
        why = "its name cannot be resolved";
    } else if (code == CURLE_COULDNT_CONNECT && is_about(words, name)) {
        why = "cannot be connected to";
    } else if (code == CURLE_PROXY || strncmp(words, "Proxy CONNECT", 13) == 0) {
        why = "breaks off or gives no answer";
    }
    if (why == NULL) {
        return VERDICT_DONE;
    }
    (void)err_set(e, ERR_RETRY, "proxy %s: %s", name, why);
    (void)err_hint(e, "check the proxy, or name the store's host in no_proxy");
    return VERDICT_RETRY;
}

void proxy_doubt(int status, struct err *e)
{
    char name[PROXY_NAME_MAX];
    proxy_name(false, name);
    if (name[0] == '\0') {
        return;
    }
    if (status == 407) {
        (void)word_login(name, e);
    } else if (status == 403 || (status >= 502 && status <= 504)) {
        (void)err_hint(e,
                       "if that is the answer of the proxy %s: check it, or name the store's "
                       "host in no_proxy",
                       name);
    }
}
