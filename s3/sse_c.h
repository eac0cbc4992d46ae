/*
 * sse_c: the key of a customer (SSE-C), which S3 does not keep and so wants to be told with every
 * request for an object's bytes or head. It comes from a file, goes into headers, and is wiped.
 * Set once, then constant: any thread.
 */
#ifndef PENATES_S3_SSE_C_H
#define PENATES_S3_SSE_C_H

#include "agent/base/err.h"
#include "s3/sigv4.h"

enum {
    SSE_C_KEY_SIZE = 32, /* of AES-256, the only algorithm */
    SSE_C_HEADERS = 3,
};

/* Zeroed: no key. Both are base64. */
struct sse_c {
    char key[(SSE_C_KEY_SIZE + 2) / 3 * 4 + 1];
    char md5[(16 + 2) / 3 * 4 + 1];
};

/* The file holds the 32 bytes, or their base64 and at most a line end. ERR_CONFIG: it cannot be
 * read, holds something else, or others than its owner and group may read it. No message tells
 * what is in it. */
int sse_c_read(const char *path, struct sse_c *ret, struct err *e) MUST_CHECK;
void sse_c_wipe(struct sse_c *sse_c);

/* Fills SSE_C_HEADERS pairs, borrowed from sse_c, and returns how many; 0 without a key. */
size_t sse_c_headers(const struct sse_c *sse_c, struct sigv4_pair *ret);

/* True for https and for a loopback address: elsewhere the key would cross a network in the clear,
 * which S3 refuses only once it has seen it. base: "http://host[:port]". */
bool sse_c_may_go_to(const char *base);

#endif
