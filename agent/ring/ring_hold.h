/*
 * ring_hold: a slot that is this node's stays so, or it is told in time that it does not.
 *
 *     resume ─▶ held ─▶ renewed every lease / 5 ─▶ fence: restored ─▶ not sealed without us ─▶ pass
 *                 └────────────▶ lost: the claim is another's, or gone ─▶ stop
 *                 └────────────▶ a lease without a renewal that is known to be done ─▶ stop
 *
 * What a lapsed claim's node still does is harmless to the next one only because every write is
 * under the condition that nobody else has written: the fence is such a write. That a node stops by
 * itself is so that it does no work for nothing. Pure; see ring_core.h.
 */
#ifndef PENATES_RING_RING_HOLD_H
#define PENATES_RING_RING_HOLD_H

#include "agent/ring/ring_core.h"

enum hold_verdict {
    HOLD_GOING_ON,
    HOLD_PASSED,  /* the fence: the node's data may be used */
    HOLD_LOST,    /* to ring_hold_other */
    HOLD_EXPIRED, /* for a lease nothing has said that it is still ours */
    HOLD_LIVE,    /* the ring was sealed with another in our place */
    /* While it is not known to be ours, or behind the fence: */
    HOLD_UNREACHABLE, /* for longer than retry_for */
    HOLD_REFUSED,     /* CLAIM_FAILED: whoever asked knows why */
};

enum hold_state {
    HOLD_IDLE,  /* until the next renewal is due */
    HOLD_WRITE, /* a renewal, or the fence */
    HOLD_LOOK,  /* whether a write was done, or whose the claim is now */
    HOLD_SEAL,  /* behind the fence: is the ring sealed, and with us? */
    HOLD_END,
};

struct ring_hold {
    struct ring_me me;
    struct ring_held held; /* as it was last seen to be ours */
    enum hold_state state;
    enum hold_verdict verdict;
    bool ours;    /* this run has written it once */
    bool fencing; /* the next write is the fence */
    struct ring_claim sent;
    uint64_t sent_ms;
    uint64_t confirmed_ms; /* when the last write that is known to be done was sent */
    struct ring_pace pace;
    char other[CLAIM_NODE_SIZE]; /* whose it is now; "": nobody's */
};

void ring_hold_init(struct ring_hold *hold, const struct ring_me *me, const struct ring_held *held,
                    uint64_t now_ms);

/* All is on disk: from now on the verdict is to be PASSED, or not to pass. */
void ring_hold_fence(struct ring_hold *hold);

enum ring_step ring_hold_next(struct ring_hold *hold, uint64_t now_ms, struct claim_request *ret,
                              uint64_t *ret_wait_ms);
void ring_hold_answer(struct ring_hold *hold, const struct claim_answer *answer, uint64_t now_ms);

/* How long it is still ours by what is known; 0: no longer. */
uint64_t ring_hold_left_ms(const struct ring_hold *hold, uint64_t now_ms);

#endif
