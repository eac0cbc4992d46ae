/*
 * http_headers: the head of an answer, one line at a time, into the few facts that matter here.
 * Pure; lines are hostile until parsed: what is malformed counts as not sent, and a fact told twice
 * in two ways is remembered as a contradiction.
 */
#ifndef PENATES_S3_HTTP_HEADERS_H
#define PENATES_S3_HTTP_HEADERS_H

#include "agent/base/buf.h"
#include "s3/s3.h"

enum {
    HTTP_ETAG_MAX = S3_ETAG_MAX,
    HTTP_REGION_MAX = 33,
};

struct http_headers {
    int status;         /* 0: no status line yet */
    bool contradictory; /* two Content-Length or Content-Range that differ, or one unreadable */
    bool has_length, chunked;
    uint64_t length; /* Content-Length */
    bool has_range;  /* Content-Range: bytes first-last/total */
    uint64_t first, last, total;
    int64_t date_ms;                     /* -1: not told */
    int64_t modified_ms;                 /* Last-Modified; -1: not told */
    char etag[HTTP_ETAG_MAX];            /* without quotes; "": not told */
    char bucket_region[HTTP_REGION_MAX]; /* x-amz-bucket-region; "": not told */
    struct s3_checksum checksum;         /* the cheapest of those sent */
    bool composite;                      /* x-amz-checksum-type: COMPOSITE */
    bool has_local_size;
    uint64_t local_size;               /* x-amz-meta-local-size */
    unsigned parts_count;              /* x-amz-mp-parts-count; 0: not told */
    enum s3_copy copy;                 /* x-amz-restore */
    int64_t copy_until_ms;             /* its expiry-date; -1: not told */
    enum s3_archive_tier archive_tier; /* x-amz-archive-status */
    enum s3_encryption encryption;
    uint64_t retry_after_ms; /* Retry-After in seconds, its other form counts as not told; 0 */
};

/* Takes one line, with or without its line end. A status line starts over, so that only the last
 * head (after a 100 Continue) counts. */
void http_headers_line(struct http_headers *headers, const char *line, size_t size);

/* "Sun, 06 Nov 1994 08:49:37 GMT", the one form that servers may send (RFC 9110, 5.6.7). */
bool http_headers_parse_date(const char *text, size_t size, int64_t *ret_ms);

#endif
