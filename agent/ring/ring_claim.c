#include "agent/ring/ring_claim.h"

#include <string.h>

#include "agent/base/mem.h"
#include "agent/json_write.h"
#include "agent/ring/ring_tree.h"

static const char *const PHASES[] = {
    [CLAIM_RESTORING] = "restoring",
    [CLAIM_RESTORED] = "restored",
    [CLAIM_RELEASED] = "released",
    [CLAIM_UNREADABLE] = "unreadable",
};

const char *ring_claim_phase_name(enum claim_phase phase)
{
    ASSERT((size_t)phase < ARRAY_SIZE(PHASES));
    return PHASES[phase];
}

char *ring_claim_write(const struct ring_claim *claim, const struct claim_place *place)
{
    ASSERT(claim->phase != CLAIM_UNREADABLE && claim->node[0] != '\0' && claim->run[0] != '\0');
    struct mem_file mem;
    struct json json = JSON_INIT(mem_file_open(&mem), false);
    json_open_object(&json, NULL);
    json_string(&json, "format", "penates-ring-claim");
    json_u64(&json, "version", 1);
    json_string(&json, "ring", place->ring_id);
    json_string(&json, "restore_id", place->restore_id);
    json_u64(&json, "slot", place->slot);
    json_string(&json, "token", place->token);
    json_string(&json, "rack", place->rack);
    json_string(&json, "node", claim->node);
    json_string(&json, "phase", ring_claim_phase_name(claim->phase));
    json_u64(&json, "attempt", claim->attempt);
    json_u64(&json, "lease_ms", claim->lease_ms);
    json_string(&json, "run", claim->run);
    json_u64(&json, "beat", claim->beat);
    json_close(&json);
    json_end(&json);
    return mem_file_close(&mem);
}

/* Whole, or not at all. */
static bool copy(const char *text, char *ret, size_t ret_size)
{
    const size_t size = text == NULL ? 0 : strlen(text);
    if (size == 0 || size >= ret_size) {
        return false;
    }
    memcpy(ret, text, size + 1);
    return true;
}

static bool is_text(yajl_val object, const char *name, const char *wanted)
{
    const char *text = ring_tree_text(object, name);
    return text != NULL && strcmp(text, wanted) == 0;
}

static bool read_phase(yajl_val root, enum claim_phase *ret)
{
    for (unsigned i = 0; i < CLAIM_UNREADABLE; i++) {
        if (is_text(root, "phase", PHASES[i])) {
            *ret = (enum claim_phase)i;
            return true;
        }
    }
    return false;
}

static bool is_version(yajl_val root, const char *format)
{
    uint64_t version;
    return root != NULL && is_text(root, "format", format) &&
           ring_tree_u64(root, "version", &version) && version == 1;
}

void ring_claim_read(struct slice text, const char *token, struct ring_claim *ret)
{
    autotree yajl_val root = text.size == 0 ? NULL : ring_tree_parse(text);
    struct ring_claim claim = {.attempt = 0};
    const bool good = is_version(root, "penates-ring-claim") && is_text(root, "token", token) &&
                      copy(ring_tree_text(root, "node"), claim.node, sizeof(claim.node)) &&
                      copy(ring_tree_text(root, "run"), claim.run, sizeof(claim.run)) &&
                      read_phase(root, &claim.phase) &&
                      ring_tree_u64(root, "attempt", &claim.attempt) &&
                      ring_tree_u64(root, "beat", &claim.beat) &&
                      ring_tree_u64(root, "lease_ms", &claim.lease_ms) &&
                      claim.attempt < UINT32_MAX && claim.beat < UINT64_MAX &&
                      claim.lease_ms >= CLAIM_LEASE_MIN_MS && claim.lease_ms <= CLAIM_LEASE_MAX_MS;
    *ret = good ? claim : (struct ring_claim){.phase = CLAIM_UNREADABLE};
}

char *ring_claim_write_seal(const struct claim_place *places, const struct ring_claim *claims,
                            size_t count)
{
    ASSERT(count > 0);
    struct mem_file mem;
    struct json json = JSON_INIT(mem_file_open(&mem), false);
    json_open_object(&json, NULL);
    json_string(&json, "format", "penates-ring-seal");
    json_u64(&json, "version", 1);
    json_string(&json, "ring", places[0].ring_id);
    json_string(&json, "restore_id", places[0].restore_id);
    json_open_array(&json, "nodes");
    for (size_t i = 0; i < count; i++) {
        json_open_object(&json, NULL);
        json_u64(&json, "slot", places[i].slot);
        json_string(&json, "token", places[i].token);
        json_string(&json, "node", claims[i].node);
        json_u64(&json, "attempt", claims[i].attempt);
        json_close(&json);
    }
    json_close(&json);
    json_close(&json);
    json_end(&json);
    return mem_file_close(&mem);
}

void ring_claim_read_seal(struct slice text, const char *token, struct ring_claim *ret)
{
    autotree yajl_val root = text.size == 0 ? NULL : ring_tree_parse(text);
    const yajl_val nodes =
        is_version(root, "penates-ring-seal") ? ring_tree_array(root, "nodes") : NULL;
    *ret = (struct ring_claim){.phase = CLAIM_RESTORED};
    for (size_t i = 0; nodes != NULL && i < nodes->u.array.len; i++) {
        const yajl_val node = nodes->u.array.values[i];
        struct ring_claim claim = {.phase = CLAIM_RESTORED};
        if (is_text(node, "token", token) &&
            copy(ring_tree_text(node, "node"), claim.node, sizeof(claim.node)) &&
            ring_tree_u64(node, "attempt", &claim.attempt)) {
            *ret = claim;
            return;
        }
    }
}
