#include "agent/report_out.h"

#include <string.h>

#include "agent/out_file.h"
#include "agent/report_internal.h"

static int write_report(const struct report *report, const char *path, struct err *e)
{
    autofree char *text = report_json(report);
    return out_file_write(path, text, strlen(text), e);
}

static int print_line(const struct report *report, struct err *e)
{
    autofree char *line = report_line(report);
    (void)fputs(line, stdout); /* the flush tells */
    return out_file_flush_stdout(e);
}

int report_out_check(const struct config *config, struct err *e)
{
    if (config->report != NULL && out_file_check(config->report, e) != 0) {
        return -1;
    }
    return config->metrics == NULL ? 0 : out_file_check(config->metrics, e);
}

int report_out(struct report *report, enum report_outcome good, const struct s3_stats *stats,
               int result, struct err *e)
{
    const struct config *config = report->config;
    ASSERT((result == 0) == (e->kind == ERR_NONE));
    const enum report_outcome bad = e->kind == ERR_CANCELLED ? REPORT_INTERRUPTED : REPORT_FAILED;
    report_end(report, result == 0 ? good : bad, stats, result == 0 ? NULL : e);
    report_log(report);
    /* The first of these to fail is told, unless the run failed before it. */
    struct err first = ERR_INIT;
    struct err next = ERR_INIT;
    if (config->report != NULL && write_report(report, config->report, &next) != 0 &&
        first.kind == ERR_NONE) {
        first = next;
    }
    if (config->metrics != NULL && report_write_metrics(report, config->metrics, &next) != 0 &&
        first.kind == ERR_NONE) {
        first = next;
    }
    if (config->json && print_line(report, &next) != 0 && first.kind == ERR_NONE) {
        first = next;
    }
    if (result == 0 && first.kind != ERR_NONE) {
        *e = first;
        return -1;
    }
    return result;
}

int report_out_unstarted(const struct config *config, struct err *e)
{
    ASSERT(e->kind != ERR_NONE);
    const char *source = config->source != NULL ? config->source : config->ring;
    struct report *report = report_new(config, source == NULL ? config->plan_in : source);
    const struct s3_stats none = {0};
    const int result = report_out(report, REPORT_FAILED, &none, -1, e);
    report_free(report);
    return result;
}
