/* Small objects written under a condition, and whole ones read back. */
#include "agent/base/clock.h"
#include "s3/s3.h"
#include "tests/unit/scripted_server.h"
#include "tests/unit/unit.h"

#define WRITTEN                                                                                    \
    "HTTP/1.1 200 OK\r\nETag: \"e2\"\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"                   \
    "Content-Length: 0\r\n\r\n"
/* A body whose length need not be counted: the connection ends it. */
#define ERROR(status, code)                                                                        \
    "HTTP/1.1 " status " X\r\nConnection: close\r\n\r\n<Error><Code>" code "</Code></Error>"

/* Says that all is well, whatever it is asked. */
#define PORTAL "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>please log in</html>"

enum { SHORT_MS = 400 };

struct rig {
    struct scripted_server *server;
    struct s3_client *client;
    struct s3_put put;
    struct s3_get get;
    uint8_t into[16];
    struct err err;
};

static void rig_start(struct rig *rig, const struct exchange *script, size_t count,
                      uint64_t retry_for_ms)
{
    memset(rig, 0, sizeof(*rig));
    rig->server = scripted_server_start(script, count, false);
    const struct s3_options options = {
        .bucket = "bucket",
        .endpoint = scripted_server_url(rig->server),
        .no_sign = true,
        .net_threads = 1,
        .connections = 1,
        .retry_for_ms = retry_for_ms,
        .stall_ms = SHORT_MS,
        .seed = 7,
    };
    assert_int_equal(s3_client_new(&options, &rig->client, &rig->err), 0);
    rig->put = (struct s3_put){.body = slice_of("{}", 2), .content_type = "application/json"};
    rig->get = (struct s3_get){.key = "claim", .put = &rig->put};
}

static void rig_stop(struct rig *rig, size_t requests)
{
    s3_client_free(rig->client);
    assert_int_equal(scripted_server_stop(rig->server), requests);
}

static void submit(void *ctx, struct s3_get *get)
{
    s3_submit((struct s3_client *)ctx, get);
}

static int perform(struct rig *rig)
{
    rig->err = ERR_INIT;
    return s3_get_wait(submit, rig->client, &rig->get, &rig->err);
}

static void test_conditions(void **state)
{
    (void)state;
    static const struct exchange SCRIPT[] = {
        {.expect = {"PUT /bucket/claim HTTP/1.1", "if-match: \"e1\"\r\n", "Content-Length: 2\r\n",
                    "content-type: application/json\r\n", "\r\n\r\n{}"},
         .refuse = "if-none-match",
         .reply = WRITTEN},
        {.expect = {"if-none-match: *\r\n"}, .refuse = "if-match", .reply = WRITTEN},
        {.expect = {"PUT "}, .refuse = "match:", .reply = WRITTEN},
    };
    struct rig rig;
    rig_start(&rig, SCRIPT, ARRAY_SIZE(SCRIPT), 0);
    rig.put.if_match = "e1";
    assert_int_equal(perform(&rig), 0);
    assert_string_equal(rig.get.answer_etag, "e2");
    assert_true(rig.get.date_ms == INT64_C(784111777000));
    assert_true(rig.get.modified_ms == -1);
    assert_false(rig.get.unsure);
    rig.put.if_match = NULL;
    rig.put.only_new = true;
    assert_int_equal(perform(&rig), 0);
    rig.put.only_new = false;
    assert_int_equal(perform(&rig), 0);
    rig_stop(&rig, ARRAY_SIZE(SCRIPT));
}

