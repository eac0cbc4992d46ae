#include "s3/retry.h"

#include "agent/base/err.h"

enum {
    RETRY_BASE_MS = 100,      /* first bound; S3 itself answers within 100-200 ms */
    RETRY_SLOW_BASE_MS = 500, /* S3 needs seconds to split a hot prefix, not milliseconds */
    RETRY_BOUND_MS = 20000,   /* the AWS SDKs' standard mode waits no longer either */
    PURSE_COINS = 500,        /* purse and prices are those of the AWS SDKs */
    PURSE_PRICE = 5,
    FLOW_CUT_EVERY_MS = 1000,
};

static uint64_t delay_bound(const struct retry_try *last)
{
    if (last->purse_empty) {
        return RETRY_BOUND_MS;
    }
    const uint64_t base = last->slow_down ? RETRY_SLOW_BASE_MS : RETRY_BASE_MS;
    /* 100 ms << 8 already passes the bound; the cap keeps the shift defined. */
    const unsigned doublings = last->tries - 1 < 8 ? last->tries - 1 : 8;
    const uint64_t bound = base << doublings;
    return bound < RETRY_BOUND_MS ? bound : RETRY_BOUND_MS;
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

void retry_flow_init(struct retry_flow *flow, unsigned limit_max)
{
    ASSERT(limit_max > 0);
    *flow = (struct retry_flow){.limit = limit_max, .limit_max = limit_max};
}

void retry_flow_cut(struct retry_flow *flow, uint64_t now_ms)
{
    ASSERT(flow->limit > 0 && flow->limit <= flow->limit_max);
    if (flow->cut && now_ms - flow->cut_at_ms < FLOW_CUT_EVERY_MS) {
        return;
    }
    flow->limit = flow->limit > 1 ? flow->limit / 2 : 1;
    flow->successes = 0;
    flow->cut_at_ms = now_ms;
    flow->cut = true;
}

void retry_flow_grow(struct retry_flow *flow)
{
    ASSERT(flow->limit > 0 && flow->limit <= flow->limit_max);
    if (flow->limit == flow->limit_max) {
        return;
    }
    flow->successes++;
    if (flow->successes >= flow->limit) {
        flow->limit++;
        flow->successes = 0;
    }
}
