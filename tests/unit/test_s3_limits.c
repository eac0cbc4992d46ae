/* What a client never exceeds, whatever the other side does: connections, and time. */
#include <curl/curlver.h>
#include <netdb.h>

#include "agent/base/clock.h"
#include "s3/s3.h"
#include "tests/unit/scripted_server.h"
#include "tests/unit/unit.h"

#define OK_TEN "HTTP/1.1 200 OK\r\nETag: \"e1\"\r\nContent-Length: 10\r\n\r\n0123456789"
#define BUSY "HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"

enum { GETS = 60, NAME_HANGS_MS = 1500 };

static unsigned names_asked, names_answered;

/* libcurl's, on a thread of its own: a resolver that nobody answers. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret)
{
    (void)name;
    (void)service;
    (void)hints;
    (void)ret;
    __atomic_add_fetch(&names_asked, 1, __ATOMIC_SEQ_CST);
    clock_sleep_ms(NAME_HANGS_MS);
    __atomic_add_fetch(&names_answered, 1, __ATOMIC_SEQ_CST);
    return EAI_AGAIN;
}

static struct s3_client *client_new(const char *endpoint, struct s3_options options)
{
    options.bucket = "bucket";
    options.endpoint = endpoint;
    options.path_style = true;
    options.no_sign = true;
    options.net_threads = options.net_threads == 0 ? 1 : options.net_threads;
    options.connections = options.connections == 0 ? 1 : options.connections;
    options.seed = 7;
    struct s3_client *client = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(s3_client_new(&options, &client, &e), 0);
    return client;
}

static void mark_done(struct s3_get *get)
{
    unsigned *done = get->owner;
    __atomic_add_fetch(done, 1, __ATOMIC_SEQ_CST);
}

static void wait_for(const unsigned *count, unsigned most)
{
    for (unsigned i = 0; i < 2000 && __atomic_load_n(count, __ATOMIC_SEQ_CST) < most; i++) {
        clock_sleep_ms(10);
    }
    assert_int_equal(__atomic_load_n(count, __ATOMIC_SEQ_CST), most);
}

static struct s3_get ten_bytes(uint8_t into[10], unsigned *done)
{
    return (struct s3_get){
        .key = "k",
        .etag = "e1",
        .size = 10,
        .object_size = 10,
        .into = into,
        .done = mark_done,
        .owner = done,
    };
}

static void get_many(struct s3_client *client)
{
    static struct s3_get gets[GETS];
    static uint8_t into[GETS][10];
    unsigned done = 0;
    for (unsigned i = 0; i < GETS; i++) {
        gets[i] = ten_bytes(into[i], &done);
        s3_submit(client, &gets[i]);
    }
    wait_for(&done, GETS);
    for (unsigned i = 0; i < GETS; i++) {
        assert_int_equal(gets[i].err.kind, ERR_NONE);
    }
}

/* Also where the connections cannot be shared out evenly, and those that idle count as well. */
static void test_connections(void **state)
{
    (void)state;
    static const struct {
        unsigned net_threads, connections;
    } CASES[] = {{1, 1}, {2, 3}, {3, 7}, {4, 5}, {4, 2}};
    static const struct exchange SCRIPT[] = {{.reply = OK_TEN, .delay_ms = 2}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct scripted_server *server = scripted_server_start(SCRIPT, 1, true);
        struct s3_client *client =
            client_new(scripted_server_url(server), (struct s3_options){
                                                        .net_threads = CASES[i].net_threads,
                                                        .connections = CASES[i].connections,
                                                    });
        get_many(client);
        assert_int_equal(scripted_server_peak(server), CASES[i].connections);
        s3_client_free(client);
        assert_int_equal(scripted_server_stop(server), GETS);
    }
}

/* A store that refuses for a while, over two threads: nothing is forgotten. */
static void test_overload(void **state)
{
    (void)state;
    static struct exchange script[200];
    for (size_t i = 0; i + 1 < ARRAY_SIZE(script); i++) {
        script[i] = (struct exchange){.reply = BUSY, .delay_ms = 1};
    }
    script[ARRAY_SIZE(script) - 1] = (struct exchange){.reply = OK_TEN};
    struct scripted_server *server = scripted_server_start(script, ARRAY_SIZE(script), true);
    struct s3_client *client = client_new(
        scripted_server_url(server),
        (struct s3_options){
            .retry_for_ms = 60000, .stall_ms = 5000, .net_threads = 2, .connections = 8});
    get_many(client);
    assert_int_equal(s3_client_stats(client).retries, ARRAY_SIZE(script) - 1);
    s3_client_free(client);
    assert_int_equal(scripted_server_stop(server), GETS + ARRAY_SIZE(script) - 1);
}

/* One try against one that hangs. */
static void check_cut(const char *endpoint, const char *why)
{
    struct s3_client *client = client_new(endpoint, (struct s3_options){.stall_ms = 300});
    uint8_t into[10];
    unsigned done = 0;
    struct s3_get get = ten_bytes(into, &done);
    const uint64_t begin_ms = clock_mono_ms();
    s3_submit(client, &get);
    wait_for(&done, 1);
    assert_in_range(clock_mono_ms() - begin_ms, 290, 2000);
    assert_int_equal(get.err.kind, ERR_RETRY);
    assert_non_null(strstr(get.err.text, why));
    s3_client_free(client);
}

static void test_hanging_peers(void **state)
{
    (void)state;
    static const struct exchange CASES[] = {
        {.reply = "", .after = AFTER_STALL},
        {.reply = OK_TEN, .trickle_ms = 20}, /* from its head on */
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct scripted_server *server = scripted_server_start(&CASES[i], 1, false);
        check_cut(scripted_server_url(server), "stalls");
        assert_int_equal(scripted_server_stop(server), 1);
    }
}

/* One that accepts, and never says a word of TLS. */
static void test_hanging_handshake(void **state)
{
    (void)state;
    static const struct exchange NONE[] = {{.reply = ""}};
    struct scripted_server *server = scripted_server_start(NONE, 1, false);
    char endpoint[64];
    (void)snprintf(endpoint, sizeof(endpoint), "https%s", scripted_server_url(server) + 4);
    check_cut(endpoint, "stalls");
    assert_int_equal(scripted_server_stop(server), 0);
}

/* A name that is being looked up holds up neither the cut nor the cancel. */
static void test_hanging_name(void **state)
{
    (void)state;
#if LIBCURL_VERSION_NUM < 0x075700
    skip(); /* s3_client_cancel says so */
#endif
    check_cut("http://store.test", "stalls");
    struct s3_client *client = client_new("http://store.test", (struct s3_options){.stall_ms = 0});
    uint8_t into[10];
    unsigned done = 0;
    struct s3_get get = ten_bytes(into, &done);
    s3_submit(client, &get);
    wait_for(&names_asked, 2);
    const uint64_t begin_ms = clock_mono_ms();
    s3_client_cancel(client);
    s3_client_free(client);
    assert_in_range(clock_mono_ms() - begin_ms, 0, NAME_HANGS_MS / 2);
    assert_int_equal(get.err.kind, ERR_CANCELLED);
    wait_for(&names_answered, 2); /* the threads that were left alone end before the test does */
    clock_sleep_ms(50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections),   cmocka_unit_test(test_overload),
        cmocka_unit_test(test_hanging_peers), cmocka_unit_test(test_hanging_handshake),
        cmocka_unit_test(test_hanging_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
