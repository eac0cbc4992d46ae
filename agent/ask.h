/*
 * ask: one request without a body, HEAD or POST, for each of many objects, as many at a time as
 * --connections allows.
 *
 *     fill(0), fill(1), ... ─▶ source ─▶ take(), in the order of the answers
 *
 * Both are called on the calling thread, which waits.
 */
#ifndef PENATES_ASK_H
#define PENATES_ASK_H

#include "agent/source.h"

enum { ASK_KEY_SIZE_MAX = 1024 + 1 }; /* S3's limit, and the NUL */

/* Makes the request for one object: its key into `key`, the rest into `get`. False: there is
 * nothing to ask about this one. */
typedef bool ask_fill_fn(void *ctx, size_t index, struct buf *key, struct s3_get *get);
/* An answer that is no failure. */
typedef void ask_take_fn(void *ctx, size_t index, const struct s3_get *get);

struct ask {
    struct source *source;
    unsigned connections;
    size_t count;
    ask_fill_fn *fill;
    ask_take_fn *take;
    void *ctx;
};

/* After a failure, which is returned, nothing further is asked; answers to what was under way are
 * taken still. */
int ask_all(const struct ask *ask, struct err *e) MUST_CHECK;

#endif
