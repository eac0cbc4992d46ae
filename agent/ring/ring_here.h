/*
 * ring_here: who this node is, and where. A name has to be the same after a reboot, for by it the
 * node finds its claim: --node, else the instance id, else the host name. One thread.
 */
#ifndef PENATES_RING_RING_HERE_H
#define PENATES_RING_RING_HERE_H

#include "agent/ring/ring_core.h"
#include "agent/ring/ring_plan.h"
#include "s3/creds.h"

struct ring_here {
    char node[CLAIM_NODE_SIZE];
    char zone[CREDS_METADATA_SIZE]; /* "": no instance metadata tells */
};

/* Asks the instance metadata. Fails as creds_metadata does, but for where there is none. */
int ring_here_find(const struct config *config, struct ring_here *ret, struct err *e) MUST_CHECK;

/* ERR_REFUSED: this instance is in another zone than `rack`; `what` is for the message. */
int ring_here_check(const struct ring_here *here, const struct ring_plan *ring, const char *rack,
                    const char *what, struct err *e) MUST_CHECK;

/* The slots that this node may have: those of --rack, else of the racks in its zone. *ret is the
 * caller's to free. ERR_CONFIG: there is no such rack, or nothing tells which; ERR_REFUSED: as
 * above, or the ring has no rack in this zone. */
int ring_here_slots(const struct ring_here *here, const struct config *config,
                    const struct ring_plan *ring, size_t **ret, size_t *ret_count,
                    struct err *e) MUST_CHECK;

/* `me`, for a process that is about to claim: with a `run` of its own. */
void ring_here_me(const struct ring_here *here, const struct config *config, struct ring_me *ret);

#endif
