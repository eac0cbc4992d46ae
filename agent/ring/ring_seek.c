#include "agent/ring/ring_seek.h"

#include <string.h>

#include "agent/base/mem.h"

enum seek_state {
    STATE_SEAL,        /* is the ring sealed? */
    STATE_SCAN,        /* what is on `at`? */
    STATE_WRITE,       /* it is to be ours */
    STATE_LOOK,        /* is it? */
    STATE_PROVE_NEW,   /* If-None-Match on what is there: must be refused */
    STATE_PROVE_MATCH, /* If-Match of what is not there: likewise */
    STATE_WATCH,       /* until watch_ms, then again from the start */
    STATE_END,
};

/* No object has it: it is none of MD5 that was ever found, and no store's own form. */
static const char NO_ETAG[] = "00000000000000000000000000000000";

enum { WATCHES_A_LEASE = 10, WATCH_MIN_MS = 1000 };

struct ring_seek {
    struct seek_options options; /* but `slots`, which are in `seen` */
    char gone[CLAIM_NODE_SIZE];
    enum seek_state state;
    enum seek_verdict verdict;
    struct seek_seen *seen; /* in this node's order */
    size_t *order;          /* of options.slots: where in `seen` */
    size_t at;
    bool sealed;
    struct ring_held held;
    uint64_t sent_ms; /* of the last write */
    uint64_t watch_ms;
    struct ring_pace pace;
};

struct ring_seek *ring_seek_new(const struct seek_options *options)
{
    ASSERT(options->slot_count > 0 && options->me.node[0] != '\0' && options->me.run[0] != '\0');
    struct ring_seek *seek = (struct ring_seek *)xcalloc(1, sizeof(*seek));
    const size_t count = options->slot_count;
    seek->options = *options;
    seek->options.slots = NULL;
    if (options->gone != NULL) {
        (void)snprintf(seek->gone, sizeof(seek->gone), "%s", options->gone); /* fits, as --gone */
    }
    seek->seen = (struct seek_seen *)xcalloc(count, sizeof(*seek->seen));
    seek->order = (size_t *)xcalloc(count, sizeof(*seek->order));
    for (size_t i = 0; i < count; i++) {
        seek->order[i] = i;
    }
    struct random random = {ring_core_seed(options->me.node)};
    for (size_t i = count - 1; i > 0; i--) {
        const size_t other = (size_t)random_below(&random, i + 1);
        const size_t kept = seek->order[i];
        seek->order[i] = seek->order[other];
        seek->order[other] = kept;
    }
    for (size_t i = 0; i < count; i++) {
        seek->seen[seek->order[i]].slot = options->slots[i];
    }
    ring_pace_init(&seek->pace, &options->me);
    return seek;
}

void ring_seek_free(struct ring_seek *seek)
{
    if (seek != NULL) {
        free(seek->seen);
        free(seek->order);
        free(seek);
    }
}

static void end(struct ring_seek *seek, enum seek_verdict verdict)
{
    ASSERT(seek->verdict == SEEK_GOING_ON);
    seek->verdict = verdict;
    seek->state = STATE_END;
}

static bool is_own(const struct ring_seek *seek, const struct seek_seen *seen)
{
    return !seen->absent && seen->claim.phase != CLAIM_RELEASED &&
           seen->claim.phase != CLAIM_UNREADABLE &&
           strcmp(seen->claim.node, seek->options.me.node) == 0;
}

static bool is_free(const struct seek_seen *seen)
{
    return seen->absent || seen->claim.phase == CLAIM_RELEASED;
}

static bool is_lapsed(const struct seek_seen *seen)
{
    return !seen->absent && ring_core_is_lapsed(&seen->claim, seen->age_ms);
}

/* What TAKE and RELEASE may do with a slot beyond that: a restored one only by its node's name. */
static bool is_gone(const struct ring_seek *seek, const struct seek_seen *seen)
{
    return !seen->absent && seen->claim.phase == CLAIM_RESTORED && seek->gone[0] != '\0' &&
           strcmp(seen->claim.node, seek->gone) == 0;
}

