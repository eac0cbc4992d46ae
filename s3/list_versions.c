#include "s3/list_versions.h"

#include <string.h>

#include "agent/base/mem.h"

/* A version or a marker, its strings behind it. */
struct version {
    struct s3_entry entry;
    bool is_marker, is_latest;
    size_t rank;   /* in the listing */
    bool is_first; /* of the versions of its key, or of the markers */
    bool wins;
    char text[];
};

static const char *put_text(char **at, const char *text)
{
    const size_t size = strlen(text) + 1;
    char *const start = *at;
    memcpy(start, text, size);
    *at += size;
    return start;
}

static struct version *version_new(const struct list_record *record)
{
    const struct s3_entry *const entry = &record->entry;
    const char *const texts[] = {entry->key, entry->etag, entry->storage_class, entry->version_id};
    size_t size = 0;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        size += strlen(texts[i]) + 1;
    }
    struct version *version = xcalloc(1, sizeof(*version) + size);
    char *at = version->text;
    version->entry = *entry;
    version->entry.key = put_text(&at, entry->key);
    version->entry.etag = put_text(&at, entry->etag);
    version->entry.storage_class = put_text(&at, entry->storage_class);
    version->entry.version_id = put_text(&at, entry->version_id);
    version->is_marker = record->is_marker;
    version->is_latest = record->is_latest;
    ASSERT(at == version->text + size);
    return version;
}

void list_versions_done(struct list_versions *versions)
{
    for (size_t i = 0; i < versions->count; i++) {
        free(versions->items[i]);
    }
    free(versions->items);
    *versions = (struct list_versions){.count = 0};
}

/* Where versions are listed newest first, most need not be kept. */
static bool is_older(const struct list_versions *versions, const struct list_record *record)
{
    const struct version *last = versions->count == 0 ? NULL : versions->items[versions->count - 1];
    return last != NULL && last->is_marker == record->is_marker &&
           strcmp(last->entry.key, record->entry.key) == 0;
}

int list_versions_take(struct list_versions *versions, const struct list_record *record,
                       struct err *e)
{
    const struct s3_entry *const entry = &record->entry;
    ASSERT(versions->fn != NULL && entry->key != NULL);
    if (entry->is_folder) {
        return versions->fn(versions->ctx, entry, e);
    }
    if (entry->modified_ms < 0) {
        return err_set(e, ERR_CORRUPT, "listing: a version of '%.200s' without a readable time",
                       entry->key);
    }
    if (entry->modified_ms > versions->at_ms || is_older(versions, record)) {
        return 0;
    }
    if (versions->count == versions->capacity) {
        versions->capacity = versions->capacity == 0 ? 64 : versions->capacity * 2;
        versions->items =
            (struct version **)xrealloc(versions->items, versions->capacity, sizeof(void *));
    }
    versions->items[versions->count++] = version_new(record);
    return 0;
}

static int by_key_and_rank(const void *a, const void *b)
{
    const struct version *x = *(struct version *const *)a;
    const struct version *y = *(struct version *const *)b;
    const int order = strcmp(x->entry.key, y->entry.key);
    return order != 0 ? order : (x->rank > y->rank) - (x->rank < y->rank);
}

static bool is_newer(const struct version *a, const struct version *b)
{
    if (a->entry.modified_ms != b->entry.modified_ms) {
        return a->entry.modified_ms > b->entry.modified_ms;
    }
    return a->is_latest != b->is_latest ? a->is_latest : a->rank < b->rank;
}

/* All of one key, in the listing's order. */
static void decide_key(struct version *const *items, size_t count)
{
    struct version *object = NULL;
    struct version *marker = NULL;
    for (size_t i = 0; i < count; i++) {
        struct version **const first = items[i]->is_marker ? &marker : &object;
        items[i]->is_first = *first == NULL;
        *first = *first == NULL ? items[i] : *first;
    }
    if (object != NULL) {
        object->wins = marker == NULL || is_newer(object, marker);
    }
}

static void decide(const struct list_versions *versions)
{
    autofree struct version **sorted =
        (struct version **)xcalloc(versions->count + 1, sizeof(void *));
    for (size_t i = 0; i < versions->count; i++) {
        versions->items[i]->rank = i;
        versions->items[i]->wins = false;
        sorted[i] = versions->items[i];
    }
    qsort((void *)sorted, versions->count, sizeof(void *), by_key_and_rank);
    for (size_t from = 0, to = 0; from < versions->count; from = to) {
        while (to < versions->count &&
               strcmp(sorted[to]->entry.key, sorted[from]->entry.key) == 0) {
            to++;
        }
        decide_key(sorted + from, to - from);
    }
}

int list_versions_end_page(struct list_versions *versions, const char *open, struct err *e)
{
    ASSERT(open != NULL);
    decide(versions);
    const size_t count = versions->count;
    int outcome = 0;
    versions->count = 0;
    for (size_t i = 0; i < count; i++) {
        struct version *version = versions->items[i];
        const bool is_open = strcmp(version->entry.key, open) == 0;
        if (is_open && version->is_first) {
            versions->items[versions->count++] = version;
            continue;
        }
        if (outcome == 0 && version->wins && !is_open) {
            outcome = versions->fn(versions->ctx, &version->entry, e);
        }
        free(version);
    }
    return outcome;
}
