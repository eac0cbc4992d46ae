#include "agent/catalog_search.h"

#include "agent/backup_key.h"
#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/fan_out.h"
#include "agent/folder_list.h"

/* One folder that may hold the tokens of a cluster. The largest known users of Priam have some
 * hundreds of clusters; ten thousand listings take about 20 seconds. */
enum { PLACES_MAX = 10000, NODES_MAX = 100000 };

struct place {
    bool v2;
    const char *cluster, *region; /* the catalog's */
    const char *prefix;           /* the catalog's; ends in '/' */
    struct folder_list tokens;
};

struct search {
    const struct selection *selection;
    struct source *source;
    struct catalog *catalog; /* its nodes are candidates until they are proven */
    struct place *places;
    size_t place_count, place_capacity;
    bool *proven; /* of each candidate */
};

static const char *add_text(struct search *search, const char *text, size_t size)
{
    return arena_intern(search->catalog->strings, text, size);
}

static int add_place(struct search *search, bool v2, struct slice cluster, const char *region,
                     const char *prefix, struct err *e)
{
    if (search->place_count == PLACES_MAX) {
        (void)err_set(e, ERR_LIMIT, "%s: holds more than %d folders that could be clusters",
                      search->source->name, (int)PLACES_MAX);
        return err_hint(e, "name the cluster with --cluster and check the base in SOURCE");
    }
    if (search->place_count == search->place_capacity) {
        search->place_capacity = search->place_capacity == 0 ? 16 : search->place_capacity * 2;
        search->places = xrealloc(search->places, search->place_capacity, sizeof(*search->places));
    }
    search->places[search->place_count++] = (struct place){
        .v2 = v2,
        .cluster = add_text(search, (const char *)cluster.data, cluster.size),
        .region = add_text(search, region, strlen(region)),
        .prefix = add_text(search, prefix, strlen(prefix)),
    };
    return 0;
}

/* The clusters of one v1 region. */
static int find_region(struct search *search, const char *base, const char *region, struct err *e)
{
    const struct selection *selection = search->selection;
    autofree char *prefix = xasprintf("%s%s/", base, region);
    struct folder_list clusters = {0};
    int result = 0;
    if (selection->cluster != NULL) {
        folder_list_add(&clusters, selection->cluster, strlen(selection->cluster));
    } else {
        result = folder_list_read(&clusters, search->source, prefix, e);
    }
    for (size_t i = 0; result == 0 && i < clusters.count; i++) {
        const char *cluster = clusters.names[i];
        autofree char *place = xasprintf("%s%s/", prefix, cluster);
        result = add_place(search, false, slice_of(cluster, strlen(cluster)), region, place, e);
    }
    folder_list_done(&clusters);
    return result;
}

/* A folder of the base is a v2 cluster or a v1 region: the hash tells. */
static int find_folder(struct search *search, const char *base, const char *name, struct err *e)
{
    const struct selection *selection = search->selection;
    struct slice cluster;
    if (backup_key_hashed_cluster(slice_of(name, strlen(name)), &cluster)) {
        const bool wanted = selection->format != DIALECT_V1 &&
                            (selection->cluster == NULL || slice_is(cluster, selection->cluster));
        autofree char *prefix = xasprintf("%s%s/", base, name);
        return wanted ? add_place(search, true, cluster, "", prefix, e) : 0;
    }
    const bool wanted =
        selection->format != DIALECT_V2 &&
        (selection->source_region == NULL || strcmp(name, selection->source_region) == 0);
    return wanted ? find_region(search, base, name, e) : 0;
}

/* The folders of the base that matter; named without a listing where the selection names them. */
static int list_base(const struct search *search, const char *base, struct folder_list *ret,
                     struct err *e)
{
    const struct selection *selection = search->selection;
    const char *cluster = selection->cluster;
    const char *region = selection->source_region;
    const bool v1 = selection->format != DIALECT_V2;
    const bool v2 = selection->format != DIALECT_V1;
    if ((v1 && region == NULL) || (v2 && cluster == NULL)) {
        return folder_list_read(ret, search->source, base, e);
    }
    if (v2) {
        autofree char *name =
            xasprintf("%d_%s", backup_key_cluster_hash(cluster, strlen(cluster)), cluster);
        folder_list_add(ret, name, strlen(name));
    }
    if (v1) {
        folder_list_add(ret, region, strlen(region));
    }
    return 0;
}

static int list_tokens(void *ctx, size_t index, struct err *e)
{
    const struct search *search = (const struct search *)ctx;
    struct place *place = &search->places[index];
    return folder_list_read(&place->tokens, search->source, place->prefix, e);
}

static bool is_token(const char *name)
{
    const char *digits = name + (name[0] == '-');
    return digits[0] != '\0' && digits[strspn(digits, "0123456789")] == '\0';
}

static bool has_token(const struct place *place, const char *wanted)
{
    for (size_t i = 0; i < place->tokens.count; i++) {
        if (backup_key_token_compare(place->tokens.names[i], wanted) == 0) {
            return true;
        }
    }
    return false;
}

/* Where all tokens are that --token names, the others need no proof. Elsewhere they get it, to be
 * named. */
static bool has_all_wanted(const struct selection *selection, const struct place *place)
{
    for (size_t i = 0; i < selection->tokens.count; i++) {
        if (!has_token(place, selection->tokens.names[i])) {
            return false;
        }
    }
    return true;
}

