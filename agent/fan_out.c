#include "agent/fan_out.h"

#include "agent/base/thread.h"

enum { THREADS_MAX = 16 };

struct fan {
    /* set once */
    fan_out_fn *fn;
    void *ctx;
    size_t count;

    /* under lock */
    pthread_mutex_t lock;
    size_t next;
    size_t failed_at; /* count: no failure */
    struct err err;
};

static bool fan_take(struct fan *fan, size_t *ret_index)
{
    mutex_lock(&fan->lock);
    const bool more = fan->next < fan->count && fan->failed_at == fan->count;
    if (more) {
        *ret_index = fan->next++;
    }
    mutex_unlock(&fan->lock);
    return more;
}

static void fan_fail(struct fan *fan, size_t index, const struct err *err)
{
    mutex_lock(&fan->lock);
    if (index < fan->failed_at) {
        fan->failed_at = index;
        fan->err = *err;
    }
    mutex_unlock(&fan->lock);
}

static void *fan_run(void *arg)
{
    struct fan *fan = (struct fan *)arg;
    size_t index;
    while (fan_take(fan, &index)) {
        struct err err = ERR_INIT;
        if (fan->fn(fan->ctx, index, &err) != 0) {
            fan_fail(fan, index, &err);
        }
    }
    return NULL;
}

int fan_out(size_t count, fan_out_fn *fn, void *ctx, struct err *e)
{
    ASSERT(fn != NULL && e != NULL);
    struct fan fan = {.fn = fn, .ctx = ctx, .count = count, .failed_at = count};
    mutex_init(&fan.lock);
    pthread_t threads[THREADS_MAX];
    const size_t thread_count = count < THREADS_MAX ? count : THREADS_MAX;
    for (size_t i = 0; i < thread_count; i++) {
        threads[i] = thread_start(fan_run, &fan, "list");
    }
    for (size_t i = 0; i < thread_count; i++) {
        thread_join(threads[i]);
    }
    mutex_done(&fan.lock);
    if (fan.failed_at < count) {
        *e = fan.err;
        return -1;
    }
    return 0;
}
