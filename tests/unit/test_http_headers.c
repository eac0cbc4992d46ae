#include "s3/http_headers.h"
#include "tests/unit/unit.h"

static struct http_headers read_lines(const char *const *lines)
{
    struct http_headers headers = {.status = 0};
    for (; *lines != NULL; lines++) {
        http_headers_line(&headers, *lines, strlen(*lines));
    }
    return headers;
}

#define READ(...) read_lines((const char *const[]){"HTTP/1.1 200 OK\r\n", __VA_ARGS__, NULL})

static void test_status(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int status;
    } CASES[] = {
        {"HTTP/1.1 200 OK\r\n", 200},
        {"HTTP/1.0 503\r\n", 503},
        {"HTTP/2 206 \r\n", 206},
        {"HTTP/1.1 20\r\n", 0},
        {"HTTP/1.1 2x6 \r\n", 0},
        {"HTTP/1.1200 OK\r\n", 0},
        {"HTTP/1.1 2000 OK\r\n", 0},
        {"200 OK\r\n", 0},
        {"", 0},
        {"HTTP/", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const char *const lines[] = {CASES[i].line, NULL};
        assert_int_equal(read_lines(lines).status, CASES[i].status);
    }
    /* A second head replaces the first. */
    const char *const twice[] = {"HTTP/1.1 100 Continue", "ETag: \"a\"", "Content-Length: 5", "",
                                 "HTTP/1.1 200 OK",       NULL};
    const struct http_headers headers = read_lines(twice);
    assert_int_equal(headers.status, 200);
    assert_false(headers.has_length);
    assert_string_equal(headers.etag, "");
}

static void test_facts(void **state)
{
    (void)state;
    const struct http_headers headers =
        READ("content-LENGTH:  5 \r\n", "Content-Range: bytes 3-7/900\r\n", "ETag: \"abc-2\"\r\n",
             "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "X-Amz-Bucket-Region: eu-west-1\r\n",
             "last-modified: Sun, 06 Nov 1994 08:49:30 GMT\r\n",
             "x-amz-meta-local-size: 18446744073709551615", "x-amz-mp-parts-count: 10000",
             "Transfer-Encoding: Chunked", "Retry-After: 120", "Server: x");
    assert_int_equal(headers.retry_after_ms, 120000);
    assert_true(headers.has_length && headers.length == 5);
    assert_true(headers.has_range && headers.first == 3 && headers.last == 7);
    assert_int_equal(headers.total, 900);
    assert_string_equal(headers.etag, "abc-2");
    assert_true(headers.date_ms == INT64_C(784111777000));
    assert_true(headers.modified_ms == INT64_C(784111770000));
    assert_string_equal(headers.bucket_region, "eu-west-1");
    assert_true(headers.has_local_size && headers.local_size == UINT64_MAX);
    assert_int_equal(headers.parts_count, 10000);
    assert_true(headers.chunked);
    assert_false(headers.contradictory);
}

static void test_malformed(void **state)
{
    (void)state;
    const struct http_headers headers =
        READ("x-amz-meta-local-size: 12x", "x-amz-mp-parts-count: 10001", "no colon at all",
             "Date: yesterday", "x-amz-checksum-crc32: AAECA===", "x-amz-checksum-crc32c: AAECAw=!",
             "x-amz-checksum-sha1: AAECAw==",
             "x-amz-bucket-region: a-region-with-a-name-that-is-far-too-long",
             "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT");
    assert_int_equal(headers.retry_after_ms, 0);
    assert_false(headers.has_local_size);
    assert_int_equal(headers.parts_count, 0);
    assert_true(headers.date_ms == -1);
    assert_int_equal(headers.checksum.kind, S3_CHECKSUM_NONE);
    assert_string_equal(headers.bucket_region, "");
    assert_false(headers.contradictory);
}

