#include "tests/unit/memory_source.h"

#include <inttypes.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/thread.h"

struct object {
    char *key, *content;
    char etag[24];
    const char *storage_class;
};

struct memory_source {
    struct source source; /* first: the face that others see */
    /* The table is made by one thread, then read by many; only the first reader may sort it. */
    pthread_mutex_t lock;
    struct object *objects;
    size_t count, capacity;
    bool sorted;
    uint64_t listed;
    struct s3_stats stats;
};

static struct memory_source *memory_of(struct source *source)
{
    return (struct memory_source *)source;
}

static int compare_objects(const void *a, const void *b)
{
    return strcmp(((const struct object *)a)->key, ((const struct object *)b)->key);
}

/* The first object whose key is not before `key`. */
static size_t lower_bound(struct memory_source *memory, const char *key)
{
    if (!memory->sorted) {
        qsort(memory->objects, memory->count, sizeof(*memory->objects), compare_objects);
        memory->sorted = true;
    }
    size_t low = 0;
    for (size_t high = memory->count; low < high;) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(memory->objects[middle].key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct object *find(struct memory_source *memory, const char *key)
{
    const size_t at = lower_bound(memory, key);
    return at < memory->count && strcmp(memory->objects[at].key, key) == 0 ? &memory->objects[at]
                                                                           : NULL;
}

static struct object *must_find(struct source *source, const char *key)
{
    struct object *object = find(memory_of(source), key);
    ASSERT(object != NULL);
    return object;
}

static int list(struct source *source, const struct s3_list *list, s3_entry_fn *fn, void *ctx,
                struct err *e)
{
    struct memory_source *memory = memory_of(source);
    const size_t prefix_size = strlen(list->prefix);
    mutex_lock(&memory->lock);
    memory->stats.requests++;
    const size_t first = lower_bound(memory, list->prefix); /* may sort */
    mutex_unlock(&memory->lock);
    char folder[1025] = "";
    for (size_t i = first; i < memory->count; i++) {
        const struct object *object = &memory->objects[i];
        if (strncmp(object->key, list->prefix, prefix_size) != 0) {
            break;
        }
        if (list->start_after != NULL && strcmp(object->key, list->start_after) <= 0) {
            continue;
        }
        struct s3_entry entry = {.key = object->key,
                                 .size = strlen(object->content),
                                 .etag = object->etag,
                                 .storage_class = object->storage_class,
                                 .version_id = ""};
        const char *slash = strchr(object->key + prefix_size, '/');
        if (list->by_folder && slash != NULL) {
            const size_t size = (size_t)(slash + 1 - object->key);
            if (strncmp(folder, object->key, size) == 0 && folder[size] == '\0') {
                continue;
            }
            ASSERT(size < sizeof(folder));
            memcpy(folder, object->key, size);
            folder[size] = '\0';
            entry = (struct s3_entry){.key = folder, .is_folder = true};
        }
        mutex_lock(&memory->lock);
        memory->listed++;
        mutex_unlock(&memory->lock);
        const int result = fn(ctx, &entry, e);
        if (result != 0) {
            return result < 0 ? -1 : 0;
        }
    }
    return 0;
}

static void get(struct source *source, struct s3_get *get)
{
    struct memory_source *memory = memory_of(source);
    mutex_lock(&memory->lock);
    memory->stats.requests++;
    const struct object *object = find(memory, get->key);
    mutex_unlock(&memory->lock);
    if (object == NULL) {
        (void)err_set(&get->err, ERR_NOT_FOUND, "'%s': is not there", get->key);
    } else if (get->etag != NULL && get->etag[0] != '\0' && strcmp(get->etag, object->etag) != 0) {
        (void)err_set(&get->err, ERR_CHANGED, "'%s': is another one", get->key);
    } else if (get->head) {
        get->content_length = strlen(object->content);
        get->copy_until_ms = -1;
    } else {
        const size_t size = strlen(object->content);
        ASSERT(get->object_size == size && get->offset + get->size <= size && get->size > 0);
        memcpy(get->into, object->content + get->offset, get->size);
    }
    get->done(get);
}

static void cancel(struct source *source)
{
    (void)source; /* nothing is ever under way */
}

static struct s3_stats read_stats(struct source *source)
{
    struct memory_source *memory = memory_of(source);
    mutex_lock(&memory->lock);
    const struct s3_stats stats = memory->stats;
    mutex_unlock(&memory->lock);
    return stats;
}

static void free_memory(struct source *source)
{
    struct memory_source *memory = memory_of(source);
    for (size_t i = 0; i < memory->count; i++) {
        free(memory->objects[i].key);
        free(memory->objects[i].content);
    }
    free(memory->objects);
    mutex_done(&memory->lock);
    free(memory); /* source_free has freed the names */
}

struct source *memory_source_new(const char *base)
{
    static const struct source_ops OPS = {
        .list = list, .get = get, .cancel = cancel, .stats = read_stats, .free = free_memory};
    struct memory_source *memory = (struct memory_source *)xcalloc(1, sizeof(*memory));
    const size_t base_size = strlen(base);
    memory->source = (struct source){
        .ops = &OPS,
        .name = xasprintf("s3://memory/%.*s", base_size == 0 ? 0 : (int)base_size - 1, base),
        .base = xstrdup(base)};
    memory->sorted = true;
    mutex_init(&memory->lock);
    return &memory->source;
}

void memory_source_put(struct source *source, const char *key, const char *content)
{
    struct memory_source *memory = memory_of(source);
    /* Keys that come in order are not looked for: that keeps large backups fast to make. */
    const bool last = memory->sorted && memory->count > 0 &&
                      strcmp(memory->objects[memory->count - 1].key, key) < 0;
    struct object *object = last ? NULL : find(memory, key);
    if (object == NULL) {
        if (memory->count == memory->capacity) {
            memory->capacity = memory->capacity == 0 ? 64 : memory->capacity * 2;
            memory->objects = (struct object *)xrealloc(memory->objects, memory->capacity,
                                                        sizeof(*memory->objects));
        }
        object = &memory->objects[memory->count++];
        *object = (struct object){.key = xstrdup(key), .storage_class = ""};
        memory->sorted = memory->sorted && (last || memory->count == 1);
    }
    free(object->content);
    object->content = xstrdup(content);
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *at = content; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
    }
    (void)snprintf(object->etag, sizeof(object->etag), "%016" PRIx64, hash);
}

void memory_source_remove(struct source *source, const char *key)
{
    struct memory_source *memory = memory_of(source);
    struct object *object = must_find(source, key);
    free(object->key);
    free(object->content);
    *object = memory->objects[--memory->count];
    memory->sorted = false;
}

void memory_source_archive(struct source *source, const char *key, const char *storage_class)
{
    must_find(source, key)->storage_class = storage_class;
}

void memory_source_set_etag(struct source *source, const char *key, const char *etag)
{
    struct object *object = must_find(source, key);
    (void)snprintf(object->etag, sizeof(object->etag), "%s", etag);
}

uint64_t memory_source_listed(const struct source *source)
{
    return ((const struct memory_source *)source)->listed;
}
