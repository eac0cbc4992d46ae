/* ring_claim_command: `penates ring claim`: a slot for this node without a restore yet, and what an
 * operator does about the claims of nodes that are gone. */
#include <inttypes.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/commands.h"
#include "agent/json_write.h"
#include "agent/out_file.h"
#include "agent/ring/ring_ask.h"
#include "agent/ring/ring_here.h"
#include "agent/ring/ring_hold.h"
#include "agent/ring/ring_store.h"

struct claiming {
    const struct config *config;
    struct ring_plan *ring;
    struct ring_asker asker;
    struct ring_here here;
    struct ring_me me;
    size_t *slots; /* that may be had */
    size_t slot_count;
    size_t wanted; /* of --take and --release */
    struct ring_held held;
    bool renewed, sealed;
};

static void claiming_done(struct claiming *claiming)
{
    if (claiming->asker.store != NULL) {
        ring_ask_close(&claiming->asker);
    }
    free(claiming->slots);
    ring_plan_free(claiming->ring);
}

/* The slot of a token that was named. */
static int find_token(struct claiming *claiming, const char *option, const char *token,
                      struct err *e)
{
    if (ring_plan_find_token(claiming->ring, token, &claiming->wanted)) {
        return 0;
    }
    err_set(e, ERR_CONFIG, "--%s '%s': the ring has no such token", option, token);
    return err_hint(e, "'penates ring status' shows those it has");
}

static bool may_have(const struct claiming *claiming, size_t slot)
{
    for (size_t i = 0; i < claiming->slot_count; i++) {
        if (claiming->slots[i] == slot) {
            return true;
        }
    }
    return false;
}

/* Giving up is done from anywhere, and asks for no rack. */
static int choose_slots(struct claiming *claiming, struct err *e)
{
    const struct config *config = claiming->config;
    if (config->release != NULL) {
        claiming->slots = (size_t *)xcalloc(1, sizeof(size_t));
        claiming->slot_count = 1;
        const int result = find_token(claiming, "release", config->release, e);
        claiming->slots[0] = claiming->wanted;
        return result;
    }
    if (ring_here_slots(&claiming->here, config, claiming->ring, &claiming->slots,
                        &claiming->slot_count, e) != 0) {
        return -1;
    }
    if (config->take == NULL) {
        return 0;
    }
    if (find_token(claiming, "take", config->take, e) != 0) {
        return -1;
    }
    if (may_have(claiming, claiming->wanted)) {
        return 0;
    }
    err_set(e, ERR_REFUSED, "--take '%s': is in rack %s, which is not this node's", config->take,
            claiming->ring->slots[claiming->wanted].rack);
    return err_hint(e, "take it on a node of that rack");
}

static int seek(struct claiming *claiming, struct err *e)
{
    const struct config *config = claiming->config;
    const struct seek_options options = {
        .me = claiming->me,
        .goal = config->release != NULL ? SEEK_RELEASE
                : config->take != NULL  ? SEEK_TAKE
                                        : SEEK_ANY,
        .wanted = claiming->wanted,
        .gone = config->gone,
        .slots = claiming->slots,
        .slot_count = claiming->slot_count,
    };
    struct ring_seek *seek = ring_seek_new(&options);
    const int result = ring_ask_seek(&claiming->asker, seek, &options, e);
    if (result == 0 && options.goal != SEEK_RELEASE) {
        claiming->held = *ring_seek_held(seek);
        claiming->sealed = ring_seek_is_sealed(seek);
    }
    ring_seek_free(seek);
    return result;
}

/* Had by this node before, and not renewed in time: anybody could take it any moment. What has not
 * lapsed is left alone, for a restore may be renewing it. */
static bool has_lapsed(const struct claiming *claiming)
{
    const struct claim_request request = {.ask = CLAIM_READ, .slot = claiming->held.slot};
    struct claim_answer answer;
    struct err why;
    if (claiming->sealed || claiming->held.sent_ms != 0 ||
        claiming->held.claim.phase != CLAIM_RESTORING) {
        return false;
    }
    ring_ask(&claiming->asker, &request, NULL, &answer, &why);
    return answer.result != CLAIM_DONE || ring_core_is_lapsed(&answer.claim, answer.age_ms);
}

