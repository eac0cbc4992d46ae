#include "agent/progress.h"

#include <inttypes.h>
#include <stdatomic.h>

#include "agent/base/buf.h"
#include "agent/base/clock.h"
#include "agent/base/err.h"
#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/base/thread.h"

enum {
    DRAW_TERMINAL_MS = 250,
    DRAW_PIPE_MS = 10000,
    SAMPLE_MS = 1000,
    SAMPLES = 16, /* the rate is that of the last 15 s: long enough to be read, short enough to be
                     true after a throttled minute */
};

struct progress {
    /* set once */
    const char *verb;
    bool drawing;
    bool terminal;
    pthread_t thread;

    /* any thread; monotonic counters that need not agree with each other */
    _Atomic uint64_t files_total, stored_total;
    _Atomic uint64_t files, files_skipped;
    _Atomic uint64_t stored, stored_skipped;
    _Atomic uint64_t retries;

    /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;

    /* drawing thread */
    uint64_t samples[SAMPLES]; /* stored bytes, one a SAMPLE_MS, a ring */
    uint64_t sample_count;
};

static uint64_t stored_rate(const struct progress *progress)
{
    if (progress->sample_count < 2) {
        return 0;
    }
    const uint64_t newest = progress->sample_count - 1;
    const uint64_t span = newest < SAMPLES - 1 ? newest : SAMPLES - 1;
    const uint64_t bytes =
        progress->samples[newest % SAMPLES] - progress->samples[(newest - span) % SAMPLES];
    return bytes * 1000 / (span * SAMPLE_MS);
}

static void append_eta(struct buf *line, uint64_t left, uint64_t rate)
{
    if (left == 0 || rate == 0) {
        return;
    }
    const uint64_t seconds = (left - 1) / rate + 1;
    if (seconds >= 3600) {
        (void)buf_appendf(line, ", %" PRIu64 "h%02" PRIu64 "m left", seconds / 3600,
                          seconds / 60 % 60);
    } else {
        (void)buf_appendf(line, ", %" PRIu64 "m%02" PRIu64 "s left", seconds / 60, seconds % 60);
    }
}

/* "restore: 1.2 GiB of 4.0 GiB (30%), 210.0 MiB/s, 0m14s left, 112 of 368 files, 3 retries" */
static void compose(const struct progress *progress, struct buf *line)
{
    const uint64_t total = atomic_load(&progress->stored_total);
    const uint64_t done = atomic_load(&progress->stored) + atomic_load(&progress->stored_skipped);
    const uint64_t rate = stored_rate(progress);
    char text[BYTES_TEXT_SIZE];
    (void)buf_appendf(line, "%s: %s", progress->verb, format_bytes(done, text));
    if (total > 0) {
        (void)buf_appendf(line, " of %s (%u%%)", format_bytes(total, text),
                          (unsigned)(100.0 * (double)done / (double)total));
    }
    if (progress->sample_count > 1) { /* before there is none to tell */
        (void)buf_appendf(line, ", %s/s", format_bytes(rate, text));
    }
    append_eta(line, total > done ? total - done : 0, rate);
    (void)buf_appendf(line, ", %" PRIu64 " of %" PRIu64 " files",
                      atomic_load(&progress->files) + atomic_load(&progress->files_skipped),
                      atomic_load(&progress->files_total));
    const uint64_t retries = atomic_load(&progress->retries);
    if (retries > 0) {
        (void)buf_appendf(line, ", %" PRIu64 " retr%s", retries, retries == 1 ? "y" : "ies");
    }
}

static void draw(const struct progress *progress)
{
    autobuf struct buf line = BUF_INIT(256);
    compose(progress, &line);
    if (progress->terminal) {
        log_status(buf_str(&line));
    } else {
        log_info("%s", buf_str(&line));
    }
}

static bool wait_ms(struct progress *progress, uint64_t timeout_ms)
{
    const uint64_t until_ms = clock_mono_ms() + timeout_ms;
    mutex_lock(&progress->lock);
    uint64_t now_ms = clock_mono_ms();
    while (!progress->stopping && now_ms < until_ms) {
        (void)cond_wait_ms(&progress->wake, &progress->lock, until_ms - now_ms);
        now_ms = clock_mono_ms();
    }
    const bool go_on = !progress->stopping;
    mutex_unlock(&progress->lock);
    return go_on;
}

static void *draw_main(void *arg)
{
    struct progress *progress = arg;
    const uint64_t draw_every_ms = progress->terminal ? DRAW_TERMINAL_MS : DRAW_PIPE_MS;
    uint64_t drawn_ms = clock_mono_ms();
    uint64_t sampled_ms = drawn_ms - SAMPLE_MS;
    do {
        const uint64_t now_ms = clock_mono_ms();
        if (now_ms - sampled_ms >= SAMPLE_MS) {
            progress->samples[progress->sample_count % SAMPLES] = atomic_load(&progress->stored);
            progress->sample_count++;
            sampled_ms = now_ms;
        }
        if (now_ms - drawn_ms >= draw_every_ms) {
            draw(progress);
            drawn_ms = now_ms;
        }
    } while (wait_ms(progress, DRAW_TERMINAL_MS));
    return NULL;
}

struct progress *progress_new(const struct config *config, const char *verb)
{
    struct progress *progress = xcalloc(1, sizeof(*progress));
    progress->verb = verb;
    mutex_init(&progress->lock);
    cond_init(&progress->wake);
    progress->terminal = isatty(STDERR_FILENO) == 1;
    progress->drawing = config->progress != PROGRESS_NEVER;
    if (progress->drawing) {
        progress->thread = thread_start(draw_main, progress, "progress");
    }
    return progress;
}

void progress_set_total(struct progress *progress, uint64_t files, uint64_t stored_bytes)
{
    atomic_store(&progress->files_total, files);
    atomic_store(&progress->stored_total, stored_bytes);
}

void progress_set_retries(struct progress *progress, uint64_t retries)
{
    atomic_store(&progress->retries, retries);
}

void progress_add_stored(struct progress *progress, uint64_t bytes)
{
    atomic_fetch_add_explicit(&progress->stored, bytes, memory_order_relaxed);
}

void progress_add_file(struct progress *progress)
{
    atomic_fetch_add_explicit(&progress->files, 1, memory_order_relaxed);
}

void progress_add_skipped(struct progress *progress, uint64_t stored_bytes)
{
    atomic_fetch_add_explicit(&progress->files_skipped, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&progress->stored_skipped, stored_bytes, memory_order_relaxed);
}

void progress_done(const struct progress *progress, uint64_t *ret_files, uint64_t *ret_stored)
{
    *ret_files = atomic_load(&progress->files) + atomic_load(&progress->files_skipped);
    *ret_stored = atomic_load(&progress->stored) + atomic_load(&progress->stored_skipped);
}

void progress_stop(struct progress *progress)
{
    if (!progress->drawing) {
        return;
    }
    mutex_lock(&progress->lock);
    progress->stopping = true;
    cond_signal(&progress->wake);
    mutex_unlock(&progress->lock);
    thread_join(progress->thread);
    progress->drawing = false;
    if (progress->terminal) {
        log_status(NULL);
    }
}

void progress_free(struct progress *progress)
{
    if (progress == NULL) {
        return;
    }
    progress_stop(progress);
    cond_done(&progress->wake);
    mutex_done(&progress->lock);
    free(progress);
}
