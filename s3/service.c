#include "s3/service.h"

#include <string.h>

#include "agent/base/mem.h"
#include "s3/partition.h"
#include "s3/settings.h"
#include "s3/sigv4.h"
#include "s3/uri.h"

enum {
    REGION_MAX = 32, /* the longest today has 16 characters */
    DOMAIN_MAX = 64,
    HOST_MAX = 300, /* a name of 255 and a port */
    HEADERS_MAX = 32 * 1024,
    HEADER_COUNT_MAX = 8,
    SKEW_MS = 4 * 60 * 1000, /* the SDKs' */
};

static const char region_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char domain_alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
static const char url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/[]";
static const char form_type[] = "application/x-www-form-urlencoded; charset=utf-8";

/* "https://host[:port][/path]", for the signature. */
static int split_url(struct service *service, struct err *e)
{
    const char *url = service->url;
    const size_t scheme_size = strncmp(url, "http://", 7) == 0 ? 7 : 8;
    const char *host = url + scheme_size;
    const size_t size = strcspn(host, "/");
    if ((scheme_size == 8 && strncmp(url, "https://", 8) != 0) || size == 0 || size > HOST_MAX ||
        strspn(url, url_alphabet) != strlen(url)) {
        return err_set(e, ERR_CONFIG,
                       "the endpoint of %s (%s, AWS_ENDPOINT_URL or the profile's endpoint_url) is "
                       "no https://HOST[:PORT][/PATH]",
                       service->name->title, service->name->variable);
    }
    service->host = xstrndup(host, size);
    service->path = host[size] == '/' ? host + size : "/";
    return 0;
}

static bool is_word(const char *text, const char *alphabet, size_t size_max)
{
    const size_t size = strlen(text);
    return size > 0 && size <= size_max && strspn(text, alphabet) == size;
}

static char *make_url(const struct service *service, const struct service_wish *wish)
{
    const struct partition *const partition = partition_of_region(service->region);
    const bool has_domain =
        wish->domain != NULL && is_word(wish->domain, domain_alphabet, DOMAIN_MAX);
    /* In GovCloud the usual endpoints are FIPS's, and no others have names (botocore's rules). */
    const bool is_fips_already = !wish->dualstack && strcmp(partition->id, "aws-us-gov") == 0;
    return xasprintf("https://%s%s.%s.%s", service->name->id,
                     wish->fips && !is_fips_already ? "-fips" : "", service->region,
                     wish->dualstack ? partition->dualstack_suffix
                     : has_domain    ? wish->domain
                                     : partition->dns_suffix);
}

int service_find(const struct service_name *name, const struct creds_system *system,
                 const struct service_wish *wish, struct service *ret, struct err *e)
{
    ASSERT(name != NULL && system != NULL);
    *ret = (struct service){.name = name};
    char *region =
        wish->region != NULL ? xstrdup(wish->region) : creds_find_region(system, wish->profile);
    ret->region = region != NULL ? region : xstrdup("us-east-1");
    if (!is_word(ret->region, region_alphabet, REGION_MAX)) {
        return err_set(e, ERR_CONFIG, "region '%.64s': not a region's name", ret->region);
    }
    ret->url = settings_endpoint(system, wish->profile, name->variable);
    if (ret->url == NULL) {
        ret->url = make_url(ret, wish);
    }
    return split_url(ret, e);
}

void service_done(struct service *service)
{
    free(service->region);
    free(service->url);
    free(service->host);
    *service = (struct service){.name = NULL};
}

bool service_add_field(struct buf *form, const char *name, const char *value)
{
    return buf_appendf(form, "%s%s=", form->size == 0 ? "" : "&", name) &&
           uri_encode_query(value, form);
}

static int sign(const struct service *service, const struct service_form *form, struct buf *headers,
                struct err *e)
{
    const struct sigv4_pair pairs[] = {{"content-type", form_type}};
    const struct sigv4_request request = {
        .method = "POST",
        .host = service->host,
        .path = service->path,
        .headers = pairs,
        .header_count = ARRAY_SIZE(pairs),
        .body = slice_of(buf_str(form->body), form->body->size),
        .region = service->region,
        .service = service->name->id,
        .creds = form->caller,
        .now_ms = form->now_ms,
    };
    struct buf query = BUF_INIT(1); /* there is none */
    const int rc = sigv4_sign(&request, NULL, &query, headers, e);
    buf_done(&query);
    return rc;
}

/* Cuts the lines apart in place. */
static size_t list_lines(struct buf *text, const char *ret[HEADER_COUNT_MAX])
{
    size_t count = 0;
    for (char *line = text->size == 0 ? NULL : text->data; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        ASSERT(count < HEADER_COUNT_MAX && end != NULL);
        *end = '\0';
        ret[count++] = line;
        line = end + 1;
    }
    return count;
}

static int send_form(const struct service *service, const struct service_form *form,
                     struct buf *headers, struct creds_http_answer *ret, struct err *e)
{
    /* The Host line is ours, so that the same host is sent and signed whatever port it names. */
    const bool fits =
        buf_appendf(headers, "content-type: %s\nhost: %s\n", form_type, service->host);
    ASSERT(fits);
    if (form->caller != NULL && sign(service, form, headers, e) != 0) {
        return -1;
    }
    const char *lines[HEADER_COUNT_MAX];
    const struct creds_http_request request = {
        .url = service->url,
        .method = "POST",
        .headers = lines,
        .header_count = list_lines(headers, lines),
        .body = buf_str(form->body),
        .through_proxy = true,
        .ca_file = form->ca_file,
        .connect_ms = SERVICE_CONNECT_MS,
        .total_ms = SERVICE_REQUEST_MS,
    };
    return creds_http_ask(&request, ret, e);
}

bool service_skew(const struct creds_http_answer *answer, int64_t now_ms, int64_t *ret_ms)
{
    const int64_t skew_ms = answer->date_ms - now_ms;
    if (answer->date_ms < 0 || (skew_ms > -SKEW_MS && skew_ms < SKEW_MS)) {
        return false;
    }
    *ret_ms = skew_ms;
    return true;
}

int service_post(const struct service *service, const struct service_form *form,
                 struct creds_http_answer *ret, struct err *e)
{
    struct buf headers = buf_whole(HEADERS_MAX); /* secret */
    const int rc = send_form(service, form, &headers, ret, e);
    buf_wipe(&headers);
    return rc;
}
