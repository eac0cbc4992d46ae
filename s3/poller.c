#include "s3/poller.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/mem.h"

enum {
    EVENTS_MAX = 64, /* at one look; the rest is there at the next */
    WAIT_MAX_MS = 60 * 1000,
    NUDGE_MS = 1000,
};

struct poller {
    /* set once */
    CURLM *multi;
    int epoll_fd;
    int wake_fd; /* eventfd */

    /* net thread */
    uint64_t due_ms; /* curl's own time; UINT64_MAX: none */
    uint64_t nudge_ms;
};

static uint32_t events_of(int what)
{
    return (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
           (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
}

static void watch(const struct poller *poller, int how, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    int failed = epoll_ctl(poller->epoll_fd, how, fd, &event);
    /* The kernel forgets a socket that is closed, and its number may be another's before curl says
     * so: what counts is that this one is watched. */
    if (failed != 0 && how == EPOLL_CTL_MOD && errno == ENOENT) {
        failed = epoll_ctl(poller->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    }
    ASSERT(failed == 0 || how == EPOLL_CTL_DEL); /* one that is closed is out already */
}

/* curl's word on one socket; `known` is what was assigned to it when it was new. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
    (void)easy;
    struct poller *poller = ctx;
    if (what == CURL_POLL_REMOVE) {
        watch(poller, EPOLL_CTL_DEL, fd, 0);
        return 0;
    }
    watch(poller, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, events_of(what));
    const CURLMcode code = curl_multi_assign(poller->multi, fd, poller);
    ASSERT(code == CURLM_OK);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    struct poller *poller = ctx;
    ASSERT(multi == poller->multi);
    poller->due_ms = timeout_ms < 0 ? UINT64_MAX : clock_mono_ms() + (uint64_t)timeout_ms;
    return 0;
}

struct poller *poller_new(void)
{
    struct poller *poller = xcalloc(1, sizeof(*poller));
    poller->due_ms = UINT64_MAX;
    poller->multi = curl_multi_init();
    poller->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    poller->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ASSERT(poller->multi != NULL && poller->epoll_fd >= 0 && poller->wake_fd >= 0);
    watch(poller, EPOLL_CTL_ADD, poller->wake_fd, EPOLLIN);
    (void)curl_multi_setopt(poller->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(poller->multi, CURLMOPT_SOCKETDATA, poller);
    (void)curl_multi_setopt(poller->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    (void)curl_multi_setopt(poller->multi, CURLMOPT_TIMERDATA, poller);
    return poller;
}

void poller_free(struct poller *poller)
{
    if (poller == NULL) {
        return;
    }
    const CURLMcode code = curl_multi_cleanup(poller->multi); /* calls on_socket */
    ASSERT(code == CURLM_OK);
    (void)close(poller->epoll_fd); /* nothing was written */
    (void)close(poller->wake_fd);
    free(poller);
}

CURLM *poller_multi(struct poller *poller)
{
    return poller->multi;
}

static void act(const struct poller *poller, curl_socket_t fd, int mask)
{
    int running = 0;
    const CURLMcode code = curl_multi_socket_action(poller->multi, fd, mask, &running);
    ASSERT(code == CURLM_OK);
}

static void take_event(const struct poller *poller, const struct epoll_event *event)
{
    if (event->data.fd == poller->wake_fd) {
        uint64_t wakes;
        const ssize_t size = read(poller->wake_fd, &wakes, sizeof(wakes));
        ASSERT(size == sizeof(wakes)); /* none but this thread reads it */
        return;
    }
    const int mask = (event->events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                     (event->events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                     (event->events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    act(poller, event->data.fd, mask);
}

/* curl gives each address of a name a share of the time, but up to 8.3 asks for no timer at its end
 * (curl issue 11920): left alone, a dead address takes all of it and the next one is never tried.
 * Now and then all transfers are looked at, which also tells of sockets that were exchanged. */
static void nudge(struct poller *poller)
{
    const uint64_t now_ms = clock_mono_ms();
    if (now_ms < poller->nudge_ms) {
        return;
    }
    poller->nudge_ms = now_ms + NUDGE_MS;
    int running = 0;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    /* Deprecated as the way to do everything; for a look at everything there is no other. */
    const CURLMcode code = curl_multi_socket_all(poller->multi, &running);
#pragma GCC diagnostic pop
    ASSERT(code == CURLM_OK);
}

static int wait_ms(const struct poller *poller, uint64_t timeout_ms)
{
    const uint64_t now_ms = clock_mono_ms();
    const uint64_t left_ms = poller->due_ms > now_ms ? poller->due_ms - now_ms : 0;
    const uint64_t least_ms = left_ms < timeout_ms ? left_ms : timeout_ms;
    return (int)(least_ms < WAIT_MAX_MS ? least_ms : WAIT_MAX_MS);
}

void poller_wait(struct poller *poller, uint64_t timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    const int count = epoll_wait(poller->epoll_fd, events, EVENTS_MAX, wait_ms(poller, timeout_ms));
    ASSERT(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; i++) {
        take_event(poller, &events[i]);
    }
    if (clock_mono_ms() >= poller->due_ms) {
        poller->due_ms = UINT64_MAX;
        act(poller, CURL_SOCKET_TIMEOUT, 0);
    }
    nudge(poller);
}

void poller_wake(struct poller *poller)
{
    const uint64_t one = 1;
    const ssize_t written = write(poller->wake_fd, &one, sizeof(one));
    ASSERT(written == sizeof(one) || errno == EAGAIN); /* so often that it is awake for sure */
}
