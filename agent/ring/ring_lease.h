/*
 * ring_lease: a slot that this process has claimed, from the claim to the seal, with a thread of
 * its own that renews it. Once it is lost the transfer is told to stop. All but that thread is the
 * main thread's. A NULL lease is that of a restore which claims nothing, and fine everywhere.
 *
 *     claim ─▶ start (the target is known) ─▶ check ─▶ fence (before the stamp) ─▶ seal (after)
 *       └─▶ settle (there is nothing to restore)
 */
#ifndef PENATES_RING_RING_LEASE_H
#define PENATES_RING_RING_LEASE_H

#include "agent/ring/ring_here.h"
#include "agent/ring/ring_plan.h"

struct ring_lease;

/* Waits for a slot of this node's rack to be had, as ring_seek.h says; `own`: for this one alone,
 * which the machine has restored before, and not for long, since a boot waits; NULL: for any. The
 * config is borrowed, and *ring too, until the lease is freed. ERR_NO_BACKUP: none is left;
 * ERR_REFUSED: the ring is live, or another zone; ERR_CONFIG: no rack, or a store that cannot do
 * it; or as the store does. */
int ring_lease_claim(const struct config *config, const struct ring_plan *ring,
                     const struct ring_here *here, const size_t *own, struct ring_lease **ret,
                     size_t *ret_slot, struct err *e) MUST_CHECK;

/* From now on it is renewed. What an earlier process of this node has claimed is taken over from
 * that one, which is why the target has to be open: its lock shows whether that one still runs.
 * is_new: the target holds nothing of this restore. ERR_REFUSED: so, and the ring is live. */
int ring_lease_start(struct ring_lease *lease, bool is_new, struct err *e) MUST_CHECK;

/* ERR_CANCELLED: it is lost. */
int ring_lease_check(struct ring_lease *lease, struct err *e) MUST_CHECK;

/* All is on disk. 0: the slot is this node's for good; else it must not be used. */
int ring_lease_fence(struct ring_lease *lease, struct err *e) MUST_CHECK;

/* The stamp is written: seals the ring when this node's was the last one. Never fails. */
void ring_lease_seal(struct ring_lease *lease);

/* The stamp was there before: the slot is still this node's, or is so again where its claim had
 * been given up, and the ring is sealed as above. Fails as start and fence do. */
int ring_lease_settle(struct ring_lease *lease, struct err *e) MUST_CHECK;

/* Of a run that failed: where the lease was lost, *e says that instead of "interrupted". */
void ring_lease_word(struct ring_lease *lease, struct err *e);

/* What was claimed just now, and never started, is given back. */
void ring_lease_free(struct ring_lease *lease);

#endif
