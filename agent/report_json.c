/* report_json: the full report, and the one line for --json; see report.h. */
#include "agent/report.h"

#include <string.h>

#include "agent/base/mem.h"
#include "agent/json_write.h"
#include "agent/options.h"
#include "agent/plan_json.h"
#include "agent/plan_print.h"
#include "agent/report_internal.h"
#include "agent/selection_json.h"

static void put_count(struct json *json, const char *name, const struct report_count *counter)
{
    json_open_object(json, name);
    json_u64(json, "files", counter->files);
    json_u64(json, "bytes", counter->bytes);
    json_close(json);
}

static void put_failure(struct json *json, const struct report *report, size_t most)
{
    const struct err *failure = &report->failure;
    json_u64(json, "exit", (uint64_t)err_exit_code(failure->kind));
    if (failure->kind == ERR_NONE) {
        json_null(json, "error");
        json_null(json, "next");
        return;
    }
    json_string_cut(json, "error", failure->text, most);
    json_string_cut(json, "next", err_next_step(failure), most);
}

static void put_after(struct json *json, const struct report *report)
{
    static const char *const NAMES[] = {[AFTER_NONE] = NULL,
                                        [AFTER_NOT_RUN] = "not-run",
                                        [AFTER_FAILED] = "failed",
                                        [AFTER_EARLIER] = "earlier",
                                        [AFTER_DONE] = "done"};
    ASSERT((unsigned)report->after < ARRAY_SIZE(NAMES));
    json_string(json, "after", NAMES[report->after]);
}

static void put_amounts(struct json *json, const struct report *report,
                        const struct report_counts *counts)
{
    json_u64(json, "files_wanted", counts->wanted.files);
    json_u64(json, "files", counts->finished.files);
    json_u64(json, "files_earlier", counts->earlier.files);
    json_u64(json, "stored_bytes", counts->finished.bytes);
    json_u64(json, "fetched_bytes", counts->finished.bytes - counts->earlier.bytes);
    json_u64(json, "plain_bytes", counts->plain_bytes);
    json_seconds(json, "seconds", counts->duration_ms);
    json_u64(json, "thawed_objects", report->thawed.objects);
    json_seconds(json, "thaw_seconds", report->thawed.wait_ms);
    json_u64(json, "requests", report->stats.requests);
    json_u64(json, "retries", report->stats.retries);
}

static void put_checks(struct json *json, const struct report_counts *counts)
{
    json_open_object(json, "checks");
    for (unsigned i = 0; i < REPORT_CHECKS; i++) {
        put_count(json, report_check_name(i), &counts->checked[i]);
    }
    put_count(json, "none", &counts->unchecked);
    json_close(json);
}

static void put_file(struct json *json, const struct report *report, uint32_t index,
                     struct buf *text)
{
    static const char *const STATES[] = {[REPORT_FILE_OPEN] = "open",
                                         [REPORT_FILE_DONE] = "done",
                                         [REPORT_FILE_EARLIER] = "earlier"};
    const struct plan_file *file = &report->plan->files[index];
    json_open_object(json, NULL);
    if (report->target == NULL) {
        plan_file_target(file, text);
    } else {
        target_place(report->target, report->plan, index, text);
    }
    json_string(json, "path", buf_str(text));
    plan_file_key(file, text);
    json_string(json, "key", buf_str(text));
    json_string(json, "state", STATES[report->states[index]]);
    json_u64(json, "size", file->size);
    if (report->states[index] == REPORT_FILE_OPEN) {
        json_null(json, "plain_size");
    } else {
        json_u64(json, "plain_size", report->plain[index]);
    }
    json_open_array(json, "checks");
    for (unsigned i = 0; i < REPORT_CHECKS; i++) {
        if ((report->checks[index] & 1u << i) != 0) {
            json_string(json, NULL, report_check_name(i));
        }
    }
    json_close(json);
    json_close(json);
}

static void put_files(struct json *json, const struct report *report)
{
    /* A looked-up folder makes a path longer by an id. */
    autobuf struct buf text = BUF_INIT(2 * PLAN_PATH_SIZE_MAX);
    json_open_array(json, "files");
    for (uint32_t i = 0; i < report->plan->file_count; i++) {
        if (report->take == NULL || report->take[i] != 0) {
            put_file(json, report, i, &text);
        }
    }
    json_close(json);
}

