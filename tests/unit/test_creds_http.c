#include "tests/unit/unit.h"

#include <errno.h>

#include "agent/base/mem.h"
#include "s3/creds_http.h"
#include "tests/unit/scripted_server.h"

/* Of the whole file: 64 KiB are too much for a stack under sanitizers. */
static struct creds_http_answer answer;

/* `url` in the request is what stands behind the server's. */
static int ask(const struct exchange *exchange, struct creds_http_request request, struct err *e)
{
    struct scripted_server *server = scripted_server_start(exchange, 1, false);
    autofree char *url = xasprintf("%s%s", scripted_server_url(server), request.url);
    request.url = url;
    request.connect_ms = 20000;
    request.total_ms = exchange->after == AFTER_STALL ? 300 : 20000;
    const int rc = creds_http_ask(&request, &answer, e);
    assert_int_equal(scripted_server_stop(server), 1);
    return rc;
}

static void test_methods(void **state)
{
    (void)state;
    static const char *const lines[] = {"X-One: 1", "Content-Type: text/x"};
    static const struct {
        struct creds_http_request request;
        const char *expect[5];
        const char *refuse;
    } cases[] = {
        {{.url = "/a/../b", .method = "GET", .headers = lines, .header_count = 1},
         {"GET /a/../b HTTP/1.1\r\n", "\r\nX-One: 1\r\n"},
         "Content-"},
        {{.url = "/t", .method = "PUT"},
         {"PUT /t HTTP/1.1\r\n", "Content-Length: 0\r\n"},
         "Expect"},
        {{.url = "/p", .method = "POST", .body = "a=b"},
         {"POST /p HTTP/1.1\r\n", "Content-Length: 3\r\n",
          "Content-Type: application/x-www-form-urlencoded\r\n"},
         "Expect"},
        {{.url = "/p", .method = "POST", .body = "", .headers = lines, .header_count = 2},
         {"Content-Length: 0\r\n", "Content-Type: text/x\r\n", "X-One: 1\r\n"},
         "urlencoded"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct exchange exchange = {
            .refuse = cases[i].refuse,
            .reply = "HTTP/1.1 418 Teapot\r\nDate: Mon, 23 Nov 2026 08:00:00 GMT\r\n"
                     "Content-Length: 4\r\n\r\nbody",
        };
        _Static_assert(sizeof(cases[0].expect) <= sizeof(exchange.expect), "the cases fit");
        memcpy(exchange.expect, cases[i].expect, sizeof(cases[i].expect));
        struct err e = ERR_INIT;
        assert_int_equal(ask(&exchange, cases[i].request, &e), 0);
        assert_int_equal(answer.status, 418);
        assert_int_equal(answer.date_ms, INT64_C(1795420800000));
        assert_int_equal(answer.size, 4);
        assert_string_equal(answer.body, "body");
    }
    creds_http_wipe(&answer);
    assert_int_equal(answer.body[0] | answer.body[3], 0);
}

static void test_put_of_a_body(void **state)
{
    (void)state;
    static const struct exchange exchange = {
        .expect = {"PUT /w?X-Sig=a%2Fb%3D&c HTTP/1.1\r\n", "Content-Length: 9\r\n",
                   "\r\n\r\n{\"a\":\"b\"}"},
        .refuse = "Content-Type",
        .reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    };
    struct err e = ERR_INIT;
    const struct creds_http_request request = {
        .url = "/w?X-Sig=a%2Fb%3D&c", .method = "PUT", .body = "{\"a\":\"b\"}"};
    assert_int_equal(ask(&exchange, request, &e), 0);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.size, 0);
}

