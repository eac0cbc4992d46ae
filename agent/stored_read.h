/*
 * stored_read: one object of the backup as plain bytes, part by part and in order, for what the
 * agent itself reads: manifests and schemas. Blocking; one call at a time is one thread's, several
 * threads may read from one source.
 */
#ifndef PENATES_STORED_READ_H
#define PENATES_STORED_READ_H

#include "agent/source.h"
#include "codec/codec.h"

struct stored_object {
    const char *key;
    const char *etag;       /* as listed; "": any */
    const char *version_id; /* as listed; NULL or "": the newest */
    uint64_t size;          /* stored bytes, as listed */
    enum codec_claim claim;
    size_t block_size_max; /* plain bytes that one block may have: decoding holds it whole */
};

/* Takes plain bytes; -1 with *e set stops the reading. */
typedef int stored_read_fn(void *ctx, struct slice plain, struct err *e);

/* Fails as the source does, as fn does, or with ERR_CORRUPT, ERR_TRUNCATED or ERR_LIMIT; the text
 * does not name the object. An empty object is ERR_CORRUPT. */
int stored_read(const struct config *config, struct source *source,
                const struct stored_object *object, stored_read_fn *fn, void *ctx,
                struct err *e) MUST_CHECK;

#endif
