/* ring_read: a ring plan from its text; see ring_plan.h. */
#include "agent/ring/ring_plan.h"

#include <string.h>

#include "agent/ring/ring_tree.h"

static const char *keep(struct ring_plan *ring, const char *text)
{
    return text == NULL ? NULL : arena_intern(ring->strings, text, strlen(text));
}

/* False below: a member that every ring plan has is not there, or is of another kind. */
static bool read_racks(struct ring_plan *ring, yajl_val root)
{
    const yajl_val array = ring_tree_array(root, "racks");
    if (array == NULL || array->u.array.len == 0) {
        return false;
    }
    ring->racks = (struct ring_rack *)xcalloc(array->u.array.len, sizeof(*ring->racks));
    for (size_t i = 0; i < array->u.array.len; i++) {
        const yajl_val item = array->u.array.values[i];
        struct ring_rack *rack = &ring->racks[ring->rack_count++];
        rack->rack = keep(ring, ring_tree_text(item, "rack"));
        rack->zone = keep(ring, ring_tree_text(item, "zone"));
        if (rack->rack == NULL || rack->zone == NULL) {
            return false;
        }
    }
    return true;
}

static bool read_slot(struct ring_plan *ring, yajl_val item, struct ring_slot *slot)
{
    const yajl_val tokens = ring_tree_array(item, "tokens");
    const yajl_val manifest = ring_tree_object(item, "manifest");
    uint64_t number;
    /* A node of Priam's has one token: more cannot go into one data directory. */
    if (tokens == NULL || tokens->u.array.len != 1 || manifest == NULL ||
        !ring_tree_u64(item, "slot", &number) || number != (size_t)(slot - ring->slots)) {
        return false;
    }
    slot->token = keep(ring, YAJL_GET_STRING(tokens->u.array.values[0]));
    slot->rack = keep(ring, ring_tree_text(item, "rack"));
    slot->ip = keep(ring, ring_tree_text(item, "ip"));
    slot->region = keep(ring, ring_tree_text(item, "region"));
    slot->manifest_key = keep(ring, ring_tree_text(manifest, "key"));
    slot->manifest_etag = keep(ring, ring_tree_text(manifest, "etag"));
    slot->time_ms = ring_tree_time(manifest, "time");
    slot->newest_ms = ring_tree_time(item, "newest");
    slot->until_ms = ring_tree_time(item, "until");
    return slot->token != NULL && slot->rack != NULL && ring_plan_has_rack(ring, slot->rack) &&
           slot->manifest_key != NULL && slot->manifest_etag != NULL && slot->time_ms >= 0 &&
           slot->newest_ms >= 0 && slot->until_ms >= 0 &&
           ring_tree_u64(item, "files", &slot->files) &&
           ring_tree_u64(item, "stored_bytes", &slot->stored_bytes) &&
           ring_tree_u64(item, "plain_bytes", &slot->plain_bytes);
}

static bool read_slots(struct ring_plan *ring, yajl_val root)
{
    const yajl_val array = ring_tree_array(root, "slots");
    if (array == NULL || array->u.array.len == 0 || array->u.array.len > RING_SLOTS_MAX) {
        return false;
    }
    ring->slots = (struct ring_slot *)xcalloc(array->u.array.len, sizeof(*ring->slots));
    for (size_t i = 0; i < array->u.array.len; i++) {
        if (!read_slot(ring, array->u.array.values[i], &ring->slots[ring->slot_count++])) {
            return false;
        }
    }
    return true;
}

static bool add_setting(struct ring_plan *ring, const char *name, yajl_val value)
{
    const char *text = YAJL_IS_TRUE(value)    ? "true"
                       : YAJL_IS_FALSE(value) ? "false"
                                              : YAJL_GET_STRING(value);
    if (text == NULL) {
        return false;
    }
    ring->settings = (struct ring_setting *)xrealloc(ring->settings, ring->setting_count + 1,
                                                     sizeof(*ring->settings));
    ring->settings[ring->setting_count++] =
        (struct ring_setting){.name = keep(ring, name), .value = keep(ring, text)};
    return true;
}

static bool read_settings(struct ring_plan *ring, yajl_val root)
{
    const yajl_val object = ring_tree_object(root, "selection");
    bool good = object != NULL;
    for (size_t i = 0; good && i < object->u.object.len; i++) {
        const char *name = object->u.object.keys[i];
        const yajl_val value = object->u.object.values[i];
        const size_t count = YAJL_IS_ARRAY(value) ? value->u.array.len : 1;
        for (size_t k = 0; good && k < count; k++) {
            good = add_setting(ring, name, YAJL_IS_ARRAY(value) ? value->u.array.values[k] : value);
        }
    }
    return good;
}

static bool read_all(struct ring_plan *ring, yajl_val root)
{
    const char *format = ring_tree_text(root, "format");
    const char *id = ring_tree_text(root, "id");
    uint64_t version;
    if (format == NULL || strcmp(format, "penates-ring-plan") != 0 ||
        !ring_tree_u64(root, "version", &version) || version != 1 || id == NULL ||
        strlen(id) != RING_ID_SIZE - 1) {
        return false;
    }
    (void)snprintf(ring->id, sizeof(ring->id), "%s", id);
    ring->source = keep(ring, ring_tree_text(root, "source"));
    ring->cluster = keep(ring, ring_tree_text(root, "cluster"));
    ring->created_ms = ring_tree_time(root, "created");
    return ring->source != NULL && ring->cluster != NULL && ring->created_ms >= 0 &&
           read_racks(ring, root) && read_slots(ring, root) && read_settings(ring, root);
}

int ring_plan_read(const char *name, struct slice text, struct ring_plan **ret, struct err *e)
{
    autotree yajl_val root = ring_tree_parse(text);
    struct ring_plan *ring = ring_plan_new();
    char digest[RING_ID_SIZE];
    if (root == NULL || !read_all(ring, root) || !ring_plan_digest(text, digest)) {
        ring_plan_free(ring);
        err_set(e, ERR_CONFIG, "%s: is not a whole ring plan", name);
        return err_hint(e, "make it with 'penates ring plan SOURCE'");
    }
    if (strcmp(digest, ring->id) != 0) {
        ring_plan_free(ring);
        err_set(e, ERR_REFUSED, "%s: has been changed since it was made", name);
        return err_hint(e,
                        "make a new one with 'penates ring plan', byte for byte as it writes it");
    }
    ASSERT(ring->slot_count > 0 && ring->rack_count > 0);
    *ret = ring;
    return 0;
}
