/* random: a small seeded generator (SplitMix64) for jitter and sampling; never for secrets. */
#ifndef PENATES_BASE_RANDOM_H
#define PENATES_BASE_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
    r->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = r->state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Uniform enough in [0, bound); 0 when bound is 0. */
static inline uint64_t random_below(struct random *r, uint64_t bound)
{
    return bound == 0 ? 0 : random_next(r) % bound;
}

#endif
