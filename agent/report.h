/*
 * report: what a restore or a verify did, counted as it happens and told at the end: to the
 * operator on stderr, as one JSON line, as the full JSON report, as Prometheus metrics. All four
 * read the same counts. Results arrive one at a time from the transfer's threads; everything else
 * is the main thread's, before or after the transfer.
 */
#ifndef PENATES_REPORT_H
#define PENATES_REPORT_H

#include "agent/after.h"
#include "agent/node_setup.h"
#include "agent/target.h"
#include "agent/transfer.h"

enum { REPORT_CHECKS = 6 }; /* bits of enum check */

/* Files and their stored bytes. */
struct report_count {
    uint64_t files, bytes;
};

struct report_counts {
    struct report_count wanted;   /* of the plan, or of the sample */
    struct report_count finished; /* by this run and earlier ones */
    struct report_count earlier;  /* of those, by an earlier run */
    struct report_count checked[REPORT_CHECKS];
    struct report_count unchecked; /* finished without any check of their content */
    uint64_t plain_bytes;          /* of the finished ones */
    uint64_t duration_ms;
};

enum report_outcome {
    REPORT_RESTORED,
    REPORT_ALREADY_RESTORED,
    REPORT_VERIFIED,
    REPORT_FAILED,
    REPORT_INTERRUPTED,
};

struct report;

/* Starts the clock. `source_name` is copied. */
struct report *report_new(const struct config *config, const char *source_name);
void report_free(struct report *report); /* NULL is fine */

/* Borrows both. `take` as in transfer_options. */
void report_set_plan(struct report *report, const struct plan *plan, const uint8_t *take);

/* Borrowed; after target_put_in_place. */
void report_set_target(struct report *report, const struct target *target);

/* What is done for the node; borrowed, and told as it stands at the end. */
void report_set_setup(struct report *report, const struct node_setup *setup);

/* What had to be thawed so far; copied. */
void report_set_thawed(struct report *report, const struct thaw_count *count);

/* In place of a plan: what an earlier run has finished, and this one found. */
void report_set_earlier(struct report *report, const struct target_summary *summary);

/* How the commands of --after went. */
void report_set_after(struct report *report, enum after_outcome outcome);

/* A transfer_result_fn; ctx is the report. */
void report_add_file(void *ctx, const struct transfer_result *result);

/* Stops the clock, once: what --after takes says nothing of the backup. */
void report_stop(struct report *report);

/* Stops the clock, too. `failure` is copied; NULL: it went well. */
void report_end(struct report *report, enum report_outcome outcome, const struct s3_stats *stats,
                const struct err *failure);

struct report_counts report_count_all(const struct report *report);

/* "restored", "already-restored", "verified", "failed", "interrupted". */
const char *report_outcome_name(enum report_outcome outcome);

/* report_text.c: to the log, at info. */
void report_log(const struct report *report);

/* report_added.c: what target_check or target_put_in_place has found out about added tables, to the
 * log; and what the operator has to do next. */
void report_log_added(const struct target *target, const struct plan *plan);
void report_log_added_next(const struct target *target, const struct plan *plan);

/* report_json.c: the full report (deploy/schema/report.schema.json); caller frees. */
char *report_json(const struct report *report);
/* One line (deploy/schema/result.schema.json) of at most REPORT_LINE_SIZE_MAX bytes with its line
 * feed; caller frees. */
enum { REPORT_LINE_SIZE_MAX = 2000 };
char *report_line(const struct report *report);

/* metrics.c: writes --metrics FILE. ERR_CREATE, ERR_DISK. */
int report_write_metrics(const struct report *report, const char *path, struct err *e) MUST_CHECK;

#endif
