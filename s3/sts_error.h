/*
 * sts_error: what STS's refusals mean: who must change what, so that the role can be assumed. Pure.
 */
#ifndef PENATES_S3_STS_ERROR_H
#define PENATES_S3_STS_ERROR_H

#include "s3/error_xml.h"

struct err;

/* What was asked. All borrowed. */
struct sts_asked {
    const char *arn;        /* of the role */
    const char *caller;     /* whose credentials signed; NULL: a web identity's token instead */
    const char *token_file; /* of the web identity */
    const char *region;
};

/*
 * Words the refusal; the kind says what to do: ERR_RETRY may be asked again. `error` NULL: the
 * answer had no error document. Always -1.
 */
int sts_error_word(const struct sts_asked *asked, long status, const struct error_xml *error,
                   struct err *e);

#endif
