/* The lines that progress draws, caught on their way to the log. */
#include "unit.h"

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/thread.h"
#include "agent/progress.h"

static struct {
    pthread_mutex_t lock;
    char status[256]; /* under lock */
    unsigned drawn;   /* under lock */
    bool removed;     /* under lock */
    int terminal;     /* set once a test */
} seen;

void __wrap_log_status(const char *text);
int __wrap_isatty(int fd);

int __wrap_isatty(int fd)
{
    (void)fd;
    return seen.terminal;
}

void __wrap_log_status(const char *text)
{
    mutex_lock(&seen.lock);
    if (text == NULL) {
        seen.removed = true;
    } else {
        (void)snprintf(seen.status, sizeof(seen.status), "%s", text);
        seen.drawn++;
    }
    mutex_unlock(&seen.lock);
}

static unsigned drawn(void)
{
    mutex_lock(&seen.lock);
    const unsigned count = seen.drawn;
    mutex_unlock(&seen.lock);
    return count;
}

static bool shows_rate(void)
{
    mutex_lock(&seen.lock);
    const bool shows = strstr(seen.status, " left") != NULL;
    mutex_unlock(&seen.lock);
    return shows;
}

static void setup_seen(int terminal)
{
    memset(&seen, 0, sizeof(seen));
    mutex_init(&seen.lock);
    seen.terminal = terminal;
}

static void test_terminal(void **state)
{
    (void)state;
    setup_seen(1);
    const struct config config = {.progress = PROGRESS_AUTO};
    struct progress *progress = progress_new(&config, "restoring");
    progress_set_total(progress, 4, 4 << 20);
    progress_set_retries(progress, 3);
    progress_add_skipped(progress, 1 << 20);
    progress_add_stored(progress, 1 << 20);
    progress_add_file(progress);
    /* Long enough for a rate to be known: two samples, one second apart. */
    for (unsigned i = 0; i < 100 && !shows_rate(); i++) {
        progress_add_stored(progress, 1000);
        clock_sleep_ms(100);
    }
    progress_stop(progress);
    assert_true(drawn() >= 2);
    assert_true(seen.removed);
    assert_ptr_equal(strstr(seen.status, "restoring: 2.0 MiB of 4.0 MiB (50%), "), seen.status);
    assert_non_null(strstr(seen.status, "/s, "));
    assert_non_null(strstr(seen.status, " left, 2 of 4 files, 3 retries"));
    progress_free(progress);
    mutex_done(&seen.lock);
}

static void test_never(void **state)
{
    (void)state;
    setup_seen(1);
    const struct config config = {.progress = PROGRESS_NEVER};
    struct progress *progress = progress_new(&config, "restoring");
    progress_add_stored(progress, 1 << 20);
    clock_sleep_ms(600);
    progress_free(progress);
    assert_int_equal(drawn(), 0);
    assert_false(seen.removed);
    progress_free(NULL);
    mutex_done(&seen.lock);
}

static void test_pipe(void **state)
{
    (void)state;
    setup_seen(0);
    const struct config config = {.progress = PROGRESS_ALWAYS};
    struct progress *progress = progress_new(&config, "verifying");
    clock_sleep_ms(600);
    progress_free(progress);
    assert_int_equal(drawn(), 0); /* a pipe gets log lines, and not before ten seconds */
    mutex_done(&seen.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_never),
        cmocka_unit_test(test_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
