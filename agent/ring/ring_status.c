/* ring_status: `penates ring status`: each node's last report and claim beside its slot, from
 * anywhere that may read the state bucket. */
#include <inttypes.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/parse.h"
#include "agent/commands.h"
#include "agent/fan_out.h"
#include "agent/json_write.h"
#include "agent/out_file.h"
#include "agent/ring/ring_claims.h"
#include "agent/ring/ring_store.h"
#include "agent/ring/ring_tree.h"
#include "agent/text_table.h"

enum {
    REPORT_SIZE_MAX = 64 * 1024,
    SILENT_MS = 100 * 1000, /* three reports are missing */
};

/* What a node has told; no report: `state` is "none". Strings are the status's. */
struct node_status {
    const char *state, *node, *error;
    uint64_t files_done, stored_done;
    int64_t time_ms; /* of the report; -1: none */
};

struct ring_status {
    const char *restore_id;
    const struct ring_plan *ring;
    struct source *store;
    struct node_status *nodes; /* by slot */
    yajl_val *trees;           /* the reports, which hold the strings */
    struct ring_claims claims;
};

static const char *or_dash(const char *text)
{
    return text == NULL ? "-" : text;
}

static int read_report(struct ring_status *status, size_t slot, struct slice text, struct err *e)
{
    const yajl_val root = ring_tree_parse(text);
    struct node_status *node = &status->nodes[slot];
    status->trees[slot] = root;
    const char *state = root == NULL ? NULL : ring_tree_text(root, "state");
    if (state == NULL || !ring_tree_u64(root, "files_done", &node->files_done) ||
        !ring_tree_u64(root, "stored_done", &node->stored_done)) {
        return err_set(e, ERR_CORRUPT, "the report of slot %zu: is none", slot);
    }
    node->state = state;
    node->node = ring_tree_text(root, "node");
    node->error = ring_tree_text(root, "error");
    node->time_ms = ring_tree_time(root, "time");
    /* Killed, or cut off: what runs says so every 30 s. */
    if (strcmp(state, "running") == 0 && clock_wall_ms() - node->time_ms > SILENT_MS) {
        node->state = "silent";
    }
    return 0;
}

/* A fan_out_fn: each index has its own place. */
static int ask(void *ctx, size_t slot, struct err *e)
{
    struct ring_status *status = (struct ring_status *)ctx;
    status->nodes[slot] = (struct node_status){.state = "none", .time_ms = -1};
    const struct claim_seen *seen = &status->claims.items[slot];
    const bool claimed = seen->claim.node[0] != '\0' && seen->claim.phase != CLAIM_RELEASED;
    autofree char *name =
        ring_store_report_name(status->restore_id, slot, claimed ? seen->claim.node : NULL);
    autobuf struct buf text = BUF_INIT(REPORT_SIZE_MAX);
    if (ring_store_get(status->store, name, &text, e) != 0) {
        if (e->kind != ERR_NOT_FOUND) {
            return -1;
        }
        *e = ERR_INIT;
        return 0;
    }
    return read_report(status, slot, slice_of(buf_str(&text), text.size), e);
}

static unsigned percent(const struct ring_slot *slot, const struct node_status *node)
{
    if (slot->stored_bytes == 0 || node->stored_done >= slot->stored_bytes) {
        return node->time_ms < 0 ? 0 : 100;
    }
    return (unsigned)((double)node->stored_done * 100 / (double)slot->stored_bytes);
}

/* "restoring 23 s", by when it was renewed. */
static void add_claim(struct text_table *table, const struct claim_seen *seen)
{
    char text[64];
    const bool lapsed = ring_core_is_lapsed(&seen->claim, seen->age_ms);
    const char *phase = lapsed ? "lapsed" : ring_claim_phase_name(seen->claim.phase);
    if (seen->there && seen->claim.phase == CLAIM_RESTORING && seen->age_ms >= 0) {
        (void)snprintf(text, sizeof(text), "%s %" PRId64 " s", phase, seen->age_ms / 1000);
        text_table_add(table, text);
    } else {
        text_table_add(table, seen->there ? phase : "-");
    }
}

/* Who has reported, else who has claimed it. */
static const char *node_of(const struct ring_status *status, size_t slot)
{
    const struct claim_seen *seen = &status->claims.items[slot];
    const char *reported = status->nodes[slot].node;
    return reported == NULL && seen->claim.node[0] != '\0' ? seen->claim.node : reported;
}

static void print_table(const struct ring_status *status)
{
    static const struct text_column COLUMNS[] = {
        {"SLOT", true},     {"RACK", false},  {"TOKEN", true}, {"STATE", false}, {"DONE", true},
        {"REPORTED", true}, {"CLAIM", false}, {"NODE", false}, {"ERROR", false},
    };
    const int64_t now_ms = clock_wall_ms();
    struct text_table *table = text_table_new(COLUMNS, ARRAY_SIZE(COLUMNS));
    for (size_t i = 0; i < status->ring->slot_count; i++) {
        const struct ring_slot *slot = &status->ring->slots[i];
        const struct node_status *node = &status->nodes[i];
        char done[32], ago[32] = "never";
        (void)snprintf(done, sizeof(done), "%u%%", percent(slot, node)); /* both fit */
        if (node->time_ms >= 0) {
            const int64_t age_ms = now_ms > node->time_ms ? now_ms - node->time_ms : 0;
            (void)snprintf(ago, sizeof(ago), "%" PRId64 " s ago", age_ms / 1000);
        }
        text_table_add_u64(table, i);
        text_table_add(table, slot->rack);
        text_table_add(table, slot->token);
        text_table_add(table, node->state);
        text_table_add(table, done);
        text_table_add(table, ago);
        add_claim(table, &status->claims.items[i]);
        text_table_add(table, or_dash(node_of(status, i)));
        text_table_add(table, or_dash(node->error));
    }
    text_table_print(table, "", stdout);
    text_table_free(table);
}

