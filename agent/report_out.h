/* report_out: the end of a restore or verify: what happened goes wherever the options want it. */
#ifndef PENATES_REPORT_OUT_H
#define PENATES_REPORT_OUT_H

#include "agent/report.h"

/* Can --report and --metrics be written at the end? Found out before the hours in between.
 * ERR_CREATE. */
int report_out_check(const struct config *config, struct err *e) MUST_CHECK;

/*
 * Ends the report with `good`, or with the failure in *e when `result` is -1; logs it, writes
 * --report and --metrics, prints the line of --json. Returns `result`, or -1 when the run went well
 * and one of these could not be written; the run's own failure is never replaced.
 */
int report_out(struct report *report, enum report_outcome good, const struct s3_stats *stats,
               int result, struct err *e) MUST_CHECK;

/* report_out for a run that failed before there was a source: whoever reads the outcome, as an
 * alarm does, must not find that of the run before. Returns -1. */
int report_out_unstarted(const struct config *config, struct err *e) MUST_CHECK;

#endif
