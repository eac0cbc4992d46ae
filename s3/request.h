/*
 * request: one try of one get over one curl easy handle, which is made once and used again and
 * again so that its options and its connections stay. Body bytes go straight to where the caller
 * wants them. One net thread.
 */
#ifndef PENATES_S3_REQUEST_H
#define PENATES_S3_REQUEST_H

#include <curl/curl.h>

#include "s3/answer.h"
#include "s3/client.h"

enum {
    REQUEST_LINES_MAX = 16,      /* request headers; host, 8 of ours and 4 of the signer */
    REQUEST_PAGE_MAX = 16 << 20, /* a listing's page: 1,000 keys of 1 KiB take 4 MiB encoded */
};

/* Where body bytes go. */
enum request_sink {
    SINK_UNDECIDED, /* no byte yet */
    SINK_INTO,      /* the caller's memory */
    SINK_PAGE,      /* the page's buf */
    SINK_ERROR,     /* kept to word the error */
};

struct request {
    /* set once */
    struct s3_client *client;
    uint64_t *traffic; /* the net thread's count of bytes, heads included */
    CURL *easy;
    char curl_error[CURL_ERROR_SIZE];

    /* one try */
    struct s3_get *get; /* NULL: free */
    struct creds_value creds;
    struct answer_want want;
    char range[64]; /* value of the header, "": none */
    struct buf if_match, part_number, path, query, url;
    struct buf lines;                           /* request headers, each with its NUL; secret */
    struct curl_slist nodes[REQUEST_LINES_MAX]; /* the same for curl: a list without allocations */
    struct http_headers headers;
    size_t head_size;
    enum request_sink sink;
    enum verdict refused; /* VERDICT_DONE: not refused; else refusal says why */
    struct err refusal;
    struct buf error_body;
    struct error_xml error;
    uint64_t body_size; /* received in this try */

    /* the net thread's */
    struct request *next;     /* free list */
    uint64_t window_begin_ms; /* of the stall watch */
    uint64_t window_bytes;    /* moved since then, heads included */
};

/* traffic is borrowed and counts up. */
struct request *request_new(struct s3_client *client, uint64_t *traffic);
void request_free(struct request *request); /* NULL is fine */

/* Makes the handle ready to be given to a multi handle. Fails with ERR_AUTH or ERR_CONFIG
 * (no credentials), ERR_RETRY (they cannot be had now) or ERR_LIMIT (a key that cannot be sent);
 * the request is free again then. */
int request_begin(struct request *request, struct s3_get *get, struct sigv4_key_cache *cache,
                  struct err *e) MUST_CHECK;

/* What came of it: on VERDICT_DONE the answer's facts are in the get, else *e says what failed.
 * Bytes that are in place are counted in the transfer. Call once curl is done with the handle. */
enum verdict request_judge(struct request *request, CURLcode code, struct err *e);

/* Did the try bring so much of the object that it was worth it? Then budgets begin anew. */
bool request_progressed(const struct request *request);

/* Wipes what is secret; the request is free again. */
void request_end(struct request *request);

#endif
