#include "s3/http_headers.h"

#include <string.h>
#include <strings.h>

#include "agent/base/parse.h"

enum {
    PARTS_MAX = 10000, /* S3 allows no more parts of one upload */
    RETRY_AFTER_MAX_S = 3600,
};

typedef void header_fn(struct http_headers *headers, struct slice value);

static const char *text_of(struct slice value)
{
    return (const char *)value.data;
}

static bool equals(struct slice value, const char *text)
{
    return value.size == strlen(text) && strncasecmp(text_of(value), text, value.size) == 0;
}

/* Room for the whole value and its NUL, or nothing: a cut ETag would never match. */
static void copy_text(struct slice value, char *ret, size_t ret_size)
{
    const bool fits = value.size < ret_size && memchr(value.data, '\0', value.size) == NULL;
    const size_t size = fits ? value.size : 0;
    memcpy(ret, value.data, size);
    ret[size] = '\0';
}

static void on_length(struct http_headers *headers, struct slice value)
{
    uint64_t length = 0;
    if (!parse_u64(text_of(value), value.size, &length) ||
        (headers->has_length && headers->length != length)) {
        headers->contradictory = true;
        return;
    }
    headers->has_length = true;
    headers->length = length;
}

static void on_encoding(struct http_headers *headers, struct slice value)
{
    headers->chunked = equals(value, "chunked");
}

/* "bytes 0-499/1234": an unknown total ("*") is of no use to us and counts as unreadable. */
static bool parse_range(struct slice value, struct http_headers *ret)
{
    static const char UNIT[] = "bytes ";
    const size_t unit = sizeof(UNIT) - 1;
    if (value.size < unit || strncasecmp(text_of(value), UNIT, unit) != 0) {
        return false;
    }
    const char *const first = text_of(value) + unit;
    const char *const end = text_of(value) + value.size;
    const char *const dash = memchr(first, '-', (size_t)(end - first));
    const char *const slash = dash == NULL ? NULL : memchr(dash, '/', (size_t)(end - dash));
    return slash != NULL && parse_u64(first, (size_t)(dash - first), &ret->first) &&
           parse_u64(dash + 1, (size_t)(slash - dash) - 1, &ret->last) &&
           parse_u64(slash + 1, (size_t)(end - slash) - 1, &ret->total) &&
           ret->first <= ret->last && ret->last < ret->total;
}

static void on_range(struct http_headers *headers, struct slice value)
{
    struct http_headers told = {.status = 0};
    if (!parse_range(value, &told) ||
        (headers->has_range && (headers->first != told.first || headers->last != told.last ||
                                headers->total != told.total))) {
        headers->contradictory = true;
        return;
    }
    headers->has_range = true;
    headers->first = told.first;
    headers->last = told.last;
    headers->total = told.total;
}

static void on_etag(struct http_headers *headers, struct slice value)
{
    /* A weak tag is an ETag all the same: If-Match decides what it is worth. */
    if (value.size >= 2 && memcmp(value.data, "W/", 2) == 0) {
        value = slice_of(value.data + 2, value.size - 2);
    }
    if (value.size >= 2 && value.data[0] == '"' && value.data[value.size - 1] == '"') {
        value = slice_of(value.data + 1, value.size - 2);
    }
    copy_text(value, headers->etag, sizeof(headers->etag));
}

static void on_date(struct http_headers *headers, struct slice value)
{
    (void)http_headers_parse_date(text_of(value), value.size, &headers->date_ms);
}

static void on_modified(struct http_headers *headers, struct slice value)
{
    (void)http_headers_parse_date(text_of(value), value.size, &headers->modified_ms);
}

static void on_region(struct http_headers *headers, struct slice value)
{
    copy_text(value, headers->bucket_region, sizeof(headers->bucket_region));
}

static void on_local_size(struct http_headers *headers, struct slice value)
{
    headers->has_local_size = parse_u64(text_of(value), value.size, &headers->local_size);
}

static void on_parts_count(struct http_headers *headers, struct slice value)
{
    uint64_t count = 0;
    if (parse_u64(text_of(value), value.size, &count) && count <= PARTS_MAX) {
        headers->parts_count = (unsigned)count;
    }
}

