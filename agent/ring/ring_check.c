#include "agent/ring/ring_check.h"

#include <math.h>
#include <string.h>

/* Priam spreads the tokens of a region evenly. Where one of three is missing, one gap is 1.33
 * shares of the two that are left, and more in larger rings; the other is 0.67 then, and no remark
 * of its own. A token too many halves a share. */
static const double GAP_MAX = 1.25, GAP_MIN = 0.6;

/* Tokens have up to 39 digits, and where they lie need not be known to the last of them. */
static double position(const char *token)
{
    const bool negative = token[0] == '-';
    double value = 0;
    for (const char *at = token + negative; *at >= '0' && *at <= '9'; at++) {
        value = value * 10 + (*at - '0');
    }
    return negative ? -value : value;
}

/* The partitioner is nowhere written down: RandomPartitioner's tokens go from 0 to 2^127,
 * Murmur3's from -2^63 to 2^63. */
static double ring_size(const struct ring_plan *ring)
{
    const double last = position(ring->slots[ring->slot_count - 1].token);
    return last >= ldexp(1, 63) ? ldexp(1, 127) : ldexp(1, 64);
}

static void check_spread(struct ring_plan *ring)
{
    const size_t count = ring->slot_count;
    const double size = ring_size(ring);
    for (size_t i = 0; i < count && count > 1; i++) {
        const size_t next = (i + 1) % count;
        const double gap = position(ring->slots[next].token) - position(ring->slots[i].token) +
                           (next == 0 ? size : 0);
        const double share = gap / size * (double)count;
        if (share > GAP_MAX) {
            ring_plan_warn(ring, ring->slots[next].token,
                           "has %.1f times its even share of the ring: is a token before it "
                           "missing?",
                           share);
        } else if (share < GAP_MIN) {
            ring_plan_warn(ring, ring->slots[next].token,
                           "has %.2f of its even share of the ring: is it of an earlier ring?",
                           share);
        }
    }
}

/* Priam gives slot after slot to rack after rack (slot = rack + k * racks), so that every run of
 * as many tokens as racks has one of each: with that a row's replicas lie in different racks. */
static void check_racks(struct ring_plan *ring)
{
    const size_t count = ring->slot_count;
    if (count % ring->rack_count != 0) {
        ring_plan_warn(ring, ring->slots[0].token, "%zu tokens do not split evenly over %zu racks",
                       count, ring->rack_count);
        return;
    }
    for (size_t i = ring->rack_count; i < count; i++) {
        const struct ring_slot *slot = &ring->slots[i];
        const char *wanted = ring->slots[i - ring->rack_count].rack;
        if (strcmp(slot->rack, wanted) != 0) {
            ring_plan_warn(ring, slot->token, "is in rack %s where the order of racks has %s",
                           slot->rack, wanted);
        }
    }
}

void ring_check(struct ring_plan *ring)
{
    ASSERT(ring->slot_count > 0);
    ASSERT(ring->rack_count > 0);
    check_spread(ring);
    check_racks(ring);
}
