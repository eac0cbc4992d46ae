#include "agent/ring/ring_plan.h"

#include <stdarg.h>
#include <string.h>

#include "agent/backup_key.h"
#include "agent/base/parse.h"
#include "agent/hash.h"

struct ring_plan *ring_plan_new(void)
{
    struct ring_plan *ring = (struct ring_plan *)xcalloc(1, sizeof(*ring));
    ring->strings = arena_new();
    return ring;
}

void ring_plan_free(struct ring_plan *ring)
{
    if (ring == NULL) {
        return;
    }
    free(ring->racks);
    free(ring->slots);
    free(ring->left_out);
    free(ring->warnings);
    free(ring->settings);
    free(ring->text);
    arena_free(ring->strings);
    free(ring);
}

static void add_note(struct ring_plan *ring, struct ring_note **notes, size_t *count,
                     const char *token, const char *why)
{
    *notes = (struct ring_note *)xrealloc(*notes, *count + 1, sizeof(**notes));
    (*notes)[(*count)++] = (struct ring_note){
        .token = arena_intern(ring->strings, token, strlen(token)),
        .why = arena_intern(ring->strings, why, strlen(why)),
    };
}

void ring_plan_leave_out(struct ring_plan *ring, const char *token, const char *why)
{
    add_note(ring, &ring->left_out, &ring->left_out_count, token, why);
}

void ring_plan_warn(struct ring_plan *ring, const char *token, const char *fmt, ...)
{
    char why[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, args); /* cut at worst */
    va_end(args);
    add_note(ring, &ring->warnings, &ring->warning_count, token, why);
}

bool ring_plan_find_token(const struct ring_plan *ring, const char *token, size_t *ret)
{
    size_t low = 0, high = ring->slot_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = backup_key_token_compare(ring->slots[middle].token, token);
        if (order == 0) {
            *ret = middle;
            return true;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return false;
}

/* NULL: there is none of this name. */
static const struct ring_rack *find_rack(const struct ring_plan *ring, const char *name)
{
    for (size_t i = 0; i < ring->rack_count; i++) {
        if (strcmp(ring->racks[i].rack, name) == 0) {
            return &ring->racks[i];
        }
    }
    return NULL;
}

bool ring_plan_has_rack(const struct ring_plan *ring, const char *rack)
{
    return find_rack(ring, rack) != NULL;
}

const char *ring_plan_zone(const struct ring_plan *ring, const char *rack)
{
    const struct ring_rack *found = find_rack(ring, rack);
    ASSERT(found != NULL);
    return found->zone;
}

struct ring_states ring_plan_states(const struct ring_plan *ring)
{
    ASSERT(ring->slot_count > 0);
    struct ring_states states = {ring->slots[0].newest_ms, ring->slots[0].newest_ms};
    for (size_t i = 1; i < ring->slot_count; i++) {
        const int64_t ms = ring->slots[i].newest_ms;
        states.oldest_ms = ms < states.oldest_ms ? ms : states.oldest_ms;
        states.newest_ms = ms > states.newest_ms ? ms : states.newest_ms;
    }
    return states;
}

/* Where the digits stand, which the writer puts near the start. */
static const uint8_t *find_id(struct slice text)
{
    static const char BEFORE[] = "\"id\": \"";
    const uint8_t *at = (const uint8_t *)memmem(text.data, text.size, BEFORE, sizeof(BEFORE) - 1);
    if (at == NULL) {
        return NULL;
    }
    at += sizeof(BEFORE) - 1;
    const size_t left = text.size - (size_t)(at - text.data);
    return left > RING_ID_SIZE && at[RING_ID_SIZE - 1] == '"' ? at : NULL;
}

bool ring_plan_digest(struct slice text, char ret[RING_ID_SIZE])
{
    const uint8_t *const id = find_id(text);
    struct hash *const hash = id == NULL ? NULL : hash_new(HASH_SHA256);
    if (hash == NULL) {
        return false;
    }
    static const uint8_t ZEROS[] =
        "0000000000000000000000000000000000000000000000000000000000000000";
    const uint8_t *const after = id + RING_ID_SIZE - 1;
    hash_update(hash, slice_of(text.data, (size_t)(id - text.data)));
    hash_update(hash, slice_of(ZEROS, sizeof(ZEROS) - 1));
    hash_update(hash, slice_of(after, text.size - (size_t)(after - text.data)));
    const struct hash_value value = hash_finish(hash);
    hash_free(hash);
    ASSERT(2 * value.size + 1 == RING_ID_SIZE);
    format_hex(value.bytes, value.size, ret);
    return true;
}
