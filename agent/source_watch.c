#include "agent/source_watch.h"

#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/base/thread.h"

struct source_watch {
    /* set once */
    struct source face; /* first, for the casts below */
    struct source *inner;
    pthread_t thread;
    pthread_cond_t changed; /* end_ms or stopping */

    /* under lock */
    pthread_mutex_t lock;
    uint64_t end_ms; /* on the monotonic clock; UINT64_MAX: no time is set */
    uint64_t entries;
    bool is_up, stopping;
};

struct watched_list {
    struct source_watch *watch;
    s3_entry_fn *fn;
    void *ctx;
};

static struct source_watch *watch_of(struct source *source)
{
    return (struct source_watch *)source;
}

static int on_entry(void *ctx, const struct s3_entry *entry, struct err *e)
{
    const struct watched_list *const list = (const struct watched_list *)ctx;
    mutex_lock(&list->watch->lock);
    list->watch->entries++;
    mutex_unlock(&list->watch->lock);
    return list->fn(list->ctx, entry, e);
}

static int watch_list(struct source *source, const struct s3_list *list, s3_entry_fn *fn, void *ctx,
                      struct err *e)
{
    struct watched_list watched = {.watch = watch_of(source), .fn = fn, .ctx = ctx};
    return source_list(watch_of(source)->inner, list, on_entry, &watched, e);
}

static void watch_get(struct source *source, struct s3_get *get)
{
    source_get(watch_of(source)->inner, get);
}

static void watch_cancel(struct source *source)
{
    source_cancel(watch_of(source)->inner);
}

static struct s3_stats watch_stats(struct source *source)
{
    return source_stats(watch_of(source)->inner);
}

/* Waits with no time set, or for its end. */
static void wait_locked(struct source_watch *watch, uint64_t now_ms)
{
    if (watch->end_ms == UINT64_MAX) {
        cond_wait(&watch->changed, &watch->lock);
    } else {
        (void)cond_wait_ms(&watch->changed, &watch->lock, watch->end_ms - now_ms);
    }
}

static void *run(void *arg)
{
    struct source_watch *const watch = (struct source_watch *)arg;
    mutex_lock(&watch->lock);
    while (!watch->stopping && !watch->is_up) {
        const uint64_t now_ms = clock_mono_ms();
        watch->is_up = now_ms >= watch->end_ms;
        if (!watch->is_up) {
            wait_locked(watch, now_ms);
        }
    }
    const bool is_up = watch->is_up;
    mutex_unlock(&watch->lock);
    if (is_up) {
        source_cancel(watch->inner);
    }
    return NULL;
}

static void watch_free(struct source *source)
{
    struct source_watch *const watch = watch_of(source);
    mutex_lock(&watch->lock);
    watch->stopping = true;
    cond_signal(&watch->changed);
    mutex_unlock(&watch->lock);
    thread_join(watch->thread);
    source_free(watch->inner);
    cond_done(&watch->changed);
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
    ASSERT(inner != NULL && inner->ops != &OPS);
    struct source_watch *watch = (struct source_watch *)xcalloc(1, sizeof(*watch));
    watch->face.ops = &OPS;
    watch->face.name = xstrdup(inner->name);
    watch->face.base = xstrdup(inner->base);
    watch->inner = inner;
    watch->end_ms = UINT64_MAX;
    mutex_init(&watch->lock);
    cond_init(&watch->changed);
    watch->thread = thread_start(run, watch, "penates-watch");
    return &watch->face;
}

static void set_end(struct source_watch *watch, uint64_t end_ms)
{
    mutex_lock(&watch->lock);
    watch->end_ms = end_ms;
    cond_signal(&watch->changed);
    mutex_unlock(&watch->lock);
}

void source_watch_begin(struct source *source, uint64_t within_ms)
{
    set_end(watch_of(source), clock_mono_ms() + within_ms);
}

void source_watch_end(struct source *source)
{
    set_end(watch_of(source), UINT64_MAX);
}

bool source_watch_is_up(struct source *source)
{
    struct source_watch *const watch = watch_of(source);
    mutex_lock(&watch->lock);
    const bool is_up = watch->is_up;
    mutex_unlock(&watch->lock);
    return is_up;
}

uint64_t source_watch_entries(struct source *source)
{
    struct source_watch *const watch = watch_of(source);
    mutex_lock(&watch->lock);
    const uint64_t entries = watch->entries;
    mutex_unlock(&watch->lock);
    return entries;
}
