#include <inttypes.h>

#include "agent/backup_key.h"
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/catalog.h"
#include "agent/fan_out.h"

enum {
    MINUTE_SIZE = 12, /* yyyyMMddHHmm */
    /* Seven years with something in every minute. */
    MINUTES_MAX = 4000000,
    MANIFESTS_MAX = 1000000,
    /* Minutes asked for their META/ at once: few while one manifest may be enough, for most minutes
     * hold incrementals only; more and more when those had none. */
    BATCH_FIRST = 16,
    BATCH_MAX = 1024,
};

/* Two days: a daily snapshot lies in them. */
#define STEP_FIRST_MS (INT64_C(2) * 24 * 60 * 60 * 1000)

static void manifest_done(struct catalog_manifest *manifest)
{
    free(manifest->key);
    free(manifest->version_id);
}

void catalog_manifests_done(struct catalog_manifests *manifests)
{
    for (size_t i = 0; i < manifests->count; i++) {
        manifest_done(&manifests->items[i]);
    }
    free(manifests->items);
    *manifests = (struct catalog_manifests){0};
}

static bool ends_with(struct slice text, const char *end)
{
    const size_t size = strlen(end);
    return text.size >= size && slice_is(slice_of(text.data + text.size - size, size), end);
}

static int manifest_fill(struct catalog_manifest *manifest, const struct s3_entry *entry,
                         int64_t time_ms, struct err *e)
{
    const size_t etag_size = strlen(entry->etag);
    if (etag_size >= sizeof(manifest->etag)) {
        return err_set(e, ERR_LIMIT, "'%s': has an ETag of %zu bytes", entry->key, etag_size);
    }
    *manifest = (struct catalog_manifest){
        .key = xstrdup(entry->key),
        .version_id = xstrdup(entry->version_id),
        .size = entry->size,
        .time_ms = time_ms,
        .archive = archive_of_listing(entry->storage_class, entry->size, entry->modified_ms,
                                      clock_wall_ms()),
    };
    memcpy(manifest->etag, entry->etag, etag_size + 1);
    return 0;
}

/* Grown in powers of two, so no capacity is kept. Takes what `manifest` owns. */
static void manifests_add(struct catalog_manifests *list, const struct catalog_manifest *manifest)
{
    if ((list->count & (list->count - 1)) == 0) {
        const size_t capacity = list->count == 0 ? 1 : list->count * 2;
        list->items = xrealloc(list->items, capacity, sizeof(*list->items));
    }
    list->items[list->count++] = *manifest;
}

/* v1 */

struct minute_listing {
    size_t prefix_size;
    int64_t from_ms, to_ms;
    struct catalog_minutes *found;
};

static int take_minute(void *ctx, const struct s3_entry *entry, struct err *e)
{
    struct minute_listing *listing = (struct minute_listing *)ctx;
    struct catalog_minutes *found = listing->found;
    int64_t ms;
    if (!entry->is_folder || strlen(entry->key) != listing->prefix_size + MINUTE_SIZE + 1 ||
        !parse_minute_ms(entry->key + listing->prefix_size, MINUTE_SIZE, &ms) ||
        ms < listing->from_ms) {
        return 0;
    }
    if (ms > listing->to_ms) {
        return 1; /* twelve digits sort as numbers do */
    }
    if (found->count == MINUTES_MAX) {
        (void)err_set(e, ERR_LIMIT, "'%s': is one of more than %d minutes", entry->key,
                      (int)MINUTES_MAX);
        return err_hint(e, "narrow the time with --range");
    }
    if (found->count == found->capacity) {
        found->capacity = found->capacity == 0 ? 1024 : found->capacity * 2;
        found->at_ms = xrealloc(found->at_ms, found->capacity, sizeof(*found->at_ms));
    }
    found->at_ms[found->count++] = ms;
    return 0;
}

int catalog_find_minutes(const struct catalog_node *node, struct source *source, int64_t from_ms,
                         int64_t to_ms, struct catalog_minutes *ret, struct err *e)
{
    ASSERT(!node->v2);
    struct minute_listing listing = {
        .prefix_size = strlen(node->prefix), .from_ms = from_ms, .to_ms = to_ms, .found = ret};
    ret->count = 0;
    autofree char *start_after = NULL;
    if (from_ms > 0) {
        /* The bare minute sorts before all keys below it. */
        char text[TIME_TEXT_SIZE];
        start_after = xasprintf("%s%s", node->prefix, format_minute(from_ms, text));
    }
    const struct s3_list list = {
        .prefix = node->prefix, .start_after = start_after, .by_folder = true};
    return source_list(source, &list, take_minute, &listing, e);
}

