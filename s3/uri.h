/*
 * uri: percent-encoding by the rules of SigV4 for S3. What it makes is sent and signed as the same
 * bytes, so nothing after it may normalise, decode or encode again. Pure, any thread.
 *
 * Unreserved (A-Z a-z 0-9 - . _ ~) stays, every other byte becomes %XX in upper-case hex. Appends
 * to `out`; on false what was appended is cut off again.
 */
#ifndef PENATES_S3_URI_H
#define PENATES_S3_URI_H

#include "agent/base/buf.h"

/* An object key as the path of a URL, without a leading '/': each byte once, '/' kept, dots and
 * empty segments left as they are. False when `out` is full. */
bool uri_encode_path(const char *key, struct buf *out) MUST_CHECK;

/* A name or value of a query: '/' is encoded too. False when `out` is full. */
bool uri_encode_query(const char *text, struct buf *out) MUST_CHECK;

/* The reverse, for encoding-type=url in listings. False on a bad escape, on a NUL (raw or %00), and
 * when `out` is full. */
bool uri_decode(const char *text, size_t size, bool plus_is_space, struct buf *out) MUST_CHECK;

#endif
