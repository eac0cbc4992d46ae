#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "s3/s3.h"
#include "tests/unit/scripted_server.h"
#include "tests/unit/unit.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\nETag: \"e1\"\r\n"
#define OK_TEN OK_HEAD "Content-Length: 10\r\n\r\n0123456789"
#define ERROR_BODY(code)                                                                           \
    "<?xml version=\"1.0\"?><Error><Code>" code "</Code><Message>words</Message></Error>"

/* One client against one script. */
struct rig {
    struct scripted_server *server;
    struct s3_client *client;
    struct s3_get get;
    uint8_t into[64];
    struct err err;
};

static void rig_start_with(struct rig *rig, const struct exchange *script, size_t count,
                           struct s3_options options, bool repeat)
{
    memset(rig, 0, sizeof(*rig));
    rig->server = scripted_server_start(script, count, repeat);
    options.bucket = "bucket";
    options.endpoint = scripted_server_url(rig->server);
    options.no_sign = true;
    options.net_threads = options.net_threads == 0 ? 1 : options.net_threads;
    options.connections = options.connections == 0 ? 2 : options.connections;
    options.seed = 7;
    assert_int_equal(s3_client_new(&options, &rig->client, &rig->err), 0);
    rig->get = (struct s3_get){
        .key = "a/b c",
        .etag = "e1",
        .size = 10,
        .object_size = 10,
        .into = rig->into,
    };
}

static void rig_start(struct rig *rig, const struct exchange *script, size_t count)
{
    rig_start_with(rig, script, count, (struct s3_options){.retry_for_ms = 5000, .stall_ms = 5000},
                   false);
}

/* All exchanges were used, and every request was as expected. */
static void rig_stop(struct rig *rig, size_t requests)
{
    s3_client_free(rig->client);
    assert_int_equal(scripted_server_stop(rig->server), requests);
}

static void submit(void *ctx, struct s3_get *get)
{
    s3_submit(ctx, get);
}

static int rig_perform(struct rig *rig)
{
    return s3_get_wait(submit, rig->client, &rig->get, &rig->err);
}

static void test_whole(void **state)
{
    (void)state;
    static const struct exchange SCRIPT[] = {
        {.expect = {"GET /bucket/a/b%20c HTTP/1.1", "if-match: \"e1\"", "Host: 127.0.0.1:"},
         .refuse = "range:",
         .reply = OK_HEAD "x-amz-meta-local-size: 99\r\nx-amz-checksum-crc32: AAECAw==\r\n"
                          "Content-Length: 10\r\n\r\n0123456789"},
        {.expect = {"GET /bucket/a/b%20c"}, .refuse = "authorization", .reply = OK_TEN},
    };
    struct rig rig;
    rig_start(&rig, SCRIPT, ARRAY_SIZE(SCRIPT));
    assert_int_equal(rig_perform(&rig), 0);
    assert_memory_equal(rig.into, "0123456789", 10);
    assert_int_equal(rig.get.tries, 1);
    assert_true(rig.get.has_local_size);
    assert_int_equal(rig.get.local_size, 99);
    assert_int_equal(rig.get.checksum.kind, S3_CHECKSUM_CRC32);
    assert_memory_equal(rig.get.checksum.bytes, "\0\1\2\3", 4);
    assert_int_equal(rig_perform(&rig), 0); /* the same handle and connection again */
    assert_false(rig.get.has_local_size);
    const struct s3_stats stats = s3_client_stats(rig.client);
    assert_int_equal(stats.requests, 2);
    assert_int_equal(stats.retries, 0);
    assert_int_equal(stats.bytes, 20);
    rig_stop(&rig, 2);
}

static void test_range(void **state)
{
    (void)state;
    static const struct exchange SCRIPT[] = {
        {.expect = {"range: bytes=5-9\r\n"},
         .reply = "HTTP/1.1 206 P\r\nETag: \"e1\"\r\nContent-Range: bytes 5-9/20\r\n"
                  "Content-Length: 5\r\n\r\nabcde"},
    };
    struct rig rig;
    rig_start(&rig, SCRIPT, ARRAY_SIZE(SCRIPT));
    rig.get.offset = 5;
    rig.get.size = 5;
    rig.get.object_size = 20;
    assert_int_equal(rig_perform(&rig), 0);
    assert_memory_equal(rig.into, "abcde", 5);
    rig_stop(&rig, 1);
}

