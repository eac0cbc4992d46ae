/*
 * retry: when to ask again, and how much at once. Pure: clock readings and chance come in as
 * arguments; the caller holds its own lock.
 *
 * Three answers to trouble. Each request waits with full jitter: anything from nothing to an
 * exponentially growing bound. The client as a whole has a purse of retries, so that an outage is
 * met with long waits and not with a multiple of the load. And the number of requests in flight
 * follows the store's 503s (additive increase, multiplicative decrease), once for all of them.
 */
#ifndef PENATES_S3_RETRY_H
#define PENATES_S3_RETRY_H

#include "agent/base/cleanup.h"
#include "agent/base/random.h"

struct retry_try {
    unsigned tries;      /* made so far, from 1 */
    uint64_t elapsed_ms; /* since the first try began */
    uint64_t budget_ms;  /* 0: one try only */
    bool slow_down;      /* the store asked for less */
    uint64_t after_ms;   /* and said when to come back; 0: it did not */
    bool purse_empty;    /* retry_purse_take said no */
};

/* False: the budget is used up. Else the time to wait; the last wait ends with the budget. */
bool retry_delay(const struct retry_try *last, struct random *random, uint64_t *ret_delay_ms);

struct retry_purse {
    unsigned coins;
};

void retry_purse_init(struct retry_purse *purse);
/* Pays for one retry; false when there is too little: the retry waits as if it were a late one. */
bool retry_purse_take(struct retry_purse *purse);
/* A request succeeded. */
void retry_purse_give(struct retry_purse *purse);

/* How many requests may be in flight. */
struct retry_flow {
    unsigned limit; /* now; from 1 to limit_max */
    unsigned limit_max;
    unsigned successes; /* since the limit last moved */
    uint64_t cut_at_ms; /* of the last cut */
    bool cut;           /* cut_at_ms is set */
};

void retry_flow_init(struct retry_flow *flow, unsigned limit_max);
/* 503: half as many. Those already on their way answer 503 too, so one cut a second counts. */
void retry_flow_cut(struct retry_flow *flow, uint64_t now_ms);
/* A request succeeded: one more in flight after as many successes as there are in flight. */
void retry_flow_grow(struct retry_flow *flow);

#endif
