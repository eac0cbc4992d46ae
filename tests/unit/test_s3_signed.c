/* How signed requests are repaired. The credentials are this test's own: the functions below stand
 * in for creds.c, which the linker then leaves out. */
#include <limits.h>

#include "s3/s3.h"
#include "tests/unit/scripted_server.h"
#include "tests/unit/unit.h"

#define OK_TEN "HTTP/1.1 200 OK\r\nETag: \"e1\"\r\nContent-Length: 10\r\n\r\n0123456789"
#define FAIL(status, code, region)                                                                 \
    "HTTP/1.1 " status " X\r\nDate: Fri, 01 Jan 2100 00:00:00 GMT\r\nConnection: close\r\n\r\n"    \
    "<Error><Code>" code "</Code><Message>words</Message><Region>" region "</Region></Error>"

struct creds {
    unsigned gets, rejects;
    bool fail;
    unsigned out_of_reach; /* so many times they cannot be had */
    bool keeps_old;        /* but there are some still */
    bool rotates;          /* with each question */
    unsigned replaced;     /* so many refusals are of what others have replaced */
};

int creds_get(struct creds *creds, struct creds_value *ret, struct err *e)
{
    creds->gets++;
    if (creds->fail) {
        return err_set(e, ERR_AUTH, "no credentials");
    }
    if (creds->out_of_reach > 0 && !creds->keeps_old) {
        creds->out_of_reach--;
        return err_set(e, ERR_RETRY, "no credentials: no STS");
    }
    *ret = (struct creds_value){.secret = "secret-of-the-test", .token = "token"};
    (void)snprintf(ret->id, sizeof(ret->id), "KEY%u",
                   creds->rotates ? creds->gets : creds->rejects);
    return 0;
}

void creds_reject(struct creds *creds, const struct creds_value *value)
{
    assert_memory_equal(value->id, "KEY", 3);
    creds->rejects++;
}

bool creds_out_of_reach(struct creds *creds, struct err *ret_why)
{
    const bool out_of_reach = creds->out_of_reach > 0;
    if (out_of_reach) {
        creds->out_of_reach--;
        (void)err_set(ret_why, ERR_RETRY, "no credentials: no STS");
    }
    return out_of_reach;
}

bool creds_is_current(struct creds *creds, const struct creds_value *value)
{
    assert_memory_equal(value->id, "KEY", 3);
    const bool is_current = creds->replaced == 0;
    creds->replaced -= is_current ? 0 : 1;
    return is_current;
}

struct outcome {
    int result;
    struct err err;
    unsigned tries;
    size_t requests;
    struct s3_stats stats;
};

static void submit(void *ctx, struct s3_get *get)
{
    s3_submit(ctx, get);
}

static struct outcome run_script(struct creds *creds, const struct exchange *script, size_t count,
                                 bool repeat, bool head)
{
    struct outcome outcome = {.result = 0};
    struct scripted_server *server = scripted_server_start(script, count, repeat);
    const struct s3_options options = {
        .bucket = "bucket",
        .endpoint = scripted_server_url(server),
        .request_payer = "requester",
        .expected_bucket_owner = "123456789012",
        .net_threads = 1,
        .connections = 1,
        .retry_for_ms = 2000,
        .stall_ms = 2000,
        .creds = creds,
    };
    struct s3_client *client = NULL;
    assert_int_equal(s3_client_new(&options, &client, &outcome.err), 0);
    uint8_t into[10];
    struct s3_get get = {
        .key = "k", .etag = "e1", .size = 10, .object_size = 10, .into = into, .head = head};
    outcome.err = ERR_INIT;
    outcome.result = s3_get_wait(submit, client, &get, &outcome.err);
    outcome.tries = get.tries;
    outcome.stats = s3_client_stats(client);
    s3_client_free(client);
    outcome.requests = scripted_server_stop(server);
    return outcome;
}

static struct outcome run(struct creds *creds, const struct exchange *script, size_t count,
                          bool head)
{
    return run_script(creds, script, count, false, head);
}

static void test_signed(void **state)
{
    (void)state;
    static const struct exchange SCRIPT[] = {
        {.expect = {"authorization: AWS4-HMAC-SHA256 Credential=KEY0/",
                    "/us-east-1/s3/aws4_request, SignedHeaders=host;if-match;x-amz-content-sha256;"
                    "x-amz-date;x-amz-expected-bucket-owner;x-amz-request-payer;"
                    "x-amz-security-token, Signature=",
                    "x-amz-security-token: token\r\n", "x-amz-request-payer: requester\r\n",
                    "x-amz-expected-bucket-owner: 123456789012\r\n"},
         .reply = OK_TEN},
    };
    struct creds creds = {.gets = 0};
    const struct outcome outcome = run(&creds, SCRIPT, ARRAY_SIZE(SCRIPT), false);
    assert_int_equal(outcome.result, 0);
    assert_int_equal(creds.gets, 1);
}

