#include <string.h>

#include "agent/base/parse.h"
#include "agent/base/thread.h"
#include "agent/fan_out.h"
#include "agent/manifest_read.h"
#include "agent/plan_work.h"

/* True when what goes to the table's place is read by a loader or a running Cassandra: SSTables of
 * the table only, from which it builds indexes itself. */
static bool is_bare(const struct config *config, const struct candidate_dir *dir)
{
    return config->layout == LAYOUT_LOADER ||
           table_map_find(&config->map, dir->keyspace, dir->table_dir) != NULL;
}

static const char *why_left_out(const struct config *config, const struct candidate_dir *dir)
{
    const char *why = NULL;
    if (!selection_takes_table(&config->selection, dir->keyspace, dir->table_dir, &why)) {
        return why;
    }
    if (!is_bare(config, dir)) {
        return NULL;
    }
    if (dir->index_dir[0] != '\0') {
        return "index: built where it is loaded";
    }
    /* Their rows must not be streamed into a live cluster; with an --include list, what is taken
     * was named. */
    if (config->layout == LAYOUT_LOADER && selection_is_system(dir->keyspace) &&
        config->selection.include.count == 0) {
        return "system keyspace: not for a loader unless included by name";
    }
    return NULL;
}

static void meet(const struct name_list *list, const struct candidate_dir *dir, bool *met)
{
    for (size_t i = 0; i < list->count; i++) {
        met[i] |= selection_entry_matches(list->names[i], dir->keyspace, dir->table_dir);
    }
}

static uint32_t find_dir(struct plan_work *work, const struct backup_key *key)
{
    bool is_new;
    const uint32_t at = candidates_dir(&work->candidates, key, &is_new);
    struct candidate_dir *dir = work_dir(work, at);
    if (is_new) {
        meet(&work->config->selection.include, dir, work->met_include);
        meet(&work->config->selection.exclude, dir, work->met_exclude);
        dir->left_out = why_left_out(work->config, dir);
        work->index_filtered |= dir->left_out != NULL && dir->index_dir[0] != '\0';
    }
    return at;
}

/* "KS.TABLE" or "KS.TABLE/INDEX". */
static void skip(struct plan_work *work, uint32_t at, uint64_t bytes)
{
    struct candidate_dir *dir = work_dir(work, at);
    ASSERT(dir->left_out != NULL);
    if (dir->note == CANDIDATE_NONE) {
        autofree char *subject = xasprintf("%s.%s%s%s", dir->keyspace, dir->table,
                                           dir->index_dir[0] == '\0' ? "" : "/", dir->index_dir);
        dir->note = plan_notes_skipped(work->plan, subject, dir->left_out);
    }
    plan_notes_count(work->plan, dir->note, 1, bytes);
}

/* Of a table that is taken, files that its place has no use for. Up to Cassandra 2.1 index SSTables
 * lie with their table, as "ks-table.index-...". */
static bool is_unwanted(const struct plan_work *work, uint32_t dir, struct slice file)
{
    struct sstable_name name;
    return is_bare(work->config, work_dir(work, dir)) &&
           (!sstable_name_parse(file, &name) ||
            memchr(name.prefix.data, '.', name.prefix.size) != NULL);
}

/* What the manifest names */

enum { SAMPLED_EVERY = 64 };

struct manifest_span {
    struct plan_work *work;
    int64_t first_ms, last_ms; /* of the files to be found by listing; first > last: none */
    bool index;                /* it names index SSTables */
    uint64_t named;            /* files */
    int64_t *sampled_ms;       /* the time of each SAMPLED_EVERYth, taken or not */
    size_t sampled_count;
};

static void sample_time(struct manifest_span *span, int64_t ms)
{
    if (span->named++ % SAMPLED_EVERY == 0) {
        span->sampled_ms = (int64_t *)xrealloc(span->sampled_ms, span->sampled_count + 1,
                                               sizeof(*span->sampled_ms));
        span->sampled_ms[span->sampled_count++] = ms;
    }
}

static void note_newest(int64_t *newest_ms, int64_t ms)
{
    *newest_ms = ms > *newest_ms ? ms : *newest_ms;
}

