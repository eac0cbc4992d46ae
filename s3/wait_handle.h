/*
 * wait_handle: signals a CloudFormation wait condition, which is a PUT to the presigned URL of its
 * handle. The URL is all that it takes, so it is a secret: no text here holds more of it than the
 * host. One try a call; blocks; any thread.
 */
#ifndef PENATES_S3_WAIT_HANDLE_H
#define PENATES_S3_WAIT_HANDLE_H

#include "agent/base/buf.h"
#include "agent/base/err.h"

enum { WAIT_HANDLE_URL_MAX = 4096 };

/* Whether it can be one: https:// (or http://), a host, a query, and nothing that cannot stand in a
 * URL. */
bool wait_handle_is_url(const char *url);

struct wait_handle {
    const char *url;
    const char *ca_file; /* NULL: the system's */
};

/* `body` is the JSON of the signal. ERR_NOT_FOUND: the URL has expired, so that nothing waits any
 * more; ERR_RETRY: may be asked again; ERR_AUTH, ERR_CONFIG: it may not. The same body again is
 * taken as the same signal. */
int wait_handle_put(const struct wait_handle *handle, const char *body, struct err *e) MUST_CHECK;

/* How far such a PUT would get, without making it. */
enum wait_handle_state {
    WAIT_HANDLE_OPEN,    /* S3 would take it: URL, policies and endpoint are good */
    WAIT_HANDLE_REACHED, /* connected, but nobody said so */
};

/* Fails as wait_handle_put does. */
int wait_handle_probe(const struct wait_handle *handle, enum wait_handle_state *ret,
                      struct err *e) MUST_CHECK;

/* The bucket, "cloudformation-waitcondition-eu-west-1", for policies and messages; "" when the URL
 * has none of that name. */
enum { WAIT_HANDLE_BUCKET_MAX = 64 };
void wait_handle_bucket(const char *url, char ret[WAIT_HANDLE_BUCKET_MAX]);

#endif