static size_t count_restored(const struct ring_status *status)
{
    size_t restored = 0;
    for (size_t i = 0; i < status->ring->slot_count; i++) {
        restored += strcmp(status->nodes[i].state, "restored") == 0 ||
                    strcmp(status->nodes[i].state, "already-restored") == 0;
    }
    return restored;
}

static void put_claim(struct json *json, const struct claim_seen *seen)
{
    if (!seen->there) {
        json_null(json, "claim");
        return;
    }
    json_open_object(json, "claim");
    json_string(json, "node", seen->claim.node[0] == '\0' ? NULL : seen->claim.node);
    json_string(json, "phase", ring_claim_phase_name(seen->claim.phase));
    json_u64(json, "attempt", seen->claim.attempt);
    json_u64(json, "lease_ms", seen->claim.lease_ms);
    if (seen->age_ms < 0) {
        json_null(json, "age_ms");
    } else {
        json_u64(json, "age_ms", (uint64_t)seen->age_ms);
    }
    json_bool(json, "lapsed", ring_core_is_lapsed(&seen->claim, seen->age_ms));
    json_close(json);
}

static void print_json(const struct ring_status *status)
{
    struct json json = JSON_INIT(stdout, true);
    json_open_object(&json, NULL);
    json_string(&json, "format", "penates-ring-status");
    json_u64(&json, "version", 1);
    json_string(&json, "ring", status->ring->id);
    json_string(&json, "restore_id", status->restore_id);
    json_u64(&json, "slots", status->ring->slot_count);
    json_u64(&json, "restored", count_restored(status));
    json_bool(&json, "sealed", status->claims.sealed);
    json_open_array(&json, "nodes");
    for (size_t i = 0; i < status->ring->slot_count; i++) {
        const struct ring_slot *slot = &status->ring->slots[i];
        const struct node_status *node = &status->nodes[i];
        json_open_object(&json, NULL);
        json_u64(&json, "slot", i);
        json_string(&json, "rack", slot->rack);
        json_string(&json, "token", slot->token);
        json_string(&json, "state", node->state);
        json_u64(&json, "files", slot->files);
        json_u64(&json, "files_done", node->files_done);
        json_u64(&json, "stored_bytes", slot->stored_bytes);
        json_u64(&json, "stored_done", node->stored_done);
        if (node->time_ms < 0) {
            json_null(&json, "reported");
        } else {
            json_time(&json, "reported", node->time_ms);
        }
        json_string(&json, "node", node->node);
        json_string(&json, "error", node->error);
        put_claim(&json, &status->claims.items[i]);
        json_close(&json);
    }
    json_close(&json);
    json_close(&json);
    json_end(&json);
}

static int show(const struct config *config, const struct ring_status *status, struct err *e)
{
    if (config->json) {
        print_json(status);
    } else {
        print_table(status);
        (void)printf("%zu of %zu nodes restored%s\n", count_restored(status),
                     status->ring->slot_count, status->claims.sealed ? "; sealed" : "");
    }
    return out_file_flush_stdout(e);
}

static int ask_all(struct ring_status *status, const struct config *config, const char *state,
                   struct err *e)
{
    const size_t count = status->ring->slot_count;
    if (ring_store_open(config, state, &status->store, e) != 0) {
        return -1;
    }
    status->nodes = (struct node_status *)xcalloc(count, sizeof(*status->nodes));
    status->trees = (yajl_val *)xcalloc(count, sizeof(yajl_val));
    const int result = ring_claims_look(status->store, status->ring, status->restore_id,
                                        &status->claims, e) != 0 ||
                               fan_out(count, ask, status, e) != 0
                           ? -1
                           : show(config, status, e);
    ring_claims_done(&status->claims);
    for (size_t i = 0; i < count; i++) {
        yajl_tree_free(status->trees[i]);
    }
    free((void *)status->trees);
    free(status->nodes);
    source_free(status->store);
    return result;
}

int ring_status_run(const struct config *config, struct err *e)
{
    const char *where = config->argument;
    struct ring_plan *ring = NULL;
    autofree char *state = ring_store_of(where);
    if (state == NULL) {
        err_set(e, ERR_CONFIG, "'%s': nodes report beside a plan in a state bucket", where);
        return err_hint(e, "write it as s3://BUCKET/PREFIX/plans/ID.json");
    }
    if (ring_store_load(config, where, &ring, e) != 0) {
        return -1;
    }
    struct ring_status status = {
        .ring = ring,
        .restore_id = config->restore_id != NULL ? config->restore_id : ring->id,
    };
    const int result = ask_all(&status, config, state, e);
    ring_plan_free(ring);
    return result;
}
