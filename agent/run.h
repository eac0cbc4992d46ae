/*
 * run: what the threads of one transfer share: limits, memory, queue, the first failure, and the
 * objects under way. transfer.c makes it and takes it down; object.c and worker.c live in it.
 */
#ifndef PENATES_RUN_H
#define PENATES_RUN_H

#include "agent/base/thread.h"
#include "agent/budget.h"
#include "agent/commit.h"
#include "agent/digest_board.h"
#include "agent/queue.h"
#include "agent/schedule.h"
#include "agent/transfer.h"
#include "agent/transfer_limits.h"

/* What the dispatcher waits for, one at a time. It is not woken for anything else. */
enum run_news {
    RUN_SLOTS, /* a fifth of the slots is free again, or no request is in flight */
    RUN_ROOM,  /* memory or a lane came free */
    RUN_END,   /* no object is under way any more */
    RUN_NEWS_COUNT,
};

struct run {
    /* set once */
    const struct transfer_options *options;
    const struct plan *plan;
    struct transfer_limits limits;
    struct budget *budget;
    struct queue *queue;
    struct schedule *schedule;
    struct digest_board *board;
    struct commit *commit; /* NULL when nothing is written */

    /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum run_news awaited; /* RUN_NEWS_COUNT: the dispatcher is not asleep */
    uint64_t changes[RUN_NEWS_COUNT];
    unsigned in_flight; /* requests */
    bool stopping;
    struct err err; /* why; ERR_NONE while nothing failed, or when only the commit did */
    struct object *live;

    /* under result_lock, which is held while on_result runs: its calls come one at a time */
    pthread_mutex_t result_lock;
};

/* limits, plan and options are set by the caller before; commit after. */
void run_init(struct run *run);
/* No thread of the run is left. */
void run_done(struct run *run);

/* Nothing new is begun afterwards; the first failure wins. Any thread. */
void run_fail(struct run *run, const struct err *e);
/* As run_fail, for a failure that commit_stop() will tell. */
void run_stop(struct run *run);
bool run_stopping(struct run *run);

/* Wakes the dispatcher if it waits for this. Any thread. */
void run_changed(struct run *run, enum run_news news);
uint64_t run_changes(struct run *run, enum run_news news);
/* Dispatcher: waits at most timeout_ms for news after *seen, or a stop, and takes note of it. */
void run_wait(struct run *run, enum run_news news, uint64_t *seen, uint64_t timeout_ms);

/* A quarter more requests than --connections: what waits at the source keeps the connections busy
 * until the dispatcher has woken up, which it does for a handful of slots at once. */
static inline unsigned run_slot_count(unsigned connections)
{
    return connections + (connections + 3) / 4;
}
/* Dispatcher: one more request in flight, unless the slots are taken. */
bool run_take_slot(struct run *run);
/* The request ended, and all that its end sets off has been set off. */
void run_give_slot(struct run *run);
bool run_is_idle(struct run *run);  /* no request in flight */
bool run_is_empty(struct run *run); /* no object under way */

void run_report(struct run *run, const struct transfer_result *result);

#endif
