/* The object of a claim, and the machines one step at a time: what the model does not tell apart.
 */
#include "unit.h"

#include "agent/base/mem.h"
#include "agent/ring/ring_hold.h"
#include "agent/ring/ring_sealing.h"
#include "agent/ring/ring_seek.h"

enum { LEASE_MS = 60000, RETRY_MS = 1000 };

static const struct ring_me ME = {
    .node = "i-me", .run = "run-1", .lease_ms = LEASE_MS, .retry_for_ms = RETRY_MS};
static const struct claim_place PLACE = {
    .ring_id = "ring", .restore_id = "restore", .token = "-5", .rack = "a", .slot = 3};

static struct ring_claim claim_of(const char *node, enum claim_phase phase)
{
    struct ring_claim claim = {.phase = phase, .attempt = 1, .beat = 7, .lease_ms = LEASE_MS};
    (void)snprintf(claim.node, sizeof(claim.node), "%s", node);
    (void)snprintf(claim.run, sizeof(claim.run), "run-of-%.8s", node);
    return claim;
}

static void test_round_trip(void **state)
{
    (void)state;
    for (unsigned phase = CLAIM_RESTORING; phase <= CLAIM_RELEASED; phase++) {
        const struct ring_claim claim = claim_of("i-0", (enum claim_phase)phase);
        struct ring_claim read;
        autofree char *text = ring_claim_write(&claim, &PLACE);
        assert_true(strlen(text) < CLAIM_TEXT_MAX);
        ring_claim_read(slice_of(text, strlen(text)), "-5", &read);
        assert_string_equal(read.node, "i-0");
        assert_string_equal(read.run, claim.run);
        assert_int_equal(read.phase, phase);
        assert_int_equal(read.attempt, 1);
        assert_int_equal(read.beat, 7);
        assert_int_equal(read.lease_ms, LEASE_MS);
        ring_claim_read(slice_of(text, strlen(text)), "5", &read); /* another slot's */
        assert_int_equal(read.phase, CLAIM_UNREADABLE);
    }
}

static void test_what_is_no_claim(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } CASES[] = {
        {"penates-ring-claim", "penates-ring-plan"},
        {"\"version\":1", "\"version\":2"},
        {"\"version\":1", "\"version\":\"1\""},
        {"\"node\":\"i-0\"", "\"node\":\"\""},
        {"\"node\":\"i-0\"", "\"node\":null"},
        {"\"phase\":\"restoring\"", "\"phase\":\"unreadable\""},
        {"\"phase\":\"restoring\"", "\"phase\":0"},
        {"\"lease_ms\":60000", "\"lease_ms\":999"},
        {"\"lease_ms\":60000", "\"lease_ms\":700000000000"},
        {"\"attempt\":1", "\"attempt\":-1"},
        {"\"attempt\":1", "\"attempt\":4294967295"},
        {"\"beat\":7", "\"beat\":18446744073709551615"},
        {"\"run\":", "\"ran\":"},
        {"{", "[[[[[[[[[[[[[[["},
    };
    const struct ring_claim claim = claim_of("i-0", CLAIM_RESTORING);
    autofree char *text = ring_claim_write(&claim, &PLACE);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const char *at = strstr(text, CASES[i].from);
        assert_non_null(at);
        autofree char *bad =
            xasprintf("%.*s%s%s", (int)(at - text), text, CASES[i].to, at + strlen(CASES[i].from));
        struct ring_claim read;
        ring_claim_read(slice_of(bad, strlen(bad)), "-5", &read);
        assert_int_equal(read.phase, CLAIM_UNREADABLE);
        assert_string_equal(read.node, "");
    }
    struct ring_claim read;
    ring_claim_read(slice_of("", 0), "-5", &read);
    assert_int_equal(read.phase, CLAIM_UNREADABLE);
}

static void test_seal_text(void **state)
{
    (void)state;
    const struct claim_place places[] = {{.ring_id = "r", .restore_id = "x", .token = "1"},
                                         {.token = "2", .slot = 1}};
    const struct ring_claim claims[] = {claim_of("i-1", CLAIM_RESTORED),
                                        claim_of("i-2", CLAIM_RESTORED)};
    autofree char *text = ring_claim_write_seal(places, claims, 2);
    struct ring_claim read;
    ring_claim_read_seal(slice_of(text, strlen(text)), "2", &read);
    assert_string_equal(read.node, "i-2");
    assert_int_equal(read.attempt, 1);
    ring_claim_read_seal(slice_of(text, strlen(text)), "3", &read);
    assert_string_equal(read.node, "");
    ring_claim_read_seal(slice_of("{}", 2), "2", &read);
    assert_string_equal(read.node, "");
}

