#include "s3/endpoint.h"

#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "s3/bucket.h"
#include "s3/partition.h"
#include "s3/s3.h"

enum { HOST_MAX = 255 }; /* RFC 1035, 2.3.4 */

/* A custom endpoint, taken apart. Slices of the option. */
struct endpoint_url {
    bool tls;
    const char *host;
    size_t host_size;
    const char *port; /* with its colon; size 0: none, or the scheme's own */
    size_t port_size;
    const char *path;
    size_t path_size;
};

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_word(char c)
{
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

static bool consists_of(const char *text, size_t size, const char *extra)
{
    for (size_t i = 0; i < size; i++) {
        if (!is_word(text[i]) && strchr(extra, text[i]) == NULL) {
            return false;
        }
    }
    return true;
}

static bool region_is_valid(const char *region)
{
    const size_t size = strlen(region);
    return size > 0 && size < S3_REGION_MAX && consists_of(region, size, "");
}

/* Fit to be a label of a host name that the certificate "*.s3.REGION.amazonaws.com" covers: so no
 * dots either. */
static bool fits_host(const char *text)
{
    const size_t size = strlen(text);
    for (size_t i = 0; i < size; i++) {
        if (!is_lower_or_digit(text[i]) && text[i] != '-') {
            return false;
        }
    }
    return size > 0 && text[0] != '-' && text[size - 1] != '-';
}

static int check_aws(const struct endpoint_options *options, const char *region, struct err *e)
{
    if (!fits_host(region)) {
        return err_set(e, ERR_CONFIG, "region '%s': not a region of AWS", region);
    }
    /* "fips-us-east-1", "aws-global": how old tools spell an endpoint. */
    if (strncmp(region, "fips-", 5) == 0 || strstr(region, "-fips") != NULL ||
        strstr(region, "-global") != NULL) {
        (void)err_set(e, ERR_CONFIG, "region '%s': names no one region", region);
        return err_hint(e, "give the region itself, such as us-east-1, and --fips where it is "
                           "wanted");
    }
    if (options->fips && partition_of_region(region)->no_fips) {
        return err_set(e, ERR_CONFIG, "region '%s': has no FIPS endpoints", region);
    }
    return 0;
}

static int fill_aws(struct endpoint *endpoint, const struct endpoint_options *options,
                    const struct bucket *bucket, struct err *e)
{
    const char *const region = endpoint->region;
    const bool is_point = bucket->point_region[0] != '\0';
    if (check_aws(options, region, e) != 0) {
        return -1;
    }
    const bool in_path = !is_point && (options->path_style || !fits_host(bucket->name));
    endpoint->host = xasprintf("%s%s%s%s%s.%s.%s", in_path ? "" : bucket->name, in_path ? "" : ".",
                               is_point ? "s3-accesspoint" : "s3", options->fips ? "-fips" : "",
                               options->dualstack ? ".dualstack" : "", region,
                               partition_of_region(region)->dns_suffix);
    endpoint->base = xasprintf("https://%s", endpoint->host);
    endpoint->path = in_path ? xasprintf("/%s", bucket->name) : xstrdup("");
    return 0;
}

/* host, [v6] or v4, with an optional port. */
static bool split_authority(const char *text, size_t size, struct endpoint_url *url)
{
    const char *const end = text + size;
    const char *host_end = memchr(text, ':', size);
    if (size > 0 && text[0] == '[') {
        const char *close = memchr(text, ']', size);
        if (close == NULL || close == text + 1 ||
            !consists_of(text + 1, (size_t)(close - text) - 1, ":.")) {
            return false;
        }
        host_end = close + 1;
    } else {
        host_end = host_end == NULL ? end : host_end;
        if (!consists_of(text, (size_t)(host_end - text), ".")) {
            return false;
        }
    }
    url->host = text;
    url->host_size = (size_t)(host_end - text);
    if (url->host_size == 0 || url->host_size > HOST_MAX) {
        return false;
    }
    if (host_end == end) {
        return true;
    }
    uint64_t port = 0;
    if (*host_end != ':' || !parse_u64(host_end + 1, (size_t)(end - host_end) - 1, &port) ||
        port == 0 || port > UINT16_MAX) {
        return false;
    }
    /* curl leaves the scheme's own port out of the Host header, and so must the signature. */
    if (port != (url->tls ? 443 : 80)) {
        url->port = host_end;
        url->port_size = (size_t)(end - host_end);
    }
    return true;
}

static bool split_url(const char *text, struct endpoint_url *url)
{
    *url = (struct endpoint_url){.port = "", .path = ""};
    if (strncmp(text, "https://", 8) == 0) {
        url->tls = true;
        text += 8;
    } else if (strncmp(text, "http://", 7) == 0) {
        text += 7;
    } else {
        return false;
    }
    const size_t authority = strcspn(text, "/");
    url->path = text + authority;
    url->path_size = strlen(url->path);
    while (url->path_size > 0 && url->path[url->path_size - 1] == '/') {
        url->path_size--;
    }
    return consists_of(url->path, url->path_size, "/.~") && split_authority(text, authority, url);
}

/* An address, or a name of one label such as "localhost": no bucket can be put in front of it. */
static bool host_takes_no_bucket(const struct endpoint_url *url)
{
    if (url->host[0] == '[' || memchr(url->host, '.', url->host_size) == NULL) {
        return true;
    }
    for (size_t i = 0; i < url->host_size; i++) {
        if (url->host[i] != '.' && (url->host[i] < '0' || url->host[i] > '9')) {
            return false;
        }
    }
    return true;
}

static int fill_custom(struct endpoint *endpoint, const struct endpoint_options *options,
                       const struct bucket *bucket, struct err *e)
{
    struct endpoint_url url;
    if (!split_url(options->endpoint, &url)) {
        err_set(e, ERR_CONFIG,
                "endpoint '%s': not a URL of the form http://HOST[:PORT] or https://",
                options->endpoint);
        return err_hint(e, "give --endpoint a scheme, a host and at most a port and a path");
    }
    if (options->dualstack || options->fips) {
        return err_set(e, ERR_CONFIG,
                       "endpoint '%s': --dualstack and --fips choose among the endpoints of AWS",
                       options->endpoint);
    }
    const bool is_point = bucket->point_region[0] != '\0';
    const bool bare = host_takes_no_bucket(&url);
    if (is_point && bare) {
        return err_set(e, ERR_CONFIG,
                       "endpoint '%s': an access point cannot be put in front of this host",
                       options->endpoint);
    }
    const bool in_front = is_point || (options->virtual_host && !options->path_style && !bare &&
                                       fits_host(bucket->name));
    endpoint->host = xasprintf("%s%s%.*s%.*s", in_front ? bucket->name : "", in_front ? "." : "",
                               (int)url.host_size, url.host, (int)url.port_size, url.port);
    endpoint->base = xasprintf("http%s://%s", url.tls ? "s" : "", endpoint->host);
    endpoint->path = xasprintf("%.*s%s%s", (int)url.path_size, url.path, in_front ? "" : "/",
                               in_front ? "" : bucket->name);
    return 0;
}

int endpoint_new(const struct endpoint_options *options, const char *region, struct endpoint **ret,
                 struct err *e)
{
    ASSERT(options->bucket != NULL && region != NULL);
    if (!region_is_valid(region)) {
        return err_set(e, ERR_CONFIG, "region '%s': not a region's name", region);
    }
    struct bucket bucket;
    if (bucket_parse(options->bucket, &bucket, e) != 0) {
        return -1;
    }
    struct endpoint *endpoint = xcalloc(1, sizeof(*endpoint));
    endpoint->region = xstrdup(bucket.point_region[0] != '\0' ? bucket.point_region : region);
    const int filled = options->endpoint == NULL ? fill_aws(endpoint, options, &bucket, e)
                                                 : fill_custom(endpoint, options, &bucket, e);
    if (filled != 0) {
        endpoint_free(endpoint);
        return -1;
    }
    ASSERT(endpoint->host != NULL && endpoint->path != NULL);
    *ret = endpoint;
    return 0;
}

void endpoint_free(struct endpoint *endpoint)
{
    if (endpoint == NULL) {
        return;
    }
    free(endpoint->base);
    free(endpoint->host);
    free(endpoint->path);
    free(endpoint->region);
    free(endpoint);
}
