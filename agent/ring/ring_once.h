/*
 * ring_once: a slot's node is restored once. The stamps on its volumes (history.h) go with the
 * instance; when a group replaces that, months after, the new one would put the data of the
 * backup's day among nodes that have gone on since. So a third stamp lies in the state bucket:
 *
 *     nodes/RESTORE-ID/SLOT.once.json     written when the slot is restored, never written over
 *
 * Only where the others are asked for (--history), and not for claims, which are held by it
 * themselves. Main thread; blocks.
 */
#ifndef PENATES_RING_RING_ONCE_H
#define PENATES_RING_RING_ONCE_H

#include "agent/config.h"

/* Of a node without a stamp of its own. ERR_REFUSED: the slot was restored before. That it may not
 * be looked up is a warning; else as the store does. */
int ring_once_check(const struct config *config, struct err *e) MUST_CHECK;

/* This node is restored; is_new: by this very run. That it cannot be noted is a warning, for the
 * data is there; and so is another node that has restored the slot at the same time. */
void ring_once_note(const struct config *config, bool is_new);

#endif