/* One machine that seeks, and what it is answered. */
struct rig {
    struct ring_seek *seek;
    struct claim_request asked;
    uint64_t now_ms;
};

static void seek_start(struct rig *rig, enum seek_goal goal, const char *gone, size_t slots)
{
    static const size_t SLOTS[] = {0, 1, 2};
    const struct seek_options options = {
        .me = ME, .goal = goal, .gone = gone, .slots = SLOTS, .slot_count = slots};
    *rig = (struct rig){.seek = ring_seek_new(&options), .now_ms = 1000};
}

/* Asks what it wants to know next; pauses pass. */
static enum ring_step seek_step(struct rig *rig)
{
    uint64_t wait_ms = 0;
    enum ring_step step = ring_seek_next(rig->seek, rig->now_ms, &rig->asked, &wait_ms);
    while (step == RING_WAIT) {
        rig->now_ms += wait_ms;
        step = ring_seek_next(rig->seek, rig->now_ms, &rig->asked, &wait_ms);
    }
    return step;
}

static void seek_tell(struct rig *rig, enum claim_ask expected, enum claim_result result,
                      const struct ring_claim *claim, const char *etag, int64_t age_ms)
{
    struct claim_answer answer = {.result = result, .age_ms = age_ms};
    assert_int_equal(seek_step(rig), RING_ASK);
    assert_int_equal(rig->asked.ask, expected);
    if (claim != NULL) {
        answer.claim = *claim;
    }
    (void)snprintf(answer.etag, sizeof(answer.etag), "%s", etag);
    ring_seek_answer(rig->seek, &answer, rig->now_ms);
}

static void seek_end(struct rig *rig, enum seek_verdict verdict)
{
    assert_int_equal(seek_step(rig), RING_END);
    assert_int_equal(ring_seek_verdict(rig->seek), verdict);
    ring_seek_free(rig->seek);
}

static void test_a_free_slot_is_had_and_proved(void **state)
{
    (void)state;
    struct rig rig;
    seek_start(&rig, SEEK_ANY, NULL, 1);
    seek_tell(&rig, CLAIM_READ_SEAL, CLAIM_ABSENT, NULL, "", -1);
    seek_tell(&rig, CLAIM_READ, CLAIM_ABSENT, NULL, "", -1);
    seek_tell(&rig, CLAIM_WRITE, CLAIM_DONE, NULL, "e1", -1);
    assert_string_equal(rig.asked.etag, "");
    assert_int_equal(rig.asked.claim.attempt, 1);
    seek_tell(&rig, CLAIM_WRITE, CLAIM_REFUSED, NULL, "", -1);
    assert_string_equal(rig.asked.etag, "");
    seek_tell(&rig, CLAIM_WRITE, CLAIM_CONFLICT, NULL, "", -1); /* is no proof */
    seek_tell(&rig, CLAIM_WRITE, CLAIM_REFUSED, NULL, "", -1);
    assert_string_not_equal(rig.asked.etag, "");
    assert_int_equal(seek_step(&rig), RING_END);
    assert_string_equal(ring_seek_held(rig.seek)->etag, "e1");
    seek_end(&rig, SEEK_MINE);
}

/* A store that ignores the conditions is found out, of whichever kind. */
static void test_a_store_without_conditions(void **state)
{
    (void)state;
    for (unsigned heeds_new = 0; heeds_new < 2; heeds_new++) {
        struct rig rig;
        seek_start(&rig, SEEK_ANY, NULL, 1);
        seek_tell(&rig, CLAIM_READ_SEAL, CLAIM_ABSENT, NULL, "", -1);
        seek_tell(&rig, CLAIM_READ, CLAIM_ABSENT, NULL, "", -1);
        seek_tell(&rig, CLAIM_WRITE, CLAIM_DONE, NULL, "e1", -1);
        if (heeds_new) {
            seek_tell(&rig, CLAIM_WRITE, CLAIM_REFUSED, NULL, "", -1);
        }
        seek_tell(&rig, CLAIM_WRITE, CLAIM_DONE, NULL, "e2", -1);
        seek_end(&rig, SEEK_UNSAFE);
    }
}

