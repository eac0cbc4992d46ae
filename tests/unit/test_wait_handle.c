#include "tests/unit/unit.h"

#include <string.h>

#include "agent/base/mem.h"
#include "s3/wait_handle.h"
#include "tests/unit/scripted_server.h"

#define QUERY "?AWSAccessKeyId=AKIA&Expires=1&Signature=sEcReT%3D"
#define PATH "/cloudformation-waitcondition-eu-west-1/arn%3Aaws%3A1"

static void test_urls(void **state)
{
    (void)state;
    static const char *const good[] = {
        ("https://cloudformation-waitcondition-eu-west-1.s3.eu-west-1.amazonaws.com/a%3Ab" QUERY),
        "http://127.0.0.1:8080/x?y",
        "https://[::1]/x?X-Amz-Signature=a",
    };
    static const char *const bad[] = {
        "",
        "s3://bucket/x?y",
        "https://?y",
        "https:///x?y",
        "https://host/x",
        "https://user@host/x?y",
        "https://host/x y?z",
        "https://host/x?y\n",
        "https://host/x?y#z",
        "HTTPS://host/x?y",
    };
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_true(wait_handle_is_url(good[i]));
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_false(wait_handle_is_url(bad[i]));
    }
    autofree char *longest = xcalloc(WAIT_HANDLE_URL_MAX + 2, 1);
    memset(longest, 'x', WAIT_HANDLE_URL_MAX);
    memcpy(longest, "https://h/?", strlen("https://h/?"));
    assert_true(wait_handle_is_url(longest));
    longest[WAIT_HANDLE_URL_MAX] = 'x';
    assert_false(wait_handle_is_url(longest));
}

static void test_buckets(void **state)
{
    (void)state;
    static const struct {
        const char *url, *bucket;
    } cases[] = {
        {"https://cloudformation-waitcondition-eu-west-1.s3.amazonaws.com/a?b",
         "cloudformation-waitcondition-eu-west-1"},
        {"https://s3.amazonaws.com.cn/cloudformation-waitcondition-cn-north-1/a?b",
         "cloudformation-waitcondition-cn-north-1"},
        {"https://host/a?b=/cloudformation-waitcondition-sEcReT", ""},
        {"https://host/acloudformation-waitcondition-x/a?b", ""},
        {"https://host/a?b", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char bucket[WAIT_HANDLE_BUCKET_MAX];
        wait_handle_bucket(cases[i].url, bucket);
        assert_string_equal(bucket, cases[i].bucket);
    }
}

#define REFUSAL(status, code, message)                                                             \
    "HTTP/1.1 " status " no\r\nConnection: close\r\n\r\n<Error><Code>" code                        \
    "</Code><Message>" message                                                                     \
    " sEcReT</Message><SignatureProvided>sEcReT</SignatureProvided></Error>"

static const struct answer {
    const char *reply;
    enum err_kind kind;
    const char *text, *hint; /* parts */
} answers[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ERR_NONE, "", ""},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlogin", ERR_CONFIG, "is not S3", "portal"},
    {"HTTP/1.1 204 No\r\n\r\n", ERR_CONFIG, "refused: 204 without an error document", "Ref"},
    {REFUSAL("403", "AccessDenied", "Request has expired"), ERR_NOT_FOUND, "its URL has expired",
     "new handle"},
    {REFUSAL("400", "ExpiredToken", "x"), ERR_NOT_FOUND, "its URL has expired", "new handle"},
    {REFUSAL("403", "AccessDenied", "no policy"), ERR_AUTH, "not allowed: 403 AccessDenied",
     "s3:PutObject on arn:aws:s3:::cloudformation-waitcondition-eu-west-1/*"},
    {REFUSAL("403", "SignatureDoesNotMatch", "x"), ERR_CONFIG, "refused: 403 SignatureDoesNotMatch",
     "whole URL"},
    {REFUSAL("503", "SlowDown", "x"), ERR_RETRY, "in trouble: 503 SlowDown", ""},
    {REFUSAL("400", "RequestTimeout", "x"), ERR_RETRY, "in trouble: 400 RequestTimeout", ""},
    {REFUSAL("404", "NoSuchBucket", "x"), ERR_CONFIG, "refused: 404 NoSuchBucket", "whole URL"},
    {"HTTP/1.1 307 Go\r\nLocation: http://evil/\r\nContent-Length: 0\r\n\r\n", ERR_CONFIG,
     "refused: 307", "whole URL"},
};

