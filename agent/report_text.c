/* report_text: the report for the eyes; see report.h. */
#include "agent/report.h"

#include <inttypes.h>

#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/plan_print.h"
#include "agent/report_internal.h"

static void log_nodes(const struct plan *plan)
{
    char snapshot[TIME_TEXT_SIZE], newest[TIME_TEXT_SIZE];
    for (uint32_t i = 0; i < plan->node_count; i++) {
        const struct plan_node *node = &plan->nodes[i];
        log_info("node %s of %s: the state of %s (snapshot of %s)", node->token, node->cluster,
                 format_time(node->newest_ms, newest), format_time(node->snapshot_ms, snapshot));
    }
    if (plan->node_count > 1) {
        autofree char *instants = plan_print_instants(plan);
        log_info("%s", instants);
    }
    autofree char *indexes = plan_print_indexes(plan);
    log_info("%s", indexes);
}

static void log_amount(const struct report *report, const struct report_counts *counts)
{
    char plain[BYTES_TEXT_SIZE], fetched[BYTES_TEXT_SIZE], rate[BYTES_TEXT_SIZE];
    const uint64_t bytes = counts->finished.bytes - counts->earlier.bytes;
    ASSERT(counts->duration_ms >= report->thawed.wait_ms);
    const uint64_t moving_ms = counts->duration_ms - report->thawed.wait_ms;
    const uint64_t ms = moving_ms == 0 ? 1 : moving_ms;
    const double per_second = (double)bytes * 1000 / (double)ms;
    log_info("%s: %" PRIu64 " files, %s; fetched %s in %" PRIu64 ".%02" PRIu64 " s (%s/s), %" PRIu64
             " requests, %" PRIu64 " tried again",
             report_outcome_name(report->outcome), counts->finished.files,
             format_bytes(counts->plain_bytes, plain), format_bytes(bytes, fetched), ms / 1000,
             ms % 1000 / 10, format_bytes((uint64_t)per_second, rate), report->stats.requests,
             report->stats.retries);
    if (counts->earlier.files > 0) {
        log_info("%" PRIu64 " of these files were finished by an earlier run",
                 counts->earlier.files);
    }
}

static void log_checks(const struct report_counts *counts)
{
    char text[BYTES_TEXT_SIZE];
    for (unsigned i = 0; i < REPORT_CHECKS; i++) {
        if (counts->checked[i].files > 0) {
            log_info("checked by %s: %" PRIu64 " files, %s", report_check_text(i),
                     counts->checked[i].files, format_bytes(counts->checked[i].bytes, text));
        }
    }
    if (counts->unchecked.files > 0) {
        log_info("no check of the content: %" PRIu64 " files, %s; the backup offers none for them",
                 counts->unchecked.files, format_bytes(counts->unchecked.bytes, text));
    }
}

static void log_notes(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->warning_count; i++) {
        log_warn("%s: %s", plan->warnings[i].subject, plan->warnings[i].why);
    }
    for (uint32_t i = 0; i < plan->missing_count; i++) {
        log_warn("%s: %s", plan->missing[i].subject, plan->missing[i].why);
    }
    if (plan->missing_total > plan->missing_count) {
        log_warn("%" PRIu64 " more objects are missing", plan->missing_total - plan->missing_count);
    }
}

/* "latest" of then may not be that of now: what is there has to be said. */
static void log_earlier(const struct report *report)
{
    const struct target_summary *earlier = &report->earlier;
    char until[TIME_TEXT_SIZE], end[TIME_TEXT_SIZE], plain[BYTES_TEXT_SIZE];
    log_info("already restored: %s holds the state of %s: %" PRIu64 " files, %s, finished %s",
             report->config->targets[0],
             earlier->until_ms == 0 ? "a time not known" : format_time(earlier->until_ms, until),
             earlier->files_done, format_bytes(earlier->plain_done, plain),
             format_time(earlier->last_ms, end));
    const struct config *config = report->config;
    if (config->layout == LAYOUT_DATA && config->replace.count + config->map.count > 0) {
        log_info("to swap or add the tables once more, move %s/.penates away", config->targets[0]);
    } else {
        log_info("another state of this backup needs another directory");
    }
}

static bool only_adds(const struct plan *plan)
{
    ASSERT(plan != NULL);
    bool only = true;
    for (uint32_t i = 0; i < plan->table_count; i++) {
        only = only && plan->tables[i].added;
    }
    return only;
}

static void log_setup(const struct node_setup *setup)
{
    for (size_t i = 0; i < setup->stale.count; i++) {
        const struct stale_folder *folder = &setup->stale.folders[i];
        if (folder->aside != NULL) {
            log_info("set aside: %" PRIu64 " files of '%s', now in '%s'", folder->files,
                     folder->path, folder->aside);
        }
    }
    const struct apply_yaml *applied = &setup->applied;
    if (applied->file != NULL && applied->changed) {
        log_info("%s: has the node's token now; the original is '%s'", applied->file,
                 applied->before == NULL ? "gone" : applied->before);
    } else if (applied->file != NULL) {
        log_info("%s: has the node's token already", applied->file);
    }
}

static void log_next(const struct report *report)
{
    const struct config *config = report->config;
    const bool good =
        report->outcome == REPORT_RESTORED || report->outcome == REPORT_ALREADY_RESTORED;
    if (!good || report->after != AFTER_NONE) {
        return; /* what comes next was the business of --after */
    }
    if (report->target != NULL) {
        report_log_added_next(report->target, report->plan);
    }
    if (report->target != NULL && only_adds(report->plan)) {
        return;
    }
    if (config->layout == LAYOUT_LOADER) {
        log_info("next: load %s with sstableloader or nodetool import", config->targets[0]);
    } else if (config->map.count > 0 && report->target == NULL) {
        log_info("next: a running Cassandra loads added tables with 'nodetool refresh KS TABLE', a "
                 "stopped one when it starts");
    } else if (config->selection.include.count > 0) {
        log_info("next: the tables asked for are in %s; a stopped node that has their schema may "
                 "start on it",
                 config->targets[0]);
    } else if (config->apply_yaml != NULL) {
        log_info("next: start Cassandra on %s", config->targets[0]);
    } else {
        log_info("next: start Cassandra on %s, with the node's token in cassandra.yaml ('penates "
                 "plan' shows the lines)",
                 config->targets[0]);
    }
}

void report_log(const struct report *report)
{
    const struct report_counts counts = report_count_all(report);
    if (report->outcome == REPORT_ALREADY_RESTORED) {
        log_earlier(report);
    }
    if (report->plan != NULL) {
        log_notes(report->plan);
        if (report->failure.kind == ERR_NONE) {
            log_nodes(report->plan);
        }
        if (report->target != NULL) {
            report_log_added(report->target, report->plan);
        }
        log_amount(report, &counts);
        log_checks(&counts);
        if (counts.finished.files < counts.wanted.files) {
            log_info("not finished: %" PRIu64 " files",
                     counts.wanted.files - counts.finished.files);
        }
    }
    if (report->outcome == REPORT_VERIFIED && report->config->sample < 1) {
        ASSERT(report->plan != NULL);
        log_info("sample: %" PRIu64 " of %" PRIu32 " files; --seed %" PRIu64 " picks it again",
                 counts.wanted.files, report->plan->file_count, report->config->seed);
    }
    if (report->setup != NULL) {
        log_setup(report->setup);
    }
    log_next(report);
}