static void test_a_claim_deleted_while_it_is_proved(void **state)
{
    (void)state;
    struct rig rig;
    const struct ring_claim own = claim_of("i-me", CLAIM_RESTORING);
    seek_start(&rig, SEEK_ANY, NULL, 1);
    seek_tell(&rig, CLAIM_READ_SEAL, CLAIM_ABSENT, NULL, "", -1);
    seek_tell(&rig, CLAIM_READ, CLAIM_DONE, &own, "e1", 0);
    seek_tell(&rig, CLAIM_WRITE, CLAIM_REFUSED, NULL, "", -1);
    seek_tell(&rig, CLAIM_WRITE, CLAIM_ABSENT, NULL, "", -1);
    seek_tell(&rig, CLAIM_READ_SEAL, CLAIM_FAILED, NULL, "", -1); /* from the start */
    seek_end(&rig, SEEK_REFUSED);
}

/* The node of a claim is taken for dead only when its lease has ended on the store's clock. */
static void test_watching(void **state)
{
    (void)state;
    const struct ring_claim other = claim_of("i-1", CLAIM_RESTORING);
    const int64_t edge_ms = LEASE_MS + CLAIM_MARGIN_MS;
    struct rig rig;
    seek_start(&rig, SEEK_ANY, NULL, 1);
    seek_tell(&rig, CLAIM_READ_SEAL, CLAIM_ABSENT, NULL, "", -1);
    seek_tell(&rig, CLAIM_READ, CLAIM_DONE, &other, "e1", edge_ms - 5000);
    assert_true(ring_seek_is_watching(rig.seek));
    seek_tell(&rig, CLAIM_READ_SEAL, CLAIM_ABSENT, NULL, "", -1);
    assert_true(rig.now_ms >= 6000); /* not before */
    seek_tell(&rig, CLAIM_READ, CLAIM_DONE, &other, "e1", edge_ms);
    seek_tell(&rig, CLAIM_READ_SEAL, CLAIM_ABSENT, NULL, "", -1);
    seek_tell(&rig, CLAIM_READ, CLAIM_DONE, &other, "e1", edge_ms + 1000);
    seek_tell(&rig, CLAIM_WRITE, CLAIM_REFUSED, NULL, "", -1);
    assert_string_equal(rig.asked.etag, "e1");
    assert_int_equal(rig.asked.claim.attempt, 2);
    seek_tell(&rig, CLAIM_READ, CLAIM_DONE, &other, "e2", 0); /* it was faster, and lives */
    seek_end(&rig, SEEK_ALL_TAKEN);
}

static void test_ages_that_nobody_tells(void **state)
{
    (void)state;
    const struct ring_claim other = claim_of("i-1", CLAIM_RESTORING);
    struct rig rig;
    seek_start(&rig, SEEK_ANY, NULL, 1);
    seek_tell(&rig, CLAIM_READ_SEAL, CLAIM_ABSENT, NULL, "", -1);
    seek_tell(&rig, CLAIM_READ, CLAIM_DONE, &other, "e1", -1);
    seek_end(&rig, SEEK_ALL_TAKEN);
}

/* Writes that are never answered end, although what is there can be read all the time. */
static void test_writes_that_are_never_answered(void **state)
{
    (void)state;
    struct rig rig;
    seek_start(&rig, SEEK_ANY, NULL, 1);
    seek_tell(&rig, CLAIM_READ_SEAL, CLAIM_ABSENT, NULL, "", -1);
    seek_tell(&rig, CLAIM_READ, CLAIM_ABSENT, NULL, "", -1);
    unsigned writes = 0;
    while (seek_step(&rig) == RING_ASK) {
        const bool write = rig.asked.ask == CLAIM_WRITE;
        const struct claim_answer answer = {.result = write ? CLAIM_UNSURE : CLAIM_ABSENT};
        writes += write ? 1 : 0;
        assert_true(writes < 100);
        ring_seek_answer(rig.seek, &answer, rig.now_ms);
    }
    assert_true(writes > 1 && rig.now_ms >= 1000 + RETRY_MS);
    seek_end(&rig, SEEK_UNREACHABLE);
}

