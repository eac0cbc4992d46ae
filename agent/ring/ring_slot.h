/*
 * ring_slot: which node of the ring this one is. Its slot's number comes from the operator, from
 * the instance tag restore.slot, or from the slot whose fixed address is the instance's: all three
 * are the same for an instance that replaces another. Where nothing of that tells nodes apart, as
 * in an Auto Scaling group, they claim one (ring_lease.h). One thread.
 */
#ifndef PENATES_RING_RING_SLOT_H
#define PENATES_RING_RING_SLOT_H

#include "agent/plan.h"
#include "agent/ring/ring_lease.h"
#include "agent/ring/ring_plan.h"

/* What a restore of a slot is held to; config->chosen. */
struct ring_choice {
    const char *ring_id;
    const char *state; /* where to report to; NULL: nowhere */
    const char *token, *rack;
    const char *manifest_key, *manifest_etag;
    const char *plan_text; /* for ring_copy_keep; NULL: it was not read from S3 */
    const char *node;      /* who this one is */
    size_t slot;
    struct ring_lease *lease; /* owned; NULL: the slot is not claimed */
    /* Why the claim of a slot that this machine has restored cannot be looked up; ERR_NONE: it was.
     * Only a restore that is finished may go on without. */
    struct err unclaimed;
    struct ring_plan *ring; /* the lease's; owned; NULL without one */
};

void ring_choice_free(struct ring_choice *choice); /* NULL is fine */

/*
 * For --ring: reads the plan, finds the slot, and puts source, cluster, token, instant and the rest
 * of its selection into the config, as a saved plan does. ERR_REFUSED: the plan has changed or
 * not as many slots as --ring-size says, or the slot's rack is of another zone than this instance;
 * ERR_CONFIG: no such slot, or none for this instance; or as the state bucket does, or
 * ring_lease_claim.
 */
int ring_slot_choose(struct config *config, struct err *e) MUST_CHECK;

/* ERR_REFUSED: the restore point is no longer the one that the ring's plan names. */
int ring_slot_check(const struct ring_choice *choice, const struct plan *plan,
                    struct err *e) MUST_CHECK;

#endif
