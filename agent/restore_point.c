#include "agent/restore_point.h"

#include <inttypes.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/candidates.h"
#include "agent/manifest_read.h"
#include "agent/plan.h"

enum { MARKS_MIN = 1024, KEY_SIZE_MAX = 1024 };

/* An object that is there, as a number: to count what is missing, 64 bits tell 100 million objects
 * apart but for one chance in 3,000. A plan compares names. */
struct mark {
    uint64_t hash; /* 0: free */
    uint64_t size;
};

/* Open addressing, a power of two, at most half full. */
struct marks {
    struct mark *items;
    size_t size, count;
    uint64_t bytes_max;
};

static struct mark *find_mark(const struct marks *marks, uint64_t hash)
{
    size_t at = (size_t)hash & (marks->size - 1);
    while (marks->items[at].hash != 0 && marks->items[at].hash != hash) {
        at = (at + 1) & (marks->size - 1);
    }
    return &marks->items[at];
}

static void resize(struct marks *marks, size_t size)
{
    const struct marks old = *marks;
    marks->size = size;
    marks->items = (struct mark *)xcalloc(size, sizeof(*marks->items));
    for (size_t i = 0; i < old.size; i++) {
        if (old.items[i].hash != 0) {
            *find_mark(marks, old.items[i].hash) = old.items[i];
        }
    }
    free(old.items);
}

static void clear_marks(struct marks *marks)
{
    free(marks->items);
    marks->items = NULL;
    marks->size = marks->count = 0;
    resize(marks, MARKS_MIN);
}

static uint64_t hash_of(const struct backup_key *key)
{
    const uint64_t hash = candidates_hash(key);
    return hash == 0 ? 1 : hash;
}

static int add_mark(struct marks *marks, const struct backup_key *key, uint64_t size, struct err *e)
{
    if (marks->count >= marks->size / 2) {
        if (marks->size * sizeof(struct mark) > marks->bytes_max / 3) {
            (void)err_set(e, ERR_LIMIT, "token %.*s has more than %zu objects",
                          (int)key->token.size, (const char *)key->token.data, marks->count);
            return err_hint(e, "give it more with --memory");
        }
        resize(marks, marks->size * 2);
    }
    struct mark *mark = find_mark(marks, hash_of(key));
    if (mark->hash == 0) {
        *mark = (struct mark){.hash = hash_of(key), .size = size};
        marks->count++;
    }
    return 0;
}

struct finding {
    const struct config *config;
    struct source *source;
    restore_point_fn *fn;
    void *ctx;
    struct marks marks;
    struct restore_point *point; /* the one at hand */
    struct buf missing_first;
};

static int on_object(void *ctx, const struct s3_entry *entry, struct err *e)
{
    struct finding *finding = (struct finding *)ctx;
    struct backup_key key;
    const char *why;
    if (!backup_key_parse(finding->source->base, entry->key, &key, &why)) {
        return 0; /* no manifest can name it either */
    }
    return add_mark(&finding->marks, &key, entry->size, e);
}

static int list_objects(struct finding *finding, const char *node_prefix, const char *folder,
                        struct err *e)
{
    autofree char *prefix = xasprintf("%s%s/", node_prefix, folder);
    return source_list(finding->source, &(struct s3_list){.prefix = prefix}, on_object, finding, e);
}

static bool is_selected(const struct finding *finding, const struct backup_key *key)
{
    const struct slice name = backup_key_table_name(key->table_dir);
    autofree char *keyspace = xstrndup((const char *)key->keyspace.data, key->keyspace.size);
    autofree char *table = xstrndup((const char *)name.data, name.size);
    const char *why;
    return selection_takes_table(&finding->config->selection, keyspace, table, &why);
}

static int on_named(void *ctx, const struct manifest_file *file, struct err *e)
{
    (void)e; /* nothing here fails */
    struct finding *finding = (struct finding *)ctx;
    struct restore_point *point = finding->point;
    if (!is_selected(finding, &file->key)) {
        return 0;
    }
    point->files++;
    if (file->plain_size != PLAN_SIZE_UNKNOWN) {
        point->plain_known = true;
        point->plain_bytes += file->plain_size;
    }
    const struct mark *mark = find_mark(&finding->marks, hash_of(&file->key));
    if (mark->hash != 0) {
        point->stored_bytes += mark->size;
    } else if (point->missing++ == 0) {
        buf_clear(&finding->missing_first);
        (void)buf_append_str(&finding->missing_first, file->whole); /* a key fits */
    }
    return 0;
}