/* Some minutes, each asked whether it has a manifest. */
struct batch {
    const struct catalog_node *node;
    struct source *source;
    int64_t offset_ms;
    const int64_t *minutes;         /* ends before this */
    struct catalog_manifest *found; /* one a minute, newest first; key NULL: none */
};

struct minute_search {
    const struct batch *batch;
    struct catalog_manifest *found;
};

static int take_meta(void *ctx, const struct s3_entry *entry, struct err *e)
{
    struct minute_search *search = (struct minute_search *)ctx;
    struct backup_key key;
    const char *why;
    if (!backup_key_parse(search->batch->source->base, entry->key, &key, &why)) {
        log_debug("'%s': %s", entry->key, why);
        return 0;
    }
    /* The others are audit files of incrementals (priam spec 3.3). */
    static const char MANIFEST[] = "meta.json";
    if (key.kind != KEY_META || key.file.size != sizeof(MANIFEST) - 1 ||
        strncasecmp((const char *)key.file.data, MANIFEST, key.file.size) != 0) {
        return 0;
    }
    const int64_t time_ms = key.time_ms + search->batch->offset_ms;
    return manifest_fill(search->found, entry, time_ms, e) != 0 ? -1 : 1;
}

static int search_minute(void *ctx, size_t index, struct err *e)
{
    const struct batch *batch = (const struct batch *)ctx;
    struct minute_search search = {.batch = batch, .found = &batch->found[index]};
    char text[TIME_TEXT_SIZE];
    autofree char *prefix = xasprintf("%s%s/META/", batch->node->prefix,
                                      format_minute(*(batch->minutes - 1 - index), text));
    return source_list(batch->source, &(struct s3_list){.prefix = prefix}, take_meta, &search, e);
}

/* Adds what the minutes of one batch have, newest first; also on failure, so that nothing is lost
 * to free. */
static int search_batch(struct batch *batch, size_t count, struct catalog_manifests *ret,
                        struct err *e)
{
    batch->found = xcalloc(count, sizeof(*batch->found));
    const int result = fan_out(count, search_minute, batch, e);
    for (size_t i = 0; i < count; i++) {
        if (batch->found[i].key != NULL) {
            manifests_add(ret, &batch->found[i]);
        }
    }
    free(batch->found);
    return result;
}

/* a - b, held at the ends of the range. */
static int64_t subtract_time(int64_t a, int64_t b)
{
    int64_t difference;
    if (__builtin_sub_overflow(a, b, &difference)) {
        return a < 0 ? INT64_MIN : INT64_MAX;
    }
    return difference;
}

/* Looks through the minutes, from the last one on, until enough are found. */
static int search_minutes(struct batch *batch, const struct catalog_minutes *minutes, size_t most,
                          struct catalog_manifests *ret, struct err *e)
{
    size_t batch_size = BATCH_FIRST;
    for (size_t left = minutes->count; left > 0 && (most == 0 || ret->count < most);) {
        const size_t count = left < batch_size ? left : batch_size;
        batch->minutes = minutes->at_ms + left;
        if (search_batch(batch, count, ret, e) != 0) {
            return -1;
        }
        left -= count;
        batch_size = batch_size < BATCH_MAX ? batch_size * 2 : batch_size;
    }
    return 0;
}

