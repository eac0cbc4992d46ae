/*
 * sign_case: a request to be signed, as one line of text: fields between tabs, each
 * percent-encoded.
 *
 *     method host key region id secret token now_ms query headers service body
 *
 * query and headers are name=value pairs between '&', names and values percent-encoded once more.
 * No field can have a NUL. Aborts on a line that is not of this form.
 */
#ifndef PENATES_TESTS_SIGN_CASE_H
#define PENATES_TESTS_SIGN_CASE_H

#include "s3/sigv4.h"

enum { SIGN_TEXT_MAX = 64 * 1024 };

enum sign_field {
    SIGN_METHOD,
    SIGN_HOST,
    SIGN_KEY,
    SIGN_REGION,
    SIGN_ID,
    SIGN_SECRET,
    SIGN_TOKEN,
    SIGN_NOW,
    SIGN_QUERY,
    SIGN_HEADERS,
    SIGN_SERVICE,
    SIGN_BODY,
    SIGN_FIELDS
};

struct sign_pairs {
    struct buf texts[2 * SIGV4_PAIRS_MAX];
    struct sigv4_pair pairs[SIGV4_PAIRS_MAX];
    size_t count;
};

struct sign_case {
    struct buf fields[SIGN_FIELDS];
    struct buf path; /* of the key */
    struct sign_pairs query, headers;
    struct creds_value creds;
    struct sigv4_request request; /* of all these */
};

/* Cuts its fields off the line; what follows them is left. */
void sign_case_read(struct sign_case *sign, char **line);
void sign_case_done(struct sign_case *sign);

/* The next field of a line, decoded; `ret` is made anew. */
void sign_field_read(char **line, struct buf *ret);

#endif