/* By the credentials of that moment. */
static void test_each_try_is_signed_anew(void **state)
{
    (void)state;
    static const char BUSY[] = "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n";
    static const struct exchange script[] = {
        {.expect = {"Credential=KEY1/"}, .reply = BUSY},
        {.expect = {"Credential=KEY2/"},
         .reply = "HTTP/1.1 200 OK\r\nETag: \"e1\"\r\nContent-Length: 10\r\n\r\n0123",
         .after = AFTER_RESET},
        {.expect = {"Credential=KEY3/", "range: bytes=4-9\r\n"},
         .reply = "HTTP/1.1 206 OK\r\nETag: \"e1\"\r\nContent-Range: bytes 4-9/10\r\n"
                  "Content-Length: 6\r\n\r\n456789"},
    };
    struct creds creds = {.rotates = true};
    const struct outcome outcome = run(&creds, script, ARRAY_SIZE(script), false);
    assert_int_equal(outcome.result, 0);
    assert_int_equal(outcome.tries, 3);
}

static void test_no_credentials(void **state)
{
    (void)state;
    struct creds creds = {.fail = true};
    const struct outcome outcome = run(&creds, NULL, 0, false);
    assert_int_equal(outcome.result, -1);
    assert_int_equal(outcome.err.kind, ERR_AUTH);
    assert_string_equal(outcome.err.text, "get s3://bucket/k: no credentials");
}

/* Whoever gives them cannot be reached: the budget of retries is for that, too. */
static void test_credentials_out_of_reach(void **state)
{
    (void)state;
    static const struct exchange good[] = {{.reply = OK_TEN}};
    struct creds creds = {.out_of_reach = 3};
    struct outcome outcome = run(&creds, good, 1, false);
    assert_int_equal(outcome.result, 0);
    assert_int_equal(outcome.tries, 4);
    assert_int_equal(outcome.stats.requests, 1);
    creds = (struct creds){.out_of_reach = UINT_MAX};
    outcome = run(&creds, NULL, 0, false);
    assert_int_equal(outcome.result, -1);
    assert_int_equal(outcome.err.kind, ERR_RETRY);
    assert_non_null(strstr(outcome.err.text, "get s3://bucket/k: after "));
    assert_non_null(strstr(outcome.err.text, "tries: no credentials: no STS"));
    assert_int_equal(outcome.stats.requests, 0);
}

/* The old ones have ended, and new ones cannot be had yet. */
static void test_credentials_end_out_of_reach(void **state)
{
    (void)state;
    static const struct exchange expired = {.reply = FAIL("400", "ExpiredToken", ""),
                                            .after = AFTER_CLOSE};
    const struct exchange good[] = {expired, expired, expired, {.reply = OK_TEN}};
    struct creds creds = {.out_of_reach = 2, .keeps_old = true};
    struct outcome outcome = run(&creds, good, ARRAY_SIZE(good), false);
    assert_int_equal(outcome.result, 0);
    const struct exchange bad[] = {expired, expired, expired};
    creds = (struct creds){.out_of_reach = 1, .keeps_old = true};
    outcome = run(&creds, bad, ARRAY_SIZE(bad), false);
    assert_int_equal(outcome.result, -1);
    assert_int_equal(outcome.err.kind, ERR_AUTH);
    creds = (struct creds){.out_of_reach = UINT_MAX, .keeps_old = true};
    outcome = run_script(&creds, &expired, 1, true, false);
    assert_int_equal(outcome.err.kind, ERR_RETRY);
    assert_non_null(strstr(outcome.err.text, "400 ExpiredToken: words: no credentials: no STS"));
}

/* Refused twice with the old ones, and before the second answer others had brought new ones. */
static void test_credentials_replaced_by_others(void **state)
{
    (void)state;
    static const struct exchange expired = {.reply = FAIL("400", "ExpiredToken", ""),
                                            .after = AFTER_CLOSE};
    const struct exchange good[] = {expired, expired, expired, {.reply = OK_TEN}};
    struct creds creds = {.replaced = 2};
    struct outcome outcome = run(&creds, good, ARRAY_SIZE(good), false);
    assert_int_equal(outcome.result, 0);
    assert_int_equal(outcome.tries, 4);
    assert_int_equal(creds.rejects, 1);
    creds = (struct creds){.replaced = UINT_MAX};
    outcome = run_script(&creds, &expired, 1, true, false); /* the budget bounds it */
    assert_int_equal(outcome.err.kind, ERR_AUTH);
    assert_non_null(strstr(outcome.err.text, "tries: 400 ExpiredToken: words"));
}