/* The value of NAME="VALUE" in a list of such pairs; empty: it is not there. */
static struct slice find_pair(struct slice list, const char *name)
{
    const size_t name_size = strlen(name);
    const uint8_t *const end = list.data + list.size;
    const uint8_t *at = list.size == 0 ? NULL : memmem(list.data, list.size, name, name_size);
    if (at == NULL || (size_t)(end - at) < name_size + 2 || memcmp(at + name_size, "=\"", 2) != 0) {
        return slice_of("", 0);
    }
    at += name_size + 2;
    const uint8_t *const quote = memchr(at, '"', (size_t)(end - at));
    return slice_of(at, quote == NULL ? 0 : (size_t)(quote - at));
}

/* ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT" */
static void on_restore(struct http_headers *headers, struct slice value)
{
    const struct slice ongoing = find_pair(value, "ongoing-request");
    const struct slice expiry = find_pair(value, "expiry-date");
    headers->copy = slice_is(ongoing, "true")    ? S3_COPY_ONGOING
                    : slice_is(ongoing, "false") ? S3_COPY_THERE
                                                 : S3_COPY_NONE;
    (void)http_headers_parse_date(text_of(expiry), expiry.size, &headers->copy_until_ms);
}

static void on_archive_status(struct http_headers *headers, struct slice value)
{
    headers->archive_tier = equals(value, "ARCHIVE_ACCESS")        ? S3_TIER_ARCHIVE_ACCESS
                            : equals(value, "DEEP_ARCHIVE_ACCESS") ? S3_TIER_DEEP_ARCHIVE_ACCESS
                                                                   : S3_TIER_NONE;
}

static void on_retry_after(struct http_headers *headers, struct slice value)
{
    uint64_t seconds = 0;
    if (parse_u64(text_of(value), value.size, &seconds)) {
        seconds = seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S;
        headers->retry_after_ms = seconds * 1000;
    }
}

static void on_checksum_type(struct http_headers *headers, struct slice value)
{
    headers->composite = equals(value, "COMPOSITE");
}

/* "base64", or "base64-N" for a checksum of the checksums of N parts. */
static void on_checksum(struct http_headers *headers, enum s3_checksum_kind kind, size_t bytes,
                        struct slice value)
{
    struct s3_checksum told = {.kind = kind, .size = bytes};
    const uint8_t *const dash = memchr(value.data, '-', value.size);
    const size_t size = dash == NULL ? value.size : (size_t)(dash - value.data);
    uint64_t parts = 0;
    if (dash != NULL) {
        if (!parse_u64((const char *)dash + 1, value.size - size - 1, &parts) || parts == 0 ||
            parts > PARTS_MAX) {
            return;
        }
        told.composite = true;
        told.parts = (unsigned)parts;
    }
    const bool cheaper =
        headers->checksum.kind == S3_CHECKSUM_NONE || kind < headers->checksum.kind;
    if (cheaper && parse_base64((const char *)value.data, size, told.bytes, bytes)) {
        headers->checksum = told;
    }
}

static void on_crc32(struct http_headers *headers, struct slice value)
{
    on_checksum(headers, S3_CHECKSUM_CRC32, 4, value);
}

static void on_crc32c(struct http_headers *headers, struct slice value)
{
    on_checksum(headers, S3_CHECKSUM_CRC32C, 4, value);
}

static void on_crc64nvme(struct http_headers *headers, struct slice value)
{
    on_checksum(headers, S3_CHECKSUM_CRC64NVME, 8, value);
}

static void on_sha1(struct http_headers *headers, struct slice value)
{
    on_checksum(headers, S3_CHECKSUM_SHA1, 20, value);
}

static void on_sha256(struct http_headers *headers, struct slice value)
{
    on_checksum(headers, S3_CHECKSUM_SHA256, 32, value);
}

/* "AES256", "aws:kms" or "aws:kms:dsse". */
static void on_encryption(struct http_headers *headers, struct slice value)
{
    static const char KMS[] = "aws:kms";
    const bool kms = value.size >= sizeof(KMS) - 1 && memcmp(value.data, KMS, sizeof(KMS) - 1) == 0;
    headers->encryption = kms ? S3_ENCRYPTION_KMS : S3_ENCRYPTION_S3;
}