static void hold(struct ring_seek *seek, const struct seek_seen *seen, uint64_t sent_ms)
{
    seek->held = (struct ring_held){.slot = seen->slot, .claim = seen->claim, .sent_ms = sent_ms};
    memcpy(seek->held.etag, seen->etag, sizeof(seen->etag));
}

/* What is there by the claim of `seen`, for who writes over it. */
static struct ring_claim next_claim(const struct ring_seek *seek, const struct seek_seen *seen)
{
    const struct ring_me *me = &seek->options.me;
    const bool release = seek->options.goal == SEEK_RELEASE;
    struct ring_claim claim = {
        .phase = release ? CLAIM_RELEASED : CLAIM_RESTORING,
        .attempt = seen->absent ? 1 : seen->claim.attempt + (release ? 0 : 1),
        .lease_ms = me->lease_ms,
    };
    memcpy(claim.node, me->node, sizeof(claim.node));
    memcpy(claim.run, me->run, sizeof(claim.run));
    return claim;
}

static struct seek_seen *find(const struct ring_seek *seek, size_t slot)
{
    for (size_t i = 0; i < seek->options.slot_count; i++) {
        if (seek->seen[i].slot == slot) {
            return &seek->seen[i];
        }
    }
    return NULL;
}

static void write_to(struct ring_seek *seek, const struct seek_seen *seen)
{
    seek->at = (size_t)(seen - seek->seen);
    seek->state = STATE_WRITE;
}

/* A moment after each of those that may be dead should have been renewed, or lapses. */
static bool watch(struct ring_seek *seek, uint64_t now_ms)
{
    uint64_t wait_ms = UINT64_MAX;
    for (size_t i = 0; i < seek->options.slot_count; i++) {
        const struct seek_seen *seen = &seek->seen[i];
        if (seen->absent || seen->alive || seen->claim.phase != CLAIM_RESTORING ||
            seen->age_ms < 0) {
            continue;
        }
        const uint64_t lapse_ms = seen->claim.lease_ms + CLAIM_MARGIN_MS;
        const uint64_t left_ms = lapse_ms - (uint64_t)seen->age_ms; /* it has not lapsed */
        const uint64_t look_ms = seen->claim.lease_ms / WATCHES_A_LEASE;
        wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
        wait_ms = look_ms < wait_ms ? look_ms : wait_ms;
    }
    seek->watch_ms = now_ms + (wait_ms < WATCH_MIN_MS ? WATCH_MIN_MS : wait_ms);
    return wait_ms != UINT64_MAX;
}

static void choose_any(struct ring_seek *seek, uint64_t now_ms)
{
    for (unsigned lapsed = 0; lapsed < 2; lapsed++) {
        for (size_t i = 0; i < seek->options.slot_count; i++) {
            const struct seek_seen *seen = &seek->seen[i];
            if (lapsed ? is_lapsed(seen) : is_free(seen)) {
                write_to(seek, seen);
                return;
            }
        }
    }
    if (watch(seek, now_ms)) {
        seek->state = STATE_WATCH;
    } else {
        end(seek, SEEK_ALL_TAKEN);
    }
}

/* All that had to be looked at is known. */
static void choose(struct ring_seek *seek, uint64_t now_ms)
{
    if (seek->sealed) {
        end(seek, SEEK_LIVE);
        return;
    }
    if (seek->options.goal == SEEK_ANY) {
        choose_any(seek, now_ms);
        return;
    }
    const struct seek_seen *seen = find(seek, seek->options.wanted);
    ASSERT(seen != NULL && seen->known);
    const bool release = seek->options.goal == SEEK_RELEASE;
    if (release && is_free(seen)) {
        end(seek, SEEK_GIVEN_UP);
    } else if (is_free(seen) || is_lapsed(seen) || is_gone(seek, seen) ||
               (release && is_own(seek, seen) && seen->claim.phase == CLAIM_RESTORING)) {
        write_to(seek, seen);
    } else {
        end(seek, SEEK_HELD);
    }
}

