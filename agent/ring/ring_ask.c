#include "agent/ring/ring_ask.h"

#include <inttypes.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/ring/ring_sealing.h"
#include "agent/ring/ring_store.h"
#include "agent/source_watch.h"

enum { SEAL_TEXT_MAX = 4 << 20 }; /* ten thousand slots */

char *ring_ask_name(const char *restore_id, const char *token)
{
    return xasprintf("claims/%s/%s.json", restore_id, token);
}

char *ring_ask_seal_name(const char *restore_id)
{
    return xasprintf("claims/%s/ring.json", restore_id);
}

int ring_ask_open(const struct config *config, const struct ring_plan *ring, const char *state,
                  struct ring_asker *ret, struct err *e)
{
    struct config own = *config;
    struct source *store = NULL;
    own.retry_for_ms = 0;
    own.bandwidth = 0; /* renewals do not queue behind data */
    own.net_threads = 1;
    if (ring_store_open(&own, state, &store, e) != 0) {
        return -1;
    }
    *ret = (struct ring_asker){
        .ring = ring,
        .restore_id = config->restore_id != NULL ? config->restore_id : ring->id,
        .store = source_watch_new(store),
    };
    return 0;
}

void ring_ask_close(struct ring_asker *asker)
{
    source_free(TAKE_PTR(asker->store));
}

static struct claim_place place_of(const struct ring_asker *asker, size_t slot)
{
    ASSERT(slot < asker->ring->slot_count);
    return (struct claim_place){
        .ring_id = asker->ring->id,
        .restore_id = asker->restore_id,
        .token = asker->ring->slots[slot].token,
        .rack = asker->ring->slots[slot].rack,
        .slot = slot,
    };
}

static enum claim_result result_of(const struct err *e)
{
    switch (e->kind) {
    case ERR_NONE:
        return CLAIM_DONE;
    case ERR_NOT_FOUND:
        return CLAIM_ABSENT;
    case ERR_CHANGED:
        return CLAIM_REFUSED;
    case ERR_RETRY:
        return e->http == 409 ? CLAIM_CONFLICT : CLAIM_UNSURE;
    case ERR_SLOW_DOWN:
    case ERR_CANCELLED: /* its time was up */
        return CLAIM_UNSURE;
    case ERR_CONFIG:
    case ERR_AUTH:
    case ERR_NO_BACKUP:
    case ERR_CORRUPT:
    case ERR_TRUNCATED:
    case ERR_LIMIT:
    case ERR_CREATE:
    case ERR_DISK:
    case ERR_REFUSED:
    case ERR_COMMAND:
    case ERR_BUG:
        break;
    }
    return CLAIM_FAILED;
}

static void read_object(const struct ring_asker *asker, const struct claim_request *request,
                        struct claim_answer *ret, struct err *why)
{
    const bool seal = request->ask == CLAIM_READ_SEAL;
    const char *token = asker->ring->slots[request->slot].token;
    autofree char *name =
        seal ? ring_ask_seal_name(asker->restore_id) : ring_ask_name(asker->restore_id, token);
    autobuf struct buf text = BUF_INIT(seal ? SEAL_TEXT_MAX : CLAIM_TEXT_MAX);
    struct ring_version version;
    if (ring_store_look(asker->store, name, &text, &version, why) != 0) {
        return;
    }
    memcpy(ret->etag, version.etag, sizeof(ret->etag));
    ret->age_ms = version.age_ms;
    const struct slice slice = slice_of(buf_str(&text), text.size);
    if (seal) {
        ring_claim_read_seal(slice, token, &ret->claim);
    } else {
        ring_claim_read(slice, token, &ret->claim);
    }
}

static char *text_of_seal(const struct ring_asker *asker, const struct ring_claim *claims)
{
    const size_t count = asker->ring->slot_count;
    autofree struct claim_place *places = (struct claim_place *)xcalloc(count, sizeof(*places));
    for (size_t i = 0; i < count; i++) {
        places[i] = place_of(asker, i);
    }
    return ring_claim_write_seal(places, claims, count);
}