/* In place of the one above. */
static void on_customer_key(struct http_headers *headers, struct slice value)
{
    headers->encryption = value.size > 0 ? S3_ENCRYPTION_CUSTOMER : headers->encryption;
}

static const struct {
    const char *name;
    header_fn *take;
} HEADERS[] = {
    {"content-length", on_length},
    {"content-range", on_range},
    {"transfer-encoding", on_encoding},
    {"etag", on_etag},
    {"date", on_date},
    {"last-modified", on_modified},
    {"retry-after", on_retry_after},
    {"x-amz-bucket-region", on_region},
    {"x-amz-meta-local-size", on_local_size},
    {"x-amz-mp-parts-count", on_parts_count},
    {"x-amz-restore", on_restore},
    {"x-amz-archive-status", on_archive_status},
    {"x-amz-server-side-encryption", on_encryption},
    {"x-amz-server-side-encryption-customer-algorithm", on_customer_key},
    {"x-amz-checksum-type", on_checksum_type},
    {"x-amz-checksum-crc32", on_crc32},
    {"x-amz-checksum-crc32c", on_crc32c},
    {"x-amz-checksum-crc64nvme", on_crc64nvme},
    {"x-amz-checksum-sha1", on_sha1},
    {"x-amz-checksum-sha256", on_sha256},
};

/* "HTTP/1.1 206 Partial Content" */
static bool parse_status(const char *line, size_t size, int *ret)
{
    uint64_t status = 0;
    if (size < 5 || memcmp(line, "HTTP/", 5) != 0) {
        return false;
    }
    const char *const space = memchr(line, ' ', size);
    const size_t rest = space == NULL ? 0 : (size_t)(line + size - space);
    if (rest < 4 || (rest > 4 && space[4] != ' ') || !parse_u64(space + 1, 3, &status)) {
        return false;
    }
    *ret = (int)status;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void http_headers_line(struct http_headers *headers, const char *line, size_t size)
{
    while (size > 0 && is_blank(line[size - 1])) {
        size--;
    }
    int status = 0;
    if (parse_status(line, size, &status)) {
        *headers = (struct http_headers){
            .status = status, .date_ms = -1, .modified_ms = -1, .copy_until_ms = -1};
        return;
    }
    const char *const colon = size == 0 ? NULL : memchr(line, ':', size);
    if (colon == NULL) {
        return;
    }
    const char *value = colon + 1;
    while (value < line + size && is_blank(*value)) {
        value++;
    }
    const struct slice name = slice_of(line, (size_t)(colon - line));
    for (size_t i = 0; i < ARRAY_SIZE(HEADERS); i++) {
        if (equals(name, HEADERS[i].name)) {
            HEADERS[i].take(headers, slice_of(value, (size_t)(line + size - value)));
            return;
        }
    }
}

static bool parse_month(const char *text, unsigned *ret)
{
    static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (size_t i = 0; i < 12; i++) {
        if (memcmp(text, MONTHS + 3 * i, 3) == 0) {
            *ret = (unsigned)i + 1;
            return true;
        }
    }
    return false;
}

bool http_headers_parse_date(const char *text, size_t size, int64_t *ret_ms)
{
    /*   0123456789012345678901234567 8
     *   Sun, 06 Nov 1994 08:49:37 GMT  */
    uint64_t day;
    uint64_t year;
    uint64_t hour;
    uint64_t minute;
    uint64_t second;
    unsigned month;
    if (size != 29 || memcmp(text + 25, " GMT", 4) != 0 || text[19] != ':' || text[22] != ':' ||
        !parse_u64(text + 5, 2, &day) || !parse_month(text + 8, &month) ||
        !parse_u64(text + 12, 4, &year) || !parse_u64(text + 17, 2, &hour) ||
        !parse_u64(text + 20, 2, &minute) || !parse_u64(text + 23, 2, &second)) {
        return false;
    }
    if (day == 0 || day > 31 || hour > 23 || minute > 59 || second > 60) {
        return false;
    }
    const int64_t days = days_from_civil((int64_t)year, month, (unsigned)day);
    *ret_ms = ((days * 24 + (int64_t)hour) * 60 + (int64_t)minute) * 60000 + (int64_t)second * 1000;
    return true;
}