static int on_manifest_file(void *ctx, const struct manifest_file *file, struct err *e)
{
    struct manifest_span *span = (struct manifest_span *)ctx;
    struct plan_work *work = span->work;
    const uint32_t dir = find_dir(work, &file->key);
    span->index |= file->key.kind == KEY_SECONDARY_INDEX_V2;
    sample_time(span, file->key.time_ms);
    if (work_dir(work, dir)->left_out != NULL) {
        skip(work, dir, file->plain_size);
        note_newest(&work_dir(work, dir)->left_out_ms, file->key.time_ms);
        return 0;
    }
    /* Old writers could name a file twice, and the two compressions of a file are one file. */
    if (is_unwanted(work, dir, file->key.file) ||
        candidates_find(&work->candidates, &file->key) != CANDIDATE_NONE) {
        return 0;
    }
    const uint32_t at = candidates_add(&work->candidates, &file->key, file->whole);
    work_candidate(work, at)->from_manifest = true;
    work_candidate(work, at)->plain_size = file->plain_size;
    work_dir(work, dir)->named = true;
    span->first_ms = file->key.time_ms < span->first_ms ? file->key.time_ms : span->first_ms;
    note_newest(&span->last_ms, file->key.time_ms);
    return plan_check_memory(work, e);
}

static int read_manifest(struct plan_work *work, struct manifest_span *span, struct err *e)
{
    const uint64_t before = source_stats(work->source).requests;
    char rack[MANIFEST_RACK_SIZE];
    if (manifest_read(work->config, work->source, work->choice->node,
                      &work->choice->manifests.items[0], on_manifest_file, span, rack, e) < 0) {
        return -1;
    }
    work->node->rack = arena_intern(work->plan->strings, rack, strlen(rack));
    work->manifest_requests += source_stats(work->source).requests - before;
    if (work->candidates.count == 0 && work->plan->skipped_count == 0) {
        plan_notes_warn(work->plan, work->node->manifest_key, 0, 0, "the manifest names no file");
    }
    return 0;
}

/* What the listing has */

struct listing {
    struct plan_work *work;
    int64_t first_ms, last_ms; /* what to look at, as in keys */
    bool ordered;              /* by time: enough is known past last_ms */
};

static const char *keep(struct plan_work *work, const char *text)
{
    return text[0] == '\0' ? "" : arena_add(work->plan->strings, text, strlen(text));
}

static void take_listed(struct plan_work *work, uint32_t at, const struct backup_key *key,
                        const struct s3_entry *entry)
{
    struct candidate *c = work_candidate(work, at);
    /* Of a file's two compressions the one that the manifest names is taken; of an incremental's
     * the smaller one, so that the choice does not hang on the order of the listing. */
    if (c->etag != NULL && key->claim != (enum codec_claim)c->claim_named &&
        (c->from_manifest || entry->size >= c->size)) {
        return;
    }
    candidates_move(&work->candidates, at, key, entry->key);
    c->etag = keep(work, entry->etag);
    c->version_id = keep(work, entry->version_id);
    c->size = entry->size;
    c->checksum = (uint8_t)entry->checksum;
    c->checksum_composite = entry->checksum_composite;
    c->archive =
        archive_of_listing(entry->storage_class, entry->size, entry->modified_ms, work->now_ms);
}

static bool is_incremental(const struct plan_work *work, const struct backup_key *key)
{
    return work->incrementals && key->kind != KEY_SNAP &&
           key->time_ms >= work->from_ms - PLAN_SPREAD_MS &&
           key->time_ms <= work->to_ms + PLAN_SPREAD_MS;
}

