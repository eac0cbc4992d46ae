#include "agent/ring/ring_make.h"

#include <arpa/inet.h>
#include <string.h>

#include "agent/backup_key.h"
#include "agent/base/clock.h"
#include "agent/base/parse.h"
#include "agent/catalog.h"
#include "agent/plan.h"
#include "agent/ring/ring_check.h"
#include "agent/ring/ring_identities.h"
#include "agent/ring/ring_store.h"

/* Priam makes a snapshot a day and uploads incrementals all the time: who is two days behind the
 * others was no longer there. */
#define BEHIND_MAX_MS (INT64_C(2) * 24 * 60 * 60 * 1000)

struct making {
    const struct config *config;
    struct source *source;
    struct ring_identities identities; /* count 0: none were given */
    struct ring_plan *ring;
};

static const char *keep(struct making *making, const char *text)
{
    return arena_intern(making->ring->strings, text, strlen(text));
}

static void add_slot(struct making *making, const struct plan *plan)
{
    struct ring_plan *ring = making->ring;
    const struct plan_node *node = &plan->nodes[0];
    ASSERT(plan->node_count == 1);
    const char *identity = ring_identities_rack(&making->identities, node->token);
    ring->slots =
        (struct ring_slot *)xrealloc(ring->slots, ring->slot_count + 1, sizeof(*ring->slots));
    ring->slots[ring->slot_count++] = (struct ring_slot){
        .rack = keep(making, identity != NULL ? identity : node->rack),
        .token = keep(making, node->token),
        .region = node->region[0] == '\0' ? NULL : keep(making, node->region),
        .manifest_key = keep(making, node->manifest_key),
        .manifest_etag = keep(making, node->manifest_etag),
        .time_ms = node->snapshot_ms,
        .newest_ms = node->newest_ms,
        .until_ms = node->until_ms,
        .files = plan->file_count,
        .stored_bytes = plan->stored_bytes,
        .plain_bytes = plan->plain_bytes,
    };
}

/* An incomplete restore point of a living node is the operator's decision, not ours: it fails. */
static int plan_token(struct making *making, const struct catalog_node *node, struct err *e)
{
    if (making->identities.count > 0 &&
        ring_identities_rack(&making->identities, node->token) == NULL) {
        ring_plan_leave_out(making->ring, node->token, "is not among the identities");
        return 0;
    }
    struct config config = *making->config;
    const char *token = node->token;
    config.selection.tokens = (struct name_list){.names = &token, .count = 1};
    config.selection.all_tokens = false;
    config.selection.cluster = node->cluster;
    struct plan *plan = NULL;
    const int built = plan_build(&config, making->source, &plan, e);
    if (built == 0) {
        add_slot(making, plan);
    }
    const bool absent = built != 0 && plan == NULL && e->kind == ERR_NO_BACKUP;
    plan_free(plan);
    if (!absent || making->config->selection.tokens.count > 0) {
        return built;
    }
    ring_plan_leave_out(making->ring, node->token, e->text);
    *e = ERR_INIT;
    return 0;
}

/* Nodes come by cluster, region and token, a token of both dialects twice in a row. */
static int check_one_ring(const struct catalog *catalog, struct err *e)
{
    const char *region = "";
    for (size_t i = 0; i < catalog->count; i++) {
        const struct catalog_node *node = &catalog->nodes[i];
        if (strcmp(node->cluster, catalog->nodes[0].cluster) != 0) {
            err_set(e, ERR_CONFIG, "--cluster: the backup has '%s' and '%s', and none was chosen",
                    catalog->nodes[0].cluster, node->cluster);
            return err_hint(e, "choose with --cluster NAME");
        }
        if (region[0] != '\0' && node->region[0] != '\0' && strcmp(region, node->region) != 0) {
            err_set(e, ERR_CONFIG,
                    "--source-region: the backup has '%s' and '%s', and none was chosen", region,
                    node->region);
            return err_hint(e, "make a plan for each, with --source-region REGION");
        }
        region = node->region[0] != '\0' ? node->region : region;
    }
    return 0;
}

static int compare_slots(const void *a, const void *b)
{
    return backup_key_token_compare(((const struct ring_slot *)a)->token,
                                    ((const struct ring_slot *)b)->token);
}

