#include "agent/restore_point.h"

#include <inttypes.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/candidates.h"
#include "agent/fan_out.h"
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

/* One snapshot under judgement. */
struct judgement {
    const struct catalog_manifest *manifest;
    const struct marks *there; /* of the node, or the own ones below */
    struct marks own;          /* v1: of the snapshot's minute */
    struct restore_point point;
    struct buf missing_first;
    struct err trouble; /* why the manifest cannot be used */
    char why_not[64];
};

/* Snapshots that are judged at once: each waits for its listing and its manifest, and takes a part
 * and its marks of --memory. */
enum { WAVE_MAX = 4 };

struct finding {
    /* set once */
    const struct config *config;
    struct source *source;
    restore_point_fn *fn;
    void *ctx;

    /* of the node at hand */
    const struct catalog_node *node;
    struct marks marks; /* v2: of all its objects */
    struct judgement wave[WAVE_MAX];
};

struct listing {
    const char *base;
    struct marks *marks;
};

static int on_object(void *ctx, const struct s3_entry *entry, struct err *e)
{
    const struct listing *listing = (const struct listing *)ctx;
    struct backup_key key;
    const char *why;
    if (!backup_key_parse(listing->base, entry->key, &key, &why)) {
        return 0; /* no manifest can name it either */
    }
    return add_mark(listing->marks, &key, entry->size, e);
}

static int list_objects(const struct finding *finding, const char *folder, struct marks *marks,
                        struct err *e)
{
    autofree char *prefix = xasprintf("%s%s/", finding->node->prefix, folder);
    struct listing listing = {.base = finding->source->base, .marks = marks};
    return source_list(finding->source, &(struct s3_list){.prefix = prefix}, on_object, &listing,
                       e);
}

/* The minute's folder is the one that META/ lies in. */
static int list_snapshot(const struct finding *finding, struct judgement *judgement, struct err *e)
{
    char minute[TIME_TEXT_SIZE];
    const int64_t key_ms = judgement->manifest->time_ms - finding->config->selection.v1_offset_ms;
    autofree char *folder = xasprintf("%s/SNAP", format_minute(key_ms, minute));
    clear_marks(&judgement->own);
    return list_objects(finding, folder, &judgement->own, e);
}

struct naming {
    const struct selection *selection;
    struct judgement *judgement;
};

static bool is_selected(const struct selection *selection, const struct backup_key *key)
{
    const struct slice dir = key->table_dir;
    autofree char *keyspace = xstrndup((const char *)key->keyspace.data, key->keyspace.size);
    autofree char *table_dir = xstrndup((const char *)dir.data, dir.size);
    const char *why;
    return selection_takes_table(selection, keyspace, table_dir, &why);
}

static int on_named(void *ctx, const struct manifest_file *file, struct err *e)
{
    (void)e; /* nothing here fails */
    const struct naming *naming = (const struct naming *)ctx;
    struct judgement *judgement = naming->judgement;
    struct restore_point *point = &judgement->point;
    if (!is_selected(naming->selection, &file->key)) {
        return 0;
    }
    point->files++;
    if (file->plain_size != PLAN_SIZE_UNKNOWN) {
        point->plain_known = true;
        point->plain_bytes += file->plain_size;
    }
    const struct mark *mark = find_mark(judgement->there, hash_of(&file->key));
    if (mark->hash != 0) {
        point->stored_bytes += mark->size;
    } else if (point->missing++ == 0) {
        buf_clear(&judgement->missing_first);
        (void)buf_append_str(&judgement->missing_first, file->whole); /* a key fits */
    }
    return 0;
}

/* What is wrong with one manifest, as against what stops the whole search. */
static bool is_about_manifest(enum err_kind kind)
{
    return kind == ERR_CORRUPT || kind == ERR_LIMIT || kind == ERR_REFUSED ||
           kind == ERR_NOT_FOUND || kind == ERR_CHANGED;
}