static int renew(struct claiming *claiming, struct err *e)
{
    struct ring_hold hold;
    struct claim_request request;
    struct claim_answer answer;
    struct err why = ERR_INIT;
    uint64_t wait_ms = 0;
    if (!has_lapsed(claiming)) {
        return 0;
    }
    ring_hold_init(&hold, &claiming->me, &claiming->held, clock_mono_ms());
    while (!hold.ours && ring_hold_next(&hold, clock_mono_ms(), &request, &wait_ms) != RING_END) {
        if (wait_ms > 0) {
            clock_sleep_ms(wait_ms);
        } else {
            ring_ask(&claiming->asker, &request, NULL, &answer, &why);
            ring_hold_answer(&hold, &answer, clock_mono_ms());
        }
    }
    if (hold.verdict == HOLD_LOST || (!hold.ours && why.kind == ERR_NONE)) {
        return err_set(e, ERR_CANCELLED, "token %s: the claim had lapsed, and another was faster",
                       claiming->ring->slots[claiming->held.slot].token);
    }
    if (!hold.ours) {
        *e = why;
        return -1;
    }
    claiming->held.claim = hold.held.claim;
    claiming->renewed = true;
    return 0;
}

static void print_json(const struct claiming *claiming, const char *outcome)
{
    const bool released = claiming->config->release != NULL;
    const size_t slot = released ? claiming->wanted : claiming->held.slot;
    const struct ring_claim *claim = &claiming->held.claim;
    struct json json = JSON_INIT(stdout, false);
    json_open_object(&json, NULL);
    json_string(&json, "format", "penates-claim");
    json_u64(&json, "version", 1);
    json_string(&json, "outcome", outcome);
    json_string(&json, "ring", claiming->ring->id);
    json_string(&json, "restore_id", claiming->asker.restore_id);
    json_u64(&json, "slot", slot);
    json_string(&json, "token", claiming->ring->slots[slot].token);
    json_string(&json, "rack", claiming->ring->slots[slot].rack);
    json_string(&json, "zone", ring_plan_zone(claiming->ring, claiming->ring->slots[slot].rack));
    json_string(&json, "node", released ? NULL : claim->node);
    json_string(&json, "phase", released ? "released" : ring_claim_phase_name(claim->phase));
    if (released) {
        json_null(&json, "attempt");
        json_null(&json, "lease_ms");
    } else {
        json_u64(&json, "attempt", claim->attempt);
        json_u64(&json, "lease_ms", claim->lease_ms);
    }
    json_bool(&json, "sealed", claiming->sealed);
    json_close(&json);
    json_end(&json);
}

/* The flush after it tells whether this got through. */
static void print_text(const struct claiming *claiming, const char *outcome)
{
    const struct ring_plan *ring = claiming->ring;
    const struct ring_claim *claim = &claiming->held.claim;
    if (claiming->config->release != NULL) {
        (void)printf("token %s of ring %.12s is free\n", ring->slots[claiming->wanted].token,
                     ring->id);
        return;
    }
    const struct ring_slot *slot = &ring->slots[claiming->held.slot];
    (void)printf("slot %zu of ring %.12s: token %s, rack %s: %s, by node %s (%s)\n",
                 claiming->held.slot, ring->id, slot->token, slot->rack,
                 ring_claim_phase_name(claim->phase), claim->node, outcome);
    if (claim->phase == CLAIM_RESTORING) {
        (void)printf("next, within %" PRIu64 " s: penates restore --ring %s --slot claim --into "
                     "DIR\n",
                     claim->lease_ms / 1000, claiming->config->argument);
    }
}

static int show(const struct claiming *claiming, struct err *e)
{
    const bool kept = claiming->held.sent_ms == 0 && !claiming->renewed;
    const char *outcome = claiming->config->release != NULL ? "released"
                          : kept                            ? "kept"
                          : claiming->renewed               ? "renewed"
                                                            : "claimed";
    if (claiming->config->json) {
        print_json(claiming, outcome);
    } else {
        print_text(claiming, outcome);
    }
    return out_file_flush_stdout(e);
}

int ring_claim_run(const struct config *config, struct err *e)
{
    struct claiming claiming __attribute__((cleanup(claiming_done))) = {.config = config};
    autofree char *state = ring_store_of(config->argument);
    if (state == NULL) {
        err_set(e, ERR_CONFIG, "'%s': claims lie beside a plan in a state bucket",
                config->argument);
        return err_hint(e, "write it as s3://BUCKET/PREFIX/plans/ID.json");
    }
    if (ring_here_find(config, &claiming.here, e) != 0 ||
        ring_store_load(config, config->argument, &claiming.ring, e) != 0) {
        return -1;
    }
    ring_here_me(&claiming.here, config, &claiming.me);
    if (choose_slots(&claiming, e) != 0 ||
        ring_ask_open(config, claiming.ring, state, &claiming.asker, e) != 0 ||
        seek(&claiming, e) != 0 || renew(&claiming, e) != 0) {
        return -1;
    }
    return show(&claiming, e);
}
