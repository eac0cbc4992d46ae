/*
 * ring_report: tells the state bucket how far this node is, so that `penates ring status` can show
 * it from anywhere: an object below nodes/ (ring_store.h), at once, every 30 s and at the end. A
 * report that cannot be written is one warning, and never fails a restore. All but its own thread
 * is the main thread's.
 */
#ifndef PENATES_RING_RING_REPORT_H
#define PENATES_RING_RING_REPORT_H

#include "agent/progress.h"
#include "agent/report.h"

struct ring_report;

/* NULL when this is no restore of a ring whose plan lies in a state bucket. Borrows the config. */
struct ring_report *ring_report_start(const struct config *config);

/* Where the counts come from from now on; borrowed until the end. A NULL report is fine. */
void ring_report_follow(struct ring_report *report, const struct progress *progress);

/* The last word, which waits for the store for some seconds; frees. `counts` are those of the
 * restore's own report; failure NULL: it went well. A NULL report is fine. */
void ring_report_end(struct ring_report *report, enum report_outcome outcome,
                     const struct report_counts *counts, const struct err *failure);

#endif
