/*
 * ring_sealing: when every slot of the ring is restored, any node writes ring.json, once: from then
 * on the ring is live, and nobody restores into it. Pure; see ring_core.h.
 */
#ifndef PENATES_RING_RING_SEALING_H
#define PENATES_RING_RING_SEALING_H

#include "agent/ring/ring_core.h"

enum sealing_verdict {
    SEALING_GOING_ON,
    SEALING_DONE,        /* by us or another */
    SEALING_NOT_YET,     /* `missing` is not restored */
    SEALING_UNREACHABLE, /* for longer than retry_for */
    SEALING_REFUSED,     /* CLAIM_FAILED: whoever asked knows why */
};

struct ring_sealing {
    size_t first, count, looked; /* slots looked at, from `first` on and around */
    enum sealing_verdict verdict;
    uint64_t retry_for_ms;
    struct ring_claim *claims; /* by slot: whose they are, once all are looked at */
    size_t missing;
    struct ring_pace pace;
};

/* `own` is a slot that is restored: those behind it are looked at first, so that nodes that end
 * together do not all ask for the same. */
void ring_sealing_init(struct ring_sealing *sealing, const struct ring_me *me, size_t own,
                       size_t count);
void ring_sealing_done(struct ring_sealing *sealing);

enum ring_step ring_sealing_next(struct ring_sealing *sealing, uint64_t now_ms,
                                 struct claim_request *ret, uint64_t *ret_wait_ms);
void ring_sealing_answer(struct ring_sealing *sealing, const struct claim_answer *answer,
                         uint64_t now_ms);

#endif
