#include "agent/ring/ring_hold.h"

#include <string.h>

enum { RENEWALS_A_LEASE = 5 };

void ring_hold_init(struct ring_hold *hold, const struct ring_me *me, const struct ring_held *held,
                    uint64_t now_ms)
{
    ASSERT(strcmp(held->claim.node, me->node) == 0);
    const bool ours = strcmp(held->claim.run, me->run) == 0;
    *hold = (struct ring_hold){
        .me = *me,
        .held = *held,
        .state = ours ? HOLD_IDLE : HOLD_WRITE,
        .ours = ours,
        .confirmed_ms = ours ? held->sent_ms : now_ms,
    };
    ring_pace_init(&hold->pace, me);
}

void ring_hold_fence(struct ring_hold *hold)
{
    hold->fencing = true;
}

static void end(struct ring_hold *hold, enum hold_verdict verdict)
{
    ASSERT(hold->verdict == HOLD_GOING_ON);
    hold->verdict = verdict;
    hold->state = HOLD_END;
}

static bool is_behind(const struct ring_hold *hold)
{
    return hold->state == HOLD_SEAL;
}

uint64_t ring_hold_left_ms(const struct ring_hold *hold, uint64_t now_ms)
{
    const uint64_t end_ms = hold->confirmed_ms + hold->me.lease_ms;
    return end_ms > now_ms ? end_ms - now_ms : 0;
}

static void lose(struct ring_hold *hold, const struct claim_answer *answer)
{
    const bool named = answer->result == CLAIM_DONE && answer->claim.phase != CLAIM_RELEASED;
    memcpy(hold->other, named ? answer->claim.node : "", named ? sizeof(hold->other) : 1);
    end(hold, HOLD_LOST);
}

/* A write of this run stands there, or stood there when it was read. */
static void on_own(struct ring_hold *hold, const struct ring_claim *claim, const char *etag)
{
    hold->held.claim = *claim;
    memcpy(hold->held.etag, etag, sizeof(hold->held.etag));
    hold->ours = true;
    if (claim->phase == CLAIM_RESTORED && hold->fencing) {
        hold->state = HOLD_SEAL;
    }
}

static void on_written(struct ring_hold *hold, const struct claim_answer *answer)
{
    if (answer->result != CLAIM_DONE) {
        hold->state = HOLD_LOOK; /* a refusal may be of our own write, sent twice on the way */
        return;
    }
    ring_pace_good(&hold->pace);
    hold->confirmed_ms = hold->sent_ms;
    hold->state = HOLD_IDLE;
    on_own(hold, &hold->sent, answer->etag);
}

/* One more failure. What holds a lease asks on until that ends: a right that is missing for a
 * minute is no reason to throw hours of work away. */
static void fail(struct ring_hold *hold, bool refused, uint64_t now_ms)
{
    const uint64_t failing_ms = ring_pace_fail(&hold->pace, now_ms);
    const bool leased = hold->ours && !is_behind(hold);
    if (!leased && refused) {
        end(hold, HOLD_REFUSED);
    } else if (!leased && failing_ms >= hold->me.retry_for_ms) {
        end(hold, HOLD_UNREACHABLE);
    }
}

static void on_looked(struct ring_hold *hold, const struct claim_answer *answer, uint64_t now_ms)
{
    const bool there = answer->result == CLAIM_DONE;
    const bool same = there && strcmp(answer->etag, hold->held.etag) == 0;
    hold->state = HOLD_WRITE;
    if (same) {
        fail(hold, false, now_ms); /* again, after a pause */
    } else if (there && strcmp(answer->claim.run, hold->me.run) == 0) {
        ring_pace_good(&hold->pace);
        on_own(hold, &answer->claim, answer->etag);
    } else {
        lose(hold, answer);
    }
}

/* Named, or not sealed yet. */
static void on_seal(struct ring_hold *hold, const struct claim_answer *answer)
{
    const bool sealed = answer->result == CLAIM_DONE;
    const bool with_us = sealed && strcmp(answer->claim.node, hold->me.node) == 0;
    memcpy(hold->other, sealed ? answer->claim.node : "", sealed ? sizeof(hold->other) : 1);
    end(hold, sealed && !with_us ? HOLD_LIVE : HOLD_PASSED);
}

/* No answer that says what is. */
static void on_failure(struct ring_hold *hold, const struct claim_answer *answer, uint64_t now_ms)
{
    fail(hold, answer->result == CLAIM_FAILED, now_ms);
    if (hold->state == HOLD_WRITE && answer->result != CLAIM_CONFLICT) {
        hold->state = HOLD_LOOK;
    }
}

void ring_hold_answer(struct ring_hold *hold, const struct claim_answer *answer, uint64_t now_ms)
{
    if (answer->result == CLAIM_UNSURE || answer->result == CLAIM_FAILED ||
        answer->result == CLAIM_CONFLICT) {
        on_failure(hold, answer, now_ms);
        return;
    }
    switch (hold->state) {
    case HOLD_WRITE:
        on_written(hold, answer);
        return;
    case HOLD_LOOK:
        on_looked(hold, answer, now_ms);
        return;
    case HOLD_SEAL:
        on_seal(hold, answer);
        return;
    case HOLD_IDLE:
    case HOLD_END:
        break;
    }
    err_bug(__FILE__, __LINE__, "nothing was asked");
}

static void ask(struct ring_hold *hold, uint64_t now_ms, struct claim_request *ret)
{
    *ret = (struct claim_request){.ask = CLAIM_READ, .slot = hold->held.slot};
    if (hold->state == HOLD_SEAL) {
        ret->ask = CLAIM_READ_SEAL;
    } else if (hold->state == HOLD_WRITE) {
        hold->sent = hold->held.claim;
        memcpy(hold->sent.run, hold->me.run, sizeof(hold->sent.run));
        hold->sent.beat++;
        hold->sent.lease_ms = hold->me.lease_ms;
        hold->sent.phase = hold->fencing ? CLAIM_RESTORED : CLAIM_RESTORING;
        hold->sent_ms = now_ms;
        ret->ask = CLAIM_WRITE;
        ret->claim = hold->sent;
        memcpy(ret->etag, hold->held.etag, sizeof(ret->etag));
    }
}

/* For the next renewal; or after a failure. */
static uint64_t pause_ms(const struct ring_hold *hold, uint64_t now_ms)
{
    if (hold->state != HOLD_IDLE) {
        return ring_pace_left(&hold->pace, now_ms);
    }
    const uint64_t due_ms = hold->confirmed_ms + hold->me.lease_ms / RENEWALS_A_LEASE;
    return !hold->fencing && due_ms > now_ms ? due_ms - now_ms : 0;
}

enum ring_step ring_hold_next(struct ring_hold *hold, uint64_t now_ms, struct claim_request *ret,
                              uint64_t *ret_wait_ms)
{
    const uint64_t left_ms = ring_hold_left_ms(hold, now_ms);
    if (hold->state != HOLD_END && !is_behind(hold) && left_ms == 0) {
        end(hold, hold->ours ? HOLD_EXPIRED : HOLD_UNREACHABLE);
    }
    if (hold->state == HOLD_END) {
        return RING_END;
    }
    *ret_wait_ms = pause_ms(hold, now_ms);
    if (*ret_wait_ms > 0) {
        *ret_wait_ms = !is_behind(hold) && left_ms < *ret_wait_ms ? left_ms : *ret_wait_ms;
        return RING_WAIT;
    }
    if (hold->state == HOLD_IDLE) {
        hold->state = HOLD_WRITE;
    }
    ask(hold, now_ms, ret);
    return RING_ASK;
}