/* Nothing of the body goes out: the server says that it would take it, and that is all. */
static void test_announcements(void **state)
{
    (void)state;
    static const struct {
        const char *reply;
        enum after after;
        long status; /* -1: no answer */
    } cases[] = {
        {"HTTP/1.1 100 Continue\r\n\r\n", AFTER_CLOSE, 100},
        {"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", AFTER_CLOSE, 403},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", AFTER_CLOSE, 200},
        {"", AFTER_STALL, -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct exchange exchange = {
            .expect = {"PUT /w HTTP/1.1\r\n", "Expect: 100-continue\r\n", "Content-Length: 4\r\n"},
            .refuse = "BODY",
            .reply = cases[i].reply,
            .after = cases[i].after,
        };
        struct err e = ERR_INIT;
        const struct creds_http_request request = {
            .url = "/w", .method = "PUT", .body = "BODY", .reach = CREDS_HTTP_ANNOUNCE};
        assert_int_equal(ask(&exchange, request, &e), cases[i].status < 0 ? -1 : 0);
        if (cases[i].status < 0) {
            assert_int_equal(e.kind, ERR_RETRY);
            assert_int_equal(e.sys, ETIMEDOUT);
        } else {
            assert_int_equal(answer.status, cases[i].status);
        }
    }
}

static void test_connecting_asks_nothing(void **state)
{
    (void)state;
    struct scripted_server *server = scripted_server_start(NULL, 0, false);
    const struct creds_http_request request = {.url = scripted_server_url(server),
                                               .method = "GET",
                                               .reach = CREDS_HTTP_CONNECT,
                                               .connect_ms = 20000,
                                               .total_ms = 20000};
    struct err e = ERR_INIT;
    assert_int_equal(creds_http_ask(&request, &answer, &e), 0);
    assert_int_equal(answer.status, 0);
    assert_int_equal(scripted_server_stop(server), 0);
}

static void test_redirects_are_answers(void **state)
{
    (void)state;
    static const struct exchange exchange = {
        .reply =
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"};
    struct err e = ERR_INIT;
    assert_int_equal(ask(&exchange, (struct creds_http_request){.url = "/", .method = "GET"}, &e),
                     0);
    assert_int_equal(answer.status, 302);
    assert_int_equal(answer.date_ms, -1);
    assert_string_equal(answer.body, "");
}

static void test_half_answers(void **state)
{
    (void)state;
    static const struct {
        struct exchange exchange;
        const char *text;
        int sys;
    } cases[] = {
        {{.reply = "", .after = AFTER_CLOSE}, "http://127.0.0.1:", 0},
        {{.reply = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", .after = AFTER_CLOSE},
         "http://127.0.0.1:",
         0},
        {{.reply = "", .after = AFTER_STALL}, "no answer from http://127.0.0.1:", ETIMEDOUT},
        {{.reply = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", .after = AFTER_STALL},
         "within 300 ms",
         ETIMEDOUT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err e = ERR_INIT;
        const struct creds_http_request request = {.url = "/sEcReT?sEcReT", .method = "GET"};
        assert_int_equal(ask(&cases[i].exchange, request, &e), -1);
        assert_int_equal(e.kind, ERR_RETRY);
        assert_int_equal(e.sys, cases[i].sys);
        if (strstr(e.text, cases[i].text) == NULL || strstr(e.text, "sEcReT") != NULL) {
            fail_msg("'%s'", e.text);
        }
    }
}

/* None of them is asked for anything: port 1 is nobody's. */
static void test_urls(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        enum err_kind kind;
        const char *text;
    } cases[] = {
        {"http://127.0.0.1:1/sEcReT", ERR_NOT_FOUND, "http://127.0.0.1:1: "},
        {"https://127.0.0.1:1", ERR_NOT_FOUND, "https://127.0.0.1:1: "},
        {"http://u:sEcReT@127.0.0.1:1/", ERR_CONFIG, "http://127.0.0.1:1: "},
        {"file:///etc/passwd", ERR_CONFIG, "file://: "},
        {"http://127.0.0.1:99999/", ERR_CONFIG, "http://127.0.0.1:99999: "},
        {"http://", ERR_CONFIG, "http://: "},
        {"", ERR_CONFIG, ": "},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct creds_http_request request = {
            .url = cases[i].url, .method = "GET", .connect_ms = 20000, .total_ms = 20000};
        struct err e = ERR_INIT;
        assert_int_equal(creds_http_ask(&request, &answer, &e), -1);
        if (e.kind != cases[i].kind || strncmp(e.text, cases[i].text, strlen(cases[i].text)) != 0 ||
            strstr(e.text, "sEcReT") != NULL) {
            fail_msg("'%s': %d '%s'", cases[i].url, (int)e.kind, e.text);
        }
    }
}

/* The environment names a proxy at which nobody listens; main has set it. */
static void test_proxies(void **state)
{
    (void)state;
    static const struct exchange exchange = {.reply =
                                                 "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};
    struct creds_http_request request = {.url = "/", .method = "GET"};
    struct err e = ERR_INIT;
    assert_int_equal(ask(&exchange, request, &e), 0);
    request.url = "http://198.51.100.1/"; /* of the documentation's addresses */
    request.through_proxy = true;
    request.connect_ms = 20000;
    request.total_ms = 20000;
    assert_int_equal(creds_http_ask(&request, &answer, &e), -1);
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_int_equal(e.sys, 0); /* refused, not timed out: it was the proxy */
}

int main(void)
{
    char proxy[] = "http_proxy=http://127.0.0.1:1";
    if (putenv(proxy) != 0) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_of_a_body),
        cmocka_unit_test(test_announcements),
        cmocka_unit_test(test_connecting_asks_nothing),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_redirects_are_answers),
        cmocka_unit_test(test_half_answers),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_proxies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
