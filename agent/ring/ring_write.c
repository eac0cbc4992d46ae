/* ring_write: a ring plan as text; see ring_plan.h. */
#include "agent/ring/ring_plan.h"

#include <string.h>

#include "agent/json_write.h"
#include "agent/selection_json.h"

static void put_racks(struct json *json, const struct ring_plan *ring)
{
    json_open_array(json, "racks");
    for (size_t i = 0; i < ring->rack_count; i++) {
        json_open_object(json, NULL);
        json_string(json, "rack", ring->racks[i].rack);
        json_string(json, "zone", ring->racks[i].zone);
        json_close(json);
    }
    json_close(json);
}

static void put_slot(struct json *json, const struct ring_slot *slot, uint64_t number)
{
    json_open_object(json, NULL);
    json_u64(json, "slot", number);
    json_string(json, "rack", slot->rack);
    json_string(json, "ip", slot->ip);
    json_open_array(json, "tokens");
    json_string(json, NULL, slot->token);
    json_close(json);
    json_string(json, "region", slot->region);
    json_open_object(json, "manifest");
    json_string(json, "key", slot->manifest_key);
    json_string(json, "etag", slot->manifest_etag);
    json_time(json, "time", slot->time_ms);
    json_close(json);
    json_time(json, "newest", slot->newest_ms);
    json_time(json, "until", slot->until_ms);
    json_u64(json, "files", slot->files);
    json_u64(json, "stored_bytes", slot->stored_bytes);
    json_u64(json, "plain_bytes", slot->plain_bytes);
    json_close(json);
}

static void put_slots(struct json *json, const struct ring_plan *ring)
{
    struct ring_slot sum = {0};
    json_open_array(json, "slots");
    for (size_t i = 0; i < ring->slot_count; i++) {
        const struct ring_slot *slot = &ring->slots[i];
        put_slot(json, slot, i);
        sum.files += slot->files;
        sum.stored_bytes += slot->stored_bytes;
        sum.plain_bytes += slot->plain_bytes;
    }
    json_close(json);
    json_open_object(json, "totals");
    json_u64(json, "slots", ring->slot_count);
    json_u64(json, "files", sum.files);
    json_u64(json, "stored_bytes", sum.stored_bytes);
    json_u64(json, "plain_bytes", sum.plain_bytes);
    json_close(json);
}

static void put_notes(struct json *json, const char *name, const struct ring_note *notes,
                      size_t count)
{
    json_open_array(json, name);
    for (size_t i = 0; i < count; i++) {
        json_open_object(json, NULL);
        json_string(json, "token", notes[i].token);
        json_string(json, "why", notes[i].why);
        json_close(json);
    }
    json_close(json);
}

/* The nodes' tokens and instants stand in the slots. An end that was "latest" is the ring's: every
 * slot has its own, which a restore goes by. */
static struct selection frozen(const struct ring_plan *ring, const struct selection *asked)
{
    struct selection selection = *asked;
    selection.cluster = ring->cluster;
    selection.source_region = NULL;
    selection.tokens = (struct name_list){.count = 0};
    selection.all_tokens = false;
    selection.range_default = false;
    if (!selection.has_range && selection.at_latest) {
        selection.at_latest = false;
        selection.at_ms = 0;
        for (size_t i = 0; i < ring->slot_count; i++) {
            const int64_t until_ms = ring->slots[i].until_ms;
            selection.at_ms = until_ms > selection.at_ms ? until_ms : selection.at_ms;
        }
    }
    return selection;
}

static char *write_text(const struct ring_plan *ring, const struct config *config)
{
    struct mem_file mem;
    struct json json = JSON_INIT(mem_file_open(&mem), true);
    const struct selection selection = frozen(ring, &config->selection);
    const struct ring_states states = ring_plan_states(ring);
    json_open_object(&json, NULL);
    json_string(&json, "format", "penates-ring-plan");
    json_u64(&json, "version", 1);
    json_string(&json, "id", ring->id);
    json_string(&json, "source", ring->source);
    json_string(&json, "cluster", ring->cluster);
    json_time(&json, "created", ring->created_ms);
    selection_json(&json, "selection", &selection, config);
    put_racks(&json, ring);
    put_slots(&json, ring);
    json_open_object(&json, "states");
    json_time(&json, "oldest", states.oldest_ms);
    json_time(&json, "newest", states.newest_ms);
    json_close(&json);
    put_notes(&json, "left_out", ring->left_out, ring->left_out_count);
    put_notes(&json, "warnings", ring->warnings, ring->warning_count);
    json_close(&json);
    json_end(&json);
    return mem_file_close(&mem);
}

char *ring_plan_write(struct ring_plan *ring, const struct config *config)
{
    memset(ring->id, '0', RING_ID_SIZE - 1);
    ring->id[RING_ID_SIZE - 1] = '\0';
    char *text = write_text(ring, config);
    char id[RING_ID_SIZE];
    const bool digested = ring_plan_digest(slice_of(text, strlen(text)), id);
    ASSERT(digested); /* its id is where it is looked for, and SHA-256 is never refused */
    memcpy(ring->id, id, RING_ID_SIZE);
    free(text);
    return write_text(ring, config);
}