static void write_object(const struct ring_asker *asker, const struct claim_request *request,
                         const struct ring_claim *claims, struct claim_answer *ret, struct err *why)
{
    const struct claim_place place = place_of(asker, request->slot);
    const bool seal = request->ask == CLAIM_WRITE_SEAL;
    ASSERT(!seal || claims != NULL);
    autofree char *name = seal ? ring_ask_seal_name(asker->restore_id)
                               : ring_ask_name(asker->restore_id, place.token);
    autofree char *text =
        seal ? text_of_seal(asker, claims) : ring_claim_write(&request->claim, &place);
    (void)ring_store_swap(asker->store, name, slice_of(text, strlen(text)), request->etag,
                          ret->etag, why); /* what it says is in *why */
}

void ring_ask(const struct ring_asker *asker, const struct claim_request *request,
              const struct ring_claim *claims, struct claim_answer *ret, struct err *why)
{
    *ret = (struct claim_answer){.age_ms = -1};
    *why = ERR_INIT;
    if (request->ask == CLAIM_READ || request->ask == CLAIM_READ_SEAL) {
        read_object(asker, request, ret, why);
    } else {
        write_object(asker, request, claims, ret, why);
    }
    ret->result = result_of(why);
}

/* "0 has i-1 (restored), 3 ..." as far as it fits. */
static void list_nodes(const struct ring_asker *asker, const struct ring_seek *seek, size_t count,
                       struct buf *ret)
{
    for (size_t i = 0; i < count; i++) {
        const struct seek_seen *seen = ring_seek_seen(seek, i);
        if (!buf_appendf(ret, "%s%s has %s (%s)", i == 0 ? "" : ", ",
                         asker->ring->slots[seen->slot].token,
                         seen->claim.node[0] == '\0' ? "nobody" : seen->claim.node,
                         ring_claim_phase_name(seen->claim.phase))) {
            (void)buf_appendf(ret, ", and %zu more", count - i); /* there is room for it or not */
            return;
        }
    }
}

static int word_taken(const struct ring_asker *asker, const struct ring_seek *seek,
                      const struct seek_options *options, struct err *e)
{
    autobuf struct buf list = BUF_INIT(sizeof(e->text) - 200);
    list_nodes(asker, seek, options->slot_count, &list);
    err_set(e, ERR_NO_BACKUP, "ring %.12s: no token of this rack is left for node %s: %s",
            asker->ring->id, options->me.node, buf_str(&list));
    return err_hint(e, "it is one node too many; a token whose node is gone for good is given up "
                       "with 'penates ring claim RING --release TOKEN'");
}

static int word_held(const struct ring_asker *asker, const struct ring_seek *seek,
                     const struct seek_options *options, struct err *e)
{
    size_t i = 0;
    while (ring_seek_seen(seek, i)->slot != options->wanted) {
        i++;
    }
    const struct seek_seen *seen = ring_seek_seen(seek, i);
    const struct ring_claim *claim = &seen->claim;
    const char *token = asker->ring->slots[seen->slot].token;
    switch (claim->phase) {
    case CLAIM_RESTORING:
        err_set(e, ERR_REFUSED,
                "token %s: node %s restores it, and has renewed its claim %" PRId64 " s ago", token,
                claim->node, seen->age_ms / 1000);
        return err_hint(e, "if that node is gone, its lease lapses %" PRIu64 " s after that",
                        (claim->lease_ms + CLAIM_MARGIN_MS) / 1000);
    case CLAIM_RESTORED:
        err_set(e, ERR_REFUSED, "token %s: node %s has restored it, and its Cassandra may run",
                token, claim->node);
        return err_hint(e, "if that node is gone for good, say so: --gone %.128s", claim->node);
    case CLAIM_RELEASED:
    case CLAIM_UNREADABLE:
        break;
    }
    err_set(e, ERR_REFUSED, "token %s: what lies at its claim is none", token);
    return err_hint(e, "see whose it is, and delete claims/%.64s/%.64s.json", asker->restore_id,
                    token);
}