static void seek_one(enum seek_goal goal, const char *gone, const struct ring_claim *there,
                     int64_t age_ms, enum seek_verdict verdict)
{
    struct rig rig;
    seek_start(&rig, goal, gone, 1);
    seek_tell(&rig, CLAIM_READ_SEAL, CLAIM_ABSENT, NULL, "", -1);
    seek_tell(&rig, CLAIM_READ, there == NULL ? CLAIM_ABSENT : CLAIM_DONE, there, "e1", age_ms);
    if (verdict == SEEK_GOING_ON) { /* it writes */
        seek_tell(&rig, CLAIM_WRITE, CLAIM_UNSURE, NULL, "", -1);
        assert_int_equal(rig.asked.claim.phase,
                         goal == SEEK_RELEASE ? CLAIM_RELEASED : CLAIM_RESTORING);
        const struct ring_claim written = rig.asked.claim;
        seek_tell(&rig, CLAIM_READ, CLAIM_DONE, &written, "e2", 0);
        if (goal == SEEK_TAKE) {
            seek_tell(&rig, CLAIM_WRITE, CLAIM_REFUSED, NULL, "", -1);
            seek_tell(&rig, CLAIM_WRITE, CLAIM_REFUSED, NULL, "", -1);
        }
        verdict = goal == SEEK_RELEASE ? SEEK_GIVEN_UP : SEEK_MINE;
    }
    seek_end(&rig, verdict);
}

static void test_take_and_release(void **state)
{
    (void)state;
    const struct ring_claim running = claim_of("i-1", CLAIM_RESTORING);
    const struct ring_claim restored = claim_of("i-1", CLAIM_RESTORED);
    const struct ring_claim released = claim_of("i-1", CLAIM_RELEASED);
    const struct ring_claim unreadable = {.phase = CLAIM_UNREADABLE};
    const struct ring_claim own = claim_of("i-me", CLAIM_RESTORING);
    const struct ring_claim own_restored = claim_of("i-me", CLAIM_RESTORED);
    const int64_t lapsed_ms = LEASE_MS + CLAIM_MARGIN_MS + 1000;
    for (unsigned i = 0; i < 2; i++) {
        const enum seek_goal goal = i == 0 ? SEEK_TAKE : SEEK_RELEASE;
        seek_one(goal, NULL, &running, 1000, SEEK_HELD);
        seek_one(goal, "i-1", &running, 1000, SEEK_HELD); /* whatever is said of it, it lives */
        seek_one(goal, NULL, &running, lapsed_ms, SEEK_GOING_ON);
        seek_one(goal, NULL, &restored, lapsed_ms, SEEK_HELD);
        seek_one(goal, "i-2", &restored, lapsed_ms, SEEK_HELD);
        seek_one(goal, "i-1", &restored, 0, SEEK_GOING_ON);
        seek_one(goal, "i-1", &unreadable, lapsed_ms, SEEK_HELD);
    }
    seek_one(SEEK_TAKE, NULL, NULL, -1, SEEK_GOING_ON);
    seek_one(SEEK_TAKE, NULL, &released, 0, SEEK_GOING_ON);
    seek_one(SEEK_RELEASE, NULL, NULL, -1, SEEK_GIVEN_UP);
    seek_one(SEEK_RELEASE, NULL, &released, 0, SEEK_GIVEN_UP);
    seek_one(SEEK_RELEASE, NULL, &own, 0, SEEK_GOING_ON);
    seek_one(SEEK_RELEASE, NULL, &own_restored, 0, SEEK_HELD);
    seek_one(SEEK_RELEASE, "i-me", &own_restored, 0, SEEK_GOING_ON);
}

static void test_take_beside_one_of_ones_own(void **state)
{
    (void)state;
    const struct ring_claim own = claim_of("i-me", CLAIM_RESTORING);
    struct rig rig;
    seek_start(&rig, SEEK_TAKE, NULL, 3); /* slot 0 */
    seek_tell(&rig, CLAIM_READ_SEAL, CLAIM_ABSENT, NULL, "", -1);
    for (assert_int_equal(seek_step(&rig), RING_ASK); rig.asked.slot == 0;
         assert_int_equal(seek_step(&rig), RING_ASK)) {
        seek_tell(&rig, CLAIM_READ, CLAIM_ABSENT, NULL, "", -1);
    }
    seek_tell(&rig, CLAIM_READ, CLAIM_DONE, &own, "e1", 0);
    seek_end(&rig, SEEK_HAS_OTHER);
}

/* Two processes of a node that seek at once: the slower one finds the claim of the other, and does
 * not claim another slot beside it. */
