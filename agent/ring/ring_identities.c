#include "agent/ring/ring_identities.h"

#include <string.h>

#include "agent/backup_key.h"
#include "agent/ring/ring_tree.h"

/* {"Name": "token", "Value": "..."} of an item's list. */
static const char *attribute(yajl_val item, const char *name)
{
    const yajl_val list = ring_tree_array(item, "Attributes");
    for (size_t i = 0; list != NULL && i < list->u.array.len; i++) {
        const char *found = ring_tree_text(list->u.array.values[i], "Name");
        if (found != NULL && strcmp(found, name) == 0) {
            return ring_tree_text(list->u.array.values[i], "Value");
        }
    }
    return NULL;
}

static bool is_dead(const char *app)
{
    static const char TAIL[] = "-dead";
    const size_t size = strlen(app);
    return size >= strlen(TAIL) && strcmp(app + size - strlen(TAIL), TAIL) == 0;
}

static int add(struct ring_identities *to, yajl_val item, const char *cluster, struct err *e)
{
    const char *app = attribute(item, "appId");
    const char *token = attribute(item, "token");
    const char *rack = attribute(item, "availabilityZone");
    if (app == NULL || token == NULL || rack == NULL) {
        return err_set(e, ERR_CONFIG, "an item has no appId, token or availabilityZone");
    }
    if (cluster == NULL ? is_dead(app) : strcmp(app, cluster) != 0) {
        return 0;
    }
    if (ring_identities_rack(to, token) != NULL) {
        return err_set(e, ERR_CONFIG, "token %s: is that of two items", token);
    }
    to->items = (struct ring_identity *)xrealloc(to->items, to->count + 1, sizeof(*to->items));
    to->items[to->count++] =
        (struct ring_identity){.token = arena_intern(to->strings, token, strlen(token)),
                               .rack = arena_intern(to->strings, rack, strlen(rack))};
    return 0;
}

static int read_items(struct ring_identities *to, struct slice text, const char *cluster,
                      struct err *e)
{
    autotree yajl_val root = ring_tree_parse(text);
    const yajl_val items = root == NULL ? NULL : ring_tree_array(root, "Items");
    if (items == NULL) {
        err_set(e, ERR_CONFIG, "has no \"Items\"");
        return err_hint(e, "make it with: aws sdb select --output json --select-expression "
                           "\"select * from InstanceIdentity where appId='CLUSTER'\"");
    }
    for (size_t i = 0; i < items->u.array.len; i++) {
        if (add(to, items->u.array.values[i], cluster, e) != 0) {
            return -1;
        }
    }
    return to->count > 0 ? 0 : err_set(e, ERR_CONFIG, "has no identity of this cluster");
}

int ring_identities_read(const char *path, struct slice text, const char *cluster,
                         struct ring_identities *ret, struct err *e)
{
    struct ring_identities read = {.strings = arena_new()};
    if (read_items(&read, text, cluster, e) != 0) {
        ring_identities_done(&read);
        return err_wrap(e, "%s", path);
    }
    *ret = read;
    return 0;
}

void ring_identities_done(struct ring_identities *identities)
{
    free(identities->items);
    if (identities->strings != NULL) {
        arena_free(identities->strings);
    }
}

const char *ring_identities_rack(const struct ring_identities *identities, const char *token)
{
    for (size_t i = 0; i < identities->count; i++) {
        if (backup_key_token_compare(identities->items[i].token, token) == 0) {
            return identities->items[i].rack;
        }
    }
    return NULL;
}