static int consider_locked(struct plan_work *work, const struct backup_key *key,
                           const struct s3_entry *entry, struct err *e)
{
    uint32_t at = candidates_find(&work->candidates, key);
    if (at != CANDIDATE_NONE) {
        take_listed(work, at, key, entry);
        return 0;
    }
    if (key->index_dir.size > 0 && key->time_ms <= work->to_ms) {
        (void)find_dir(work, key); /* plan_index compares it with what the manifest names */
    }
    if (!is_incremental(work, key)) {
        return 0;
    }
    const uint32_t dir = find_dir(work, key);
    if (work_dir(work, dir)->left_out != NULL) {
        /* Older ones were counted when the manifest named them. */
        if (key->time_ms >= work->from_ms && key->time_ms <= work->to_ms &&
            key->time_ms > work_dir(work, dir)->left_out_ms) {
            skip(work, dir, entry->size);
        }
        return 0;
    }
    struct sstable_name name;
    /* manifest.json and schema.cql belong to a snapshot (priam spec 11.1.6). */
    if (!sstable_name_parse(key->file, &name) || is_unwanted(work, dir, key->file)) {
        return 0;
    }
    at = candidates_add(&work->candidates, key, entry->key);
    work_candidate(work, at)->claim_named = UINT8_MAX; /* nobody named one */
    take_listed(work, at, key, entry);
    return plan_check_memory(work, e);
}

static void note_stray(struct plan_work *work, const struct s3_entry *entry, const char *why)
{
    mutex_lock(&work->lock);
    if (work->stray == 0 || strcmp(entry->key, work->stray_first) < 0) {
        work->stray_first = arena_add(work->plan->strings, entry->key, strlen(entry->key));
        work->stray_why = why;
    }
    work->stray++;
    work->stray_bytes += entry->size;
    mutex_unlock(&work->lock);
}

static int on_listed(void *ctx, const struct s3_entry *entry, struct err *e)
{
    const struct listing *listing = (const struct listing *)ctx;
    struct plan_work *work = listing->work;
    struct backup_key key;
    const char *why;
    if (!backup_key_parse(work->source->base, entry->key, &key, &why)) {
        note_stray(work, entry, why);
        return 0;
    }
    if (key.time_ms > listing->last_ms) {
        return listing->ordered && backup_key_is_sorted_ms(key.time_ms) ? 1 : 0;
    }
    if (key.time_ms < listing->first_ms) {
        return 0;
    }
    mutex_lock(&work->lock);
    const int result = consider_locked(work, &key, entry, e);
    mutex_unlock(&work->lock);
    return result;
}

/* What one chain of pages lists of a v2 node: a type between two times. */
struct stretch {
    const char *type;
    int64_t first_ms, last_ms;
};

struct stretches {
    struct plan_work *work;
    struct stretch *items;
    size_t count;
};

/* From just below the first time. */
static int list_stretch(void *ctx, size_t at, struct err *e)
{
    const struct stretches *stretches = (const struct stretches *)ctx;
    struct plan_work *work = stretches->work;
    const struct stretch *stretch = &stretches->items[at];
    autofree char *prefix = xasprintf("%s%s/", work->choice->node->prefix, stretch->type);
    autofree char *after = xasprintf("%s%lld", prefix, (long long)stretch->first_ms);
    const bool ordered = backup_key_is_sorted_ms(stretch->first_ms);
    struct listing listing = {.work = work,
                              .first_ms = stretch->first_ms,
                              .last_ms = stretch->last_ms,
                              .ordered = ordered};
    const struct s3_list list = {.prefix = prefix, .start_after = ordered ? after : NULL};
    return source_list(work->source, &list, on_listed, &listing, e);
}

