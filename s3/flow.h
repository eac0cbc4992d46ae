/*
 * flow: how many requests a second the store takes, learned from its answers. Pure: the caller
 * brings the time and holds its own lock.
 *
 * There is no limit until a second in which more than a tenth of the answers were "slow down". Then
 * as many requests a second are sent as got through in that second: so one cut finds what the store
 * takes, however much too much was asked. From there the rate grows by 1, 3, 9, ... percent a
 * second as long as nothing speaks against it: slowly near the border, and soon far away when that
 * is gone. A few refusals now and then, at whatever load, are no overload: their requests are asked
 * again, and that is all.
 */
#ifndef PENATES_S3_FLOW_H
#define PENATES_S3_FLOW_H

#include "agent/base/cleanup.h"

struct flow {
    unsigned rate;         /* requests a second; 0: no limit */
    unsigned step_percent; /* of the rate, to grow by next */
    uint64_t due_us;       /* when the next request may start */

    /* the answers being counted */
    uint64_t from_ms, last_ms;
    unsigned passed, refused;
};

/* When the next request may start: now_ms or earlier, or later. Asks for nothing. */
uint64_t flow_due_ms(const struct flow *flow);
/* A request starts. */
void flow_start(struct flow *flow, uint64_t now_ms);
/* A request was answered: what it wanted, or "slow down". */
void flow_answer(struct flow *flow, bool refused, uint64_t now_ms);

#endif
