#include "agent/ring/ring_slot.h"

#include <string.h>

#include "agent/base/parse.h"
#include "agent/config_own.h"
#include "agent/config_values.h"
#include "agent/ring/ring_copy.h"
#include "agent/ring/ring_store.h"
#include "s3/creds.h"

/* The tag first: it is the same mechanism for instances without a fixed address. */
static int find_by_tag(const struct config *config, uint64_t *ret, bool *ret_found, struct err *e)
{
    char text[CREDS_METADATA_SIZE];
    struct err missing = ERR_INIT;
    *ret_found = false;
    if (creds_metadata(config->profile, "tags/instance/restore.slot", text, &missing) != 0) {
        if (missing.kind == ERR_NOT_FOUND) {
            return 0;
        }
        *e = missing;
        return -1;
    }
    if (!parse_u64(text, strlen(text), ret)) {
        return err_set(e, ERR_CONFIG, "tag restore.slot: '%s' is no number", text);
    }
    *ret_found = true;
    return 0;
}

static int find_by_address(const struct config *config, const struct ring_plan *ring, uint64_t *ret,
                           struct err *e)
{
    char text[CREDS_METADATA_SIZE];
    if (creds_metadata(config->profile, "local-ipv4", text, e) != 0) {
        (void)err_wrap(e, "--slot auto");
        return err_hint(e, "give --slot N, or tag the instance restore.slot and let its metadata "
                           "show tags (InstanceMetadataTags=enabled)");
    }
    for (size_t i = 0; i < ring->slot_count; i++) {
        if (ring->slots[i].ip != NULL && strcmp(ring->slots[i].ip, text) == 0) {
            *ret = i;
            return 0;
        }
    }
    err_set(e, ERR_CONFIG,
            "--slot auto: this instance has no tag restore.slot, and no slot of the ring has its "
            "address %s",
            text);
    return err_hint(e, "give --slot N, tag the instance, or plan the ring with --slot-ip");
}

static int find_slot(const struct config *config, const struct ring_plan *ring, size_t *ret,
                     struct err *e)
{
    bool found = true;
    uint64_t slot = 0;
    if (strcmp(config->slot, "auto") != 0) {
        if (!parse_u64(config->slot, strlen(config->slot), &slot)) {
            err_set(e, ERR_CONFIG, "--slot: '%s' is no slot", config->slot);
            return err_hint(e, "give its number, auto, or claim");
        }
    } else if (find_by_tag(config, &slot, &found, e) != 0 ||
               (!found && find_by_address(config, ring, &slot, e) != 0)) {
        return -1;
    }
    if (slot >= ring->slot_count) {
        return err_set(e, ERR_CONFIG, "slot %llu: the ring has slots 0 to %zu",
                       (unsigned long long)slot, ring->slot_count - 1);
    }
    *ret = (size_t)slot;
    return 0;
}

/* Cassandra would place replicas by a rack that the node is not in. Off EC2 nobody tells. */
static int check_zone(const struct ring_here *here, const struct ring_plan *ring, size_t slot,
                      struct err *e)
{
    char what[32];
    const char *rack = ring->slots[slot].rack;
    if (here->zone[0] == '\0') {
        log_warn("no instance metadata tells the availability zone: rack %s is not checked", rack);
    }
    (void)snprintf(what, sizeof(what), "slot %zu", slot); /* fits */
    return ring_here_check(here, ring, rack, what, e);
}

static int take_settings(struct config *config, const struct ring_plan *ring, struct err *e)
{
    struct option_bag bag
        __attribute__((cleanup(option_bag_done))) = {.strings = config->own->strings};
    for (size_t i = 0; i < ring->setting_count; i++) {
        const struct ring_setting *setting = &ring->settings[i];
        const enum option_id id = options_find(setting->name, strlen(setting->name));
        if (id == OPTION_COUNT || !options_is_planned(id)) {
            return err_set(e, ERR_CONFIG, "%s: its selection has '%s'", config->ring,
                           setting->name);
        }
        autofree char *origin = xasprintf("%s: %s", config->ring, setting->name);
        option_bag_add(&bag, id, RANK_PLAN, setting->value, origin);
    }
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        if (config_take_value(config, (enum option_id)i, &bag, e) != 0) {
            return -1;
        }
    }
    return 0;
}

/* Nodes that nobody started would be missed by no one: each of the others restores its own slot. */
static int check_size(const struct config *config, const struct ring_plan *ring, struct err *e)
{
    if (config->ring_size == 0 || config->ring_size == ring->slot_count) {
        return 0;
    }
    err_set(e, ERR_REFUSED, "%s: has %zu slots, --ring-size says %u", config->ring,
            ring->slot_count, config->ring_size);
    return err_hint(e, "start as many nodes as the plan has slots");
}

static const char *own(struct config *config, const char *text)
{
    return text == NULL ? NULL : config_own_text(config, text);
}

