#include "s3/retry.h"

#include "agent/base/err.h"

enum {
    RETRY_BASE_MS = 100,    /* first bound; S3 itself answers within 100-200 ms */
    RETRY_BOUND_MS = 20000, /* the AWS SDKs' standard mode waits no longer either */
    RETRY_SLOW_BOUND_MS = 1000,
    PURSE_COINS = 500, /* purse and prices are those of the AWS SDKs */
    PURSE_PRICE = 5,
};

static uint64_t delay_bound(const struct retry_try *last)
{
    if (last->purse_empty) {
        return RETRY_BOUND_MS;
    }
    /* 100 ms << 8 already passes the bound; the cap keeps the shift defined. */
    const unsigned doublings = last->tries - 1 < 8 ? last->tries - 1 : 8;
    const uint64_t bound = (uint64_t)RETRY_BASE_MS << doublings;
    const uint64_t most = last->slow_down ? RETRY_SLOW_BOUND_MS : RETRY_BOUND_MS;
    return bound < most ? bound : most;
}

bool retry_delay(const struct retry_try *last, struct random *random, uint64_t *ret_delay_ms)
{
    ASSERT(last->tries > 0);
    if (last->elapsed_ms >= last->budget_ms) {
        return false;
    }
    const uint64_t left_ms = last->budget_ms - last->elapsed_ms;
    const uint64_t after_ms = last->after_ms < RETRY_BOUND_MS ? last->after_ms : RETRY_BOUND_MS;
    /* Beyond the store's wish with jitter, too: it tells everybody the same. */
    const uint64_t delay_ms = after_ms + random_below(random, delay_bound(last) + 1);
    *ret_delay_ms = delay_ms < left_ms ? delay_ms : left_ms;
    ASSERT(*ret_delay_ms <= UINT64_C(2) * RETRY_BOUND_MS);
    return true;
}

void retry_purse_init(struct retry_purse *purse)
{
    *purse = (struct retry_purse){.coins = PURSE_COINS};
}

bool retry_purse_take(struct retry_purse *purse)
{
    ASSERT(purse->coins <= PURSE_COINS);
    if (purse->coins < PURSE_PRICE) {
        return false;
    }
    purse->coins -= PURSE_PRICE;
    return true;
}

void retry_purse_give(struct retry_purse *purse)
{
    ASSERT(purse->coins <= PURSE_COINS);
    if (purse->coins < PURSE_COINS) {
        purse->coins++;
    }
}

uint64_t retry_outage_fail(struct retry_outage *outage, uint64_t now_ms)
{
    if (!outage->lasts) {
        *outage = (struct retry_outage){.from_ms = now_ms, .lasts = true};
    }
    /* Threads read their clocks before they wait for the lock. */
    return now_ms > outage->from_ms ? now_ms - outage->from_ms : 0;
}

void retry_outage_end(struct retry_outage *outage)
{
    outage->lasts = false;
}
