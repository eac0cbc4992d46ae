/* report_internal: the report's fields, for the files that tell it. */
#ifndef PENATES_REPORT_INTERNAL_H
#define PENATES_REPORT_INTERNAL_H

#include "agent/json_write.h"
#include "agent/report.h"

/* How far a file got. */
enum report_state {
    REPORT_FILE_OPEN,    /* not finished */
    REPORT_FILE_DONE,    /* by this run */
    REPORT_FILE_EARLIER, /* by an earlier one */
};

struct report {
    /* set once */
    const struct config *config;
    char *source_name;
    int64_t started_ms;             /* wall clock */
    uint64_t start_ms;              /* monotonic */
    const struct node_setup *setup; /* NULL: of a verify */

    /* set once there is a plan; one entry a file */
    const struct plan *plan;
    const uint8_t *take;
    uint8_t *states, *checks;
    uint64_t *plain;

    /* set once all files are in place or staged; NULL: not that far */
    const struct target *target;

    struct thaw_count thawed; /* set once there is a plan */

    /* set once, in place of a plan */
    struct target_summary earlier;

    enum after_outcome after; /* AFTER_NOT_RUN until they are over */

    /* set at the end */
    enum report_outcome outcome;
    bool stopped;
    uint64_t duration_ms;
    struct s3_stats stats;
    struct err failure;
};

/* report_added.c: the member "added". */
void report_put_added(struct json *json, const struct target *target, const struct plan *plan);

/* "s3-checksum", ... of bit 1 << index. */
const char *report_check_name(unsigned index);
/* What it means, for the eyes. */
const char *report_check_text(unsigned index);

#endif
