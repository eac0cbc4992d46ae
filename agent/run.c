#include "agent/run.h"

void run_init(struct run *run)
{
    ASSERT(run->options != NULL && run->plan != NULL);
    run->budget = budget_new(run->limits.budget, run->limits.part_size);
    run->queue = queue_new();
    run->board = digest_board_new(run->plan->sstable_count);
    mutex_init(&run->lock);
    mutex_init(&run->result_lock);
    cond_init(&run->changed);
    run->awaited = RUN_NEWS_COUNT;
}

void run_done(struct run *run)
{
    ASSERT(run->in_flight == 0 && run->live == NULL);
    digest_board_free(run->board);
    queue_free(run->queue);
    budget_free(run->budget);
    cond_done(&run->changed);
    mutex_done(&run->result_lock);
    mutex_done(&run->lock);
}

static void changed_locked(struct run *run, enum run_news news)
{
    run->changes[news]++;
    if (run->awaited == news) {
        cond_signal(&run->changed); /* only the dispatcher waits */
    }
}

static void stop_locked(struct run *run)
{
    run->stopping = true;
    for (unsigned news = 0; news < RUN_NEWS_COUNT; news++) {
        changed_locked(run, (enum run_news)news);
    }
}

void run_fail(struct run *run, const struct err *e)
{
    ASSERT(e->kind != ERR_NONE);
    mutex_lock(&run->lock);
    if (!run->stopping) {
        run->err = *e;
    }
    stop_locked(run);
    mutex_unlock(&run->lock);
}

void run_stop(struct run *run)
{
    mutex_lock(&run->lock);
    stop_locked(run);
    mutex_unlock(&run->lock);
}

bool run_stopping(struct run *run)
{
    mutex_lock(&run->lock);
    const bool stopping = run->stopping;
    mutex_unlock(&run->lock);
    return stopping;
}

void run_changed(struct run *run, enum run_news news)
{
    mutex_lock(&run->lock);
    changed_locked(run, news);
    mutex_unlock(&run->lock);
}

uint64_t run_changes(struct run *run, enum run_news news)
{
    mutex_lock(&run->lock);
    const uint64_t changes = run->changes[news];
    mutex_unlock(&run->lock);
    return changes;
}

void run_wait(struct run *run, enum run_news news, uint64_t *seen, uint64_t timeout_ms)
{
    mutex_lock(&run->lock);
    ASSERT(run->awaited == RUN_NEWS_COUNT);
    run->awaited = news;
    bool timed_out = false;
    while (run->changes[news] == *seen && !timed_out) {
        timed_out = !cond_wait_ms(&run->changed, &run->lock, timeout_ms);
    }
    run->awaited = RUN_NEWS_COUNT;
    *seen = run->changes[news];
    mutex_unlock(&run->lock);
}

bool run_take_slot(struct run *run)
{
    const unsigned connections = run->options->config->connections;
    mutex_lock(&run->lock);
    const bool free_slot = run->in_flight < run_slot_count(connections);
    run->in_flight += free_slot ? 1 : 0;
    mutex_unlock(&run->lock);
    return free_slot;
}

void run_give_slot(struct run *run)
{
    mutex_lock(&run->lock);
    ASSERT(run->in_flight > 0);
    run->in_flight--;
    if (run->in_flight == run->options->config->connections || run->in_flight == 0) {
        changed_locked(run, RUN_SLOTS);
    }
    mutex_unlock(&run->lock);
}

bool run_is_idle(struct run *run)
{
    mutex_lock(&run->lock);
    const bool idle = run->in_flight == 0;
    mutex_unlock(&run->lock);
    return idle;
}

bool run_is_empty(struct run *run)
{
    mutex_lock(&run->lock);
    const bool empty = run->live == NULL;
    mutex_unlock(&run->lock);
    return empty;
}

void run_report(struct run *run, const struct transfer_result *result)
{
    const struct transfer_options *options = run->options;
    if (options->on_result == NULL) {
        return;
    }
    mutex_lock(&run->result_lock);
    options->on_result(options->ctx, result);
    mutex_unlock(&run->result_lock);
}
