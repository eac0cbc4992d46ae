/* ring_claims: all claims of a ring as they are now, for who only looks. */
#ifndef PENATES_RING_RING_CLAIMS_H
#define PENATES_RING_RING_CLAIMS_H

#include "agent/ring/ring_core.h"
#include "agent/ring/ring_plan.h"
#include "agent/source.h"

struct ring_claims {
    struct claim_seen {
        bool there;
        struct ring_claim claim;
        int64_t age_ms; /* since it was renewed; -1: not told */
    } * items;          /* by slot */
    bool any, sealed;
};

/* Lists what there is, and asks for that. As the store does. ring_claims_done in any case. */
int ring_claims_look(struct source *store, const struct ring_plan *ring, const char *restore_id,
                     struct ring_claims *ret, struct err *e) MUST_CHECK;
void ring_claims_done(struct ring_claims *claims);

#endif