/* The newest are wanted of what may be years: goes back in steps that grow, not from the start. */
static int find_v1(const struct catalog_node *node, struct source *source, int64_t from_ms,
                   int64_t to_ms, size_t most, int64_t offset_ms, struct catalog_manifests *ret,
                   struct err *e)
{
    struct batch batch = {.node = node, .source = source, .offset_ms = offset_ms};
    struct catalog_minutes minutes = {0};
    const int64_t now_ms = clock_wall_ms();
    int64_t step_ms = most == 0 ? INT64_MAX : STEP_FIRST_MS;
    int64_t anchor_ms = to_ms < now_ms ? to_ms : now_ms;
    int result = 0;
    for (bool more = true; result == 0 && more;) {
        const int64_t back_ms = subtract_time(anchor_ms, step_ms);
        const int64_t start_ms = back_ms > from_ms ? back_ms : from_ms;
        result = catalog_find_minutes(node, source, start_ms, to_ms, &minutes, e);
        if (result == 0) {
            result = search_minutes(&batch, &minutes, most, ret, e);
        }
        more = start_ms > from_ms && start_ms > 0 && ret->count < most;
        anchor_ms = start_ms;
        to_ms = start_ms - 1;
        step_ms = step_ms < INT64_MAX / 4 ? step_ms * 4 : INT64_MAX;
    }
    free(minutes.at_ms);
    return result;
}

/* v2 */

struct metas {
    const char *base;
    int64_t from_ms, to_ms;
    struct catalog_manifests *found;
};

static int take_meta_v2(void *ctx, const struct s3_entry *entry, struct err *e)
{
    static const char START[] = "meta_v2_";
    const struct metas *metas = (const struct metas *)ctx;
    struct backup_key key;
    const char *why;
    if (!backup_key_parse(metas->base, entry->key, &key, &why)) {
        log_debug("'%s': %s", entry->key, why);
        return 0;
    }
    if (key.kind != KEY_META_V2 || !ends_with(key.file, ".json") ||
        strncmp((const char *)key.file.data, START, sizeof(START) - 1) != 0 ||
        key.time_ms < metas->from_ms) {
        return 0;
    }
    if (key.time_ms > metas->to_ms) {
        return backup_key_is_sorted_ms(key.time_ms) ? 1 : 0;
    }
    if (metas->found->count == MANIFESTS_MAX) {
        return err_set(e, ERR_LIMIT, "'%s': is one of more than %d manifests", entry->key,
                       (int)MANIFESTS_MAX);
    }
    struct catalog_manifest manifest;
    if (manifest_fill(&manifest, entry, key.time_ms, e) != 0) {
        return -1;
    }
    manifests_add(metas->found, &manifest);
    return 0;
}

static int find_v2(const struct catalog_node *node, struct source *source, int64_t from_ms,
                   int64_t to_ms, struct catalog_manifests *ret, struct err *e)
{
    autofree char *prefix = xasprintf("%sMETA_V2/", node->prefix);
    autofree char *start_after = NULL;
    if (backup_key_is_sorted_ms(from_ms)) {
        start_after = xasprintf("%s%" PRId64, prefix, from_ms);
    }
    struct metas metas = {.base = source->base, .from_ms = from_ms, .to_ms = to_ms, .found = ret};
    const struct s3_list list = {.prefix = prefix, .start_after = start_after};
    return source_list(source, &list, take_meta_v2, &metas, e);
}

static int newest_first(const void *left, const void *right)
{
    const struct catalog_manifest *a = (const struct catalog_manifest *)left;
    const struct catalog_manifest *b = (const struct catalog_manifest *)right;
    const int order = (a->time_ms < b->time_ms) - (a->time_ms > b->time_ms);
    return order != 0 ? order : strcmp(b->key, a->key);
}

static void keep_newest(struct catalog_manifests *manifests, size_t most)
{
    if (manifests->count > 1) {
        qsort(manifests->items, manifests->count, sizeof(*manifests->items), newest_first);
    }
    while (most > 0 && manifests->count > most) {
        manifest_done(&manifests->items[--manifests->count]);
    }
}

int catalog_find_manifests(const struct catalog_node *node, struct source *source, int64_t from_ms,
                           int64_t to_ms, size_t most, int64_t v1_offset_ms,
                           struct catalog_manifests *ret, struct err *e)
{
    ASSERT(node->prefix != NULL && source->base != NULL);
    struct catalog_manifests found = {0};
    const int result =
        node->v2 ? find_v2(node, source, from_ms, to_ms, &found, e)
                 : find_v1(node, source, subtract_time(from_ms, v1_offset_ms),
                           subtract_time(to_ms, v1_offset_ms), most, v1_offset_ms, &found, e);
    if (result != 0) {
        catalog_manifests_done(&found);
        return -1;
    }
    keep_newest(&found, most);
    *ret = found;
    return 0;
}
