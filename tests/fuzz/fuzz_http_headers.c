/* Any bytes as header lines: reading ends within them, and what is told is consistent. */
#include <string.h>

#include "agent/base/err.h"
#include "s3/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct http_headers *headers)
{
    ASSERT(headers->status >= 0 && headers->status <= 999);
    ASSERT(!headers->has_range ||
           (headers->first <= headers->last && headers->last < headers->total));
    ASSERT(strlen(headers->etag) < sizeof(headers->etag));
    ASSERT(strlen(headers->bucket_region) < sizeof(headers->bucket_region));
    const struct s3_checksum *const sum = &headers->checksum;
    ASSERT(sum->size <= sizeof(sum->bytes) && (sum->kind == S3_CHECKSUM_NONE) == (sum->size == 0));
    ASSERT(sum->composite == (sum->parts > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_headers headers = {.date_ms = -1};
    for (size_t at = 0; at < size;) {
        const uint8_t *const end = memchr(data + at, '\n', size - at);
        const size_t line = end == NULL ? size - at : (size_t)(end - data) - at + 1;
        http_headers_line(&headers, (const char *)data + at, line);
        check(&headers);
        at += line;
    }
    if (headers.status >= 200 && headers.status < 300) {
        const struct answer_want want = {
            .ranged = true, .first = 5, .last = 9, .total = 20, .etag = "e", .region = "r"};
        struct err e = ERR_INIT;
        const bool taken = answer_check(&want, &headers, &e) == VERDICT_DONE;
        ASSERT(taken == (e.kind == ERR_NONE));
        ASSERT(!taken || (headers.status == 206 && headers.length == 5 && headers.first == 5));
    }
    return 0;
}
