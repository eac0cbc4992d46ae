/*
 * retry: when to ask again. Pure: clock readings and chance come in as arguments; the caller holds
 * its own lock.
 *
 * Each request waits with full jitter: anything from nothing to an exponentially growing bound. The
 * client as a whole has a purse of retries, so that an outage is met with long waits and not with a
 * multiple of the load. ("Slow down" costs nothing: flow.h answers it.) And the client as a whole
 * has one clock of the outage, so that many requests one after the other do not wait for the same
 * store one budget each.
 */
#ifndef PENATES_S3_RETRY_H
#define PENATES_S3_RETRY_H

#include "agent/base/cleanup.h"
#include "agent/base/random.h"

struct retry_try {
    unsigned tries;      /* made so far, from 1 */
    uint64_t elapsed_ms; /* of the budget */
    uint64_t budget_ms;  /* 0: one try only */
    bool slow_down;      /* the store asked for less: the flow sees to that, and one that was
                            refused often must not be the last of all for it */
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

/* The time in which requests fail and none succeeds. */
struct retry_outage {
    uint64_t from_ms;
    bool lasts;
};

/* A request failed. Returns for how long the outage lasts. */
uint64_t retry_outage_fail(struct retry_outage *outage, uint64_t now_ms);
/* The store did what was asked, or brought some of it. */
void retry_outage_end(struct retry_outage *outage);

#endif