static void expect(const struct answer *want, int rc, const struct err *e)
{
    assert_int_equal(rc, want->kind == ERR_NONE ? 0 : -1);
    if (e->kind != want->kind || strstr(e->text, want->text) == NULL ||
        strstr(e->hint, want->hint) == NULL) {
        fail_msg("%s: '%s'; '%s'", err_kind_name(e->kind), e->text, e->hint);
    }
    assert_null(strstr(e->text, "sEcReT"));
    assert_null(strstr(e->hint, "sEcReT"));
}

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        const struct exchange exchange = {
            .expect = {"PUT " PATH QUERY " HTTP/1.1\r\n", "\r\n\r\n{\"a\":1}"},
            .refuse = "Content-Type",
            .reply = answers[i].reply,
            .after = AFTER_CLOSE,
        };
        struct scripted_server *server = scripted_server_start(&exchange, 1, false);
        autofree char *url = xasprintf("%s%s", scripted_server_url(server), PATH QUERY);
        const struct wait_handle handle = {.url = url};
        struct err e = ERR_INIT;
        const int rc = wait_handle_put(&handle, "{\"a\":1}", &e);
        assert_int_equal(scripted_server_stop(server), 1);
        expect(&answers[i], rc, &e);
    }
}

static void test_probe(void **state)
{
    (void)state;
    static const struct answer probes[] = {
        {"HTTP/1.1 100 Continue\r\n\r\n", ERR_NONE, "", ""},
        {REFUSAL("403", "AccessDenied", "no policy"), ERR_AUTH, "not allowed", "s3:PutObject"},
        {REFUSAL("403", "AccessDenied", "Request has expired"), ERR_NOT_FOUND, "expired", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
        const struct exchange exchange = {
            .expect = {"PUT " PATH QUERY " HTTP/1.1\r\n", "Expect: 100-continue\r\n"},
            .refuse = "{",
            .reply = probes[i].reply,
            .after = AFTER_CLOSE,
        };
        struct scripted_server *server = scripted_server_start(&exchange, 1, false);
        autofree char *url = xasprintf("%s%s", scripted_server_url(server), PATH QUERY);
        const struct wait_handle handle = {.url = url};
        struct err e = ERR_INIT;
        enum wait_handle_state how = WAIT_HANDLE_REACHED;
        const int rc = wait_handle_probe(&handle, &how, &e);
        assert_int_equal(scripted_server_stop(server), 1);
        expect(&probes[i], rc, &e);
        assert_int_equal(how, rc == 0 ? WAIT_HANDLE_OPEN : WAIT_HANDLE_REACHED);
    }
}

static void test_nobody_is_there(void **state)
{
    (void)state;
    struct scripted_server *server = scripted_server_start(NULL, 0, false);
    autofree char *url = xasprintf("%s%s", scripted_server_url(server), PATH QUERY);
    assert_int_equal(scripted_server_stop(server), 0); /* its port is nobody's now */
    const struct wait_handle handle = {.url = url};
    static const struct answer gone = {NULL, ERR_RETRY, "wait condition: http://127.0.0.1:",
                                       "cloudformation-waitcondition-eu-west-1"};
    struct err e = ERR_INIT;
    expect(&gone, wait_handle_put(&handle, "{}", &e), &e);
    enum wait_handle_state how;
    e = ERR_INIT;
    expect(&gone, wait_handle_probe(&handle, &how, &e), &e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_nobody_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
