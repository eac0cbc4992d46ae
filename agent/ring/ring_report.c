#include "agent/ring/ring_report.h"

#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/thread.h"
#include "agent/json_write.h"
#include "agent/ring/ring_slot.h"
#include "agent/ring/ring_store.h"

enum {
    EVERY_MS = 30 * 1000,
    RETRY_MS = 5 * 1000, /* the next report says it all again */
};

struct ring_report {
    /* set once */
    const struct config *config;
    const struct ring_choice *choice;
    struct source *store;
    pthread_t thread;

    /* the thread's until it is joined, then the main thread's */
    bool warned;

    /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    const struct progress *progress; /* NULL: nothing is done yet */
    bool stopping;
};

/* What one report says. */
struct word {
    const char *state;
    uint64_t files, stored;
    const char *error; /* NULL: none */
};

static char *write_word(const struct ring_report *report, const struct word *word)
{
    struct mem_file mem;
    struct json json = JSON_INIT(mem_file_open(&mem), false);
    json_open_object(&json, NULL);
    json_string(&json, "format", "penates-node-report");
    json_u64(&json, "version", 1);
    json_string(&json, "restore_id", report->config->restore_id);
    json_string(&json, "ring", report->choice->ring_id);
    json_u64(&json, "slot", report->choice->slot);
    json_string(&json, "token", report->choice->token);
    json_string(&json, "node", report->choice->node);
    json_time(&json, "time", clock_wall_ms());
    json_string(&json, "state", word->state);
    json_u64(&json, "files_done", word->files);
    json_u64(&json, "stored_done", word->stored);
    json_string(&json, "error", word->error);
    json_close(&json);
    json_end(&json);
    return mem_file_close(&mem);
}

static void tell(struct ring_report *report, const struct word *word)
{
    const struct ring_choice *choice = report->choice;
    autofree char *name = ring_store_report_name(report->config->restore_id, choice->slot,
                                                 choice->lease == NULL ? NULL : choice->node);
    autofree char *text = write_word(report, word);
    struct err e = ERR_INIT;
    const int result = ring_store_put(report->store, name, slice_of(text, strlen(text)), false, &e);
    if (result != 0 && !report->warned) {
        log_warn("'penates ring status' does not learn of this node: %s", e.text);
    }
    report->warned = result != 0; /* again when it breaks again */
}

static void *run(void *arg)
{
    struct ring_report *report = (struct ring_report *)arg;
    mutex_lock(&report->lock);
    while (!report->stopping) {
        struct word word = {.state = "running"};
        if (report->progress != NULL) {
            progress_done(report->progress, &word.files, &word.stored);
        }
        mutex_unlock(&report->lock);
        tell(report, &word);
        mutex_lock(&report->lock);
        const uint64_t due_ms = clock_mono_ms() + EVERY_MS;
        for (uint64_t now_ms = clock_mono_ms(); !report->stopping && now_ms < due_ms;
             now_ms = clock_mono_ms()) {
            (void)cond_wait_ms(&report->wake, &report->lock, due_ms - now_ms);
        }
    }
    mutex_unlock(&report->lock);
    return NULL;
}

struct ring_report *ring_report_start(const struct config *config)
{
    const struct ring_choice *const choice = config->chosen;
    if (choice == NULL || choice->state == NULL) {
        return NULL;
    }
    ASSERT(config->restore_id != NULL); /* the ring's, unless another was given */
    struct ring_report *report = (struct ring_report *)xcalloc(1, sizeof(*report));
    struct config own = *config;
    struct err e = ERR_INIT;
    own.retry_for_ms = RETRY_MS;
    if (ring_store_open(&own, choice->state, &report->store, &e) != 0) {
        log_warn("'penates ring status' does not learn of this node: %s", e.text);
        free(report);
        return NULL;
    }
    report->config = config;
    report->choice = choice;
    mutex_init(&report->lock);
    cond_init(&report->wake);
    report->thread = thread_start(run, report, "penates-report");
    return report;
}

void ring_report_follow(struct ring_report *report, const struct progress *progress)
{
    if (report == NULL) {
        return;
    }
    mutex_lock(&report->lock);
    report->progress = progress;
    mutex_unlock(&report->lock);
}

void ring_report_end(struct ring_report *report, enum report_outcome outcome,
                     const struct report_counts *counts, const struct err *failure)
{
    if (report == NULL) {
        return;
    }
    mutex_lock(&report->lock);
    ASSERT(!report->stopping);
    report->stopping = true;
    cond_signal(&report->wake);
    mutex_unlock(&report->lock);
    thread_join(report->thread);
    const struct word last = {
        .state = report_outcome_name(outcome),
        .files = counts->finished.files,
        .stored = counts->finished.bytes,
        .error = failure == NULL ? NULL : failure->text,
    };
    tell(report, &last);
    source_free(report->store);
    cond_done(&report->wake);
    mutex_done(&report->lock);
    free(report);
}
