#include "tests/unit/unit.h"

#include "agent/base/mem.h"
#include "tests/unit/sign_case.h"

enum { TEXT_MAX = 64 * 1024 };

static const char empty_sha256[] =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
static const char welcome[] = "Welcome to Amazon S3.";
static const char welcome_sha256[] =
    "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";

static struct creds_value aws_example(void)
{
    return (struct creds_value){.id = "AKIAIOSFODNN7EXAMPLE",
                                .secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};
}

/* GET / of examplebucket on 24 May 2013, as in "Authenticating Requests: Using the Authorization
 * Header" of the S3 API reference. */
static struct sigv4_request aws_request(const struct creds_value *creds)
{
    return (struct sigv4_request){.method = "GET",
                                  .host = "examplebucket.s3.amazonaws.com",
                                  .path = "/",
                                  .region = "us-east-1",
                                  .service = "s3",
                                  .creds = creds,
                                  .now_ms = INT64_C(1369353600000)};
}

static void expect_signed(const struct sigv4_request *request, struct sigv4_key_cache *cache,
                          const char *query, const char *signed_names, const char *signature)
{
    autobuf struct buf got_query = BUF_INIT(TEXT_MAX);
    autobuf struct buf got = BUF_INIT(TEXT_MAX);
    autobuf struct buf want = BUF_INIT(TEXT_MAX);
    struct err e = ERR_INIT;
    assert_int_equal(sigv4_sign(request, cache, &got_query, &got, &e), 0);
    assert_string_equal(buf_str(&got_query), query);
    assert_true(buf_appendf(&want,
                            "x-amz-date: 20130524T000000Z\nx-amz-content-sha256: %s\n"
                            "authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/"
                            "20130524/us-east-1/s3/aws4_request, SignedHeaders=%s, Signature=%s\n",
                            request->body.size == 0 ? empty_sha256 : welcome_sha256, signed_names,
                            signature));
    assert_string_equal(buf_str(&got), buf_str(&want));
}