static void test_two_of_one_node(void **state)
{
    (void)state;
    static const enum seek_goal GOALS[] = {SEEK_ANY, SEEK_TAKE};
    for (size_t i = 0; i < ARRAY_SIZE(GOALS); i++) {
        const struct ring_claim own = claim_of("i-me", CLAIM_RESTORING);
        const size_t slots = GOALS[i] == SEEK_ANY ? 2 : 1;
        struct rig rig;
        seek_start(&rig, GOALS[i], NULL, slots);
        seek_tell(&rig, CLAIM_READ_SEAL, CLAIM_ABSENT, NULL, "", -1);
        for (size_t k = 0; k < slots; k++) {
            seek_tell(&rig, CLAIM_READ, CLAIM_ABSENT, NULL, "", -1);
        }
        seek_tell(&rig, CLAIM_WRITE, CLAIM_REFUSED, NULL, "", -1);
        const size_t slot = rig.asked.slot;
        seek_tell(&rig, CLAIM_READ, CLAIM_DONE, &own, "e1", 0);
        seek_tell(&rig, CLAIM_WRITE, CLAIM_REFUSED, NULL, "", -1);
        assert_int_equal(rig.asked.slot, slot);
        seek_tell(&rig, CLAIM_WRITE, CLAIM_REFUSED, NULL, "", -1);
        assert_int_equal(seek_step(&rig), RING_END);
        assert_int_equal(ring_seek_held(rig.seek)->slot, slot);
        assert_int_equal(ring_seek_held(rig.seek)->sent_ms,
                         0); /* not this process's to give back */
        seek_end(&rig, SEEK_MINE);
    }
}

static void test_sealed(void **state)
{
    (void)state;
    const struct ring_claim own = claim_of("i-me", CLAIM_RESTORED);
    const struct ring_claim other = claim_of("i-1", CLAIM_RESTORED);
    struct rig rig;
    seek_start(&rig, SEEK_ANY, NULL, 1);
    seek_tell(&rig, CLAIM_READ_SEAL, CLAIM_DONE, &own, "s", 0);
    seek_tell(&rig, CLAIM_READ, CLAIM_DONE, &own, "e1", 0);
    assert_true(ring_seek_is_sealed(rig.seek));
    seek_end(&rig, SEEK_MINE); /* nothing is written into a live ring */
    seek_start(&rig, SEEK_RELEASE, "i-1", 1);
    seek_tell(&rig, CLAIM_READ_SEAL, CLAIM_DONE, &other, "s", 0);
    seek_tell(&rig, CLAIM_READ, CLAIM_DONE, &other, "e1", 0);
    seek_end(&rig, SEEK_LIVE);
}

/* The same for a slot that is held. */
static void hold_tell(struct ring_hold *hold, uint64_t *now_ms, enum claim_ask expected,
                      enum claim_result result, const struct ring_claim *claim, const char *etag)
{
    struct claim_request asked;
    uint64_t wait_ms = 0;
    enum ring_step step = ring_hold_next(hold, *now_ms, &asked, &wait_ms);
    for (; step == RING_WAIT; step = ring_hold_next(hold, *now_ms, &asked, &wait_ms)) {
        *now_ms += wait_ms;
    }
    assert_int_equal(step, RING_ASK);
    assert_int_equal(asked.ask, expected);
    struct claim_answer answer = {.result = result};
    if (claim != NULL) {
        answer.claim = *claim;
    }
    (void)snprintf(answer.etag, sizeof(answer.etag), "%s", etag);
    ring_hold_answer(hold, &answer, *now_ms);
}

static void hold_end(struct ring_hold *hold, uint64_t now_ms, enum hold_verdict verdict)
{
    struct claim_request asked;
    uint64_t wait_ms = 0;
    while (ring_hold_next(hold, now_ms, &asked, &wait_ms) == RING_WAIT) {
        now_ms += wait_ms;
    }
    assert_int_equal(hold->verdict, verdict);
}

static struct ring_held held_of(const char *run, uint64_t sent_ms)
{
    struct ring_held held = {
        .slot = 1, .claim = claim_of("i-me", CLAIM_RESTORING), .etag = "e1", .sent_ms = sent_ms};
    (void)snprintf(held.claim.run, sizeof(held.claim.run), "%s", run);
    return held;
}

