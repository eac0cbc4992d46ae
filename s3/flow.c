#include "s3/flow.h"

#include "agent/base/err.h"

enum {
    COUNT_MS = 1000,    /* stores count by the second: less shows them full or empty by chance */
    COUNT_MIN = 20,     /* fewer answers say little about a share */
    PAUSE_MS = 5000,    /* without an answer: nothing was asked, the count begins anew */
    CALM_SHARE = 10,    /* one of ten may be refused without overload, */
    CALM_MORE = 3,      /* and so many more by chance: of 20 answers, too */
    RATE_FREE = 100000, /* more than one client can ask */
    STEP_MAX_PERCENT = 100,
    /* Pauses of the caller shorter than this are made up for. */
    SLACK_US = 20 * 1000,
};

uint64_t flow_due_ms(const struct flow *flow)
{
    return flow->rate == 0 ? 0 : flow->due_us / 1000;
}

void flow_start(struct flow *flow, uint64_t now_ms)
{
    if (flow->rate == 0) {
        return;
    }
    ASSERT(now_ms <= UINT64_MAX / 1000);
    const uint64_t now_us = now_ms * 1000;
    const uint64_t least_us = now_us > SLACK_US ? now_us - SLACK_US : 0;
    flow->due_us = (flow->due_us > least_us ? flow->due_us : least_us) + 1000000 / flow->rate;
}

static bool overloaded(const struct flow *flow)
{
    return flow->refused > (flow->passed + flow->refused) / CALM_SHARE + CALM_MORE;
}

/* What got through is what the store takes. At most half is cut at once: a second in which nothing
 * got through says only that it was too much. */
static void cut(struct flow *flow, uint64_t elapsed_ms)
{
    const unsigned half = (flow->passed + flow->refused) / 2;
    const uint64_t taken = flow->passed > half ? flow->passed : half;
    const uint64_t rate = taken * 1000 / elapsed_ms;
    flow->rate = rate == 0 ? 1 : rate < RATE_FREE ? (unsigned)rate : RATE_FREE;
    flow->step_percent = 1;
}

static void grow(struct flow *flow)
{
    const unsigned step = flow->rate * flow->step_percent / 100;
    flow->rate += step == 0 ? 1 : step;
    const unsigned next = flow->step_percent * 3;
    flow->step_percent = next < STEP_MAX_PERCENT ? next : STEP_MAX_PERCENT;
    if (flow->rate >= RATE_FREE) {
        flow->rate = 0;
    }
}

static void begin_count(struct flow *flow, uint64_t now_ms)
{
    flow->from_ms = now_ms;
    flow->passed = 0;
    flow->refused = 0;
}

void flow_answer(struct flow *flow, bool refused, uint64_t now_ms)
{
    ASSERT(flow->rate <= RATE_FREE && now_ms >= flow->last_ms);
    if (flow->passed + flow->refused == 0 || now_ms - flow->last_ms > PAUSE_MS) {
        begin_count(flow, now_ms);
    }
    flow->last_ms = now_ms;
    flow->passed += refused ? 0 : 1;
    flow->refused += refused ? 1 : 0;
    const uint64_t elapsed_ms = now_ms - flow->from_ms;
    if (flow->passed + flow->refused < COUNT_MIN || elapsed_ms < COUNT_MS) {
        return;
    }
    if (overloaded(flow)) {
        cut(flow, elapsed_ms);
    } else if (flow->rate > 0) {
        grow(flow);
    }
    begin_count(flow, now_ms);
}
