/*
 * service_error: what refusals of AWS's Query APIs have in common: the codes that any of them may
 * answer with ("Common errors" in the API references of STS and CloudFormation), and how a refusal
 * is found and worded. What to do next depends on the service: its own file says that. Pure.
 */
#ifndef PENATES_S3_SERVICE_ERROR_H
#define PENATES_S3_SERVICE_ERROR_H

#include "agent/base/err.h"
#include "s3/error_xml.h"

/* Who has to do something. A service's own go on from SERVICE_NEXT_OWN. */
enum {
    SERVICE_NEXT_TEXT,  /* the row's own hint */
    SERVICE_NEXT_RIGHT, /* who asks must be allowed to */
    SERVICE_NEXT_KEYS,  /* the credentials of who asks are not good */
    SERVICE_NEXT_OWN,
};

struct service_refusal {
    const char *code;
    const char *message; /* a part of it; NULL: any */
    enum err_kind kind;
    const char *why; /* NULL: the service is in trouble */
    int next;
    const char *hint; /* of SERVICE_NEXT_TEXT */
};

struct service_errors {
    const char *title;                 /* "STS" */
    const struct service_refusal *own; /* looked at before the common ones */
    size_t own_count;
    struct service_refusal unknown; /* what is in none of them */
};

/* The row that fits. `error` NULL: the answer had no error document. */
const struct service_refusal *service_error_find(const struct service_errors *errors, long status,
                                                 const struct error_xml *error);

/* "WHAT: why: Code: message"; the hint is left to the caller. */
void service_error_word(const struct service_errors *errors, const struct service_refusal *row,
                        const char *what, long status, const struct error_xml *error,
                        struct err *e);

#endif