static void sort_slots(struct ring_plan *ring)
{
    qsort(ring->slots, ring->slot_count, sizeof(*ring->slots), compare_slots);
}

static int plan_tokens(struct making *making, struct err *e)
{
    struct catalog *catalog = NULL;
    if (catalog_find_nodes(&making->config->selection, making->source, &catalog, e) != 0) {
        return -1;
    }
    ASSERT(catalog->count > 0);
    int result = check_one_ring(catalog, e);
    if (result == 0) {
        making->ring->cluster = keep(making, catalog->nodes[0].cluster);
    }
    for (size_t i = 0; result == 0 && i < catalog->count; i++) {
        if (!selection_takes_token(&making->config->selection, catalog->nodes[i].token)) {
            continue;
        }
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++) {
            seen = strcmp(catalog->nodes[k].token, catalog->nodes[i].token) == 0;
        }
        result = seen ? 0 : plan_token(making, &catalog->nodes[i], e);
    }
    catalog_free(catalog);
    return result;
}

/* Of nodes that are long gone. */
static void leave_out_old(struct making *making)
{
    struct ring_plan *ring = making->ring;
    if (ring->slot_count == 0 || making->config->selection.tokens.count > 0) {
        return;
    }
    const int64_t newest_ms = ring_plan_states(ring).newest_ms;
    size_t kept = 0;
    for (size_t i = 0; i < ring->slot_count; i++) {
        const struct ring_slot *slot = &ring->slots[i];
        if (newest_ms - slot->newest_ms <= BEHIND_MAX_MS) {
            ring->slots[kept++] = *slot;
            continue;
        }
        char at[TIME_TEXT_SIZE];
        autofree char *why =
            xasprintf("its newest state, of %s, is more than two days behind the ring's",
                      format_time(slot->newest_ms, at));
        ring_plan_leave_out(ring, slot->token, why);
    }
    ring->slot_count = kept;
}

static void note_without_backup(struct making *making)
{
    const struct ring_identities *all = &making->identities;
    struct ring_plan *ring = making->ring;
    for (size_t i = 0; i < all->count; i++) {
        bool found = false;
        for (size_t k = 0; k < ring->slot_count && !found; k++) {
            found = backup_key_token_compare(ring->slots[k].token, all->items[i].token) == 0;
        }
        for (size_t k = 0; k < ring->left_out_count && !found; k++) {
            found = backup_key_token_compare(ring->left_out[k].token, all->items[i].token) == 0;
        }
        if (!found) {
            ring_plan_leave_out(ring, all->items[i].token, "has an identity and no backup");
        }
    }
}

/* "RACK=ZONE": what follows the name; NULL: another name. */
static const char *value_of(const char *pair, const char *name)
{
    const size_t size = strlen(name);
    return strncmp(pair, name, size) == 0 && pair[size] == '=' ? pair + size + 1 : NULL;
}

/* v1 does not tell racks; then they are those of --rack-zone, in Priam's order. */
static int assume_racks(struct making *making, struct err *e)
{
    struct ring_plan *ring = making->ring;
    const struct name_list *named = &making->config->rack_zones;
    size_t unknown = 0;
    for (size_t i = 0; i < ring->slot_count; i++) {
        unknown += ring->slots[i].rack[0] == '\0';
    }
    if (unknown == 0) {
        return 0;
    }
    if (named->count == 0 || unknown < ring->slot_count) {
        err_set(e, ERR_CONFIG, "--rack-zone: the backup does not tell the rack of %zu tokens",
                unknown);
        return err_hint(e, "name all racks in Priam's order with --rack-zone RACK=ZONE, or give "
                           "--identities");
    }
    for (size_t i = 0; i < ring->slot_count; i++) {
        const char *pair = named->names[i % named->count];
        ring->slots[i].rack = arena_intern(ring->strings, pair, (size_t)(strchr(pair, '=') - pair));
    }
    ring_plan_warn(ring, ring->slots[0].token,
                   "the backup does not tell racks: they are assumed to be %zu, in the order of "
                   "--rack-zone",
                   named->count);
    return 0;
}

static int compare_racks(const void *a, const void *b)
{
    return strcmp(((const struct ring_rack *)a)->rack, ((const struct ring_rack *)b)->rack);
}