static void test_contradictory(void **state)
{
    (void)state;
    static const char *const BAD[][2] = {
        {"Content-Length: 5", "Content-Length: 6"},
        {"Content-Length: -5", ""},
        {"Content-Length: 5, 5", ""},
        {"Content-Length:", ""},
        {"Content-Length: 18446744073709551616", ""},
        {"Content-Range: bytes 0-4/9", "Content-Range: bytes 0-5/9"},
        {"Content-Range: bytes 0-4/*", ""},
        {"Content-Range: bytes */9", ""},
        {"Content-Range: bytes 5-4/9", ""},
        {"Content-Range: bytes 0-9/9", ""},
        {"Content-Range: items 0-4/9", ""},
        {"Content-Range: bytes", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        assert_true(READ(BAD[i][0], BAD[i][1]).contradictory);
    }
    assert_false(READ("Content-Length: 5", "Content-Length: 5").contradictory);
    assert_false(READ("Content-Range: bytes 0-4/9", "content-range: BYTES 0-4/9").contradictory);
}

static void test_archived(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum s3_copy copy;
        int64_t until_ms;
    } CASES[] = {
        {"x-amz-restore: ongoing-request=\"true\"", S3_COPY_ONGOING, -1},
        {"x-amz-restore: ongoing-request=\"false\", expiry-date=\"Fri, 21 Dec 2012 00:00:00 GMT\"",
         S3_COPY_THERE, INT64_C(1356048000000)},
        {"x-amz-restore: ongoing-request=\"false\"", S3_COPY_THERE, -1},
        {"x-amz-restore: ongoing-request=\"false\", expiry-date=\"soon\"", S3_COPY_THERE, -1},
        {"x-amz-restore: ongoing-request=\"perhaps\"", S3_COPY_NONE, -1},
        {"x-amz-restore: ongoing-request=\"true", S3_COPY_NONE, -1},
        {"x-amz-restore: ongoing-request", S3_COPY_NONE, -1},
        {"x-amz-restore:", S3_COPY_NONE, -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const struct http_headers headers = READ(CASES[i].line);
        assert_int_equal(headers.copy, CASES[i].copy);
        assert_true(headers.copy_until_ms == CASES[i].until_ms);
        assert_int_equal(headers.archive_tier, S3_TIER_NONE);
    }
    assert_int_equal(READ("x-amz-archive-status: ARCHIVE_ACCESS").archive_tier,
                     S3_TIER_ARCHIVE_ACCESS);
    assert_int_equal(READ("x-amz-archive-status: DEEP_ARCHIVE_ACCESS").archive_tier,
                     S3_TIER_DEEP_ARCHIVE_ACCESS);
    assert_int_equal(READ("x-amz-archive-status: ").archive_tier, S3_TIER_NONE);
}

static void test_etag(void **state)
{
    (void)state;
    static const struct {
        const char *line, *etag;
    } CASES[] = {
        {"ETag: \"abc\"", "abc"}, {"ETag: abc", "abc"}, {"etag: W/\"abc\"", "abc"},
        {"ETag: \"\"", ""},       {"ETag: \"", "\""},   {"ETag:", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        assert_string_equal(READ(CASES[i].line).etag, CASES[i].etag);
    }
    char line[300] = "ETag: ";
    memset(line + 6, 'x', 200);
    assert_string_equal(READ(line).etag, "");
}

static void test_checksums(void **state)
{
    (void)state;
    struct http_headers headers =
        READ("x-amz-checksum-crc64nvme: AAECAwQFBgc=", "x-amz-checksum-type: FULL_OBJECT");
    assert_int_equal(headers.checksum.kind, S3_CHECKSUM_CRC64NVME);
    assert_int_equal(headers.checksum.size, 8);
    assert_memory_equal(headers.checksum.bytes, "\0\1\2\3\4\5\6\7", 8);
    assert_false(headers.checksum.composite || headers.composite);
    headers = READ("x-amz-checksum-sha1: //79/Pv6+fj39vX08/Lx8O/u7ew=");
    assert_int_equal(headers.checksum.kind, S3_CHECKSUM_SHA1);
    assert_int_equal(headers.checksum.bytes[0], 0xff);
    assert_int_equal(headers.checksum.bytes[19], 0xec);
    headers = READ("x-amz-checksum-sha256: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=");
    assert_int_equal(headers.checksum.size, 32);
    assert_int_equal(headers.checksum.bytes[31], 1);
    headers = READ("x-amz-checksum-crc32c: AAECAw==-17", "x-amz-checksum-type: composite");
    assert_true(headers.checksum.composite && headers.composite);
    assert_int_equal(headers.checksum.parts, 17);
    /* The cheaper one is taken, whatever the order. */
    headers =
        READ("x-amz-checksum-sha256: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=",
             "x-amz-checksum-crc32: AAECAw==", "x-amz-checksum-sha1: //79/Pv6+fj39vX08/Lx8O/u7ew=");
    assert_int_equal(headers.checksum.kind, S3_CHECKSUM_CRC32);
    static const char *const BAD[] = {
        "x-amz-checksum-crc32: AAECAw==-0",
        "x-amz-checksum-crc32: AAECAw==-",
        "x-amz-checksum-crc32: AAECAw==-10001",
        "x-amz-checksum-crc32: AAECAwQ=",
        "x-amz-checksum-crc32: AAEC",
        "x-amz-checksum-crc32: =AECAw==",
        "x-amz-checksum-crc32:",
        "x-amz-checksum-crc32: AAECAw=x",
    };
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        assert_int_equal(READ(BAD[i]).checksum.kind, S3_CHECKSUM_NONE);
    }
}

static void test_encryption(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum s3_encryption encryption;
    } CASES[] = {
        {"ETag: \"a\"", S3_ENCRYPTION_UNTOLD},
        {"x-amz-server-side-encryption: AES256", S3_ENCRYPTION_S3},
        {"x-amz-server-side-encryption: aws:kms", S3_ENCRYPTION_KMS},
        {"X-Amz-Server-Side-Encryption: aws:kms:dsse\r\n", S3_ENCRYPTION_KMS},
        {"x-amz-server-side-encryption-customer-algorithm: AES256", S3_ENCRYPTION_CUSTOMER},
        {"x-amz-server-side-encryption-customer-algorithm: ", S3_ENCRYPTION_UNTOLD},
        {"x-amz-server-side-encryption-aws-kms-key-id: arn:aws:kms:x", S3_ENCRYPTION_UNTOLD},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        assert_int_equal(READ(CASES[i].line).encryption, CASES[i].encryption);
    }
}

static void test_date(void **state)
{
    (void)state;
    int64_t ms = 0;
    assert_true(http_headers_parse_date("Thu, 29 Feb 2024 23:59:60 GMT", 29, &ms));
    assert_true(ms == INT64_C(1709251200000));
    static const char *const BAD[] = {
        "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nox 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 08-49:37 GMT", "Sun, 06 Nov 1994 08:49.37 GMT",
        "Sun, +6 Nov 1994 08:49:37 GMT", "",
    };
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        ms = 7;
        assert_false(http_headers_parse_date(BAD[i], strlen(BAD[i]), &ms));
        assert_int_equal(ms, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status),     cmocka_unit_test(test_facts),
        cmocka_unit_test(test_malformed),  cmocka_unit_test(test_contradictory),
        cmocka_unit_test(test_archived),   cmocka_unit_test(test_etag),
        cmocka_unit_test(test_checksums),  cmocka_unit_test(test_date),
        cmocka_unit_test(test_encryption),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