static int compare_times(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* A listing is a chain: each page says where the next one begins, and the network is waited for
 * each time. But the manifest tells beforehand when its files were written, so the chain can be cut
 * there. About two pages each: an end costs up to one page that belongs to the next. */
enum { STRETCH_FILES = 2048 };

static void cut_stretch(struct stretches *stretches, const struct manifest_span *span)
{
    const size_t step = STRETCH_FILES / SAMPLED_EVERY;
    for (size_t i = step; i < span->sampled_count; i += step) {
        struct stretch *last = &stretches->items[stretches->count - 1];
        const int64_t cut_ms = span->sampled_ms[i];
        if (cut_ms > last->first_ms && cut_ms <= last->last_ms &&
            backup_key_is_sorted_ms(last->first_ms)) {
            stretches->items[stretches->count++] =
                (struct stretch){last->type, cut_ms, last->last_ms};
            last->last_ms = cut_ms - 1;
        }
    }
}

static int collect_v2(struct plan_work *work, const struct manifest_span *span, struct err *e)
{
    int64_t first_ms = span->first_ms;
    int64_t last_ms = span->last_ms;
    if (work->incrementals) {
        const int64_t window_first_ms = work->from_ms - PLAN_SPREAD_MS;
        const int64_t window_last_ms = work->to_ms + PLAN_SPREAD_MS;
        first_ms = window_first_ms < first_ms ? window_first_ms : first_ms;
        last_ms = window_last_ms > last_ms ? window_last_ms : last_ms;
    }
    if (first_ms > last_ms) {
        return 0;
    }
    autofree struct stretch *items =
        (struct stretch *)xcalloc(span->sampled_count + 2, sizeof(struct stretch));
    struct stretches stretches = {.work = work, .items = items};
    if (span->index || work->incrementals) {
        items[stretches.count++] = (struct stretch){"SECONDARY_INDEX_V2", first_ms, last_ms};
    }
    items[stretches.count++] = (struct stretch){"SST_V2", first_ms, last_ms};
    if (span->sampled_count > 0) {
        qsort(span->sampled_ms, span->sampled_count, sizeof(*span->sampled_ms), compare_times);
        cut_stretch(&stretches, span);
    }
    return fan_out(stretches.count, list_stretch, &stretches, e);
}

static int list_v1(struct plan_work *work, int64_t minute_ms, const char *type, struct err *e)
{
    char minute[TIME_TEXT_SIZE];
    autofree char *prefix =
        xasprintf("%s%s/%s/", work->choice->node->prefix, format_minute(minute_ms, minute), type);
    struct listing listing = {.work = work, .first_ms = minute_ms, .last_ms = minute_ms};
    const struct s3_list list = {.prefix = prefix};
    return source_list(work->source, &list, on_listed, &listing, e);
}

struct minute_walk {
    struct plan_work *work;
    struct catalog_minutes minutes; /* that may hold incrementals */
};

static int list_incrementals(void *ctx, size_t at, struct err *e)
{
    const struct minute_walk *walk = (const struct minute_walk *)ctx;
    return list_v1(walk->work, walk->minutes.at_ms[at], "SST", e);
}

static int collect_v1(struct plan_work *work, const struct manifest_span *span, struct err *e)
{
    if (span->first_ms <= span->last_ms && list_v1(work, work->snapshot_ms, "SNAP", e) < 0) {
        return -1;
    }
    if (!work->incrementals) {
        return 0;
    }
    struct minute_walk walk = {.work = work};
    int result =
        catalog_find_minutes(work->choice->node, work->source, work->from_ms - PLAN_SPREAD_MS,
                             work->to_ms + PLAN_SPREAD_MS, &walk.minutes, e);
    if (result == 0) {
        /* A day has up to 1,440 minutes, and each listing waits for the network. */
        result = fan_out(walk.minutes.count, list_incrementals, &walk, e);
    }
    free(walk.minutes.at_ms);
    return result;
}

static void count_missing(struct plan_work *work)
{
    autobuf struct buf key = BUF_INIT(2048);
    for (uint32_t i = 0; i < work->candidates.count; i++) {
        const struct candidate *c = work_candidate(work, i);
        if (c->from_manifest && c->etag == NULL) {
            buf_clear(&key);
            (void)buf_appendf(&key, "%s%s", c->key_folder, c->key_name); /* S3 keys fit */
            plan_notes_missing(work->plan, buf_str(&key), "named by the manifest, not there");
            work->node->missing++;
        }
    }
}

int plan_collect(struct plan_work *work, struct err *e)
{
    ASSERT(work->candidates.count == 0 && work->choice->manifests.count > 0);
    struct manifest_span span = {.work = work, .first_ms = INT64_MAX, .last_ms = INT64_MIN};
    int result = read_manifest(work, &span, e);
    if (result == 0) {
        result = work->choice->node->v2 ? collect_v2(work, &span, e) : collect_v1(work, &span, e);
    }
    free(span.sampled_ms);
    candidates_close(&work->candidates);
    if (result == 0) {
        count_missing(work);
    }
    return result;
}