/* However a body breaks off, only the rest is asked for. */
static void test_resume(void **state)
{
    (void)state;
    static const enum after BREAKS[] = {AFTER_RESET, AFTER_CLOSE, AFTER_STALL};
    for (size_t i = 0; i < ARRAY_SIZE(BREAKS); i++) {
        const struct exchange script[] = {
            {.reply = OK_HEAD "x-amz-checksum-crc32: AAECAw==\r\nContent-Length: 10\r\n\r\n0123",
             .after = BREAKS[i]},
            {.expect = {"range: bytes=4-9\r\n", "if-match: \"e1\"\r\n"},
             .reply = "HTTP/1.1 206 P\r\nETag: \"e1\"\r\nContent-Range: bytes 4-9/10\r\n"
                      "Content-Length: 6\r\n\r\n456789"},
        };
        struct rig rig;
        rig_start_with(&rig, script, ARRAY_SIZE(script),
                       (struct s3_options){.retry_for_ms = 5000, .stall_ms = 300}, false);
        rig.get.etag = i == 0 ? NULL : "e1"; /* the first answer's ETag pins it too */
        assert_int_equal(rig_perform(&rig), 0);
        assert_memory_equal(rig.into, "0123456789", 10);
        assert_int_equal(rig.get.tries, 2);
        assert_int_equal(rig.get.checksum.kind, S3_CHECKSUM_CRC32);
        assert_int_equal(s3_client_stats(rig.client).retries, 1);
        rig_stop(&rig, 2);
    }
}