static void collect_racks(struct making *making)
{
    struct ring_plan *ring = making->ring;
    const struct name_list *named = &making->config->rack_zones;
    ring->racks = (struct ring_rack *)xcalloc(ring->slot_count, sizeof(*ring->racks));
    for (size_t i = 0; i < ring->slot_count; i++) {
        const char *rack = ring->slots[i].rack;
        if (ring_plan_has_rack(ring, rack)) {
            continue;
        }
        const char *zone = rack; /* as Priam has it */
        for (size_t k = 0; k < named->count; k++) {
            const char *value = value_of(named->names[k], rack);
            zone = value == NULL ? zone : keep(making, value);
        }
        ring->racks[ring->rack_count++] = (struct ring_rack){.rack = rack, .zone = zone};
    }
    qsort(ring->racks, ring->rack_count, sizeof(*ring->racks), compare_racks);
}

static int check_rack_zones(const struct making *making, struct err *e)
{
    const struct name_list *named = &making->config->rack_zones;
    for (size_t i = 0; i < named->count; i++) {
        const char *pair = named->names[i];
        autofree char *rack = xstrndup(pair, (size_t)(strchr(pair, '=') - pair));
        if (!ring_plan_has_rack(making->ring, rack)) {
            return err_set(e, ERR_CONFIG, "--rack-zone %s: the ring has no such rack", pair);
        }
    }
    return 0;
}

static int set_ips(struct making *making, struct err *e)
{
    const struct name_list *named = &making->config->slot_ips;
    for (size_t i = 0; i < named->count; i++) {
        const char *pair = named->names[i];
        const char *equals = strchr(pair, '=');
        uint64_t slot;
        struct in6_addr address;
        if (!parse_u64(pair, (size_t)(equals - pair), &slot) || slot >= making->ring->slot_count) {
            return err_set(e, ERR_CONFIG, "--slot-ip %s: slots go from 0 to %zu", pair,
                           making->ring->slot_count - 1);
        }
        if (inet_pton(AF_INET, equals + 1, &address) != 1 &&
            inet_pton(AF_INET6, equals + 1, &address) != 1) {
            return err_set(e, ERR_CONFIG, "--slot-ip %s: is no address", pair);
        }
        for (size_t k = 0; k < making->ring->slot_count; k++) {
            const char *other = making->ring->slots[k].ip;
            if (k != slot && other != NULL && strcmp(other, equals + 1) == 0) {
                return err_set(e, ERR_CONFIG, "--slot-ip %s: slot %zu has this address", pair, k);
            }
        }
        making->ring->slots[slot].ip = keep(making, equals + 1);
    }
    return 0;
}

static int read_identities(struct making *making, struct err *e)
{
    const char *path = making->config->identities;
    autobuf struct buf text = BUF_INIT(RING_PLAN_SIZE_MAX);
    if (path == NULL) {
        return 0;
    }
    return ring_store_read_file(path, &text, e) != 0
               ? -1
               : ring_identities_read(path, slice_of(buf_str(&text), text.size),
                                      making->config->selection.cluster, &making->identities, e);
}

static int make(struct making *making, struct err *e)
{
    if (read_identities(making, e) != 0 || plan_tokens(making, e) != 0) {
        return -1;
    }
    leave_out_old(making);
    note_without_backup(making);
    if (making->ring->slot_count == 0) {
        return err_set(e, ERR_NO_BACKUP, "'%s': no token of cluster '%s' has a restore point",
                       making->source->name, making->ring->cluster);
    }
    sort_slots(making->ring);
    if (assume_racks(making, e) != 0) {
        return -1;
    }
    collect_racks(making);
    if (check_rack_zones(making, e) != 0 || set_ips(making, e) != 0) {
        return -1;
    }
    ring_check(making->ring);
    return 0;
}

int ring_make(const struct config *config, struct source *source, struct ring_plan **ret,
              struct err *e)
{
    ASSERT(config != NULL && source != NULL);
    struct making making = {.config = config, .source = source, .ring = ring_plan_new()};
    making.ring->source = keep(&making, source->name);
    making.ring->created_ms = clock_wall_ms() / 1000 * 1000;
    const int result = make(&making, e);
    ring_identities_done(&making.identities);
    if (result != 0) {
        ring_plan_free(making.ring);
        return -1;
    }
    *ret = making.ring;
    return 0;
}