static bool is_sent(const struct ring_seek *seek, const struct claim_answer *answer)
{
    return answer->result == CLAIM_DONE && strcmp(answer->claim.run, seek->options.me.run) == 0;
}

static void record(struct seek_seen *seen, const struct claim_answer *answer)
{
    seen->alive = seen->alive || (seen->known && !seen->absent && answer->result == CLAIM_DONE &&
                                  strcmp(seen->etag, answer->etag) != 0);
    seen->known = true;
    seen->absent = answer->result == CLAIM_ABSENT;
    seen->claim = answer->claim;
    seen->age_ms = answer->age_ms;
    memcpy(seen->etag, answer->etag, sizeof(seen->etag));
}

/* A write of ours has been done. */
static void on_written(struct ring_seek *seek)
{
    hold(seek, &seek->seen[seek->at], seek->sent_ms);
    if (seek->options.goal == SEEK_RELEASE) {
        end(seek, SEEK_GIVEN_UP);
    } else {
        seek->state = STATE_PROVE_NEW;
    }
}

/* This node's, whichever of its processes wrote it: it gets no second one. False: it is not. */
static bool take_own(struct ring_seek *seek, const struct seek_seen *seen)
{
    if (!is_own(seek, seen) || seek->options.goal == SEEK_RELEASE) {
        return false;
    }
    hold(seek, seen, 0);
    if (seek->options.goal != SEEK_ANY && seen->slot != seek->options.wanted) {
        end(seek, SEEK_HAS_OTHER);
    } else if (seek->sealed) {
        end(seek, SEEK_MINE);
    } else {
        seek->state = STATE_PROVE_NEW;
    }
    return true;
}

static void on_scanned(struct ring_seek *seek, const struct claim_answer *answer, uint64_t now_ms)
{
    struct seek_seen *seen = &seek->seen[seek->at];
    record(seen, answer);
    if (take_own(seek, seen)) {
        return;
    }
    seek->at++;
    if (seek->at == seek->options.slot_count) {
        choose(seek, now_ms);
    }
}

/* One more failure; true: it is the last. */
static bool is_enough(struct ring_seek *seek, uint64_t now_ms)
{
    if (ring_pace_fail(&seek->pace, now_ms) < seek->options.me.retry_for_ms) {
        return false;
    }
    end(seek, SEEK_UNREACHABLE);
    return true;
}

static void on_looked(struct ring_seek *seek, const struct claim_answer *answer, uint64_t now_ms)
{
    struct seek_seen *seen = &seek->seen[seek->at];
    const bool was_absent = seen->absent;
    const bool same = (answer->result == CLAIM_ABSENT) == was_absent &&
                      (was_absent || strcmp(seen->etag, answer->etag) == 0);
    record(seen, answer);
    if (is_sent(seek, answer)) {
        ring_pace_good(&seek->pace);
        on_written(seek);
        return;
    }
    if (!same) {
        ring_pace_good(&seek->pace);
        if (take_own(seek, seen)) {
            return;
        }
    } else if (is_enough(seek, now_ms)) {
        return;
    }
    /* Where the slot is as it was, it is the first choice again: no other one is tried as long as a
     * write to this one may still be done. */
    choose(seek, now_ms);
}

static void on_proof(struct ring_seek *seek, const struct claim_answer *answer)
{
    if (answer->result == CLAIM_DONE) {
        end(seek, SEEK_UNSAFE);
    } else if (answer->result == CLAIM_ABSENT) { /* somebody has deleted it: from the start */
        seek->state = STATE_SEAL;
    } else if (seek->state == STATE_PROVE_NEW) {
        seek->state = STATE_PROVE_MATCH;
    } else {
        end(seek, SEEK_MINE);
    }
}

/* No answer that says what is; false: it is one. */
static bool take_failure(struct ring_seek *seek, const struct claim_answer *answer, uint64_t now_ms)
{
    const bool later = answer->result == CLAIM_UNSURE || answer->result == CLAIM_CONFLICT;
    if (answer->result == CLAIM_FAILED) {
        end(seek, SEEK_REFUSED);
    } else if (later && !is_enough(seek, now_ms) && answer->result == CLAIM_UNSURE &&
               seek->state == STATE_WRITE) {
        seek->state = STATE_LOOK;
    }
    return later || answer->result == CLAIM_FAILED;
}

