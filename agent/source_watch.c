#include "agent/source_watch.h"

#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/base/thread.h"

struct source_watch {
    /* set once */
    struct source face; /* first, for the casts below */
    struct source *inner;

    /* while no listing is under way */
    uint64_t end_ms;

    /* under lock: catalogs list several folders at a time */
    pthread_mutex_t lock;
    uint64_t entries;
    bool ended;
};

struct watched_list {
    struct source_watch *watch;
    const char *prefix;
    s3_entry_fn *fn;
    void *ctx;
};

static int on_entry(void *ctx, const struct s3_entry *entry, struct err *e)
{
    struct watched_list *const list = ctx;
    struct source_watch *const watch = list->watch;
    const bool late = clock_mono_ms() >= watch->end_ms;
    mutex_lock(&watch->lock);
    watch->entries++;
    watch->ended = watch->ended || late;
    mutex_unlock(&watch->lock);
    return late ? err_set(e, ERR_LIMIT, "list %s: not at its end in time", list->prefix)
                : list->fn(list->ctx, entry, e);
}

static int watch_list(struct source *source, const struct s3_list *list, s3_entry_fn *fn, void *ctx,
                      struct err *e)
{
    struct source_watch *const watch = (struct source_watch *)source;
    struct watched_list watched = {.watch = watch, .prefix = list->prefix, .fn = fn, .ctx = ctx};
    return source_list(watch->inner, list, on_entry, &watched, e);
}

static void watch_get(struct source *source, struct s3_get *get)
{
    source_get(((struct source_watch *)source)->inner, get);
}

static void watch_cancel(struct source *source)
{
    source_cancel(((struct source_watch *)source)->inner);
}

static struct s3_stats watch_stats(struct source *source)
{
    return source_stats(((struct source_watch *)source)->inner);
}

static void watch_free(struct source *source)
{
    struct source_watch *const watch = (struct source_watch *)source;
    source_free(watch->inner);
    mutex_done(&watch->lock);
    free(watch);
}

struct source *source_watch_new(struct source *inner)
{
    static const struct source_ops OPS = {.list = watch_list,
                                          .get = watch_get,
                                          .cancel = watch_cancel,
                                          .stats = watch_stats,
                                          .free = watch_free};
    ASSERT(inner != NULL);
    struct source_watch *watch = (struct source_watch *)xcalloc(1, sizeof(*watch));
    watch->face.ops = &OPS;
    watch->face.name = xstrdup(inner->name);
    watch->face.base = xstrdup(inner->base);
    watch->inner = inner;
    watch->end_ms = UINT64_MAX;
    mutex_init(&watch->lock);
    return &watch->face;
}

void source_watch_until(struct source *source, uint64_t mono_ms)
{
    struct source_watch *const watch = (struct source_watch *)source;
    mutex_lock(&watch->lock);
    watch->end_ms = mono_ms;
    watch->ended = false;
    mutex_unlock(&watch->lock);
}

bool source_watch_ended(struct source *source)
{
    struct source_watch *const watch = (struct source_watch *)source;
    mutex_lock(&watch->lock);
    const bool ended = watch->ended;
    mutex_unlock(&watch->lock);
    return ended;
}

uint64_t source_watch_entries(struct source *source)
{
    struct source_watch *const watch = (struct source_watch *)source;
    mutex_lock(&watch->lock);
    const uint64_t entries = watch->entries;
    mutex_unlock(&watch->lock);
    return entries;
}