static int word_live(const struct ring_asker *asker, struct err *e)
{
    err_set(e, ERR_REFUSED, "ring %.12s: is live: all of its tokens were restored and sealed",
            asker->ring->id);
    return err_hint(e, "replace a node as Cassandra does (replace_address_first_boot); another "
                       "restore takes another --restore-id");
}

static int word_seek(const struct ring_asker *asker, const struct ring_seek *seek,
                     const struct seek_options *options, const struct err *why, struct err *e)
{
    switch (ring_seek_verdict(seek)) {
    case SEEK_MINE:
    case SEEK_GIVEN_UP:
        return 0;
    case SEEK_ALL_TAKEN:
        return word_taken(asker, seek, options, e);
    case SEEK_HELD:
        return word_held(asker, seek, options, e);
    case SEEK_HAS_OTHER:
        err_set(e, ERR_REFUSED, "node %s: has token %s already", options->me.node,
                asker->ring->slots[ring_seek_held(seek)->slot].token);
        return err_hint(e, "give that up first, with --release");
    case SEEK_LIVE:
        return word_live(asker, e);
    case SEEK_UNSAFE:
        err_set(e, ERR_CONFIG,
                "%s: the store does not heed If-Match and If-None-Match: two nodes "
                "could have one token",
                asker->store->name);
        return err_hint(e, "give each node its --slot N, or keep the state in S3 itself");
    case SEEK_UNREACHABLE:
    case SEEK_REFUSED:
    case SEEK_GOING_ON:
        break;
    }
    if (why->kind == ERR_NONE || result_of(why) == CLAIM_REFUSED) {
        return err_set(e, ERR_RETRY, "%s: gives no answer to rely on", asker->store->name);
    }
    *e = *why;
    return -1;
}

int ring_ask_seek(const struct ring_asker *asker, struct ring_seek *seek,
                  const struct seek_options *options, struct err *e)
{
    struct claim_request request;
    struct claim_answer answer;
    struct err why = ERR_INIT, failure = ERR_INIT;
    uint64_t wait_ms = 0;
    bool told = false;
    for (enum ring_step step = RING_WAIT; step != RING_END;
         step = ring_seek_next(seek, clock_mono_ms(), &request, &wait_ms)) {
        if (step == RING_WAIT) {
            if (ring_seek_is_watching(seek) && !told) {
                log_info("no token of this rack is free: waiting to see whether the nodes that "
                         "have them are alive, a lease at most");
                told = true;
            }
            clock_sleep_ms(wait_ms);
            continue;
        }
        ring_ask(asker, &request, NULL, &answer, &why);
        failure = answer.result == CLAIM_DONE || answer.result == CLAIM_ABSENT ? failure : why;
        ring_seek_answer(seek, &answer, clock_mono_ms());
    }
    return word_seek(asker, seek, options, &failure, e);
}

void ring_ask_seal(const struct ring_asker *asker, const struct ring_me *me, size_t slot)
{
    struct ring_sealing sealing;
    struct claim_request request;
    struct claim_answer answer;
    struct err why = ERR_INIT;
    uint64_t wait_ms = 0;
    ring_sealing_init(&sealing, me, slot, asker->ring->slot_count);
    for (enum ring_step step = RING_WAIT; step != RING_END;
         step = ring_sealing_next(&sealing, clock_mono_ms(), &request, &wait_ms)) {
        if (step == RING_WAIT) {
            clock_sleep_ms(wait_ms);
            continue;
        }
        ring_ask(asker, &request, sealing.claims, &answer, &why);
        ring_sealing_answer(&sealing, &answer, clock_mono_ms());
    }
    if (sealing.verdict == SEALING_DONE) {
        log_info("ring %.12s: all %zu tokens are restored: it is sealed", asker->ring->id,
                 asker->ring->slot_count);
    } else if (sealing.verdict == SEALING_NOT_YET) {
        log_info("ring %.12s: is not sealed yet: token %s is not restored", asker->ring->id,
                 asker->ring->slots[sealing.missing].token);
    } else {
        log_warn("ring %.12s: is not sealed by this node: %s; run the same command again on any",
                 asker->ring->id, why.text);
    }
    ring_sealing_done(&sealing);
}
