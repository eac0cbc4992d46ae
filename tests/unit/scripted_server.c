#include "tests/unit/scripted_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/clock.h"
#include "agent/base/err.h"
#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/base/thread.h"
#include "tests/unit/unit.h"

enum { PEERS_MAX = 32, HEAD_MAX = 64 * 1024 };

struct peer {
    int fd;
    bool silent;
    struct buf head;
};

struct scripted_server {
    const struct exchange *script;
    size_t count;
    bool repeat;
    char *url;
    int listener;
    int stop[2]; /* a pipe: closing the writing end stops the thread */
    pthread_t thread;

    /* server thread, read after the join */
    struct peer peers[PEERS_MAX];
    size_t peer_count;
    size_t served;
    char *complaint;

    size_t peak; /* atomic */
};

static void complain(struct scripted_server *server, const char *what, const char *detail,
                     const char *head)
{
    if (server->complaint == NULL) {
        server->complaint =
            xasprintf("request %zu: %s '%s' in:\n%s", server->served, what, detail, head);
    }
}

static void check(struct scripted_server *server, const struct exchange *exchange, const char *head)
{
    for (size_t i = 0; i < ARRAY_SIZE(exchange->expect) && exchange->expect[i] != NULL; i++) {
        if (strstr(head, exchange->expect[i]) == NULL) {
            complain(server, "lacks", exchange->expect[i], head);
        }
    }
    if (exchange->refuse != NULL && strstr(head, exchange->refuse) != NULL) {
        complain(server, "must not have", exchange->refuse, head);
    }
}

static void send_all(int fd, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        const ssize_t sent = send(fd, text, left, MSG_NOSIGNAL);
        if (sent <= 0) {
            return; /* the client has gone: its tests say whether that is right */
        }
        text += sent;
        left -= (size_t)sent;
    }
}

static void trickle(int fd, const struct exchange *exchange)
{
    for (const char *byte = exchange->reply; *byte != '\0'; byte++) {
        clock_sleep_ms(exchange->trickle_ms);
        if (send(fd, byte, 1, MSG_NOSIGNAL) != 1) {
            return;
        }
    }
}

static void drop(struct scripted_server *server, size_t index)
{
    struct peer *peer = &server->peers[index];
    (void)close(peer->fd);
    buf_done(&peer->head);
    server->peer_count--;
    *peer = server->peers[server->peer_count];
}

/* True when the connection is gone. */
static bool answer(struct scripted_server *server, size_t index)
{
    struct peer *peer = &server->peers[index];
    const bool beyond = server->served >= server->count;
    if (beyond && !server->repeat) {
        complain(server, "no exchange left", "", buf_str(&peer->head));
        drop(server, index);
        return true;
    }
    const struct exchange *exchange = &server->script[beyond ? server->count - 1 : server->served];
    check(server, exchange, buf_str(&peer->head));
    server->served++;
    buf_clear(&peer->head);
    if (exchange->delay_ms > 0) {
        clock_sleep_ms(exchange->delay_ms);
    }
    if (exchange->trickle_ms > 0) {
        trickle(peer->fd, exchange);
    } else {
        send_all(peer->fd, exchange->reply);
    }
    switch (exchange->after) {
    case AFTER_KEEP:
        return false;
    case AFTER_STALL:
        peer->silent = true;
        return false;
    case AFTER_RESET: {
        clock_sleep_ms(50); /* what was sent must arrive: a reset discards it on the way */
        const struct linger now = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        break;
    }
    case AFTER_CLOSE:
        break;
    }
    drop(server, index);
    return true;
}

/* The head, and as much behind it as it says, unless that is only announced. */
static bool is_whole(const struct buf *request)
{
    const char *head = buf_str(request);
    const char *end = strstr(head, "\r\n\r\n");
    const char *length = strcasestr(head, "\r\nContent-Length: ");
    uint64_t size = 0;
    const bool announced = strcasestr(head, "\r\nExpect: 100-continue\r\n") != NULL;
    if (end != NULL && length != NULL && length < end && !announced) {
        length += strlen("\r\nContent-Length: ");
        ASSERT(parse_u64(length, strcspn(length, "\r"), &size));
    }
    return end != NULL && request->size - (size_t)(end + 4 - head) >= size;
}

static void serve(struct scripted_server *server, size_t index)
{
    struct peer *peer = &server->peers[index];
    char piece[4096];
    const ssize_t got = recv(peer->fd, piece, sizeof(piece), 0);
    if (got <= 0) {
        drop(server, index);
        return;
    }
    (void)buf_append(&peer->head, piece, (size_t)got);
    if (!peer->silent && is_whole(&peer->head)) {
        (void)answer(server, index);
    }
}

static void admit(struct scripted_server *server)
{
    const int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
    ASSERT(fd >= 0 && server->peer_count < PEERS_MAX);
    server->peers[server->peer_count] = (struct peer){.fd = fd, .head = BUF_INIT(HEAD_MAX)};
    server->peer_count++;
    if (server->peer_count > server->peak) {
        __atomic_store_n(&server->peak, server->peer_count, __ATOMIC_SEQ_CST);
    }
}

static void *run(void *arg)
{
    struct scripted_server *server = arg;
    for (;;) {
        struct pollfd fds[PEERS_MAX + 2] = {
            {.fd = server->stop[0], .events = POLLIN},
            {.fd = server->listener, .events = POLLIN},
        };
        const size_t peers = server->peer_count;
        for (size_t i = 0; i < peers; i++) {
            fds[i + 2] = (struct pollfd){.fd = server->peers[i].fd, .events = POLLIN};
        }
        const int ready = poll(fds, peers + 2, -1);
        ASSERT(ready > 0);
        if (fds[0].revents != 0) {
            break;
        }
        /* From the back, because a dropped one is replaced by the last. */
        for (size_t i = peers; i > 0; i--) {
            if (fds[i + 1].revents != 0) {
                serve(server, i - 1);
            }
        }
        if (fds[1].revents != 0) {
            admit(server);
        }
    }
    while (server->peer_count > 0) {
        drop(server, 0);
    }
    return NULL;
}

struct scripted_server *scripted_server_start(const struct exchange *script, size_t count,
                                              bool repeat)
{
    struct scripted_server *server = xcalloc(1, sizeof(*server));
    server->script = script;
    server->count = count;
    server->repeat = repeat;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT(server->listener >= 0);
    ASSERT(bind(server->listener, (struct sockaddr *)&address, sizeof(address)) == 0);
    ASSERT(listen(server->listener, PEERS_MAX) == 0);
    ASSERT(getsockname(server->listener, (struct sockaddr *)&address, &size) == 0);
    ASSERT(pipe2(server->stop, O_CLOEXEC) == 0);
    server->url = xasprintf("http://127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
    server->thread = thread_start(run, server, "scripted");
    return server;
}

const char *scripted_server_url(const struct scripted_server *server)
{
    return server->url;
}

size_t scripted_server_peak(const struct scripted_server *server)
{
    return __atomic_load_n(&server->peak, __ATOMIC_SEQ_CST);
}

size_t scripted_server_stop(struct scripted_server *server)
{
    (void)close(server->stop[1]);
    thread_join(server->thread);
    (void)close(server->stop[0]);
    (void)close(server->listener);
    if (server->complaint != NULL) {
        fail_msg("%s", server->complaint);
    }
    const size_t served = server->served;
    free(server->url);
    free(server);
    return served;
}