static void take_slot(struct config *config, const struct ring_plan *ring, size_t number)
{
    const struct ring_slot *slot = &ring->slots[number];
    struct selection *selection = &config->selection;
    autofree char *state = ring_store_of(config->ring);
    config->chosen = (struct ring_choice *)xcalloc(1, sizeof(*config->chosen));
    *config->chosen = (struct ring_choice){
        .ring_id = own(config, ring->id),
        .state = own(config, state),
        .token = own(config, slot->token),
        .rack = own(config, slot->rack),
        .manifest_key = own(config, slot->manifest_key),
        .manifest_etag = own(config, slot->manifest_etag),
        .plan_text = own(config, ring->text),
        .slot = number,
    };
    selection->cluster = own(config, ring->cluster);
    selection->source_region = own(config, slot->region);
    /* Known by now, so that nothing is listed to find it out, nor has to be allowed to be. */
    selection->format = slot->region == NULL ? DIALECT_V2 : DIALECT_V1;
    ASSERT(selection->tokens.count == 0 && selection->pins == NULL); /* read_plan saw to that */
    selection->tokens.names = (const char **)xcalloc(1, sizeof(char *));
    selection->tokens.names[0] = config->chosen->token;
    selection->tokens.count = 1;
    selection->pins = (struct token_pin *)xcalloc(1, sizeof(*selection->pins));
    selection->pins[0] =
        (struct token_pin){.token = config->chosen->token, .until_ms = slot->until_ms};
    selection->pin_count = 1;
    if (config->source == NULL) {
        config->source = own(config, ring->source);
    }
    if (config->restore_id == NULL) {
        config->restore_id = config->chosen->ring_id;
    }
}

/* What the store says, and not that it cannot be asked. */
static bool is_verdict(enum err_kind kind)
{
    return kind == ERR_CONFIG || kind == ERR_NO_BACKUP || kind == ERR_REFUSED ||
           kind == ERR_CANCELLED;
}

static int claim_slot(const struct config *config, const struct ring_plan *ring,
                      const struct ring_here *here, struct ring_choice *ret, struct err *e)
{
    size_t own = 0;
    const bool has_own = ring_copy_slot(config, ring, &own);
    if (ring_lease_claim(config, ring, here, has_own ? &own : NULL, &ret->lease, &ret->slot, e) ==
        0) {
        return 0;
    }
    if (!has_own || is_verdict(e->kind)) {
        return -1;
    }
    log_warn("token %s: whether it is still this node's cannot be looked up: %s",
             ring->slots[own].token, e->text);
    ret->slot = own;
    ret->unclaimed = *e;
    *e = ERR_INIT;
    return 0;
}

/* *ring is the choice's from then on when its slot is claimed. */
static int choose(struct config *config, struct ring_plan **ring, struct err *e)
{
    struct ring_here here;
    struct ring_choice found = {.slot = 0};
    if (check_size(config, *ring, e) != 0 || take_settings(config, *ring, e) != 0 ||
        ring_here_find(config, &here, e) != 0) {
        return -1;
    }
    if (strcmp(config->slot, "claim") == 0 ? claim_slot(config, *ring, &here, &found, e) != 0
                                           : find_slot(config, *ring, &found.slot, e) != 0 ||
                                                 check_zone(&here, *ring, found.slot, e) != 0) {
        return -1;
    }
    take_slot(config, *ring, found.slot);
    config->chosen->node = own(config, here.node);
    log_info("slot %zu of ring %.12s: token %s, rack %s", config->chosen->slot, (*ring)->id,
             config->chosen->token, config->chosen->rack);
    config->chosen->lease = found.lease;
    config->chosen->unclaimed = found.unclaimed;
    config->chosen->ring = found.lease == NULL ? NULL : TAKE_PTR(*ring);
    return 0;
}

int ring_slot_choose(struct config *config, struct err *e)
{
    ASSERT(config->ring != NULL && config->slot != NULL && config->chosen == NULL);
    struct ring_plan *ring = NULL;
    if (ring_store_load(config, config->ring, &ring, e) != 0) {
        return -1;
    }
    const int result = choose(config, &ring, e);
    ring_plan_free(ring);
    return result;
}

void ring_choice_free(struct ring_choice *choice)
{
    if (choice != NULL) {
        ring_lease_free(choice->lease);
        ring_plan_free(choice->ring);
        free(choice);
    }
}

int ring_slot_check(const struct ring_choice *choice, const struct plan *plan, struct err *e)
{
    ASSERT(plan->node_count == 1);
    const struct plan_node *node = &plan->nodes[0];
    if (strcmp(node->manifest_key, choice->manifest_key) == 0 &&
        strcmp(node->manifest_etag, choice->manifest_etag) == 0) {
        return 0;
    }
    err_set(e, ERR_REFUSED, "slot %zu: manifest '%s' is not what the ring's plan names, '%s'",
            choice->slot, node->manifest_key, choice->manifest_key);
    return err_hint(e, "make a new plan with 'penates ring plan' for all nodes");
}