/* One try each: what it ends with, and whether it may have been written. */
static void test_outcomes(void **state)
{
    (void)state;
    static const struct {
        const char *reply;
        enum err_kind kind;
        int http;
        bool unsure;
        enum after after;
    } CASES[] = {
        {ERROR("412", "PreconditionFailed"), ERR_CHANGED, 412, false, AFTER_CLOSE},
        {ERROR("409", "ConditionalRequestConflict"), ERR_RETRY, 409, false, AFTER_CLOSE},
        {ERROR("404", "NoSuchKey"), ERR_NOT_FOUND, 404, false, AFTER_CLOSE},
        {ERROR("403", "AccessDenied"), ERR_AUTH, 403, false, AFTER_CLOSE},
        {ERROR("500", "InternalError"), ERR_RETRY, 500, true, AFTER_CLOSE},
        {ERROR("503", "SlowDown"), ERR_SLOW_DOWN, 503, true, AFTER_CLOSE},
        {"", ERR_RETRY, 0, true, AFTER_RESET},
        {"", ERR_RETRY, 0, true, AFTER_CLOSE},
        {"", ERR_RETRY, 0, true, AFTER_STALL},
        {"HTTP/1.1 2", ERR_RETRY, 0, true, AFTER_RESET},
        {ERROR("200", "InternalError"), ERR_RETRY, 200, true, AFTER_CLOSE},
        {PORTAL, ERR_CONFIG, 0, true, AFTER_CLOSE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const struct exchange script[] = {{.reply = CASES[i].reply, .after = CASES[i].after}};
        struct rig rig;
        rig_start(&rig, script, 1, 0);
        rig.put.if_match = "e1";
        assert_int_equal(perform(&rig), -1);
        assert_int_equal(rig.err.kind, CASES[i].kind);
        assert_int_equal(rig.err.http, CASES[i].http);
        if (rig.get.unsure != CASES[i].unsure) {
            fail_msg("case %zu: %s", i, rig.err.text);
        }
        rig_stop(&rig, 1);
    }
}

/* A refusal after a try whose answer was lost may be of that try's own doing. */
static void test_lost_answer_then_refused(void **state)
{
    (void)state;
    static const struct exchange SCRIPT[] = {
        {.reply = "", .after = AFTER_RESET},
        {.reply = ERROR("412", "PreconditionFailed"), .after = AFTER_CLOSE},
    };
    struct rig rig;
    rig_start(&rig, SCRIPT, 2, 5000);
    rig.put.only_new = true;
    assert_int_equal(perform(&rig), -1);
    assert_int_equal(rig.err.kind, ERR_CHANGED);
    assert_true(rig.get.unsure);
    rig_stop(&rig, 2);
}

static void test_conflict_is_asked_again(void **state)
{
    (void)state;
    static const struct exchange SCRIPT[] = {
        {.reply = ERROR("409", "ConditionalRequestConflict"), .after = AFTER_CLOSE},
        {.expect = {"if-match: \"e1\"\r\n"},
         .reply = ERROR("412", "PreconditionFailed"),
         .after = AFTER_CLOSE},
    };
    struct rig rig;
    rig_start(&rig, SCRIPT, 2, 5000);
    rig.put.if_match = "e1";
    assert_int_equal(perform(&rig), -1);
    assert_int_equal(rig.err.kind, ERR_CHANGED);
    assert_false(rig.get.unsure); /* both have said no */
    rig_stop(&rig, 2);
}

static void test_nobody_there(void **state)
{
    (void)state;
    const struct s3_options options = {.bucket = "bucket",
                                       .endpoint = "http://127.0.0.1:1",
                                       .no_sign = true,
                                       .net_threads = 1,
                                       .connections = 1};
    struct s3_client *client = NULL;
    struct err e = ERR_INIT;
    const struct s3_put put = {.body = slice_of("x", 1), .content_type = "text/plain"};
    struct s3_get get = {.key = "k", .put = &put};
    assert_int_equal(s3_client_new(&options, &client, &e), 0);
    assert_int_equal(s3_get_wait(submit, client, &get, &e), -1);
    assert_int_equal(e.kind, ERR_RETRY);
    assert_false(get.unsure); /* nothing was sent */
    s3_client_free(client);
}

static void mark_done(struct s3_get *get)
{
    __atomic_store_n((bool *)get->owner, true, __ATOMIC_SEQ_CST);
}

static void test_cancelled(void **state)
{
    (void)state;
    static const struct exchange SCRIPT[] = {{.reply = "", .after = AFTER_STALL}};
    struct rig rig;
    bool done = false;
    rig_start(&rig, SCRIPT, 1, 60000);
    rig.get.done = mark_done;
    rig.get.owner = &done;
    s3_submit(rig.client, &rig.get);
    while (s3_client_stats(rig.client).requests == 0) {
        clock_sleep_ms(5);
    }
    s3_client_cancel(rig.client);
    while (!__atomic_load_n(&done, __ATOMIC_SEQ_CST)) {
        clock_sleep_ms(5);
    }
    assert_int_equal(rig.get.err.kind, ERR_CANCELLED);
    assert_true(rig.get.unsure);
    s3_client_free(rig.client);
    (void)scripted_server_stop(rig.server);
}

/* An object of untold size in one request, with all that tells which it is. */
static void test_whole(void **state)
{
    (void)state;
    static const struct exchange SCRIPT[] = {
        {.expect = {"GET /bucket/claim HTTP/1.1"},
         .refuse = "range:",
         .reply = "HTTP/1.1 200 OK\r\nETag: \"e1\"\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                  "Last-Modified: Sun, 06 Nov 1994 08:49:30 GMT\r\nContent-Length: 5\r\n\r\nabcde"},
        {.reply = "HTTP/1.1 200 OK\r\nETag: \"e1\"\r\nContent-Length: 16\r\n\r\n0123456789abcdef"},
        {.reply = "HTTP/1.1 200 OK\r\nETag: \"e1\"\r\nContent-Length: 0\r\n\r\n"},
        {.reply = "HTTP/1.1 200 OK\r\nETag: \"e1\"\r\nContent-Length: 17\r\n\r\n0123456789abcdefg",
         .after = AFTER_CLOSE},
        {.reply = "HTTP/1.1 200 OK\r\nETag: \"e1\"\r\nContent-Length: 5\r\n\r\nab",
         .after = AFTER_CLOSE},
        {.refuse = "range:", /* another one by now: nothing of the first is kept */
         .reply = "HTTP/1.1 200 OK\r\nETag: \"e2\"\r\nContent-Length: 3\r\n\r\nxyz"},
    };
    struct rig rig;
    rig_start(&rig, SCRIPT, ARRAY_SIZE(SCRIPT), 5000);
    rig.get =
        (struct s3_get){.key = "claim", .whole = true, .size = sizeof(rig.into), .into = rig.into};
    assert_int_equal(perform(&rig), 0);
    assert_int_equal(rig.get.content_length, 5);
    assert_memory_equal(rig.into, "abcde", 5);
    assert_string_equal(rig.get.answer_etag, "e1");
    assert_int_equal(rig.get.date_ms - rig.get.modified_ms, 7000);
    assert_int_equal(perform(&rig), 0);
    assert_int_equal(rig.get.content_length, 16);
    assert_int_equal(perform(&rig), 0);
    assert_int_equal(rig.get.content_length, 0);
    assert_int_equal(perform(&rig), -1);
    assert_int_equal(rig.err.kind, ERR_LIMIT);
    assert_int_equal(perform(&rig), 0);
    assert_int_equal(rig.get.content_length, 3);
    assert_memory_equal(rig.into, "xyz", 3);
    rig_stop(&rig, ARRAY_SIZE(SCRIPT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_lost_answer_then_refused),
        cmocka_unit_test(test_conflict_is_asked_again),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
