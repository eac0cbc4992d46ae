#include "agent/ring/ring_claims.h"

#include <string.h>

#include "agent/fan_out.h"
#include "agent/ring/ring_ask.h"
#include "agent/ring/ring_store.h"

struct looking {
    struct source *store;
    const struct ring_plan *ring;
    const char *restore_id;
    const char *prefix; /* of the keys */
    struct ring_claims *claims;
};

static int on_entry(void *ctx, const struct s3_entry *entry, struct err *e)
{
    const struct looking *looking = (const struct looking *)ctx;
    static const char TAIL[] = ".json";
    const size_t prefix = strlen(looking->prefix), size = strlen(entry->key);
    (void)e;
    if (size < prefix + strlen(TAIL) || strcmp(entry->key + size - strlen(TAIL), TAIL) != 0) {
        return 0;
    }
    autofree char *name = xstrndup(entry->key + prefix, size - prefix - strlen(TAIL));
    size_t slot;
    if (strcmp(name, "ring") == 0) {
        looking->claims->sealed = true;
    } else if (ring_plan_find_token(looking->ring, name, &slot)) {
        looking->claims->items[slot].there = looking->claims->any = true;
    }
    return 0;
}

/* A fan_out_fn: each index has its own place. */
static int look(void *ctx, size_t slot, struct err *e)
{
    const struct looking *looking = (const struct looking *)ctx;
    struct claim_seen *seen = &looking->claims->items[slot];
    const char *token = looking->ring->slots[slot].token;
    autofree char *name = ring_ask_name(looking->restore_id, token);
    autobuf struct buf text = BUF_INIT(CLAIM_TEXT_MAX);
    struct ring_version version;
    if (!seen->there) {
        return 0;
    }
    if (ring_store_look(looking->store, name, &text, &version, e) != 0) {
        seen->there = e->kind != ERR_NOT_FOUND; /* deleted since */
        *e = seen->there ? *e : ERR_INIT;
        return seen->there ? -1 : 0;
    }
    ring_claim_read(slice_of(buf_str(&text), text.size), token, &seen->claim);
    seen->age_ms = version.age_ms;
    return 0;
}

int ring_claims_look(struct source *store, const struct ring_plan *ring, const char *restore_id,
                     struct ring_claims *ret, struct err *e)
{
    autofree char *prefix = xasprintf("%sclaims/%s/", store->base, restore_id);
    struct looking looking = {
        .store = store, .ring = ring, .restore_id = restore_id, .prefix = prefix, .claims = ret};
    const struct s3_list list = {.prefix = prefix};
    *ret = (struct ring_claims){
        .items = (struct claim_seen *)xcalloc(ring->slot_count, sizeof(*ret->items))};
    if (source_list(store, &list, on_entry, &looking, e) != 0) {
        return -1;
    }
    return ret->any ? fan_out(ring->slot_count, look, &looking, e) : 0;
}

void ring_claims_done(struct ring_claims *claims)
{
    free(TAKE_PTR(claims->items));
}
