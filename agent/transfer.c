#include "agent/transfer.h"

#include <inttypes.h>

#include "agent/base/clock.h"
#include "agent/base/interrupt.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/digest.h"
#include "agent/object.h"
#include "agent/worker.h"

/* How long an interrupt may go unnoticed. */
enum { TICK_MS = 100 };

/* What one part keeps beside its bytes: its own struct, its object's, key, sink. Charged, so that
 * many small objects stay within the budget as well. */
enum { PART_OVERHEAD = sizeof(struct part) + sizeof(struct object) + 1024 };

/* The calling thread, which hands out the work. */
struct dispatcher {
    struct run *run;
    const uint8_t *need;
    struct object **lanes; /* large objects that have parts to ask for */
    uint64_t seen;         /* news taken note of, of the kind that is waited for */
    uint64_t stats_ms;     /* when the statistics were passed on */
};

static void look_around(struct dispatcher *dispatcher)
{
    struct run *run = dispatcher->run;
    if (interrupt_asked()) {
        struct err e = ERR_INIT;
        (void)err_set(&e, ERR_CANCELLED, "interrupted");
        run_fail(run, &e);
    }
    const uint64_t now_ms = clock_mono_ms();
    if (now_ms - dispatcher->stats_ms >= TICK_MS) {
        progress_set_retries(run->options->progress, source_stats(run->options->source).retries);
        dispatcher->stats_ms = now_ms;
    }
}

/* False when the run stops. */
static bool keep_waiting(struct dispatcher *dispatcher, enum run_news news)
{
    run_wait(dispatcher->run, news, &dispatcher->seen, TICK_MS);
    look_around(dispatcher);
    return !run_stopping(dispatcher->run);
}

static bool wait_for_slot(struct dispatcher *dispatcher)
{
    dispatcher->seen = run_changes(dispatcher->run, RUN_SLOTS);
    while (!run_take_slot(dispatcher->run)) {
        if (!keep_waiting(dispatcher, RUN_SLOTS)) {
            return false;
        }
    }
    return true;
}

static bool wait_for_carry(struct dispatcher *dispatcher)
{
    struct run *run = dispatcher->run;
    dispatcher->seen = run_changes(run, RUN_ROOM);
    while (!budget_reserve(run->budget, run->limits.carry_size)) {
        if (!keep_waiting(dispatcher, RUN_ROOM)) {
            return false;
        }
    }
    return true;
}

static bool wait_for_block(struct dispatcher *dispatcher, size_t size, struct budget_block *ret)
{
    struct run *run = dispatcher->run;
    dispatcher->seen = run_changes(run, RUN_ROOM);
    while (!budget_take(run->budget, size, PART_OVERHEAD, ret)) {
        if (!keep_waiting(dispatcher, RUN_ROOM)) {
            return false;
        }
    }
    return true;
}

static struct object *open_object(struct dispatcher *dispatcher, const struct schedule_part *next)
{
    struct run *run = dispatcher->run;
    if (next->lane != SCHEDULE_NO_LANE && !wait_for_carry(dispatcher)) {
        return NULL;
    }
    const bool bytes_only = dispatcher->need[next->file] == NEED_BYTES_ONLY;
    struct object *object = object_new(run, next, bytes_only);
    if (next->lane != SCHEDULE_NO_LANE) {
        dispatcher->lanes[next->lane] = object;
    }
    const unsigned heads = object_heads(object);
    for (unsigned i = 0; i < heads; i++) {
        if (!wait_for_slot(dispatcher)) {
            return NULL;
        }
        object_send_head(object, i);
    }
    return object;
}

/* Memory before connection: a slot is never held while waiting for memory, so HEADs and small
 * objects cannot be shut out by a part that does not fit yet. */
static void send_next(struct dispatcher *dispatcher, const struct schedule_part *next)
{
    struct run *run = dispatcher->run;
    struct object *object =
        next->part == 0 ? open_object(dispatcher, next) : dispatcher->lanes[next->lane];
    if (object == NULL) {
        return; /* the run stops */
    }
    if (next->part_count == 0) {
        object_send_empty(object);
        return;
    }
    const uint64_t size = run->plan->files[next->file].size;
    struct budget_block block = {.data = NULL};
    if (!wait_for_block(dispatcher, schedule_part_size(size, next->part, run->limits.part_size),
                        &block)) {
        return;
    }
    if (!wait_for_slot(dispatcher)) {
        budget_give(run->budget, &block);
        return;
    }
    object_send_part(object, next->part, &block);
}

/* Until every part was asked for, or the run stops. */
static void hand_out(struct dispatcher *dispatcher)
{
    struct run *run = dispatcher->run;
    enum schedule_answer answer = SCHEDULE_WAIT;
    while (answer != SCHEDULE_END && !run_stopping(run)) {
        struct schedule_part next;
        dispatcher->seen = run_changes(run, RUN_ROOM);
        answer = schedule_next(run->schedule, &next);
        if (answer == SCHEDULE_PART) {
            send_next(dispatcher, &next);
            look_around(dispatcher);
        } else if (answer == SCHEDULE_WAIT) {
            (void)keep_waiting(dispatcher, RUN_ROOM); /* the loop looks itself */
        }
    }
}