void ring_seek_answer(struct ring_seek *seek, const struct claim_answer *answer, uint64_t now_ms)
{
    if (take_failure(seek, answer, now_ms)) {
        return;
    }
    if (seek->state != STATE_LOOK) {
        ring_pace_good(&seek->pace);
    }
    switch (seek->state) {
    case STATE_SEAL:
        seek->sealed = answer->result == CLAIM_DONE;
        seek->state = STATE_SCAN;
        seek->at = 0;
        return;
    case STATE_SCAN:
        on_scanned(seek, answer, now_ms);
        return;
    case STATE_WRITE:
        if (answer->result == CLAIM_DONE) {
            struct seek_seen *const seen = &seek->seen[seek->at];
            seen->claim = next_claim(seek, seen);
            seen->absent = false;
            memcpy(seen->etag, answer->etag, sizeof(seen->etag));
            on_written(seek);
        } else {
            seek->state = STATE_LOOK; /* a refusal may be of our own write, sent twice on the way */
        }
        return;
    case STATE_LOOK:
        on_looked(seek, answer, now_ms);
        return;
    case STATE_PROVE_NEW:
    case STATE_PROVE_MATCH:
        on_proof(seek, answer);
        return;
    case STATE_WATCH:
    case STATE_END:
        break;
    }
    err_bug(__FILE__, __LINE__, "nothing was asked");
}

static void ask_write(struct ring_seek *seek, uint64_t now_ms, struct claim_request *ret)
{
    const struct seek_seen *const seen = &seek->seen[seek->at];
    ret->ask = CLAIM_WRITE;
    if (seek->state == STATE_WRITE) {
        ret->claim = next_claim(seek, seen);
        seek->sent_ms = now_ms;
        memcpy(ret->etag, seen->absent ? "" : seen->etag, seen->absent ? 1 : sizeof(ret->etag));
        return;
    }
    ret->claim = seek->held.claim;
    (void)snprintf(ret->etag, sizeof(ret->etag), "%s",
                   seek->state == STATE_PROVE_NEW ? "" : NO_ETAG); /* fits */
}

enum ring_step ring_seek_next(struct ring_seek *seek, uint64_t now_ms, struct claim_request *ret,
                              uint64_t *ret_wait_ms)
{
    if (seek->state == STATE_END) {
        return RING_END;
    }
    *ret_wait_ms = seek->state == STATE_WATCH && seek->watch_ms > now_ms
                       ? seek->watch_ms - now_ms
                       : ring_pace_left(&seek->pace, now_ms);
    if (*ret_wait_ms > 0) {
        return RING_WAIT;
    }
    if (seek->state == STATE_WATCH) {
        seek->state = STATE_SEAL;
    }
    *ret = (struct claim_request){.ask = CLAIM_READ};
    ret->slot = seek->seen[seek->at % seek->options.slot_count].slot;
    if (seek->state == STATE_SEAL) {
        ret->ask = CLAIM_READ_SEAL;
    } else if (seek->state != STATE_SCAN && seek->state != STATE_LOOK) {
        ask_write(seek, now_ms, ret);
    }
    return RING_ASK;
}

enum seek_verdict ring_seek_verdict(const struct ring_seek *seek)
{
    return seek->verdict;
}

const struct ring_held *ring_seek_held(const struct ring_seek *seek)
{
    ASSERT(seek->verdict == SEEK_MINE || seek->verdict == SEEK_HAS_OTHER);
    return &seek->held;
}

const struct seek_seen *ring_seek_seen(const struct ring_seek *seek, size_t index)
{
    ASSERT(index < seek->options.slot_count);
    return &seek->seen[seek->order[index]];
}

bool ring_seek_is_sealed(const struct ring_seek *seek)
{
    return seek->sealed;
}

bool ring_seek_is_watching(const struct ring_seek *seek)
{
    return seek->state == STATE_WATCH;
}
