#include "agent/ring/ring_core.h"

enum {
    PACE_FIRST_MS = 100,
    PACE_MOST_MS = 5000,
    PACES_A_LEASE = 20, /* a lease is not to end because of one pause */
    DOUBLINGS_MAX = 8,
};

bool ring_core_is_lapsed(const struct ring_claim *claim, int64_t age_ms)
{
    return claim->phase == CLAIM_RESTORING && age_ms > 0 &&
           (uint64_t)age_ms > claim->lease_ms + CLAIM_MARGIN_MS;
}

/* FNV-1a */
uint64_t ring_core_seed(const char *name)
{
    uint64_t seed = UINT64_C(14695981039346656037);
    for (const char *c = name; *c != '\0'; c++) {
        seed = (seed ^ (uint8_t)*c) * UINT64_C(1099511628211);
    }
    return seed;
}

void ring_pace_init(struct ring_pace *pace, const struct ring_me *me)
{
    const uint64_t share_ms = me->lease_ms / PACES_A_LEASE;
    *pace = (struct ring_pace){
        .random = {ring_core_seed(me->run)},
        .most_ms = share_ms < PACE_MOST_MS ? share_ms : PACE_MOST_MS,
    };
}

uint64_t ring_pace_fail(struct ring_pace *pace, uint64_t now_ms)
{
    const unsigned doublings = pace->failures < DOUBLINGS_MAX ? pace->failures : DOUBLINGS_MAX;
    uint64_t pause_ms = (uint64_t)PACE_FIRST_MS << doublings;
    pause_ms = pause_ms < pace->most_ms ? pause_ms : pace->most_ms;
    pace->from_ms = pace->failures == 0 ? now_ms : pace->from_ms;
    pace->failures++;
    pace->until_ms = now_ms + pause_ms / 2 + random_below(&pace->random, pause_ms / 2 + 1);
    return now_ms - pace->from_ms;
}

void ring_pace_good(struct ring_pace *pace)
{
    pace->failures = 0;
    pace->until_ms = 0;
}

uint64_t ring_pace_left(const struct ring_pace *pace, uint64_t now_ms)
{
    return pace->until_ms > now_ms ? pace->until_ms - now_ms : 0;
}