static void test_aws_examples(void **state)
{
    (void)state;
    const struct creds_value creds = aws_example();
    struct sigv4_request request = aws_request(&creds);

    const struct sigv4_pair range = {"range", "bytes=0-9"};
    request.path = "/test.txt";
    request.headers = &range;
    request.header_count = 1;
    expect_signed(&request, NULL, "", "host;range;x-amz-content-sha256;x-amz-date",
                  "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");

    const struct sigv4_pair put[] = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                                     {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
    request.method = "PUT";
    request.path = "/test%24file.text";
    request.headers = put;
    request.header_count = 2;
    request.body = slice_of(welcome, strlen(welcome));
    expect_signed(&request, NULL, "",
                  "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                  "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");

    const struct sigv4_pair lifecycle = {"lifecycle", ""};
    request = aws_request(&creds);
    request.query = &lifecycle;
    request.query_count = 1;
    expect_signed(&request, NULL, "lifecycle=", "host;x-amz-content-sha256;x-amz-date",
                  "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");

    const struct sigv4_pair list[] = {{"prefix", "J"}, {"max-keys", "2"}};
    request.query = list;
    request.query_count = 2;
    expect_signed(&request, NULL, "max-keys=2&prefix=J", "host;x-amz-content-sha256;x-amz-date",
                  "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void check_case(char *line, struct sigv4_key_cache *cache)
{
    struct sign_case sign;
    autobuf struct buf path = BUF_INIT(0);
    autobuf struct buf query = BUF_INIT(0);
    autobuf struct buf authorization = BUF_INIT(0);
    sign_case_read(&sign, &line);
    sign_field_read(&line, &path);
    sign_field_read(&line, &query);
    sign_field_read(&line, &authorization);
    assert_string_equal(sign.request.path, buf_str(&path));

    autobuf struct buf got_query = BUF_INIT(TEXT_MAX);
    autobuf struct buf got = BUF_INIT(TEXT_MAX);
    struct err e = ERR_INIT;
    assert_int_equal(sigv4_sign(&sign.request, cache, &got_query, &got, &e), 0);
    assert_string_equal(buf_str(&got_query), buf_str(&query));
    const char *signed_by = strstr(buf_str(&got), "\nauthorization: ");
    assert_non_null(signed_by);
    signed_by += strlen("\nauthorization: ");
    assert_int_equal(strlen(signed_by), authorization.size + 1);
    assert_memory_equal(signed_by, buf_str(&authorization), authorization.size);
    assert_int_equal(strstr(buf_str(&got), "x-amz-security-token: ") != NULL,
                     sign.creds.token[0] != '\0');
    sign_case_done(&sign);
}

/* Twice each: without a cache, and with one that all cases share and spoil for each other. */
static void test_signs_as_botocore_does(void **state)
{
    (void)state;
    autofile FILE *file = fopen(TEST_DATA "/sigv4_cases.tsv", "re");
    assert_non_null(file);
    struct sigv4_key_cache cache = {.date = ""};
    autofree char *line = NULL;
    size_t capacity = 0;
    size_t cases = 0;
    while (getline(&line, &capacity, file) > 0) {
        struct sigv4_key_cache *const caches[] = {NULL, &cache, &cache};
        for (size_t i = 0; i < ARRAY_SIZE(caches); i++) {
            autofree char *copy = xstrdup(line);
            check_case(copy, caches[i]);
        }
        cases++;
    }
    assert_int_equal(cases, 200);
}

static void test_cache_follows_what_it_was_made_from(void **state)
{
    (void)state;
    struct creds_value creds = aws_example();
    const struct sigv4_request base = aws_request(&creds);
    struct sigv4_key_cache cache = {.date = ""};
    autobuf struct buf seen = BUF_INIT(TEXT_MAX);
    for (int i = 0; i < 5; i++) {
        struct sigv4_request request = base;
        request.now_ms += i == 1 ? INT64_C(86400000) : 0;
        request.region = i == 2 ? "eu-west-1" : base.region;
        request.service = i == 3 ? "sts" : base.service;
        creds.secret[0] = i == 4 ? 'W' : 'w';
        autobuf struct buf query = BUF_INIT(TEXT_MAX);
        autobuf struct buf cached = BUF_INIT(TEXT_MAX);
        autobuf struct buf fresh = BUF_INIT(TEXT_MAX);
        struct err e = ERR_INIT;
        assert_int_equal(sigv4_sign(&request, &cache, &query, &cached, &e), 0);
        assert_int_equal(sigv4_sign(&request, NULL, &query, &fresh, &e), 0);
        assert_string_equal(buf_str(&cached), buf_str(&fresh));
        const char *signature = strstr(buf_str(&fresh), "Signature=");
        assert_non_null(signature);
        assert_null(strstr(buf_str(&seen), signature));
        assert_true(buf_append_str(&seen, signature));
    }
    sigv4_key_cache_wipe(&cache);
    const struct sigv4_key_cache zero = {.date = ""};
    assert_memory_equal(&cache, &zero, sizeof(zero));
}

static void expect_refused(const struct sigv4_request *request, enum err_kind kind)
{
    autobuf struct buf query = BUF_INIT(TEXT_MAX);
    autobuf struct buf headers = BUF_INIT(TEXT_MAX);
    struct err e = ERR_INIT;
    assert_int_equal(sigv4_sign(request, NULL, &query, &headers, &e), -1);
    assert_int_equal(e.kind, kind);
    assert_true(strlen(e.text) > 0);
    assert_int_equal(query.size, 0);
    assert_int_equal(headers.size, 0);
}

static void test_refusals(void **state)
{
    (void)state;
    const struct creds_value creds = aws_example();
    struct sigv4_request request = aws_request(&creds);
    request.now_ms = -1;
    expect_refused(&request, ERR_CONFIG);
    request.now_ms = INT64_C(253402300800000); /* the year 10000 */
    expect_refused(&request, ERR_CONFIG);

    request = aws_request(&creds);
    request.region = "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr";
    expect_refused(&request, ERR_LIMIT);

    static const char *const values[] = {"a\nb: c", "a\r", "\x01", "\x7f", "a\tb"};
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        const struct sigv4_pair header = {"if-match", values[i]};
        request = aws_request(&creds);
        request.headers = &header;
        request.header_count = 1;
        expect_refused(&request, ERR_CONFIG);
    }
}

static void test_too_long_leaves_outputs_alone(void **state)
{
    (void)state;
    const struct creds_value creds = aws_example();
    static char text[TEXT_MAX + 1];
    memset(text, 'a', sizeof(text) - 1);
    const struct sigv4_pair pair = {"a", text};
    struct sigv4_request request = aws_request(&creds);
    request.query = &pair;
    request.query_count = 1;
    expect_refused(&request, ERR_LIMIT);
    text[TEXT_MAX - 3] = '\0'; /* fits with its name and NULs, not with the rest of the request */
    expect_refused(&request, ERR_LIMIT);
    request.query_count = 0;
    request.headers = &pair;
    request.header_count = 1;
    expect_refused(&request, ERR_LIMIT);

    const struct sigv4_pair small = {"prefix", "J"};
    request = aws_request(&creds);
    request.query = &small;
    request.query_count = 1;
    struct err e = ERR_INIT;
    autobuf struct buf tight = BUF_INIT(7);
    autobuf struct buf wide = BUF_INIT(TEXT_MAX);
    assert_int_equal(sigv4_sign(&request, NULL, &tight, &wide, &e), -1);
    assert_int_equal(tight.size + wide.size, 0);
    assert_int_equal(sigv4_sign(&request, NULL, &wide, &tight, &e), -1);
    assert_int_equal(tight.size + wide.size, 0);
    assert_int_equal(e.kind, ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aws_examples),
        cmocka_unit_test(test_signs_as_botocore_does),
        cmocka_unit_test(test_cache_follows_what_it_was_made_from),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_too_long_leaves_outputs_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
