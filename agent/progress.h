/*
 * progress: counters that any thread adds to, and the one place that turns them into a line: on a
 * terminal a status line that is rewritten, in a pipe a plain log line every ten seconds.
 */
#ifndef PENATES_PROGRESS_H
#define PENATES_PROGRESS_H

#include "agent/config.h"

struct progress;

/* Totals may be 0 until known. Starts a thread that draws, unless the config says never. */
struct progress *progress_new(const struct config *config, const char *verb);
void progress_set_total(struct progress *progress, uint64_t files, uint64_t stored_bytes);
void progress_set_retries(struct progress *progress, uint64_t retries);
void progress_add_stored(struct progress *progress, uint64_t bytes);
void progress_add_file(struct progress *progress);
/* Finished by an earlier run: counts as done, not into the rate. */
void progress_add_skipped(struct progress *progress, uint64_t stored_bytes);
/* What is done, by earlier runs too. */
void progress_done(const struct progress *progress, uint64_t *ret_files, uint64_t *ret_stored);
/* Ends the drawing; the status line is removed. */
void progress_stop(struct progress *progress);
void progress_free(struct progress *progress);

#endif