/* Each repair helps once; the same answer again is final and is what the operator reads. */
static void test_repairs(void **state)
{
    (void)state;
    static const struct {
        const char *fail;
        bool head;
        const char *repaired; /* in the second request */
        unsigned rejects;
        enum err_kind kind;
    } CASES[] = {
        {FAIL("403", "RequestTimeTooSkewed", ""), false, "x-amz-date: 21000101T0000", 0, ERR_AUTH},
        {"HTTP/1.1 403 X\r\nDate: Fri, 01 Jan 2100 00:00:00 GMT\r\n\r\n", true,
         "x-amz-date: 21000101T0000", 0, ERR_AUTH},
        {FAIL("400", "ExpiredToken", ""), false, "Credential=KEY1/", 1, ERR_AUTH},
        {FAIL("403", "InvalidAccessKeyId", ""), false, "Credential=KEY1/", 1, ERR_AUTH},
        {"HTTP/1.1 400 X\r\n\r\n", true, "Credential=KEY1/", 1, ERR_CONFIG},
        {FAIL("400", "AuthorizationHeaderMalformed", "eu-west-1"), false, "/eu-west-1/s3/aws4", 0,
         ERR_CONFIG},
        {FAIL("301", "PermanentRedirect", "eu-west-1"), false, "/eu-west-1/s3/aws4", 0, ERR_CONFIG},
        {"HTTP/1.1 400 X\r\nx-amz-bucket-region: eu-west-1\r\n\r\n", true, "/eu-west-1/s3/aws4", 0,
         ERR_CONFIG},
    };
    static const char HEAD_OK[] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const struct exchange good[] = {
            {.reply = CASES[i].fail, .after = AFTER_CLOSE},
            {.expect = {CASES[i].repaired}, .reply = CASES[i].head ? HEAD_OK : OK_TEN},
        };
        struct creds creds = {.gets = 0};
        struct outcome outcome = run(&creds, good, 2, CASES[i].head);
        assert_int_equal(outcome.result, 0);
        assert_int_equal(outcome.tries, 2);
        assert_int_equal(creds.rejects, CASES[i].rejects);

        const struct exchange same = {.reply = CASES[i].fail, .after = AFTER_CLOSE};
        const struct exchange bad[] = {same, same, same};
        /* A bare 400 to a HEAD may have two reasons: the region is repaired, then the token. */
        const bool two_reasons = strstr(CASES[i].fail, "400 X\r\nx-amz-bucket") != NULL;
        creds = (struct creds){.gets = 0};
        outcome = run(&creds, bad, two_reasons ? 3 : 2, CASES[i].head);
        assert_int_equal(outcome.result, -1);
        assert_int_equal(outcome.err.kind, CASES[i].kind);
        assert_int_equal(outcome.requests, two_reasons ? 3 : 2);
        assert_null(strstr(outcome.err.text, "secret"));
    }
}

/* A redirect to nowhere that is known is not followed; a region that is no name is not taken. */
static void test_foreign_redirects(void **state)
{
    (void)state;
    static const char *const REPLIES[] = {
        FAIL("301", "PermanentRedirect", "evil.example.org/x"),
        "HTTP/1.1 301 X\r\nLocation: http://127.0.0.1:1/k\r\nContent-Length: 0\r\n\r\n",
        FAIL("301", "PermanentRedirect", "us-east-1"), /* where we asked already */
    };
    for (size_t i = 0; i < ARRAY_SIZE(REPLIES); i++) {
        const struct exchange script[] = {{.reply = REPLIES[i], .after = AFTER_CLOSE}};
        struct creds creds = {.gets = 0};
        const struct outcome outcome = run(&creds, script, 1, false);
        assert_int_equal(outcome.result, -1);
        assert_int_equal(outcome.err.kind, ERR_CONFIG);
        assert_int_equal(outcome.requests, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signed),
        cmocka_unit_test(test_each_try_is_signed_anew),
        cmocka_unit_test(test_no_credentials),
        cmocka_unit_test(test_credentials_out_of_reach),
        cmocka_unit_test(test_credentials_end_out_of_reach),
        cmocka_unit_test(test_credentials_replaced_by_others),
        cmocka_unit_test(test_repairs),
        cmocka_unit_test(test_foreign_redirects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
