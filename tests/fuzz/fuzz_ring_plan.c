/* Any bytes as a ring plan: refused, or whole. Nothing here can make the digest right but by luck,
 * so what lies behind it is reached through the id that the text itself should have. */
#include <string.h>

#include "agent/ring/ring_plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct ring_plan *ring)
{
    ASSERT(ring->slot_count > 0 && ring->slot_count <= RING_SLOTS_MAX && ring->rack_count > 0);
    for (size_t i = 0; i < ring->slot_count; i++) {
        ASSERT(ring->slots[i].token != NULL && ring->slots[i].manifest_key != NULL);
        ASSERT(ring_plan_zone(ring, ring->slots[i].rack) != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char MEMBER[] = "\"id\": \"";
    autofree char *text = xstrndup((const char *)data, size); /* cut at a NUL */
    char id[RING_ID_SIZE];
    const struct slice whole = slice_of(text, strlen(text));
    if (ring_plan_digest(whole, id)) {
        char *const at = strstr(text, MEMBER);
        ASSERT(at != NULL);
        memcpy(at + strlen(MEMBER), id, RING_ID_SIZE - 1);
    }
    struct ring_plan *ring = NULL;
    struct err e = ERR_INIT;
    if (ring_plan_read("fuzz", whole, &ring, &e) == 0) {
        check(ring);
        ring_plan_free(ring);
    } else {
        ASSERT(ring == NULL && e.kind != ERR_NONE);
    }
    return 0;
}