/* Without any ETag bytes of two objects could be mixed: it starts over. */
static void check_resume_unpinned(const char *etag)
{
    static const struct exchange SCRIPT[] = {
        {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nxxxx", .after = AFTER_RESET},
        {.refuse = "range:", .reply = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"},
    };
    struct rig rig;
    rig_start(&rig, SCRIPT, ARRAY_SIZE(SCRIPT));
    rig.get.etag = etag;
    assert_int_equal(rig_perform(&rig), 0);
    assert_memory_equal(rig.into, "0123456789", 10);
    rig_stop(&rig, 2);
}

static void test_resume_unpinned(void **state)
{
    (void)state;
    check_resume_unpinned(NULL);
    check_resume_unpinned(""); /* a listing that tells none */
}

struct refusal_case {
    const char *reply;
    enum err_kind kind;
    const char *words;
};

/* One try: what is not exactly what was asked for is refused. */
static void check_refused(const struct refusal_case *refused, uint64_t object_size)
{
    const struct exchange script[] = {{.reply = refused->reply, .after = AFTER_CLOSE}};
    struct rig rig;
    rig_start_with(&rig, script, 1, (struct s3_options){.stall_ms = 1000}, false);
    rig.get.object_size = object_size;
    assert_int_equal(rig_perform(&rig), -1);
    if (rig.err.kind != refused->kind || strstr(rig.err.text, refused->words) == NULL) {
        print_error("%s\n -> %s: %s\n", refused->reply, err_kind_name(rig.err.kind), rig.err.text);
    }
    assert_int_equal(rig.err.kind, refused->kind);
    assert_non_null(strstr(rig.err.text, refused->words));
    assert_non_null(strstr(rig.err.text, "get s3://bucket/a/b c: "));
    rig_stop(&rig, 1);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct refusal_case WHOLE[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n012345678", ERR_CORRUPT, "9 bytes announced"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n01234567890", ERR_CORRUPT, "11 bytes"},
        {"HTTP/1.1 200 OK\r\n\r\n0123456789", ERR_CORRUPT, "expected"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234", ERR_CORRUPT, "ended early"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ERR_CORRUPT, "0 bytes announced"},
        {"HTTP/1.1 206 P\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10\r\n\r\n0123456789",
         ERR_CORRUPT, "status 206"},
        {"HTTP/1.1 200 OK\r\nETag: \"e2\"\r\nContent-Length: 10\r\n\r\n0123456789", ERR_CHANGED,
         "replaced"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 86\r\n\r\n" ERROR_BODY("InternalError"), ERR_RETRY,
         "InternalError: words"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>", ERR_CONFIG,
         "200: a page of HTML"},
        {"HTTP/1.1 200 OK\r\nETag: \"e2\"\r\nContent-Length: 13\r\n\r\n<html></html>", ERR_CHANGED,
         "replaced"},
        {"HTTP/1.1 412 X\r\nContent-Length: 0\r\n\r\n", ERR_CHANGED, "412"},
        {"HTTP/1.1 400 X\r\nContent-Type: text/html\r\nContent-Length: 19\r\n\r\n"
         "<html>Bad</br><html",
         ERR_CONFIG, "400: bad request"},
        {"HTTP/1.1 404 X\r\nContent-Length: 82\r\n\r\n" ERROR_BODY("NoSuchKey"), ERR_NOT_FOUND,
         "404 NoSuchKey: words"},
        {"HTTP/1.1 403 X\r\nTransfer-Encoding: chunked\r\n\r\n55\r\n" ERROR_BODY(
             "AccessDenied") "\r\n0\r\n\r\n",
         ERR_AUTH, "403 AccessDenied: words"},
        {"HTTP/1.1 301 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", ERR_CONFIG,
         "301: redirected"},
        {"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", ERR_SLOW_DOWN, "503"},
        {"", ERR_RETRY, "mpty reply"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(WHOLE); i++) {
        check_refused(&WHOLE[i], 10);
    }
    static const struct refusal_case RANGED[] = {
        {OK_TEN, ERR_CORRUPT, "status 200"},
        {"HTTP/1.1 206 P\r\nContent-Range: bytes 1-10/20\r\nContent-Length: 10\r\n\r\n0123456789",
         ERR_CORRUPT, "Content-Range"},
        {"HTTP/1.1 206 P\r\nContent-Range: bytes 0-9/21\r\nContent-Length: 10\r\n\r\n0123456789",
         ERR_CORRUPT, "Content-Range"},
        {"HTTP/1.1 206 P\r\nContent-Range: bytes 0-9/*\r\nContent-Length: 10\r\n\r\n0123456789",
         ERR_CORRUPT, "contradictory"},
        {"HTTP/1.1 206 P\r\nContent-Length: 10\r\n\r\n0123456789", ERR_CORRUPT, "Content-Range"},
        {"HTTP/1.1 416 X\r\nContent-Length: 0\r\n\r\n", ERR_CHANGED, "416"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(RANGED); i++) {
        check_refused(&RANGED[i], 20);
    }
}

/* An error that is just as long as the object. */
static void test_error_of_same_size(void **state)
{
    (void)state;
    static const char BODY[] = "<Error><Code>InternalError</Code></Error>";
    static const struct exchange SCRIPT[] = {
        {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 41\r\n\r\n"
                  "<Error><Code>InternalError</Code></Error>"},
        {.refuse = "range:",
         .reply = OK_HEAD "Content-Length: 41\r\n\r\n0123456789012345678901234567890123456789."},
    };
    struct rig rig;
    assert_int_equal(sizeof(BODY) - 1, 41);
    rig_start(&rig, SCRIPT, ARRAY_SIZE(SCRIPT));
    rig.get.size = 41;
    rig.get.object_size = 41;
    assert_int_equal(rig_perform(&rig), 0);
    assert_int_equal(rig.into[40], '.');
    rig_stop(&rig, 2);
}

static void test_slow_down_then_ok(void **state)
{
    (void)state;
    static const struct exchange SCRIPT[] = {
        {.reply = "HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"},
        {.reply = "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"},
        {.reply = OK_TEN},
    };
    struct rig rig;
    rig_start(&rig, SCRIPT, ARRAY_SIZE(SCRIPT));
    assert_int_equal(rig_perform(&rig), 0);
    assert_int_equal(rig.get.tries, 3);
    assert_int_equal(s3_client_stats(rig.client).retries, 2);
    rig_stop(&rig, 3);
}

/* The budget ends; the last answer is what the operator reads. */
static void test_budget(void **state)
{
    (void)state;
    static const struct exchange SCRIPT[] = {
        {.reply = "HTTP/1.1 503 X\r\nContent-Length: 81\r\n\r\n" ERROR_BODY("SlowDown")},
    };
    struct rig rig;
    rig_start_with(&rig, SCRIPT, 1, (struct s3_options){.retry_for_ms = 300, .stall_ms = 1000},
                   true);
    const uint64_t begin_ms = clock_mono_ms();
    assert_int_equal(rig_perform(&rig), -1);
    assert_in_range(clock_mono_ms() - begin_ms, 300, 3000);
    assert_int_equal(rig.err.kind, ERR_SLOW_DOWN);
    assert_int_equal(rig.err.http, 503);
    assert_true(rig.get.tries > 1);
    assert_non_null(strstr(rig.err.text, "tries: 503 SlowDown: words"));
    rig_stop(&rig, rig.get.tries);
}

/* Requests one after the other wait for the same store one budget in all. */
static void test_one_outage(void **state)
{
    (void)state;
    static const struct exchange SCRIPT[] = {
        {.reply = OK_TEN},
        {.reply = "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"},
    };
    struct rig rig;
    rig_start_with(&rig, SCRIPT, ARRAY_SIZE(SCRIPT),
                   (struct s3_options){.retry_for_ms = 400, .stall_ms = 1000}, true);
    assert_int_equal(rig_perform(&rig), 0);
    size_t requests = 1;
    const uint64_t begin_ms = clock_mono_ms();
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(rig_perform(&rig), -1);
        assert_int_equal(rig.err.kind, ERR_RETRY);
        /* The outage began when the first one's first try had failed: a little may be left. */
        assert_true(i <= 1 || rig.get.tries == 1);
        requests += rig.get.tries;
    }
    assert_in_range(clock_mono_ms() - begin_ms, 400, 1600); /* five budgets are 2000 */
    rig_stop(&rig, requests);
}

static void test_outage_ends(void **state)
{
    (void)state;
    static const struct exchange SCRIPT[] = {
        {.reply = "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"},
        {.reply = OK_TEN},
        {.reply = "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", .delay_ms = 250},
        {.reply = OK_TEN},
    };
    struct rig rig;
    rig_start_with(&rig, SCRIPT, ARRAY_SIZE(SCRIPT),
                   (struct s3_options){.retry_for_ms = 500, .stall_ms = 1000}, false);
    assert_int_equal(rig_perform(&rig), 0);
    clock_sleep_ms(300); /* since the first failure: more than the budget leaves */
    assert_int_equal(rig_perform(&rig), 0);
    rig_stop(&rig, 4);
}

static void test_retry_after(void **state)
{
    (void)state;
    static const struct exchange SCRIPT[] = {
        {.reply = "HTTP/1.1 503 X\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"},
        {.reply = OK_TEN},
    };
    struct rig rig;
    rig_start(&rig, SCRIPT, ARRAY_SIZE(SCRIPT));
    const uint64_t begin_ms = clock_mono_ms();
    assert_int_equal(rig_perform(&rig), 0);
    assert_in_range(clock_mono_ms() - begin_ms, 1000, 3000);
    rig_stop(&rig, 2);
}

enum { PIECE = 64 * 1024 };

/* The head of an answer to bytes first..last of total, and as many of them as are told. */
static char *cut_answer(size_t first, size_t total, size_t size)
{
    char head[256];
    const int head_size =
        first == 0 ? snprintf(head, sizeof(head), OK_HEAD "Content-Length: %zu\r\n\r\n", total)
                   : snprintf(head, sizeof(head),
                              "HTTP/1.1 206 P\r\nETag: \"e1\"\r\nContent-Length: %zu\r\n"
                              "Content-Range: bytes %zu-%zu/%zu\r\n\r\n",
                              total - first, first, total - 1, total);
    char *answer = xcalloc((size_t)head_size + size + 1, 1);
    memcpy(answer, head, (size_t)head_size);
    memset(answer + head_size, 'x', size);
    return answer;
}

/* A slow line that breaks off now and then, longer than the budget but never without progress. */
static void test_budget_begins_anew_with_progress(void **state)
{
    (void)state;
    enum { TRIES = 4, TOTAL = TRIES * PIECE };
    struct exchange script[TRIES];
    char *answers[TRIES];
    for (size_t i = 0; i < TRIES; i++) {
        answers[i] = cut_answer(i * PIECE, TOTAL, PIECE);
        script[i] = (struct exchange){.reply = answers[i], .after = AFTER_CLOSE, .delay_ms = 250};
    }
    struct rig rig;
    rig_start_with(&rig, script, TRIES, (struct s3_options){.retry_for_ms = 400, .stall_ms = 5000},
                   false);
    rig.get.into = xcalloc(TOTAL, 1);
    rig.get.size = TOTAL;
    rig.get.object_size = TOTAL;
    assert_int_equal(rig_perform(&rig), 0);
    assert_int_equal(rig.get.into[TOTAL - 1], 'x');
    rig_stop(&rig, TRIES);
    free(rig.get.into);
    for (size_t i = 0; i < TRIES; i++) {
        free(answers[i]);
    }
}

/* The long budget is for a store that was there. */
static void test_never_answered(void **state)
{
    (void)state;
    static const struct s3_options OPTIONS = {
        .retry_for_ms = 60000, .contact_ms = 300, .stall_ms = 5000};
    static const struct exchange DEAD[] = {{.reply = "", .after = AFTER_CLOSE}};
    struct rig rig;
    rig_start_with(&rig, DEAD, 1, OPTIONS, true);
    const uint64_t begin_ms = clock_mono_ms();
    assert_int_equal(rig_perform(&rig), -1);
    assert_in_range(clock_mono_ms() - begin_ms, 300, 5000);
    assert_int_equal(rig.err.kind, ERR_RETRY);
    rig_stop(&rig, rig.get.tries);

    static const struct exchange ALIVE[] = {
        {.reply = "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", .delay_ms = 400},
        {.reply = "", .after = AFTER_CLOSE, .delay_ms = 400},
        {.reply = OK_TEN},
    };
    rig_start_with(&rig, ALIVE, ARRAY_SIZE(ALIVE), OPTIONS, false);
    assert_int_equal(rig_perform(&rig), 0);
    rig_stop(&rig, 3);
}

static void test_unreachable(void **state)
{
    (void)state;
    struct rig rig;
    static const struct exchange SCRIPT[] = {{.reply = ""}};
    rig_start(&rig, SCRIPT, 1);
    struct s3_options options = {
        .bucket = "bucket",
        .endpoint = "http://127.0.0.1:1",
        .no_sign = true,
        .net_threads = 1,
        .connections = 1,
    };
    struct s3_client *client = NULL;
    assert_int_equal(s3_client_new(&options, &client, &rig.err), 0);
    assert_int_equal(s3_get_wait(submit, client, &rig.get, &rig.err), -1);
    assert_int_equal(rig.err.kind, ERR_RETRY);
    assert_non_null(strstr(rig.err.text, "127.0.0.1"));
    s3_client_free(client);
    rig_stop(&rig, 0);
}

static void test_region(void **state)
{
    (void)state;
    static const struct exchange SCRIPT[] = {
        {.reply = "HTTP/1.1 301 X\r\nx-amz-bucket-region: eu-west-1\r\nContent-Length: 0\r\n\r\n"},
        {.reply = OK_TEN},
        {.reply = "HTTP/1.1 301 X\r\nx-amz-bucket-region: eu-west-1\r\nContent-Length: 0\r\n\r\n"},
    };
    struct rig rig;
    rig_start(&rig, SCRIPT, ARRAY_SIZE(SCRIPT));
    assert_int_equal(rig_perform(&rig), 0);
    assert_int_equal(rig.get.tries, 2);
    assert_int_equal(rig_perform(&rig), -1); /* no news any more */
    assert_int_equal(rig.err.kind, ERR_CONFIG);
    rig_stop(&rig, 3);
}

/* A HEAD has no body to say it with, and a denial may come from the wrong place. */
static void test_region_of_a_denial(void **state)
{
    (void)state;
    static const char *const HEADS[] = {
        "HTTP/1.1 403 X\r\nx-amz-bucket-region: eu-west-1\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 400 X\r\nx-amz-bucket-region: eu-west-1\r\nContent-Length: 0\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(HEADS); i++) {
        const struct exchange script[] = {
            {.reply = HEADS[i]},
            {.reply = OK_HEAD "Content-Length: 10\r\n\r\n"},
            {.reply = HEADS[i]},
        };
        struct rig rig;
        rig_start(&rig, script, ARRAY_SIZE(script));
        rig.get.head = true;
        assert_int_equal(rig_perform(&rig), 0);
        assert_int_equal(rig.get.tries, 2);
        assert_int_equal(rig_perform(&rig), -1); /* from where the bucket is: it counts */
        assert_int_equal(rig.get.tries, 1);
        rig_stop(&rig, 3);
    }
}

static void test_head(void **state)
{
    (void)state;
    static const struct exchange SCRIPT[] = {
        {.expect = {"HEAD /bucket/a/b%20c?partNumber=2 HTTP/1.1", "x-amz-checksum-mode: ENABLED"},
         .reply = "HTTP/1.1 206 P\r\nETag: \"e1\"\r\nContent-Length: 5242880\r\n"
                  "x-amz-mp-parts-count: 3\r\nx-amz-checksum-type: COMPOSITE\r\n"
                  "x-amz-checksum-crc32c: 4waSgw==-3\r\nx-amz-meta-local-size: 123456789\r\n"
                  "Content-Range: bytes 5242880-10485759/12000000\r\n\r\n"},
        {.reply = OK_TEN}, /* the handle serves a GET after a HEAD */
        {.expect = {"HEAD "}, .reply = "HTTP/1.1 200 OK\r\n\r\n", .after = AFTER_CLOSE},
        {.expect = {"HEAD "}, .reply = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"},
        {.expect = {"HEAD "}, .reply = "HTTP/1.1 404 X\r\n\r\n"},
    };
    struct rig rig;
    rig_start(&rig, SCRIPT, ARRAY_SIZE(SCRIPT));
    rig.get.head = true;
    rig.get.part_number = 2;
    rig.get.want_checksum = true;
    assert_int_equal(rig_perform(&rig), 0);
    assert_int_equal(rig.get.content_length, 5242880);
    assert_int_equal(rig.get.parts_count, 3);
    assert_int_equal(rig.get.local_size, 123456789);
    assert_int_equal(rig.get.checksum.kind, S3_CHECKSUM_CRC32C);
    assert_true(rig.get.checksum.composite);
    assert_int_equal(rig.get.checksum.parts, 3);
    rig.get = (struct s3_get){.key = "a/b c", .size = 10, .object_size = 10, .into = rig.into};
    assert_int_equal(rig_perform(&rig), 0);
    rig.get.head = true;
    assert_int_equal(rig_perform(&rig), 0); /* after an answer without a length */
    assert_int_equal(rig.get.tries, 2);
    assert_int_equal(rig.get.content_length, 3);
    assert_int_equal(rig_perform(&rig), -1);
    assert_int_equal(rig.err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(rig.err.text, "head s3://bucket/a/b c: 404"));
    rig_stop(&rig, 5);
}

/* A POST ?restore: under way, and already, are what was asked for. */
static void test_restore(void **state)
{
    (void)state;
    static const struct exchange SCRIPT[] = {
        {.expect = {"POST /bucket/a/b%20c?restore= HTTP/1.1", "Content-Length: 17\r\n",
                    "content-type: application/xml"},
         .refuse = "If-Match",
         .reply = "HTTP/1.1 202 A\r\nContent-Length: 0\r\n\r\n",
         .after = AFTER_CLOSE},
        {.reply = OK_TEN, .after = AFTER_CLOSE}, /* the handle serves a GET after a POST */
        {.expect = {"POST "},
         .reply = "HTTP/1.1 409 C\r\nContent-Length: 54\r\n\r\n"
                  "<Error><Code>RestoreAlreadyInProgress</Code></Error>  ",
         .after = AFTER_CLOSE},
        {.expect = {"POST "},
         .reply = "HTTP/1.1 503 X\r\nContent-Length: 66\r\n\r\n"
                  "<Error><Code>GlacierExpeditedRetrievalNotAvailable</Code></Error> ",
         .after = AFTER_CLOSE},
        {.expect = {"POST "},
         .reply = "HTTP/1.1 200 O\r\nContent-Length: 41\r\n\r\n"
                  "<Error><Code>AccessDenied</Code></Error> ",
         .after = AFTER_CLOSE},
        {.expect = {"HEAD "},
         .reply =
             "HTTP/1.1 200 O\r\nContent-Length: 10\r\nx-amz-restore: ongoing-request=\"true\"\r\n"
             "x-amz-archive-status: ARCHIVE_ACCESS\r\n\r\n"},
    };
    struct rig rig;
    rig_start(&rig, SCRIPT, ARRAY_SIZE(SCRIPT));
    const struct s3_get restore = {.key = "a/b c", .restore = "<RestoreRequest/>", .etag = "e1"};
    const struct s3_get get = rig.get;
    rig.get = restore;
    assert_int_equal(rig_perform(&rig), 0);
    rig.get = get;
    assert_int_equal(rig_perform(&rig), 0);
    rig.get = restore;
    assert_int_equal(rig_perform(&rig), 0);
    assert_int_equal(rig_perform(&rig), -1);
    assert_int_equal(rig.get.tries, 1); /* a person has to decide */
    assert_non_null(strstr(rig.err.hint, "--thaw-tier"));
    assert_int_equal(rig_perform(&rig), -1);
    assert_int_equal(rig.err.kind, ERR_AUTH);
    assert_non_null(strstr(rig.err.text, "restore s3://bucket/a/b c: "));
    rig.get = (struct s3_get){.key = "a", .head = true};
    assert_int_equal(rig_perform(&rig), 0);
    assert_int_equal(rig.get.copy, S3_COPY_ONGOING);
    assert_int_equal(rig.get.archive_tier, S3_TIER_ARCHIVE_ACCESS);
    rig_stop(&rig, ARRAY_SIZE(SCRIPT));
}

static void mark_done(struct s3_get *get)
{
    unsigned *count = get->owner;
    __atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
}

/* What stalls on the wire, what waits for its retry and what is queued all end; then freeing ends
 * the threads. */
static void test_cancel(void **state)
{
    (void)state;
    static const struct exchange SCRIPT[] = {
        {.reply = "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"},
        {.reply = "", .after = AFTER_STALL},
    };
    struct rig rig;
    rig_start_with(
        &rig, SCRIPT, ARRAY_SIZE(SCRIPT),
        (struct s3_options){
            .retry_for_ms = 60000, .stall_ms = 60000, .net_threads = 2, .connections = 2},
        true);
    struct s3_get gets[8];
    unsigned done = 0;
    for (size_t i = 0; i < ARRAY_SIZE(gets); i++) {
        gets[i] = rig.get;
        gets[i].done = mark_done;
        gets[i].owner = &done;
        s3_submit(rig.client, &gets[i]);
    }
    clock_sleep_ms(200);
    assert_int_equal(__atomic_load_n(&done, __ATOMIC_SEQ_CST), 0);
    const uint64_t begin_ms = clock_mono_ms();
    s3_client_cancel(rig.client);
    assert_int_equal(rig_perform(&rig), -1); /* and what comes later */
    assert_int_equal(rig.err.kind, ERR_CANCELLED);
    s3_client_free(rig.client);
    assert_true(clock_mono_ms() - begin_ms < 2000);
    assert_int_equal(done, ARRAY_SIZE(gets));
    for (size_t i = 0; i < ARRAY_SIZE(gets); i++) {
        assert_int_equal(gets[i].err.kind, ERR_CANCELLED);
    }
    rig.client = NULL;
    (void)scripted_server_stop(rig.server); /* how many came before the end is chance */
}

/* Many at once over several threads: each is done once, with its own bytes. */
static void test_many(void **state)
{
    (void)state;
    static const struct exchange SCRIPT[] = {{.reply = OK_TEN}};
    struct rig rig;
    rig_start_with(&rig, SCRIPT, 1,
                   (struct s3_options){
                       .retry_for_ms = 5000, .stall_ms = 5000, .net_threads = 3, .connections = 7},
                   true);
    static struct s3_get gets[300];
    static uint8_t into[ARRAY_SIZE(gets)][10];
    unsigned done = 0;
    for (size_t i = 0; i < ARRAY_SIZE(gets); i++) {
        gets[i] = rig.get;
        gets[i].into = into[i];
        gets[i].done = mark_done;
        gets[i].owner = &done;
        s3_submit(rig.client, &gets[i]);
    }
    for (unsigned i = 0; i < 1000 && __atomic_load_n(&done, __ATOMIC_SEQ_CST) < ARRAY_SIZE(gets);
         i++) {
        clock_sleep_ms(10);
    }
    assert_int_equal(__atomic_load_n(&done, __ATOMIC_SEQ_CST), ARRAY_SIZE(gets));
    for (size_t i = 0; i < ARRAY_SIZE(gets); i++) {
        assert_int_equal(gets[i].err.kind, ERR_NONE);
        assert_memory_equal(into[i], "0123456789", 10);
    }
    rig_stop(&rig, ARRAY_SIZE(gets));
}

/* An error's text without end, and a head without end: cut off, and told by their status. */
static void test_long_answers(void **state)
{
    (void)state;
    enum { SIZE = 400 * 1024 };
    static const char BODY[] = "HTTP/1.1 403 X\r\nContent-Length: 99999999\r\n\r\n";
    static char reply[SIZE];
    memset(reply, 'x', SIZE - 1);
    memcpy(reply, BODY, strlen(BODY));
    const struct exchange long_body[] = {{.reply = reply, .after = AFTER_STALL}};
    struct rig rig;
    rig_start(&rig, long_body, 1);
    assert_int_equal(rig_perform(&rig), -1);
    assert_int_equal(rig.err.kind, ERR_AUTH);
    assert_string_equal(
        rig.err.text, "get s3://bucket/a/b c: 403: an unsigned request was refused s3:GetObject on "
                      "arn:aws:s3:::bucket/a/b c");
    rig_stop(&rig, 1);

    static const char LINE[] = "x-some-header: 0123456789012345678901234567890123456789\r\n";
    memcpy(reply, "HTTP/1.1 200 OK\r\n", 17);
    for (size_t at = 17; at + sizeof(LINE) < SIZE; at += sizeof(LINE) - 1) {
        memcpy(reply + at, LINE, sizeof(LINE));
    }
    const struct exchange long_head[] = {{.reply = reply, .after = AFTER_STALL}};
    rig_start_with(&rig, long_head, 1, (struct s3_options){.stall_ms = 5000}, false);
    assert_int_equal(rig_perform(&rig), -1);
    assert_int_equal(rig.err.kind, ERR_RETRY);
    rig_stop(&rig, 1);
}

/* 300 KB at 1 MB/s cost the next request 300 ms. */
static void test_bandwidth(void **state)
{
    (void)state;
    enum { SIZE = 300000 };
    static const char HEAD[] = OK_HEAD "Content-Length: 300000\r\n\r\n";
    static char reply[sizeof(HEAD) + SIZE];
    static uint8_t into[SIZE];
    memcpy(reply, HEAD, sizeof(HEAD));
    memset(reply + strlen(HEAD), 'x', SIZE);
    const struct exchange script[] = {{.reply = reply}};
    struct rig rig;
    rig_start_with(&rig, script, 1, (struct s3_options){.stall_ms = 5000, .bandwidth = 1000000},
                   true);
    rig.get.size = SIZE;
    rig.get.object_size = SIZE;
    rig.get.into = into;
    const uint64_t begin_ms = clock_mono_ms();
    assert_int_equal(rig_perform(&rig), 0);
    assert_int_equal(rig_perform(&rig), 0);
    assert_in_range(clock_mono_ms() - begin_ms, 290, 2000);
    assert_int_equal(into[SIZE - 1], 'x');
    rig_stop(&rig, 2);
}

/* What cannot be sent exactly is not sent at all. */
static void test_unsendable(void **state)
{
    (void)state;
    static char long_text[8000];
    memset(long_text, 'x', sizeof(long_text) - 1);
    static const struct {
        const char *key, *etag;
    } CASES[] = {{long_text, "e1"}, {"k", long_text}, {"k", "e1\r\nx: y"}};
    static const struct exchange SCRIPT[] = {{.reply = OK_TEN}};
    struct rig rig;
    rig_start(&rig, SCRIPT, 1);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        rig.get.key = CASES[i].key;
        rig.get.etag = CASES[i].etag;
        assert_int_equal(rig_perform(&rig), -1);
        assert_int_equal(rig.err.kind, ERR_LIMIT);
        assert_int_equal(rig.get.tries, 0);
    }
    rig.get.key = "k";
    rig.get.etag = "e1";
    assert_int_equal(rig_perform(&rig), 0); /* the slot is free again */
    rig_stop(&rig, 1);
}

static void test_options(void **state)
{
    (void)state;
    static const struct s3_options BAD[] = {
        {.bucket = "bucket", .net_threads = 0, .connections = 1},
        {.bucket = "bucket", .net_threads = 65, .connections = 1},
        {.bucket = "bucket", .net_threads = 1, .connections = 0},
        {.bucket = "bucket", .net_threads = 1, .connections = 5000},
        {.bucket = "a/b", .net_threads = 1, .connections = 1},
        {.bucket = "bucket", .net_threads = 1, .connections = 1, .endpoint = "localhost:9000"},
        {.bucket = "bucket", .net_threads = 1, .connections = 1, .region = "a.b"},
        {.bucket = "bucket", .net_threads = 1, .connections = 1, .ca_file = "/nonexistent/ca"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        struct s3_options options = BAD[i];
        options.no_sign = true;
        struct s3_client *client = NULL;
        struct err e = ERR_INIT;
        assert_int_equal(s3_client_new(&options, &client, &e), -1);
        assert_int_equal(e.kind, ERR_CONFIG);
        assert_null(client);
    }
    s3_client_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_resume_unpinned),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_error_of_same_size),
        cmocka_unit_test(test_slow_down_then_ok),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_one_outage),
        cmocka_unit_test(test_outage_ends),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_budget_begins_anew_with_progress),
        cmocka_unit_test(test_never_answered),
        cmocka_unit_test(test_unreachable),
        cmocka_unit_test(test_region),
        cmocka_unit_test(test_region_of_a_denial),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_restore),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_long_answers),
        cmocka_unit_test(test_bandwidth),
        cmocka_unit_test(test_unsendable),
        cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
