/*
 * error_map: what an answer of the store means for us: a table from its error code, or else from
 * the HTTP status, to what the client does next, and to the kind and the next step for the operator
 * when that does not help. Pure.
 */
#ifndef PENATES_S3_ERROR_MAP_H
#define PENATES_S3_ERROR_MAP_H

#include "agent/base/err.h"

enum verdict {
    VERDICT_DONE,      /* what was asked for is there */
    VERDICT_FAIL,      /* asking again would not help */
    VERDICT_RETRY,     /* later */
    VERDICT_SLOW_DOWN, /* later, and all together less */
    VERDICT_SKEW,      /* at once, with the store's clock; a second time: fail */
    VERDICT_RENEW,     /* at once, with renewed credentials; a second time: fail */
    VERDICT_REGION,    /* at once, in the region that the answer names; a second time: fail */
};

struct error_rule {
    enum verdict verdict;
    enum err_kind kind; /* when it ends here */
    bool denial;        /* somebody may not do something: denial.h words it */
    const char *hint;   /* NULL: the kind's own next step */
};

/* code and message are "" when the answer had no readable body. Never NULL. */
const struct error_rule *error_map_find(int status, const char *code, const char *message);

#endif
