#include "s3/rate.h"

#include "agent/base/err.h"

enum { TAKE_MAX = 1 << 30 }; /* keeps the product below within 64 bits; no loop moves as much */

uint64_t rate_take(struct rate *rate, uint64_t bytes, uint64_t now_ms)
{
    if (rate->bytes_per_s == 0) {
        return 0;
    }
    ASSERT(bytes <= TAKE_MAX && now_ms <= UINT64_MAX / 1000);
    const uint64_t now_us = now_ms * 1000;
    rate->due_us = rate->due_us > now_us ? rate->due_us : now_us;
    rate->due_us += bytes * 1000000 / rate->bytes_per_s;
    return (rate->due_us - now_us) / 1000;
}
