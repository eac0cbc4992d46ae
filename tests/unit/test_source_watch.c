#include "agent/source_watch.h"

#include <pthread.h>

#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "memory_source.h"
#include "unit.h"

/* A source that answers nothing until it is cancelled. The lock is what hands the request from the
 * thread that asks to the one that cancels, as a real source's queue does. */
struct mute {
    struct source face;
    pthread_mutex_t lock;
    struct s3_get *waiting;
    bool cancelled;
};

static void mute_get(struct source *source, struct s3_get *get)
{
    struct mute *mute = (struct mute *)source;
    pthread_mutex_lock(&mute->lock);
    mute->waiting = get;
    pthread_mutex_unlock(&mute->lock);
}

static void mute_cancel(struct source *source)
{
    struct mute *mute = (struct mute *)source;
    pthread_mutex_lock(&mute->lock);
    struct s3_get *waiting = mute->waiting;
    mute->cancelled = true;
    pthread_mutex_unlock(&mute->lock);
    assert_non_null(waiting);
    err_set(&waiting->err, ERR_CANCELLED, "interrupted");
    waiting->done(waiting);
}

static void mute_free(struct source *source)
{
    pthread_mutex_destroy(&((struct mute *)source)->lock);
    free(source);
}

static void test_gives_up_in_time(void **state)
{
    (void)state;
    static const struct source_ops OPS = {
        .get = mute_get, .cancel = mute_cancel, .free = mute_free};
    struct mute *mute = xcalloc(1, sizeof(*mute));
    mute->face = (struct source){.ops = &OPS, .name = xstrdup("m"), .base = xstrdup("")};
    assert_int_equal(pthread_mutex_init(&mute->lock, NULL), 0);
    struct source *watch = source_watch_new(&mute->face);
    struct s3_get get = {.key = "k", .head = true};
    struct err e = ERR_INIT;
    const uint64_t begin_ms = clock_mono_ms();
    source_watch_begin(watch, 500);
    assert_int_equal(source_get_wait(watch, &get, &e), -1);
    source_watch_end(watch);
    assert_true(clock_mono_ms() - begin_ms >= 500);
    assert_int_equal(e.kind, ERR_CANCELLED);
    assert_true(mute->cancelled);
    assert_true(source_watch_is_up(watch));
    source_free(watch);
}

static int count(void *ctx, const struct s3_entry *entry, struct err *e)
{
    (void)entry;
    (void)e;
    ++*(unsigned *)ctx;
    return 0;
}

static void test_lets_through_and_counts(void **state)
{
    (void)state;
    struct source *inner = memory_source_new("base/");
    memory_source_put(inner, "base/a", "1");
    memory_source_put(inner, "base/b", "22");
    struct source *watch = source_watch_new(inner);
    assert_string_equal(watch->base, "base/");
    assert_string_equal(watch->name, inner->name);
    unsigned seen = 0;
    struct err e = ERR_INIT;
    source_watch_begin(watch, 1000);
    assert_int_equal(source_list(watch, &(struct s3_list){.prefix = "base/"}, count, &seen, &e), 0);
    source_watch_end(watch);
    clock_sleep_ms(1100); /* nothing is under way: nobody is late */
    assert_int_equal(seen, 2);
    assert_int_equal(source_watch_entries(watch), 2);
    assert_false(source_watch_is_up(watch));
    uint8_t byte;
    struct s3_get get = {.key = "base/a", .size = 1, .object_size = 1, .into = &byte};
    assert_int_equal(source_get_wait(watch, &get, &e), 0);
    assert_int_equal(byte, '1');
    source_free(watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gives_up_in_time),
        cmocka_unit_test(test_lets_through_and_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
