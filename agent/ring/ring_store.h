/*
 * ring_store: the objects of a ring in its state bucket, s3://BUCKET/PREFIX:
 *
 *     plans/ID.json                    the ring plan
 *     nodes/RESTORE-ID/SLOT.json       what each node has last reported
 *     nodes/RESTORE-ID/SLOT.NODE.json  the same of a slot that is claimed: no loser speaks for it
 *     nodes/RESTORE-ID/SLOT.once.json  that it was restored (ring_once.h)
 *     claims/RESTORE-ID/TOKEN.json     whose a slot is, where nodes claim them
 *     claims/RESTORE-ID/ring.json      the seal: all of them are restored
 *
 * The bucket is the target's: no role, region or option that was given for the backup's bucket is
 * used for it, but for the endpoint and how to address it. A plan can be a local file, too.
 */
#ifndef PENATES_RING_RING_STORE_H
#define PENATES_RING_RING_STORE_H

#include "agent/ring/ring_plan.h"
#include "agent/source.h"

/* `url` is s3://BUCKET/PREFIX. ERR_CONFIG. */
int ring_store_open(const struct config *config, const char *url, struct source **ret,
                    struct err *e) MUST_CHECK;

/* The state of a plan's s3://BUCKET/PREFIX/plans/ID.json; NULL: it lies elsewhere, and nothing can
 * be reported. The caller frees. */
char *ring_store_of(const char *ring);

/* A small object; `name` is below the prefix. ERR_NOT_FOUND; ERR_LIMIT when it does not fit; or as
 * the store does. */
int ring_store_get(struct source *store, const char *name, struct buf *ret,
                   struct err *e) MUST_CHECK;

/* The name of a report; `node` NULL: the slot is not claimed. The caller frees. */
char *ring_store_report_name(const char *restore_id, size_t slot, const char *node);

/* Writes a small JSON object. only_new: ERR_CHANGED when there is one already; or as the store
 * does, ERR_AUTH when s3:PutObject is not allowed. */
int ring_store_put(struct source *store, const char *name, struct slice body, bool only_new,
                   struct err *e) MUST_CHECK;

/* Which object it was, and its age by the store's own clock: Date - Last-Modified of one answer;
 * -1: not told. */
struct ring_version {
    char etag[S3_ETAG_MAX];
    int64_t age_ms;
};

/* As ring_store_get, and which it was. ERR_CONFIG: the store tells no ETag. */
int ring_store_look(struct source *store, const char *name, struct buf *ret,
                    struct ring_version *ret_version, struct err *e) MUST_CHECK;

/* Writes a small JSON object over the one with this ETag, or, when that is "", only where there is
 * none. ERR_CHANGED, ERR_NOT_FOUND: it is not so; or as the store does. ret_etag: of what was
 * written. */
int ring_store_swap(struct source *store, const char *name, struct slice body, const char *etag,
                    char ret_etag[S3_ETAG_MAX], struct err *e);

/* A whole local file. ERR_CONFIG. */
int ring_store_read_file(const char *path, struct buf *ret, struct err *e) MUST_CHECK;

/* The ring plan that config->ring, or `ring status RING`, names; from S3 unless this machine was
 * restored by it and has a copy. As ring_plan_read; ERR_NOT_FOUND; ERR_REFUSED: what lies under the
 * name of a plan is another one; or as the store does. The caller frees. */
int ring_store_load(const struct config *config, const char *ring, struct ring_plan **ret,
                    struct err *e) MUST_CHECK;

#endif
