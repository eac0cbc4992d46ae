/*
 * commit: gives verified files their final names, many at a time. One thread takes all that is
 * waiting, brings it to disk (fsync of each; for a crowd one syncfs, then a look at the write
 * errors of each, which costs no flush), renames, syncs the directories, appends to the journal and
 * syncs that. While it does, the next crowd gathers: group commit. The order is what makes a crash
 * harmless: data before name, name before journal.
 */
#ifndef PENATES_COMMIT_H
#define PENATES_COMMIT_H

#include "agent/file_sink.h"

/* What the journal keeps of a finished file. */
struct commit_record {
    uint32_t file; /* index into plan->files */
    uint64_t plain_size;
    unsigned checks; /* enum check bits, see transfer.h */
};

/* Called on the commit thread for each file that is in place and journaled. */
typedef void commit_done_fn(void *ctx, const struct commit_record *record);

struct commit;

struct commit *commit_start(struct target *target, const struct plan *plan, commit_done_fn *done,
                            void *ctx);

/* Hands a verified file over; owns the sink from now on. Blocks while too many wait. After a
 * failure the file is abandoned silently: commit_failed() tells. Any thread. */
void commit_file(struct commit *commit, struct file_sink *sink, const struct commit_record *record);

bool commit_failed(struct commit *commit);

/* Waits until all that was handed over is in place, ends the thread, frees. -1: the first failure.
 */
int commit_stop(struct commit *commit, struct err *e) MUST_CHECK;

/* True when an earlier run finished this very file (same key, ETag, size and target) and
 * target_check found it there with its size; *ret says what was recorded. Also true once this run
 * finished it. */
bool commit_done_before(const struct target *target, const struct plan *plan, uint32_t file,
                        struct commit_record *ret);

#endif
