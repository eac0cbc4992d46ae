#include "agent/ring/ring_lease.h"

#include <inttypes.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/interrupt.h"
#include "agent/base/log.h"
#include "agent/base/thread.h"
#include "agent/ring/ring_ask.h"
#include "agent/ring/ring_hold.h"
#include "agent/ring/ring_store.h"
#include "agent/source_watch.h"

enum { BOOT_RETRY_MS = 10 * 1000 }; /* Cassandra waits for it */

struct ring_lease {
    /* set once */
    struct ring_asker asker;
    struct ring_me me;
    struct ring_held held; /* as it was claimed */
    bool sealed;           /* the ring was, before */
    pthread_t thread;
    bool started, used; /* now; ever */

    /* the thread's, and the main thread's before it starts */
    struct err why; /* of the last question that was not answered as hoped */

    /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* anything below */
    struct ring_hold hold;
    bool stopping;
    struct err lost; /* why hold.verdict is one of failure */
};

static const char *token_of(const struct ring_lease *lease)
{
    return lease->asker.ring->slots[lease->held.slot].token;
}

static int seek(struct ring_lease *lease, const size_t *slots, size_t count, struct err *e)
{
    const struct seek_options options = {
        .me = lease->me, .goal = SEEK_ANY, .slots = slots, .slot_count = count};
    struct ring_seek *seek = ring_seek_new(&options);
    const int result = ring_ask_seek(&lease->asker, seek, &options, e);
    if (result == 0) {
        lease->held = *ring_seek_held(seek);
        lease->sealed = ring_seek_is_sealed(seek);
    }
    ring_seek_free(seek);
    return result;
}

int ring_lease_claim(const struct config *config, const struct ring_plan *ring,
                     const struct ring_here *here, const size_t *own, struct ring_lease **ret,
                     size_t *ret_slot, struct err *e)
{
    autofree char *state = ring_store_of(config->ring);
    autofree size_t *slots = NULL;
    size_t count = 0;
    if (state == NULL) {
        err_set(e, ERR_CONFIG, "--slot claim: '%s' does not lie in a state bucket", config->ring);
        return err_hint(e, "write it as s3://BUCKET/PREFIX/plans/ID.json, or give --slot N");
    }
    if (own == NULL && ring_here_slots(here, config, ring, &slots, &count, e) != 0) {
        return -1;
    }
    struct ring_lease *lease = (struct ring_lease *)xcalloc(1, sizeof(*lease));
    mutex_init(&lease->lock);
    cond_init(&lease->changed);
    ring_here_me(here, config, &lease->me);
    if (own != NULL && lease->me.retry_for_ms > BOOT_RETRY_MS) {
        lease->me.retry_for_ms = BOOT_RETRY_MS;
    }
    if (ring_ask_open(config, ring, state, &lease->asker, e) != 0 ||
        seek(lease, own != NULL ? own : slots, own != NULL ? 1 : count, e) != 0) {
        ring_lease_free(lease);
        return -1;
    }
    log_info("node %s has token %s (claim %s, attempt %" PRIu64 ")", lease->me.node,
             token_of(lease), ring_claim_phase_name(lease->held.claim.phase),
             lease->held.claim.attempt);
    *ret_slot = lease->held.slot;
    *ret = lease;
    return 0;
}

