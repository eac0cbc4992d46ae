#include "s3/region.h"

#include <string.h>

#include "s3/partition.h"

static const char CHARACTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

/* Other stores' regions may have capitals and '_' in them. */
static bool take(const char *text, size_t size, char ret[S3_REGION_MAX])
{
    if (size == 0 || size >= S3_REGION_MAX || strspn(text, CHARACTERS) < size) {
        return false;
    }
    memcpy(ret, text, size);
    ret[size] = '\0';
    return true;
}

/* us-east-1, and not the "external-1" that some hosts have in its place. */
static bool is_of_aws(const char *region)
{
    const size_t size = strlen(region);
    const char *const dash = strchr(region, '-');
    return dash != NULL && strchr(dash + 1, '-') != NULL && region[size - 1] >= '0' &&
           region[size - 1] <= '9';
}

/* "BUCKET.s3.REGION.amazonaws.com", or the old "BUCKET.s3-REGION.amazonaws.com": what a redirect
 * away from a bucket that is new tells, and nothing else (S3 User Guide, "Request redirection"). */
static bool take_from_host(const char *host, char ret[S3_REGION_MAX])
{
    const char *service = strncmp(host, "s3", 2) == 0 ? host : NULL;
    for (const char *at = strstr(host, ".s3"); at != NULL; at = strstr(at + 1, ".s3")) {
        service = at + 1; /* the last: a bucket may have dots */
    }
    if (service == NULL || (service[2] != '.' && service[2] != '-')) {
        return false;
    }
    const char *const region = service + 3;
    const size_t size = strcspn(region, ".");
    return region[size] == '.' && take(region, size, ret) && is_of_aws(ret) &&
           strcmp(region + size + 1, partition_of_region(ret)->dns_suffix) == 0;
}

void region_told(const struct http_headers *headers, const struct error_xml *error,
                 char ret[S3_REGION_MAX])
{
    ASSERT(headers != NULL && error != NULL);
    if (!take(headers->bucket_region, strlen(headers->bucket_region), ret) &&
        !take(error->region, strlen(error->region), ret) && !take_from_host(error->endpoint, ret)) {
        ret[0] = '\0';
    }
}
