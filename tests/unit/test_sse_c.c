#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "s3/s3.h"
#include "s3/sse_c.h"
#include "tests/unit/unit.h"

#define RAW "0123456789abcdef0123456789abcdef"
#define BASE64 "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define MD5 "hRasmdxgYDKV3nvbahU1MA==" /* of RAW; openssl dgst -md5 */

static char path[] = "/tmp/penates-test-XXXXXX";

static void write_key(const char *bytes, size_t size, mode_t mode)
{
    const int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static int make_file(void **state)
{
    (void)state;
    const int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void test_good_files(void **state)
{
    (void)state;
    static const char *const GOOD[] = {RAW, BASE64, BASE64 "\n", BASE64 "\r\n"};
    for (size_t i = 0; i < ARRAY_SIZE(GOOD); i++) {
        write_key(GOOD[i], strlen(GOOD[i]), 0440);
        struct sse_c sse_c = {.key = ""};
        struct err e = ERR_INIT;
        assert_int_equal(sse_c_read(path, &sse_c, &e), 0);
        struct sigv4_pair pairs[SSE_C_HEADERS];
        assert_int_equal(sse_c_headers(&sse_c, pairs), SSE_C_HEADERS);
        assert_string_equal(pairs[0].value, "AES256");
        assert_string_equal(pairs[1].value, BASE64);
        assert_string_equal(pairs[2].value, MD5);
        sse_c_wipe(&sse_c);
        assert_int_equal(sse_c_headers(&sse_c, pairs), 0);
    }
}

/* No word of what the file holds. */
static void test_bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        mode_t mode;
        const char *words;
    } BAD[] = {
        {"", 0600, "holds no key"},
        {"0123456789abcdef0123456789abcde", 0600, "holds no key"},
        {RAW "\n", 0600, "holds no key"},
        {BASE64 "x", 0600, "holds no key"},
        {BASE64 "\n\n", 0600, "holds no key"},
        {BASE64 "\r\n\n", 0600, "holds no key"},
        {"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY*", 0600, "holds no key"},
        {"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYx", 0600, "holds no key"},
        {RAW, 0604, "open to everybody"},
        {RAW, 0602, "open to everybody"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        write_key(BAD[i].bytes, strlen(BAD[i].bytes), BAD[i].mode);
        struct sse_c sse_c = {.key = ""};
        struct err e = ERR_INIT;
        assert_int_equal(sse_c_read(path, &sse_c, &e), -1);
        assert_int_equal(e.kind, ERR_CONFIG);
        assert_non_null(strstr(e.text, BAD[i].words));
        assert_null(strstr(e.text, "abcdef"));
        assert_null(strstr(e.text, "MDEy"));
        assert_int_equal(sse_c.key[0], '\0');
    }
    struct sse_c sse_c = {.key = ""};
    struct err e = ERR_INIT;
    assert_int_equal(sse_c_read("/nowhere/key", &sse_c, &e), -1);
    assert_non_null(strstr(e.text, "/nowhere/key"));
    e = ERR_INIT;
    assert_int_equal(sse_c_read("/tmp", &sse_c, &e), -1);
}

static void test_where_it_may_go(void **state)
{
    (void)state;
    static const struct {
        const char *base;
        bool may;
    } CASES[] = {
        {"https://s3.eu-west-1.amazonaws.com", true},
        {"http://127.0.0.1:9000", true},
        {"http://127.1.2.3", true},
        {"http://[::1]:9000", true},
        {"http://localhost:9000", false},
        {"http://127.0.0.1.example.com", false},
        {"http://128.0.0.1", false},
        {"http://[::2]", false},
        {"http://minio:9000", false},
        {"http://", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        assert_int_equal(sse_c_may_go_to(CASES[i].base), CASES[i].may);
    }
}

/* Refused before there is a client. */
static void test_client(void **state)
{
    (void)state;
    write_key(RAW, strlen(RAW), 0600);
    struct s3_options options = {
        .bucket = "bucket",
        .endpoint = "http://127.0.0.1:1",
        .no_sign = true,
        .net_threads = 1,
        .connections = 1,
        .sse_c_key_file = path,
    };
    struct s3_client *client = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(s3_client_new(&options, &client, &e), 0);
    s3_client_free(client);
    options.endpoint = "http://store.example.com";
    assert_int_equal(s3_client_new(&options, &client, &e), -1);
    assert_int_equal(e.kind, ERR_CONFIG);
    assert_non_null(strstr(e.text, "in the clear"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_files),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_where_it_may_go),
        cmocka_unit_test(test_client),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