/* From several threads at once, each with a judgement of its own. */
static int judge(void *ctx, size_t index, struct err *e)
{
    struct finding *finding = (struct finding *)ctx;
    struct judgement *judgement = &finding->wave[index];
    struct restore_point *point = &judgement->point;
    *point = (struct restore_point){.node = finding->node,
                                    .manifest_key = judgement->manifest->key,
                                    .time_ms = judgement->manifest->time_ms,
                                    .missing_first = "",
                                    .why_not = ""};
    judgement->there = finding->node->v2 ? &finding->marks : &judgement->own;
    if (!finding->node->v2 && list_snapshot(finding, judgement, e) < 0) {
        return -1;
    }
    struct naming naming = {.selection = &finding->config->selection, .judgement = judgement};
    judgement->trouble = ERR_INIT;
    const int result =
        manifest_read(finding->config, finding->source, finding->node, judgement->manifest,
                      on_named, &naming, NULL, &judgement->trouble);
    point->missing_first = point->missing > 0 ? buf_str(&judgement->missing_first) : "";
    if (result < 0 && !is_about_manifest(judgement->trouble.kind)) {
        *e = judgement->trouble;
        return -1;
    }
    if (result < 0) {
        point->why_not = judgement->trouble.text;
    } else if (point->missing > 0) {
        (void)snprintf(judgement->why_not, sizeof(judgement->why_not),
                       "%" PRIu64 " of its objects are missing", point->missing); /* fits */
        point->why_not = judgement->why_not;
    }
    point->complete = result == 0 && point->missing == 0;
    return 0;
}

static int judge_all(struct finding *finding, const struct catalog_manifests *manifests,
                     struct err *e)
{
    for (size_t first = 0, count; first < manifests->count; first += count) {
        const size_t left = manifests->count - first;
        count = left < WAVE_MAX ? left : WAVE_MAX;
        for (size_t i = 0; i < count; i++) {
            finding->wave[i].manifest = &manifests->items[first + i];
        }
        if (fan_out(count, judge, finding, e) < 0) {
            return -1;
        }
        for (size_t i = 0; i < count; i++) {
            if (finding->fn(finding->ctx, &finding->wave[i].point, e) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

static int find_of_node(struct finding *finding, const struct catalog_node *node, struct err *e)
{
    struct catalog_manifests manifests = {0};
    if (catalog_find_manifests(node, finding->source, 0, INT64_MAX, 0,
                               finding->config->selection.v1_offset_ms, &manifests, e) < 0) {
        return -1;
    }
    finding->node = node;
    clear_marks(&finding->marks);
    int result = 0;
    if (node->v2 && manifests.count > 0) {
        result = list_objects(finding, "SST_V2", &finding->marks, e);
        if (result == 0) {
            result = list_objects(finding, "SECONDARY_INDEX_V2", &finding->marks, e);
        }
    }
    if (result == 0) {
        result = judge_all(finding, &manifests, e);
    }
    catalog_manifests_done(&manifests);
    return result;
}

static void finding_done(struct finding *finding)
{
    free(finding->marks.items);
    for (size_t i = 0; i < WAVE_MAX; i++) {
        free(finding->wave[i].own.items);
        buf_done(&finding->wave[i].missing_first);
    }
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
                              .marks = {.bytes_max = config->memory}};
    for (size_t i = 0; i < WAVE_MAX; i++) {
        finding.wave[i].own.bytes_max = config->memory / WAVE_MAX;
        finding.wave[i].missing_first = BUF_INIT(KEY_SIZE_MAX);
    }
    int result = 0;
    for (size_t i = 0; result == 0 && i < catalog->count; i++) {
        if (selection_takes_token(&config->selection, catalog->nodes[i].token)) {
            result = find_of_node(&finding, &catalog->nodes[i], e);
        }
    }
    finding_done(&finding);
    catalog_free(catalog);
    return result;
}
