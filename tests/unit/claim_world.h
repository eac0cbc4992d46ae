/*
 * claim_world: a store, and nodes that claim slots of a ring from it, in one simulated time. The
 * machines of agent/ring are the real ones; network, clocks, kills and operators are drawn from a
 * seed, so that a run can be had again. Whatever must never be is found here, and named.
 */
#ifndef PENATES_TESTS_CLAIM_WORLD_H
#define PENATES_TESTS_CLAIM_WORLD_H

#include "agent/ring/ring_core.h"

enum { WORLD_SLOTS_MAX = 12, WORLD_RACKS = 3, WORLD_ACTORS_MAX = 96 };

struct world_result {
    char wrong[256]; /* "": all was as it must be */
    unsigned hands;  /* nodes that were told that there are too many, and started again by hand */
    unsigned kills, freezes, outages, takeovers, lost, expired, releases, starts;
    uint64_t events, ended_ms;
    bool sealed;
};

/* One run. `extra`: nodes a rack beyond its slots. */
struct world_result world_run(uint64_t seed, unsigned slots, unsigned extra, uint64_t lease_ms);

#endif
