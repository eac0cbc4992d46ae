/*
 * creds_http: one bounded question to a service that gives credentials, which are the metadata of
 * an instance, of a container, and STS; or to CloudFormation. What comes back is not judged here.
 * Any thread; blocks.
 */
#ifndef PENATES_S3_CREDS_HTTP_H
#define PENATES_S3_CREDS_HTTP_H

#include "agent/base/err.h"

enum { CREDS_HTTP_BODY_MAX = 64 * 1024 };

/* How far it goes. */
enum creds_http_reach {
    CREDS_HTTP_WHOLE,
    CREDS_HTTP_CONNECT, /* connection and TLS only: status 0 */
    /* The head of a PUT, with "Expect: 100-continue". Status 100: the service lets the body come,
       which it never does, so nothing is put; another: it says before that it will not take it. */
    CREDS_HTTP_ANNOUNCE,
};

/* All borrowed for the call. */
struct creds_http_request {
    const char *url;            /* http:// or https://; without a user, which would be a trick */
    const char *method;         /* "GET", "PUT" or "POST" */
    const char *const *headers; /* whole lines, no line end; may be secret */
    size_t header_count;
    const char *body; /* of a POST, a form unless a header says else, or of a PUT, without a type;
                         may be secret; NULL: none */
    enum creds_http_reach reach;
    bool through_proxy;  /* where the environment names one: another host's service would answer for
                            metadata, so that is never asked through one */
    const char *ca_file; /* NULL: the system's */
    long connect_ms, total_ms;
};

/* Of a fixed size, because a buffer that grows leaves secrets behind. 64 KiB: keep it off stacks;
 * wipe with creds_http_wipe. */
struct creds_http_answer {
    long status;
    int64_t date_ms; /* of the Date header; -1: none */
    size_t size;
    char body[CREDS_HTTP_BODY_MAX + 1]; /* NUL behind its end */
};

/*
 * Takes total_ms at most, even while an answer trickles in. Redirects are answers like others. The
 * kind tells what may help: ERR_NOT_FOUND: no connection; ERR_RETRY: somebody is there, but gave no
 * whole answer (e->sys ETIMEDOUT: in time); ERR_LIMIT: more than CREDS_HTTP_BODY_MAX; ERR_CONFIG:
 * no URL to ask, or no certificate to trust. The text begins with the host and holds nothing of
 * path, query, headers and body.
 */
int creds_http_ask(const struct creds_http_request *request, struct creds_http_answer *ret,
                   struct err *e) MUST_CHECK;

void creds_http_wipe(struct creds_http_answer *answer);

#endif
