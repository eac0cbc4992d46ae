/*
 * answer: is what the store sent what was asked for? Pure. Nothing is taken on trust: status,
 * length, range and ETag must all be those of the request before a byte of the body counts.
 */
#ifndef PENATES_S3_ANSWER_H
#define PENATES_S3_ANSWER_H

#include "agent/base/buf.h"
#include "s3/denial.h"
#include "s3/error_map.h"
#include "s3/error_xml.h"
#include "s3/http_headers.h"

/* What one try asks for. */
struct answer_want {
    bool head;    /* no body */
    bool restore; /* any 2xx */
    bool put;     /* any 2xx */
    bool page;    /* a listing: a body of any length that is told */
    bool whole;   /* all of an object of at most `total` bytes */
    bool ranged;  /* bytes first..last of total; else all of them */
    uint64_t first, last, total;
    const char *etag;          /* "": any */
    const char *region;        /* signed for */
    int64_t signed_at_ms;      /* the clock of the signature; -1: not signed */
    struct denial_asked asked; /* for the words of a denial */
};

/* For a status of 2xx. VERDICT_DONE: the body may be taken; else *e says what is wrong. */
enum verdict answer_check(const struct answer_want *want, const struct http_headers *headers,
                          struct err *e);

/* For any other status, and for an <Error> in a 200. *ret_error is what the body says. Sets *e. */
enum verdict answer_error(const struct answer_want *want, const struct http_headers *headers,
                          struct slice body, struct error_xml *ret_error, struct err *e);

/* True when it is not the store that answers, but a web server, a proxy or a portal before it; and
 * the words for that after a 200. */
bool answer_is_html(struct slice body);
enum verdict answer_html(struct err *e);

/* True when a body that came with a 200 is an <Error> nevertheless. */
bool answer_is_error(struct slice body);

#endif