/* Why it ended, in words. */
static void word_end_locked(struct ring_lease *lease)
{
    const struct ring_hold *hold = &lease->hold;
    struct err *e = &lease->lost;
    const char *token = token_of(lease);
    switch (hold->verdict) {
    case HOLD_GOING_ON:
    case HOLD_PASSED:
        return;
    case HOLD_LOST:
        err_set(e, ERR_CANCELLED, "token %s: %s%s; stopped, and left the files as they are", token,
                hold->other[0] == '\0' ? "this node's claim was given up" : "now claimed by node ",
                hold->other);
        err_hint(e, "nothing is to be done if that node restores it; else run the same command "
                    "again");
        return;
    case HOLD_EXPIRED:
        err_set(e, ERR_CANCELLED,
                "token %s: this node's claim was not renewed for a whole lease of %" PRIu64
                " s%s%s",
                token, hold->me.lease_ms / 1000, lease->why.kind == ERR_NONE ? "" : ": ",
                lease->why.text);
        err_hint(e, "run the same command again: it goes on if the token is still to be had");
        return;
    case HOLD_LIVE:
        err_set(e, ERR_REFUSED, "token %s: the ring was sealed with node %s in this one's place",
                token, hold->other);
        err_hint(e, "do not start Cassandra here; replace a node as Cassandra does");
        return;
    case HOLD_UNREACHABLE:
    case HOLD_REFUSED:
        break;
    }
    *e = lease->why;
    if (e->kind == ERR_NONE || e->kind == ERR_CHANGED) {
        err_set(e, ERR_RETRY, "token %s: the store gives no answer to rely on", token);
    }
}

/* One step, with the lock given up while the store is asked. False: it has ended. */
static bool step_locked(struct ring_lease *lease)
{
    struct claim_request request;
    struct claim_answer answer;
    struct err why = ERR_INIT;
    uint64_t wait_ms = 0;
    const enum ring_step step = ring_hold_next(&lease->hold, clock_mono_ms(), &request, &wait_ms);
    if (step == RING_END) {
        word_end_locked(lease);
        return false;
    }
    if (step == RING_WAIT) {
        (void)cond_wait_ms(&lease->changed, &lease->lock, wait_ms);
        return true;
    }
    const bool leased = lease->hold.state != HOLD_SEAL;
    const uint64_t left_ms = ring_hold_left_ms(&lease->hold, clock_mono_ms());
    mutex_unlock(&lease->lock);
    if (leased) { /* what is not answered by then is of no use */
        source_watch_begin(lease->asker.store, left_ms);
    }
    ring_ask(&lease->asker, &request, NULL, &answer, &why);
    source_watch_end(lease->asker.store);
    mutex_lock(&lease->lock);
    ring_hold_answer(&lease->hold, &answer, clock_mono_ms());
    lease->why = why;
    return true;
}

static void warn_locked(const struct ring_lease *lease, unsigned *failures)
{
    const unsigned now = lease->hold.pace.failures;
    if (now > 0 && *failures == 0) {
        log_warn("token %s: its claim is not renewed: %s; this goes on until the lease ends, in "
                 "%" PRIu64 " s",
                 token_of(lease), lease->why.text,
                 ring_hold_left_ms(&lease->hold, clock_mono_ms()) / 1000);
    }
    *failures = now;
}

static void *run(void *arg)
{
    struct ring_lease *lease = (struct ring_lease *)arg;
    unsigned failures = 0;
    mutex_lock(&lease->lock);
    while (!lease->stopping && step_locked(lease)) {
        warn_locked(lease, &failures);
    }
    if (lease->lost.kind != ERR_NONE) {
        interrupt_ask();
    }
    cond_broadcast(&lease->changed);
    mutex_unlock(&lease->lock);
    return NULL;
}

/* Until the claim is known to be this process's own. */
static int resume(struct ring_lease *lease, struct err *e)
{
    mutex_lock(&lease->lock);
    while (!lease->hold.ours && step_locked(lease)) {
    }
    if (lease->lost.kind != ERR_NONE) {
        *e = lease->lost;
    }
    mutex_unlock(&lease->lock);
    return e->kind == ERR_NONE ? 0 : -1;
}

