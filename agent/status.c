/* status: what the journal of a directory tells. */
#include <inttypes.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/commands.h"
#include "agent/json_write.h"
#include "agent/out_file.h"
#include "agent/target.h"

/* What SSM shows of a command's output holds it, with its line feed. */
enum { STATUS_LINE_SIZE_MAX = 2000 };

static const char *phase_name(enum target_phase phase)
{
    static const char *const NAMES[] = {
        [PHASE_NEW] = "new",       [PHASE_RUNNING] = "running", [PHASE_INTERRUPTED] = "interrupted",
        [PHASE_FAILED] = "failed", [PHASE_DONE] = "done",
    };
    ASSERT((unsigned)phase < ARRAY_SIZE(NAMES));
    return NAMES[phase];
}

struct pace {
    uint64_t bytes_per_second; /* of the last run, 0: nothing to tell it from */
    uint64_t left_ms;          /* until the end at that pace, 0: not known */
};

/* A running restore is measured until now, an ended one until its end; when an interrupted one
 * ended nobody has noted. */
static struct pace measure(const struct target_summary *summary)
{
    struct pace pace = {0};
    const int64_t end_ms = summary->phase == PHASE_RUNNING ? clock_wall_ms() : summary->last_ms;
    if (summary->phase == PHASE_INTERRUPTED || end_ms <= summary->run_ms ||
        summary->stored_done <= summary->stored_kept) {
        return pace;
    }
    const double seconds = (double)(end_ms - summary->run_ms) / 1000;
    const double rate = (double)(summary->stored_done - summary->stored_kept) / seconds;
    pace.bytes_per_second = (uint64_t)rate;
    if (summary->phase == PHASE_RUNNING && summary->stored_bytes > summary->stored_done) {
        pace.left_ms =
            (uint64_t)((double)(summary->stored_bytes - summary->stored_done) / rate * 1000);
    }
    return pace;
}

static void put_time_or_null(struct json *json, const char *name, int64_t ms)
{
    if (ms == 0) {
        json_null(json, name);
    } else {
        json_time(json, name, ms);
    }
}

/* With texts of at most `most` bytes. */
static char *make_line(const char *dir, const struct target_summary *summary,
                       const struct pace *pace, size_t most)
{
    struct mem_file mem;
    struct json json = JSON_INIT(mem_file_open(&mem), false);
    json_open_object(&json, NULL);
    json_string(&json, "format", "penates-status");
    json_u64(&json, "version", 1);
    json_string_cut(&json, "directory", dir, most);
    json_string(&json, "state", phase_name(summary->phase));
    json_u64(&json, "pid", summary->pid);
    json_u64(&json, "files", summary->files);
    json_u64(&json, "files_done", summary->files_done);
    json_u64(&json, "stored_bytes", summary->stored_bytes);
    json_u64(&json, "stored_done", summary->stored_done);
    json_u64(&json, "plain_bytes", summary->plain_bytes);
    json_u64(&json, "plain_done", summary->plain_done);
    put_time_or_null(&json, "until", summary->until_ms);
    put_time_or_null(&json, "started", summary->started_ms);
    put_time_or_null(&json, "last_run", summary->run_ms);
    put_time_or_null(&json, "last_progress", summary->last_ms);
    json_u64(&json, "bytes_per_second", pace->bytes_per_second);
    if (pace->left_ms > 0) {
        json_seconds(&json, "seconds_left", pace->left_ms);
    } else {
        json_null(&json, "seconds_left");
    }
    json_string_cut(&json, "error", summary->error[0] == '\0' ? NULL : summary->error, most);
    json_close(&json);
    json_end(&json);
    return mem_file_close(&mem);
}

static void print_json(const char *dir, const struct target_summary *summary,
                       const struct pace *pace)
{
    for (size_t most = 1024;; most /= 2) {
        autofree char *line = make_line(dir, summary, pace, most);
        if (strlen(line) <= STATUS_LINE_SIZE_MAX) {
            (void)fputs(line, stdout); /* the flush tells */
            return;
        }
        ASSERT(most > 0); /* the rest has a fixed size, far below the limit */
    }
}

/* The flush after it tells whether this got through. */
static void print_text(const char *dir, const struct target_summary *summary,
                       const struct pace *pace)
{
    char done[BYTES_TEXT_SIZE], all[BYTES_TEXT_SIZE], text[TIME_TEXT_SIZE];
    (void)printf("%s: %s\n", dir, phase_name(summary->phase));
    if (summary->phase == PHASE_NEW) {
        (void)printf("no restore was begun here\n");
        return;
    }
    if (summary->until_ms > 0) {
        (void)printf("state of: %s\n", format_time(summary->until_ms, text));
    }
    (void)printf("files: %" PRIu64 " of %" PRIu64 "\n", summary->files_done, summary->files);
    (void)printf("fetched: %s of %s\n", format_bytes(summary->stored_done, done),
                 format_bytes(summary->stored_bytes, all));
    (void)printf("started: %s\n", format_time(summary->started_ms, text));
    (void)printf("last progress: %s\n", format_time(summary->last_ms, text));
    if (pace->bytes_per_second > 0) {
        (void)printf("rate: %s/s\n", format_bytes(pace->bytes_per_second, all));
    }
    if (pace->left_ms > 0) {
        (void)printf("left: about %" PRIu64 " s\n", pace->left_ms / 1000 + 1);
    }
    if (summary->phase == PHASE_RUNNING && summary->pid != 0) {
        (void)printf("process: %" PRIu64 "\n", summary->pid);
    }
    if (summary->error[0] != '\0') {
        (void)printf("error: %s\n", summary->error);
    }
}

int status_run(const struct config *config, struct err *e)
{
    struct target_summary summary;
    ASSERT(config->argument != NULL);
    if (target_status(config->argument, &summary, e) != 0) {
        return -1;
    }
    const struct pace pace = measure(&summary);
    if (config->json) {
        print_json(config->argument, &summary, &pace);
    } else {
        print_text(config->argument, &summary, &pace);
    }
    return out_file_flush_stdout(e);
}
