/*
 * probe: one question without credentials, HEAD of the bucket: how far the way to the store is open
 * before anybody's rights come into it. Any answer of a server will do: S3 tells its clock and the
 * bucket's region even when it denies. Blocking, over a connection of its own; any thread.
 */
#ifndef PENATES_S3_PROBE_H
#define PENATES_S3_PROBE_H

#include "s3/s3.h"

enum {
    PROBE_URL_MAX = 320,    /* "https://", a host name of 255 characters, a port */
    PROBE_ADDRESS_MAX = 46, /* INET6_ADDRSTRLEN */
    PROBE_TLS_MAX = 16,     /* "TLSv1.3" */
};

struct probe {
    char url[PROBE_URL_MAX];         /* that was asked, without the path */
    char region[S3_REGION_MAX];      /* that requests are signed for so far */
    char address[PROBE_ADDRESS_MAX]; /* that was connected to; of the proxy, if there is one */
    unsigned addresses4, addresses6; /* of the host; both 0: not looked up, or not known here */
    bool proxied;
    char tls[PROBE_TLS_MAX];        /* of the connection, whose certificate is good; "": none */
    uint64_t connect_ms, answer_ms; /* from the start to the connection, to the answer */
    int status;
    bool is_s3; /* the answer has an id such as S3 gives to requests */
    bool has_date;
    int64_t skew_ms;                   /* the store's clock less ours, to about a second */
    char bucket_region[S3_REGION_MAX]; /* as the answer names it; "": it does not */
};

/* Tries again for `budget_ms`. The url and the region are set on failure, too; *e is as that of a
 * get. */
int s3_probe(struct s3_client *client, uint64_t budget_ms, struct probe *ret,
             struct err *e) MUST_CHECK;

#endif
