#include "agent/ring/ring_sealing.h"

#include "agent/base/mem.h"

void ring_sealing_init(struct ring_sealing *sealing, const struct ring_me *me, size_t own,
                       size_t count)
{
    ASSERT(count > 0 && own < count);
    *sealing = (struct ring_sealing){
        .first = own,
        .count = count,
        .retry_for_ms = me->retry_for_ms,
        .claims = (struct ring_claim *)xcalloc(count, sizeof(struct ring_claim)),
    };
    ring_pace_init(&sealing->pace, me);
}

void ring_sealing_done(struct ring_sealing *sealing)
{
    free(TAKE_PTR(sealing->claims));
}

static size_t slot_of(const struct ring_sealing *sealing)
{
    return (sealing->first + sealing->looked) % sealing->count;
}

enum ring_step ring_sealing_next(struct ring_sealing *sealing, uint64_t now_ms,
                                 struct claim_request *ret, uint64_t *ret_wait_ms)
{
    if (sealing->verdict != SEALING_GOING_ON) {
        return RING_END;
    }
    *ret_wait_ms = ring_pace_left(&sealing->pace, now_ms);
    if (*ret_wait_ms > 0) {
        return RING_WAIT;
    }
    *ret = (struct claim_request){
        .ask = sealing->looked < sealing->count ? CLAIM_READ : CLAIM_WRITE_SEAL,
        .slot = slot_of(sealing),
    };
    return RING_ASK;
}

static void on_failure(struct ring_sealing *sealing, const struct claim_answer *answer,
                       uint64_t now_ms)
{
    const uint64_t failing_ms = ring_pace_fail(&sealing->pace, now_ms);
    if (answer->result == CLAIM_FAILED) {
        sealing->verdict = SEALING_REFUSED;
    } else if (failing_ms >= sealing->retry_for_ms) {
        sealing->verdict = SEALING_UNREACHABLE;
    }
}

void ring_sealing_answer(struct ring_sealing *sealing, const struct claim_answer *answer,
                         uint64_t now_ms)
{
    ASSERT(sealing->verdict == SEALING_GOING_ON);
    if (answer->result == CLAIM_UNSURE || answer->result == CLAIM_FAILED ||
        answer->result == CLAIM_CONFLICT) {
        on_failure(sealing, answer, now_ms);
        return;
    }
    ring_pace_good(&sealing->pace);
    if (sealing->looked == sealing->count) {
        sealing->verdict = SEALING_DONE; /* a refusal: somebody was faster */
        return;
    }
    const size_t slot = slot_of(sealing);
    if (answer->result != CLAIM_DONE || answer->claim.phase != CLAIM_RESTORED) {
        sealing->missing = slot;
        sealing->verdict = SEALING_NOT_YET;
        return;
    }
    sealing->claims[slot] = answer->claim;
    sealing->looked++;
}