/* What is wrong with one manifest, as against what stops the whole search. */
static bool is_about_manifest(enum err_kind kind)
{
    return kind == ERR_CORRUPT || kind == ERR_LIMIT || kind == ERR_REFUSED ||
           kind == ERR_NOT_FOUND || kind == ERR_CHANGED;
}

static int judge(struct finding *finding, const struct catalog_node *node,
                 const struct catalog_manifest *manifest, struct err *e)
{
    struct restore_point point = {.node = node,
                                  .manifest_key = manifest->key,
                                  .time_ms = manifest->time_ms,
                                  .missing_first = "",
                                  .why_not = ""};
    char missing[64];
    struct err trouble = ERR_INIT;
    finding->point = &point;
    if (manifest_read(finding->config, finding->source, node, manifest, on_named, finding,
                      &trouble) < 0) {
        if (!is_about_manifest(trouble.kind)) {
            *e = trouble;
            return -1;
        }
        point.why_not = trouble.text;
    } else if (point.missing > 0) {
        (void)snprintf(missing, sizeof(missing), "%" PRIu64 " of its objects are missing",
                       point.missing); /* fits */
        point.why_not = missing;
        point.missing_first = buf_str(&finding->missing_first);
    } else {
        point.complete = true;
    }
    return finding->fn(finding->ctx, &point, e);
}

/* The minute's folder is the one that META/ lies in. */
static int list_snapshot(struct finding *finding, const struct catalog_node *node,
                         const struct catalog_manifest *manifest, struct err *e)
{
    char minute[TIME_TEXT_SIZE];
    const int64_t key_ms = manifest->time_ms - finding->config->selection.v1_offset_ms;
    autofree char *folder = xasprintf("%s/SNAP", format_minute(key_ms, minute));
    clear_marks(&finding->marks);
    return list_objects(finding, node->prefix, folder, e);
}

static int find_of_node(struct finding *finding, const struct catalog_node *node, struct err *e)
{
    struct catalog_manifests manifests = {0};
    if (catalog_find_manifests(node, finding->source, 0, INT64_MAX, 0,
                               finding->config->selection.v1_offset_ms, &manifests, e) < 0) {
        return -1;
    }
    clear_marks(&finding->marks);
    int result = 0;
    if (node->v2 && manifests.count > 0) {
        result = list_objects(finding, node->prefix, "SST_V2", e);
        if (result == 0) {
            result = list_objects(finding, node->prefix, "SECONDARY_INDEX_V2", e);
        }
    }
    for (size_t i = 0; result == 0 && i < manifests.count; i++) {
        if (!node->v2) {
            result = list_snapshot(finding, node, &manifests.items[i], e);
        }
        if (result == 0) {
            result = judge(finding, node, &manifests.items[i], e);
        }
    }
    catalog_manifests_done(&manifests);
    return result;
}

int restore_points_find(const struct config *config, struct source *source, restore_point_fn *fn,
                        void *ctx, struct err *e)
{
    ASSERT(config != NULL && source != NULL && fn != NULL);
    struct catalog *catalog;
    if (catalog_find_nodes(&config->selection, source, &catalog, e) < 0) {
        return -1;
    }
    struct finding finding = {.config = config,
                              .source = source,
                              .fn = fn,
                              .ctx = ctx,
                              .marks = {.bytes_max = config->memory},
                              .missing_first = BUF_INIT(KEY_SIZE_MAX)};
    int result = 0;
    for (size_t i = 0; result == 0 && i < catalog->count; i++) {
        if (selection_takes_token(&config->selection, catalog->nodes[i].token)) {
            result = find_of_node(&finding, &catalog->nodes[i], e);
        }
    }
    free(finding.marks.items);
    buf_done(&finding.missing_first);
    catalog_free(catalog);
    return result;
}