static void put_head(struct json *json, const struct report *report, const char *format)
{
    json_string(json, "format", format);
    json_u64(json, "version", 1);
    json_string(json, "penates", PENATES_VERSION);
    json_string(json, "command", options_command(report->config->command)->name);
    json_string(json, "result", report_outcome_name(report->outcome));
}

static void put_plan(struct json *json, const struct report *report)
{
    json_string(json, "plan", report->plan->id);
    plan_json_nodes(json, report->plan);
    plan_json_tables(json, report->plan);
    if (report->target != NULL) {
        report_put_added(json, report->target, report->plan);
    }
    plan_json_notes(json, report->plan);
    put_files(json, report);
}

static void put_setup(struct json *json, const struct node_setup *setup)
{
    json_open_array(json, "set_aside");
    for (size_t i = 0; i < setup->stale.count; i++) {
        const struct stale_folder *folder = &setup->stale.folders[i];
        if (folder->aside != NULL) {
            json_open_object(json, NULL);
            json_string(json, "folder", folder->path);
            json_string(json, "to", folder->aside);
            json_u64(json, "files", folder->files);
            json_u64(json, "bytes", folder->bytes);
            json_close(json);
        }
    }
    json_close(json);
    if (setup->applied.file == NULL) {
        json_null(json, "apply_yaml");
        return;
    }
    json_open_object(json, "apply_yaml");
    json_string(json, "file", setup->applied.file);
    json_bool(json, "changed", setup->applied.changed);
    json_string(json, "original", setup->applied.before);
    json_close(json);
}

char *report_json(const struct report *report)
{
    const struct config *config = report->config;
    const struct report_counts counts = report_count_all(report);
    struct mem_file mem;
    struct json json = JSON_INIT(mem_file_open(&mem), true);
    json_open_object(&json, NULL);
    put_head(&json, report, "penates-report");
    put_failure(&json, report, sizeof(report->failure.text));
    put_after(&json, report);
    json_time(&json, "started", report->started_ms);
    json_string(&json, "source", report->source_name);
    json_open_array(&json, "targets");
    for (unsigned i = 0; i < config->target_count; i++) {
        json_string(&json, NULL, config->targets[i]);
    }
    json_close(&json);
    selection_json(&json, "selection", &config->selection, config);
    if (config->command == COMMAND_VERIFY) {
        json_u64(&json, "seed", config->seed);
    }
    json_open_object(&json, "totals");
    put_amounts(&json, report, &counts);
    json_close(&json);
    put_checks(&json, &counts);
    if (report->setup != NULL) {
        put_setup(&json, report->setup);
    }
    if (report->plan != NULL) {
        put_plan(&json, report);
    }
    json_close(&json);
    json_end(&json);
    return mem_file_close(&mem);
}

/* With texts of at most `most` bytes. */
static char *make_line(const struct report *report, size_t most)
{
    const struct report_counts counts = report_count_all(report);
    struct mem_file mem;
    struct json json = JSON_INIT(mem_file_open(&mem), false);
    json_open_object(&json, NULL);
    put_head(&json, report, "penates-result");
    put_failure(&json, report, most);
    put_after(&json, report);
    json_string_cut(&json, "source", report->source_name, most);
    if (report->config->target_count > 0) {
        json_string_cut(&json, "target", report->config->targets[0], most);
    } else {
        json_null(&json, "target");
    }
    json_string(&json, "plan", report->plan == NULL ? NULL : report->plan->id);
    json_string(
        &json, "indexes",
        report->plan == NULL ? NULL : plan_indexes_name(plan_worst_indexes(report->plan)->indexes));
    put_amounts(&json, report, &counts);
    json_u64(&json, "files_unchecked", counts.unchecked.files);
    json_u64(&json, "missing", report->plan == NULL ? 0 : report->plan->missing_total);
    json_u64(&json, "warnings", report->plan == NULL ? 0 : report->plan->warning_count);
    json_close(&json);
    json_end(&json);
    return mem_file_close(&mem);
}

char *report_line(const struct report *report)
{
    size_t most = 512;
    for (;;) {
        autofree char *line = make_line(report, most);
        if (strlen(line) <= REPORT_LINE_SIZE_MAX) {
            return TAKE_PTR(line);
        }
        ASSERT(most > 0); /* the rest has a fixed size, far below the limit */
        most /= 2;
    }
}
