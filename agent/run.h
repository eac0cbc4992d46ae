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
    pthread_cond_t changed; /* what the dispatcher waits for */
    uint64_t changes;
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

/* Wakes the dispatcher: memory, a connection or a window came free, or an object ended. */
void run_changed(struct run *run);
uint64_t run_changes(struct run *run);
/* Dispatcher: waits at most timeout_ms for a change after *seen, and takes note of it. */
void run_wait(struct run *run, uint64_t *seen, uint64_t timeout_ms);

/* Dispatcher: one more request in flight, unless --connections are. */
bool run_take_slot(struct run *run);
/* The request ended, and all that its end sets off has been set off. */
void run_give_slot(struct run *run);
bool run_is_idle(struct run *run);  /* no request in flight */
bool run_is_empty(struct run *run); /* no object under way */

void run_report(struct run *run, const struct transfer_result *result);

#endif