static void add_place_candidates(struct search *search, const struct place *place)
{
    struct catalog *catalog = search->catalog;
    const bool only_wanted = has_all_wanted(search->selection, place);
    for (size_t i = 0; i < place->tokens.count; i++) {
        const char *token = place->tokens.names[i];
        if (!is_token(token) || (only_wanted && !selection_takes_token(search->selection, token))) {
            continue;
        }
        autofree char *prefix = xasprintf("%s%s/", place->prefix, token);
        catalog->nodes[catalog->count++] = (struct catalog_node){
            .v2 = place->v2,
            .cluster = place->cluster,
            .region = place->region,
            .token = add_text(search, token, strlen(token)),
            .prefix = add_text(search, prefix, strlen(prefix)),
        };
    }
}

static int add_candidates(struct search *search, struct err *e)
{
    struct catalog *catalog = search->catalog;
    size_t total = 0;
    for (size_t i = 0; i < search->place_count; i++) {
        total += search->places[i].tokens.count;
    }
    if (total > NODES_MAX) {
        (void)err_set(e, ERR_LIMIT, "%s: holds more than %d folders that could be nodes",
                      search->source->name, (int)NODES_MAX);
        return err_hint(e, "name the cluster with --cluster and check the base in SOURCE");
    }
    catalog->nodes = xcalloc(total + 1, sizeof(*catalog->nodes));
    for (size_t i = 0; i < search->place_count; i++) {
        add_place_candidates(search, &search->places[i]);
    }
    ASSERT(catalog->count <= total);
    return 0;
}

struct proof {
    const struct catalog_node *node;
    bool found;
};

static int prove_entry(void *ctx, const struct s3_entry *entry, struct err *e)
{
    (void)e;
    struct proof *proof = (struct proof *)ctx;
    const size_t prefix_size = strlen(proof->node->prefix);
    const size_t size = strlen(entry->key);
    if (!entry->is_folder || size < prefix_size + 2) {
        return 0;
    }
    const char *name = entry->key + prefix_size;
    const size_t name_size = size - prefix_size - 1;
    if (proof->node->v2) {
        /* Priam writes index SSTables below the v2 prefix even in v1 mode (priam spec 1.7), so
         * SECONDARY_INDEX_V2 alone is no v2 backup. */
        const struct slice type = slice_of(name, name_size);
        proof->found = slice_is(type, "META_V2") || slice_is(type, "SST_V2");
    } else {
        int64_t ms;
        proof->found = parse_minute_ms(name, name_size, &ms);
    }
    return proof->found ? 1 : 0;
}

static int prove_candidate(void *ctx, size_t index, struct err *e)
{
    const struct search *search = (const struct search *)ctx;
    struct proof proof = {.node = &search->catalog->nodes[index]};
    const struct s3_list list = {.prefix = proof.node->prefix, .by_folder = true};
    if (source_list(search->source, &list, prove_entry, &proof, e) != 0) {
        return -1;
    }
    search->proven[index] = proof.found;
    return 0;
}

static int compare_nodes(const void *left, const void *right)
{
    const struct catalog_node *a = (const struct catalog_node *)left;
    const struct catalog_node *b = (const struct catalog_node *)right;
    int order = strcmp(a->cluster, b->cluster);
    if (order == 0) {
        order = strcmp(a->region, b->region);
    }
    if (order == 0) {
        order = backup_key_token_compare(a->token, b->token);
    }
    return order != 0 ? order : (int)a->v2 - (int)b->v2;
}

static int prove_candidates(struct search *search, struct err *e)
{
    struct catalog *catalog = search->catalog;
    search->proven = xcalloc(catalog->count + 1, sizeof(*search->proven));
    if (fan_out(catalog->count, prove_candidate, search, e) != 0) {
        return -1;
    }
    size_t kept = 0;
    for (size_t i = 0; i < catalog->count; i++) {
        if (search->proven[i]) {
            catalog->nodes[kept++] = catalog->nodes[i];
        }
    }
    catalog->count = kept;
    if (kept > 1) {
        qsort(catalog->nodes, kept, sizeof(*catalog->nodes), compare_nodes);
    }
    return 0;
}

static int run(struct search *search, const char *base, struct err *e)
{
    struct folder_list folders = {0};
    int result = list_base(search, base, &folders, e);
    for (size_t i = 0; result == 0 && i < folders.count; i++) {
        result = find_folder(search, base, folders.names[i], e);
    }
    folder_list_done(&folders);
    if (result != 0 || fan_out(search->place_count, list_tokens, search, e) != 0 ||
        add_candidates(search, e) != 0) {
        return -1;
    }
    return prove_candidates(search, e);
}

int catalog_search(const struct selection *selection, struct source *source, const char *base,
                   struct catalog **ret, struct err *e)
{
    struct catalog *catalog = xcalloc(1, sizeof(*catalog));
    catalog->strings = arena_new();
    struct search search = {.selection = selection, .source = source, .catalog = catalog};
    const int result = run(&search, base, e);
    for (size_t i = 0; i < search.place_count; i++) {
        folder_list_done(&search.places[i].tokens);
    }
    free(search.places);
    free(search.proven);
    if (result != 0) {
        catalog_free(catalog);
        return -1;
    }
    *ret = catalog;
    return 0;
}