/* Until every object ended; or, when the run stops, until every request did. */
static void wait_for_end(struct dispatcher *dispatcher)
{
    struct run *run = dispatcher->run;
    dispatcher->seen = run_changes(run, RUN_END);
    while (!run_is_empty(run) && keep_waiting(dispatcher, RUN_END)) {
    }
    if (run_stopping(run)) {
        source_cancel(run->options->source);
    }
    dispatcher->seen = run_changes(run, RUN_SLOTS);
    while (!run_is_idle(run)) {
        run_wait(run, RUN_SLOTS, &dispatcher->seen, TICK_MS);
    }
    dispatcher->stats_ms = 0; /* the last word on retries */
    look_around(dispatcher);
}

static void report_skipped(struct run *run, const struct commit_record *record)
{
    const struct transfer_options *options = run->options;
    ASSERT(record->file < run->plan->file_count);
    progress_add_skipped(options->progress, run->plan->files[record->file].size);
    run_report(run, &(struct transfer_result){.file = record->file,
                                              .checks = record->checks,
                                              .plain_size = record->plain_size,
                                              .skipped = true});
}

/* A digest is needed for its bytes when its Data.db is, whatever became of the file. */
static void expect_digests(struct run *run, uint8_t *need)
{
    const struct plan *plan = run->plan;
    for (uint32_t i = 0; i < plan->sstable_count; i++) {
        const struct plan_sstable *sstable = &plan->sstables[i];
        if (digest_kind(plan, sstable) == HASH_NONE || need[sstable->data] != NEED_FILE) {
            continue;
        }
        digest_board_expect(run->board, i);
        if (need[sstable->digest] == NEED_NOTHING) {
            need[sstable->digest] = NEED_BYTES_ONLY;
        }
    }
}

static uint8_t *find_needs(struct run *run)
{
    const struct transfer_options *options = run->options;
    const struct plan *plan = run->plan;
    uint8_t *need = xcalloc((size_t)plan->file_count + 1, 1);
    uint64_t files = 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < plan->file_count; i++) {
        if (options->take != NULL && options->take[i] == 0) {
            continue;
        }
        files++;
        bytes += plan->files[i].size;
        need[i] = NEED_FILE;
    }
    progress_set_total(options->progress, files, bytes);
    for (uint32_t i = 0; i < plan->file_count && options->target != NULL; i++) {
        struct commit_record record;
        if (need[i] == NEED_FILE && commit_done_before(options->target, plan, i, &record)) {
            need[i] = NEED_NOTHING;
            report_skipped(run, &record);
        }
    }
    expect_digests(run, need);
    return need;
}

/* Commit thread. */
static void file_in_place(void *ctx, const struct commit_record *record)
{
    struct run *run = ctx;
    progress_add_file(run->options->progress);
    run_report(run, &(struct transfer_result){.file = record->file,
                                              .checks = record->checks,
                                              .plain_size = record->plain_size});
}

static void run_threads(struct run *run, const uint8_t *need)
{
    struct dispatcher dispatcher = {.run = run, .need = need};
    autofree struct object **lanes = xcalloc(run->limits.open_max, sizeof(struct object *));
    autofree pthread_t *workers = xcalloc(run->limits.workers, sizeof(pthread_t));
    dispatcher.lanes = lanes;
    for (unsigned i = 0; i < run->limits.workers; i++) {
        workers[i] = thread_start(worker_main, run, "worker");
    }
    look_around(&dispatcher);
    hand_out(&dispatcher);
    wait_for_end(&dispatcher);
    queue_close(run->queue);
    for (unsigned i = 0; i < run->limits.workers; i++) {
        thread_join(workers[i]);
    }
}

/* The first failure of the run; else that of the commit. */
static int end_of_run(struct run *run, struct err *e)
{
    struct err commit_err = ERR_INIT;
    const bool commit_ok = run->commit == NULL || commit_stop(run->commit, &commit_err) == 0;
    if (run->err.kind != ERR_NONE) {
        *e = run->err;
        return -1;
    }
    if (!commit_ok) {
        *e = commit_err;
        return -1;
    }
    ASSERT(!run->stopping);
    ASSERT(run->live == NULL);
    return 0;
}

/* What the transfer keeps for each file and SSTable of the plan, beside the plan itself. */
static uint64_t tables_size(const struct plan *plan)
{
    const uint64_t per_file = 2 * sizeof(uint32_t) + 2; /* schedule: two orders, two flags */
    return plan->file_count * per_file + plan->sstable_count * digest_board_entry_size();
}

int transfer_run(const struct transfer_options *options, struct err *e)
{
    ASSERT(options->config->connections > 0);
    struct run run = {.options = options, .plan = options->plan, .err = ERR_INIT};
    const struct config *config = options->config;
    if (transfer_limits_derive(config->memory, plan_bytes(options->plan) + tables_size(run.plan),
                               config->part_size, config->threads, &run.limits, e) != 0) {
        return -1;
    }
    log_debug("part=%zu workers=%u budget=%" PRIu64, run.limits.part_size, run.limits.workers,
              run.limits.budget);
    run_init(&run);
    autofree uint8_t *need = find_needs(&run);
    run.schedule = schedule_new(run.plan, need, &run.limits);
    if (options->target != NULL) {
        run.commit = commit_start(options->target, run.plan, file_in_place, &run);
    }
    run_threads(&run, need);
    const int result = end_of_run(&run, e);
    while (run.live != NULL) {
        object_free(run.live);
    }
    schedule_free(run.schedule);
    run_done(&run);
    return result;
}
