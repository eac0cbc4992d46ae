#include "s3/probe.h"

#include "agent/base/clock.h"
#include "tests/unit/scripted_server.h"
#include "tests/unit/unit.h"

/* Asks a bucket on a scripted server. */
static int ask(const struct exchange *script, size_t count, uint64_t budget_ms, struct probe *ret,
               struct err *e)
{
    struct scripted_server *server = scripted_server_start(script, count, false);
    const struct s3_options options = {.bucket = "bucket",
                                       .region = "eu-west-1",
                                       .endpoint = scripted_server_url(server),
                                       .no_sign = true,
                                       .net_threads = 1,
                                       .connections = 1};
    struct s3_client *client = NULL;
    assert_int_equal(s3_client_new(&options, &client, e), 0);
    const int result = s3_probe(client, budget_ms, ret, e);
    assert_string_equal(ret->url, options.endpoint);
    assert_string_equal(ret->region, "eu-west-1");
    s3_client_free(client);
    assert_int_equal(scripted_server_stop(server), count);
    return result;
}

static void test_denial_tells(void **state)
{
    (void)state;
    static const struct exchange script[] = {
        {.expect = {"HEAD /bucket HTTP/1.1\r\n"},
         .refuse = "uthorization",
         .reply = "HTTP/1.1 403 Forbidden\r\nx-amz-request-id: 7\r\n"
                  "x-amz-bucket-region: ap-south-1\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                  "Content-Length: 0\r\n\r\n"}};
    struct probe probe;
    struct err e = ERR_INIT;
    assert_int_equal(ask(script, 1, 5000, &probe, &e), 0);
    assert_int_equal(probe.status, 403);
    assert_true(probe.is_s3 && probe.has_date && !probe.proxied);
    assert_string_equal(probe.bucket_region, "ap-south-1");
    assert_string_equal(probe.address, "127.0.0.1");
    assert_string_equal(probe.tls, "");
    assert_int_equal(probe.addresses4, 1);
    const int64_t now_ms = clock_wall_ms();
    assert_true(probe.skew_ms <= INT64_C(784111777000) - now_ms + 10000);
    assert_true(probe.skew_ms >= INT64_C(784111777000) - now_ms - 10000);
}

static void test_any_answer_will_do(void **state)
{
    (void)state;
    static const char *const REPLIES[] = {
        "HTTP/1.1 200 OK\r\nServer: web\r\n\r\n",
        "HTTP/1.1 500 No\r\nx-amz-bucket-region: \x01\r\nDate: tomorrow\r\n\r\n",
        "HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(REPLIES); i++) {
        const struct exchange script[] = {{.reply = REPLIES[i], .after = AFTER_CLOSE}};
        struct probe probe;
        struct err e = ERR_INIT;
        assert_int_equal(ask(script, 1, 5000, &probe, &e), 0);
        assert_true(!probe.is_s3 && !probe.has_date);
        assert_string_equal(probe.bucket_region, "");
    }
}

static void test_no_answer_is_tried_again(void **state)
{
    (void)state;
    static const struct exchange script[] = {
        {.reply = "", .after = AFTER_CLOSE},
        {.reply = "HTTP/1.1 200 OK\r\n\r\n", .after = AFTER_CLOSE}};
    struct probe probe;
    struct err e = ERR_INIT;
    assert_int_equal(ask(script, 2, 5000, &probe, &e), 0);
    assert_int_equal(probe.status, 200);
    assert_int_equal(ask(script, 1, 100, &probe, &e), -1);
    assert_int_equal(e.kind, ERR_RETRY);
    assert_non_null(strstr(e.text, probe.url));
}

static void test_silence_ends(void **state)
{
    (void)state;
    static const struct exchange script[] = {{.reply = "HTTP/1.1", .after = AFTER_STALL}};
    struct probe probe;
    struct err e = ERR_INIT;
    const uint64_t begin_ms = clock_mono_ms();
    assert_int_equal(ask(script, 1, 300, &probe, &e), -1);
    assert_int_equal(e.kind, ERR_RETRY);
    assert_true(clock_mono_ms() - begin_ms < 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_denial_tells),
        cmocka_unit_test(test_any_answer_will_do),
        cmocka_unit_test(test_no_answer_is_tried_again),
        cmocka_unit_test(test_silence_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
