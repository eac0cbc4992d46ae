/*
 * ring_check: do the slots look like one whole ring of Priam's? Tokens of dead nodes, of a ring
 * before it was doubled and of nodes that never made a snapshot show in the spread. What looks
 * wrong is warned of in the plan, for whoever reviews it. Pure.
 */
#ifndef PENATES_RING_RING_CHECK_H
#define PENATES_RING_RING_CHECK_H

#include "agent/ring/ring_plan.h"

/* Adds to ring->warnings. Slots are sorted by token, and their racks known. */
void ring_check(struct ring_plan *ring);

#endif
