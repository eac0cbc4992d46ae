/*
 * ring_make: a ring plan from a backup.
 *
 *     catalog ─▶ each token's plan, one at a time ─▶ slots ─▶ racks ─▶ checks
 *
 * A token directory never goes away, whatever became of its node: a token without a restore point,
 * or with one much older than the ring's newest, is left out unless --token names it.
 */
#ifndef PENATES_RING_RING_MAKE_H
#define PENATES_RING_RING_MAKE_H

#include "agent/ring/ring_plan.h"
#include "agent/source.h"

/*
 * Fails as plan_build does, but for tokens that are left out. ERR_NO_BACKUP: none is left;
 * ERR_CONFIG: several clusters or regions and none chosen, a rack that nobody tells, or a value of
 * --rack-zone, --slot-ip or --identities that fits nothing. The caller frees.
 */
int ring_make(const struct config *config, struct source *source, struct ring_plan **ret,
              struct err *e) MUST_CHECK;

#endif
