/*
 * transfer: all files of a plan, from the source to their places. The way of the data:
 *
 *     schedule ─▶ budget ─▶ source get ─▶ object: cut in order ─▶ queue ─▶ worker: decode, write
 *        ▲                                                                    │ last chunk
 *        └── memory returns when the last chunk of a part is written ◀────────┤
 *                                                     commit: fsync, rename, journal (group commit)
 *
 * The calling thread issues the parts; memory is reserved before a request is sent, and that is the
 * only back pressure. The same code verifies (sink is NULL: nothing is written).
 */
#ifndef PENATES_TRANSFER_H
#define PENATES_TRANSFER_H

#include "agent/plan.h"
#include "agent/progress.h"

struct target; /* target.h: the directories and their journal */

/* Which checks a file passed; bits, for the report. Zero: the backup offers none. */
enum check {
    CHECK_S3_CHECKSUM = 1 << 0, /* x-amz-checksum-* of the stored bytes */
    CHECK_DIGEST = 1 << 1,      /* the SSTable's own digest of Data.db */
    CHECK_MD5 = 1 << 2,         /* the ETag, single-part or composed */
    CHECK_SIZE = 1 << 3,        /* plain size against manifest or x-amz-meta-local-size */
    CHECK_STRUCTURE = 1 << 4,   /* Snappy structure to the last byte */
    CHECK_TOC = 1 << 5,         /* the SSTable has every component its TOC.txt names */
};

/* The outcome of one file, reported from the caller's thread (skipped ones), a worker or the commit
 * thread, one call at a time. */
struct transfer_result {
    uint32_t file;   /* index into plan->files */
    unsigned checks; /* enum check bits */
    uint64_t plain_size;
    bool skipped; /* finished by an earlier run */
};
typedef void transfer_result_fn(void *ctx, const struct transfer_result *result);

struct transfer_options {
    const struct config *config;
    const struct plan *plan;
    struct source *source;
    struct target *target; /* NULL: verify only, nothing is written */
    const uint8_t *take;   /* one flag a file: 0 leaves it out (sample); NULL: all */
    struct progress *progress;
    transfer_result_fn *on_result;
    void *ctx;
};

/*
 * Blocks until all is in place or the first failure, which it returns after what was under way has
 * been ended and finished files are journaled. ERR_CANCELLED after interrupt_ask().
 */
int transfer_run(const struct transfer_options *options, struct err *e) MUST_CHECK;

#endif
