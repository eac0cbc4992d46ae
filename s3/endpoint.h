/*
 * endpoint: where a bucket is asked, as host and path. Pure. The host is always made here, from the
 * options and a region's name; never from what a server sent, so that credentials cannot be led
 * astray.
 */
#ifndef PENATES_S3_ENDPOINT_H
#define PENATES_S3_ENDPOINT_H

#include "agent/base/err.h"

struct endpoint_options {
    const char *bucket;   /* or what bucket.h takes in its place */
    const char *endpoint; /* NULL: AWS; else "http://host[:port][/path]" or https */
    bool path_style;      /* implied where the bucket's name cannot be part of a host name; an
                             access point has no other place than the host's name */
    bool virtual_host;    /* bucket in front of a custom endpoint's host, too */
    bool dualstack, fips; /* AWS only */
};

/* Immutable once made. */
struct endpoint {
    char *base;            /* "https://host[:port]" */
    char *host;            /* Host header; without the scheme's own port, as it is sent */
    char *path;            /* encoded, to be followed by "/key": "" or "/bucket" */
    char *region;          /* signed for */
    struct endpoint *next; /* the owner's: all that were made */
};

/* An access point's own region counts, whatever `region` is. ERR_CONFIG: bucket, region or endpoint
 * cannot be used. The caller frees. */
int endpoint_new(const struct endpoint_options *options, const char *region, struct endpoint **ret,
                 struct err *e) MUST_CHECK;
void endpoint_free(struct endpoint *endpoint); /* NULL is fine; not what is linked by next */

#endif