int ring_lease_start(struct ring_lease *lease, bool is_new, struct err *e)
{
    if (lease == NULL) {
        return 0;
    }
    ASSERT(!lease->started);
    if (lease->sealed && is_new) {
        err_set(e, ERR_REFUSED, "token %s: the ring is live, and this node's data is gone",
                token_of(lease));
        return err_hint(e, "replace the node as Cassandra does (replace_address_first_boot)");
    }
    lease->used = true;
    ring_hold_init(&lease->hold, &lease->me, &lease->held, clock_mono_ms());
    if (resume(lease, e) != 0) {
        return -1;
    }
    lease->thread = thread_start(run, lease, "penates-lease");
    lease->started = true;
    return 0;
}

int ring_lease_check(struct ring_lease *lease, struct err *e)
{
    if (lease == NULL) {
        return 0;
    }
    mutex_lock(&lease->lock);
    const bool lost = lease->lost.kind != ERR_NONE;
    if (lost) {
        *e = lease->lost;
    }
    mutex_unlock(&lease->lock);
    return lost ? -1 : 0;
}

int ring_lease_fence(struct ring_lease *lease, struct err *e)
{
    if (lease == NULL) {
        return 0;
    }
    ASSERT(lease->started);
    mutex_lock(&lease->lock);
    ring_hold_fence(&lease->hold);
    cond_broadcast(&lease->changed);
    while (lease->hold.verdict != HOLD_PASSED && lease->lost.kind == ERR_NONE) {
        cond_wait(&lease->changed, &lease->lock);
    }
    mutex_unlock(&lease->lock);
    return ring_lease_check(lease, e);
}

void ring_lease_seal(struct ring_lease *lease)
{
    if (lease == NULL || lease->sealed) {
        return;
    }
    if (lease->started) {
        thread_join(lease->thread); /* it has ended, behind the fence */
        lease->started = false;
    }
    struct ring_me me = lease->me;
    if (me.retry_for_ms > BOOT_RETRY_MS) { /* whoever asks next seals it, too */
        me.retry_for_ms = BOOT_RETRY_MS;
    }
    ring_ask_seal(&lease->asker, &me, lease->held.slot);
}

int ring_lease_settle(struct ring_lease *lease, struct err *e)
{
    if (lease == NULL || lease->sealed) {
        return 0;
    }
    /* Somebody has said that this node is gone, and it is not: leased, its slot would be had by
     * another one some time, which would make two of them. */
    if (lease->held.claim.phase != CLAIM_RESTORED &&
        (ring_lease_start(lease, false, e) != 0 || ring_lease_fence(lease, e) != 0)) {
        return -1;
    }
    ring_lease_seal(lease);
    return 0;
}

void ring_lease_word(struct ring_lease *lease, struct err *e)
{
    struct err lost = ERR_INIT;
    if (e->kind == ERR_CANCELLED && ring_lease_check(lease, &lost) != 0) {
        *e = lost;
    }
}

/* Others need not wait for the end of a lease that nothing comes of. One try; else they do. */
static void give_back(const struct ring_lease *lease)
{
    struct claim_request request = {
        .ask = CLAIM_WRITE, .slot = lease->held.slot, .claim = lease->held.claim};
    struct claim_answer answer;
    struct err why;
    memcpy(request.etag, lease->held.etag, sizeof(request.etag));
    request.claim.phase = CLAIM_RELEASED;
    request.claim.beat++;
    ring_ask(&lease->asker, &request, NULL, &answer, &why);
}

void ring_lease_free(struct ring_lease *lease)
{
    if (lease == NULL) {
        return;
    }
    if (lease->started) {
        mutex_lock(&lease->lock);
        lease->stopping = true;
        cond_broadcast(&lease->changed);
        mutex_unlock(&lease->lock);
        source_cancel(lease->asker.store); /* it may be waiting for an answer */
        thread_join(lease->thread);
    }
    if (!lease->used && lease->held.sent_ms != 0) {
        give_back(lease);
    }
    if (lease->asker.store != NULL) {
        ring_ask_close(&lease->asker);
    }
    cond_done(&lease->changed);
    mutex_done(&lease->lock);
    free(lease);
}