static void test_renewed_in_time(void **state)
{
    (void)state;
    const struct ring_held held = held_of("run-1", 1000);
    struct ring_hold hold;
    uint64_t now_ms = 1500;
    ring_hold_init(&hold, &ME, &held, now_ms);
    assert_int_equal(ring_hold_left_ms(&hold, now_ms), LEASE_MS - 500);
    hold_tell(&hold, &now_ms, CLAIM_WRITE, CLAIM_DONE, NULL, "e2");
    assert_int_equal(now_ms, 1000 + LEASE_MS / 5);
    assert_int_equal(hold.held.claim.beat, 8);
    hold_tell(&hold, &now_ms, CLAIM_WRITE, CLAIM_DONE, NULL, "e3");
    assert_int_equal(now_ms, 1000 + 2 * LEASE_MS / 5);
    ring_hold_fence(&hold);
    const uint64_t before_ms = now_ms;
    hold_tell(&hold, &now_ms, CLAIM_WRITE, CLAIM_DONE, NULL, "e4"); /* at once */
    assert_int_equal(now_ms, before_ms);
    assert_int_equal(hold.held.claim.phase, CLAIM_RESTORED);
    hold_tell(&hold, &now_ms, CLAIM_READ_SEAL, CLAIM_ABSENT, NULL, "");
    hold_end(&hold, now_ms, HOLD_PASSED);
}

static void test_sealed_with_another(void **state)
{
    (void)state;
    const struct ring_held held = held_of("run-1", 1000);
    const struct ring_claim other = claim_of("i-1", CLAIM_RESTORED);
    const struct ring_claim own = claim_of("i-me", CLAIM_RESTORED);
    for (unsigned i = 0; i < 2; i++) {
        struct ring_hold hold;
        uint64_t now_ms = 1500;
        ring_hold_init(&hold, &ME, &held, now_ms);
        ring_hold_fence(&hold);
        hold_tell(&hold, &now_ms, CLAIM_WRITE, CLAIM_DONE, NULL, "e4");
        hold_tell(&hold, &now_ms, CLAIM_READ_SEAL, CLAIM_UNSURE, NULL, "");
        hold_tell(&hold, &now_ms, CLAIM_READ_SEAL, CLAIM_DONE, i == 0 ? &other : &own, "s");
        hold_end(&hold, now_ms, i == 0 ? HOLD_LIVE : HOLD_PASSED);
    }
}

static void test_lost(void **state)
{
    (void)state;
    const struct ring_held held = held_of("run-1", 1000);
    const struct ring_claim other = claim_of("i-1", CLAIM_RESTORING);
    const struct ring_claim released = claim_of("laptop", CLAIM_RELEASED);
    static const char *const WHOSE[] = {"i-1", "", ""};
    for (unsigned i = 0; i < 3; i++) {
        struct ring_hold hold;
        uint64_t now_ms = 1500;
        ring_hold_init(&hold, &ME, &held, now_ms);
        hold_tell(&hold, &now_ms, CLAIM_WRITE, i == 1 ? CLAIM_ABSENT : CLAIM_REFUSED, NULL, "");
        hold_tell(&hold, &now_ms, CLAIM_READ, i == 1 ? CLAIM_ABSENT : CLAIM_DONE,
                  i == 0 ? &other : &released, "e9");
        hold_end(&hold, now_ms, HOLD_LOST);
        assert_string_equal(hold.other, WHOSE[i]);
    }
}

/* A right that is missing for a while ends nothing; one that stays away ends it with the lease. */
static void test_refused_until_the_lease_ends(void **state)
{
    (void)state;
    const struct ring_held held = held_of("run-1", 1000);
    struct ring_hold hold;
    uint64_t now_ms = 1500, wait_ms = 0;
    struct claim_request asked;
    ring_hold_init(&hold, &ME, &held, now_ms);
    unsigned asks = 0;
    for (enum ring_step step = RING_WAIT; step != RING_END;
         step = ring_hold_next(&hold, now_ms, &asked, &wait_ms)) {
        if (step == RING_ASK) {
            const struct claim_answer no = {.result = CLAIM_FAILED};
            asks++;
            ring_hold_answer(&hold, &no, now_ms);
        } else {
            now_ms += wait_ms;
        }
    }
    assert_int_equal(hold.verdict, HOLD_EXPIRED);
    assert_int_equal(now_ms, 1000 + LEASE_MS);
    assert_true(asks > 5 && asks < 500);
}

