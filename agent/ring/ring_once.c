#include "agent/ring/ring_once.h"

#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/parse.h"
#include "agent/json_write.h"
#include "agent/ring/ring_slot.h"
#include "agent/ring/ring_store.h"
#include "agent/ring/ring_tree.h"

enum {
    STAMP_SIZE_MAX = 4096,
    RETRY_MS = 10 * 1000, /* Cassandra waits for it; the next boot notes it, too */
};

#define store_owner __attribute__((cleanup(store_done)))

static void store_done(struct source **store)
{
    source_free(*store);
}

static bool applies(const struct config *config)
{
    return config->history != NULL && config->chosen != NULL && config->chosen->state != NULL &&
           strcmp(config->slot, "claim") != 0;
}

static char *stamp_name(const struct config *config)
{
    ASSERT(config->restore_id != NULL); /* the ring's, unless another was given */
    return xasprintf("nodes/%s/%zu.once.json", config->restore_id, config->chosen->slot);
}

static int refuse(const struct config *config, const char *name, struct slice text, struct err *e)
{
    autotree yajl_val root = ring_tree_parse(text);
    const char *node = root == NULL ? NULL : ring_tree_text(root, "node");
    char when[TIME_TEXT_SIZE] = "a time that it does not tell";
    if (root != NULL && ring_tree_time(root, "time") >= 0) {
        (void)format_time(ring_tree_time(root, "time"), when);
    }
    err_set(e, ERR_REFUSED, "slot %zu: was restored before, by %s at %s, and its data is not here",
            config->chosen->slot, node == NULL ? "another node" : node, when);
    return err_hint(e,
                    "replace the node as Cassandra does (replace_address_first_boot); if the ring "
                    "never served, delete %s/%s",
                    config->chosen->state, name);
}

int ring_once_check(const struct config *config, struct err *e)
{
    if (!applies(config)) {
        return 0;
    }
    store_owner struct source *store = NULL;
    autofree char *name = stamp_name(config);
    autobuf struct buf text = BUF_INIT(STAMP_SIZE_MAX);
    if (ring_store_open(config, config->chosen->state, &store, e) != 0) {
        return -1;
    }
    if (ring_store_get(store, name, &text, e) == 0) {
        return refuse(config, name, slice_of(buf_str(&text), text.size), e);
    }
    if (e->kind == ERR_AUTH) {
        log_warn("whether this slot was restored before is not known: %s", e->text);
    } else if (e->kind != ERR_NOT_FOUND) {
        return -1;
    }
    *e = ERR_INIT;
    return 0;
}

static char *stamp_text(const struct config *config)
{
    struct mem_file mem;
    struct json json = JSON_INIT(mem_file_open(&mem), false);
    json_open_object(&json, NULL);
    json_string(&json, "format", "penates-slot-stamp");
    json_u64(&json, "version", 1);
    json_string(&json, "token", config->chosen->token);
    json_string(&json, "node", config->chosen->node);
    json_time(&json, "time", clock_wall_ms());
    json_close(&json);
    json_end(&json);
    return mem_file_close(&mem);
}

/* There was no stamp when this restore began, and now there is. A lost answer leaves our own. */
static void look_for_twin(const struct config *config, struct source *store, const char *name)
{
    autobuf struct buf text = BUF_INIT(STAMP_SIZE_MAX);
    struct err ignored = ERR_INIT;
    if (ring_store_get(store, name, &text, &ignored) != 0) {
        return;
    }
    autotree yajl_val root = ring_tree_parse(slice_of(buf_str(&text), text.size));
    const char *node = root == NULL ? NULL : ring_tree_text(root, "node");
    if (node == NULL || strcmp(node, config->chosen->node) != 0) {
        log_warn("slot %zu: was restored by %s meanwhile: two nodes have token %s; stop one of "
                 "them before it joins the ring",
                 config->chosen->slot, node == NULL ? "another node" : node, config->chosen->token);
    }
}

void ring_once_note(const struct config *config, bool is_new)
{
    if (!applies(config)) {
        return;
    }
    store_owner struct source *store = NULL;
    struct config own = *config;
    struct err e = ERR_INIT;
    own.retry_for_ms = RETRY_MS;
    autofree char *name = stamp_name(config);
    autofree char *text = stamp_text(config);
    if (ring_store_open(&own, config->chosen->state, &store, &e) == 0 &&
        ring_store_put(store, name, slice_of(text, strlen(text)), true, &e) == 0) {
        return;
    }
    if (e.kind != ERR_CHANGED) {
        log_warn("an instance that replaces this one would be restored again: %s", e.text);
    } else if (is_new) {
        look_for_twin(config, store, name);
    }
}
