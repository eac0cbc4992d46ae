/*
 * service: another service of AWS than S3, one of those that take a form and answer with XML (the
 * Query API): where it is, and one form sent to it. STS and CloudFormation. Any thread.
 */
#ifndef PENATES_S3_SERVICE_H
#define PENATES_S3_SERVICE_H

#include "s3/creds_http.h"
#include "s3/creds_provider.h"

struct service_name {
    const char *id;       /* "sts": in hosts, and in what is signed */
    const char *title;    /* "STS": for messages */
    const char *variable; /* "AWS_ENDPOINT_URL_STS" */
};

/* All borrowed for the call. */
struct service_wish {
    const char *profile;
    const char *region; /* NULL: as creds_find_region tells, else us-east-1 */
    const char *domain; /* "amazonaws.com"; NULL: that of the region's partition */
    bool dualstack;     /* wins over the domain */
    bool fips;
};

struct service {
    const struct service_name *name;
    char *region, *url, *host;
    const char *path; /* in url, or "/" */
};

/* The regional endpoint, or the one that the service's variable, AWS_ENDPOINT_URL or the profile
 * names. ERR_CONFIG: no region's name, or no URL. service_done frees, also after a failure. */
int service_find(const struct service_name *name, const struct creds_system *system,
                 const struct service_wish *wish, struct service *ret, struct err *e) MUST_CHECK;
void service_done(struct service *service);

/* "name=value", encoded, behind what is there. False when it does not fit. */
bool service_add_field(struct buf *form, const char *name, const char *value) MUST_CHECK;

struct service_form {
    const struct buf *body;           /* may be secret */
    const struct creds_value *caller; /* who signs; NULL: it goes out unsigned */
    const char *ca_file;              /* NULL: the system's */
    int64_t now_ms;                   /* the service's clock */
};

/* One POST, in 10 s. As creds_http_ask, or as sigv4_sign. */
int service_post(const struct service *service, const struct service_form *form,
                 struct creds_http_answer *ret, struct err *e) MUST_CHECK;

/* False: what the answer tells of the service's clock is too near to `now_ms` to be to blame for a
 * refusal, or it tells nothing. *ret: that clock less ours. */
bool service_skew(const struct creds_http_answer *answer, int64_t now_ms, int64_t *ret_ms);

enum { SERVICE_CONNECT_MS = 3000, SERVICE_REQUEST_MS = 10 * 1000 };

#endif