/* After a reboot: what stands there is of an earlier run, until this one has written. */
static void test_resumed(void **state)
{
    (void)state;
    struct ring_held held = held_of("run-0", 0);
    struct ring_hold hold;
    uint64_t now_ms = 5000;
    ring_hold_init(&hold, &ME, &held, now_ms);
    hold_tell(&hold, &now_ms, CLAIM_WRITE, CLAIM_UNSURE, NULL, "");
    hold_tell(&hold, &now_ms, CLAIM_READ, CLAIM_DONE, &held.claim, "e1"); /* not done yet */
    assert_false(hold.ours);
    hold_tell(&hold, &now_ms, CLAIM_WRITE, CLAIM_REFUSED, NULL, "");
    struct ring_claim own = held.claim;
    memcpy(own.run, ME.run, sizeof(own.run));
    hold_tell(&hold, &now_ms, CLAIM_READ, CLAIM_DONE, &own, "e2"); /* now it is */
    assert_true(hold.ours);
    hold_tell(&hold, &now_ms, CLAIM_WRITE, CLAIM_DONE, NULL, "e3");
    ring_hold_init(&hold, &ME, &held, now_ms);
    hold_tell(&hold, &now_ms, CLAIM_WRITE, CLAIM_FAILED, NULL, "");
    hold_end(&hold, now_ms, HOLD_REFUSED);
    ring_hold_init(&hold, &ME, &held, now_ms);
    while (hold.verdict == HOLD_GOING_ON) {
        hold_tell(&hold, &now_ms, hold.state == HOLD_LOOK ? CLAIM_READ : CLAIM_WRITE, CLAIM_UNSURE,
                  NULL, "");
    }
    hold_end(&hold, now_ms, HOLD_UNREACHABLE);
}

static void test_sealing(void **state)
{
    (void)state;
    static const struct {
        enum claim_result read, write;
        enum claim_phase phase;
        enum sealing_verdict verdict;
    } CASES[] = {
        {CLAIM_DONE, CLAIM_DONE, CLAIM_RESTORED, SEALING_DONE},
        {CLAIM_DONE, CLAIM_REFUSED, CLAIM_RESTORED, SEALING_DONE},
        {CLAIM_DONE, CLAIM_DONE, CLAIM_RESTORING, SEALING_NOT_YET},
        {CLAIM_ABSENT, CLAIM_DONE, CLAIM_RESTORED, SEALING_NOT_YET},
        {CLAIM_FAILED, CLAIM_DONE, CLAIM_RESTORED, SEALING_REFUSED},
        {CLAIM_UNSURE, CLAIM_DONE, CLAIM_RESTORED, SEALING_UNREACHABLE},
        {CLAIM_DONE, CLAIM_CONFLICT, CLAIM_RESTORED, SEALING_UNREACHABLE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct ring_sealing sealing;
        struct claim_request asked;
        uint64_t now_ms = 1, wait_ms = 0;
        ring_sealing_init(&sealing, &ME, 2, 3);
        for (enum ring_step step = RING_WAIT; step != RING_END;
             step = ring_sealing_next(&sealing, now_ms, &asked, &wait_ms)) {
            if (step == RING_WAIT) {
                now_ms += wait_ms;
                continue;
            }
            const bool write = asked.ask == CLAIM_WRITE_SEAL;
            const struct claim_answer answer = {
                .result = write ? CASES[i].write : CASES[i].read,
                .claim = claim_of("i-1", CASES[i].phase),
            };
            ring_sealing_answer(&sealing, &answer, now_ms);
        }
        assert_int_equal(sealing.verdict, CASES[i].verdict);
        ring_sealing_done(&sealing);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_what_is_no_claim),
        cmocka_unit_test(test_seal_text),
        cmocka_unit_test(test_a_free_slot_is_had_and_proved),
        cmocka_unit_test(test_a_store_without_conditions),
        cmocka_unit_test(test_a_claim_deleted_while_it_is_proved),
        cmocka_unit_test(test_watching),
        cmocka_unit_test(test_ages_that_nobody_tells),
        cmocka_unit_test(test_writes_that_are_never_answered),
        cmocka_unit_test(test_take_and_release),
        cmocka_unit_test(test_take_beside_one_of_ones_own),
        cmocka_unit_test(test_two_of_one_node),
        cmocka_unit_test(test_sealed),
        cmocka_unit_test(test_renewed_in_time),
        cmocka_unit_test(test_sealed_with_another),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_refused_until_the_lease_ends),
        cmocka_unit_test(test_resumed),
        cmocka_unit_test(test_sealing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
