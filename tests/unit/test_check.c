/* Which check an object gets, and the sums and digests themselves. */
#include "unit.h"

#include "agent/base/parse.h"
#include "agent/base/random.h"
#include "agent/check.h"
#include "agent/digest.h"
#include "agent/sstable_name.h"

#define MD5_HEX "0123456789abcdef0123456789abcdef"

static void test_etag(void **state)
{
    (void)state;
    static const struct {
        const char *etag;
        bool good;
        unsigned parts;
    } CASES[] = {
        {MD5_HEX, true, 0},
        {MD5_HEX "-1", true, 1},
        {MD5_HEX "-10000", true, 10000},
        {MD5_HEX "-10001", false, 0},
        {MD5_HEX "-0", false, 0},
        {MD5_HEX "-", false, 0},
        {MD5_HEX "-x", false, 0},
        {MD5_HEX "1", false, 0},
        {"", false, 0},
        {"file-1-2-3", false, 0},
        {MD5_HEX "-1-2", false, 0},
        {"0123456789abcdef0123456789abcdeg", false, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct hash_value value = {.size = 0};
        unsigned parts = 77;
        assert_int_equal(check_parse_etag(CASES[i].etag, &value, &parts), CASES[i].good);
        assert_int_equal(parts, CASES[i].good ? CASES[i].parts : 77);
        assert_int_equal(value.size, CASES[i].good ? 16 : 0);
    }
}

/* The table of the header, row by row. */
static const struct {
    struct check_facts facts;
    enum check_proof proof;
    enum hash_kind stored, plain;
    unsigned parts, sizes;
    bool head;
} CHOICES[] = {
    /* CRC of the whole: first, and the digest along with it. */
    {{MD5_HEX, S3_CHECKSUM_CRC32C, false, true, HASH_CRC32},
     PROOF_CHECKSUM,
     HASH_CRC32C,
     HASH_CRC32,
     0,
     0,
     false},
    {{MD5_HEX, S3_CHECKSUM_CRC64NVME, false, false, HASH_NONE},
     PROOF_CHECKSUM,
     HASH_CRC64NVME,
     HASH_NONE,
     0,
     0,
     true},
    /* The digest before all that needs order. */
    {{MD5_HEX, S3_CHECKSUM_SHA256, false, false, HASH_CRC32},
     PROOF_NONE,
     HASH_NONE,
     HASH_CRC32,
     0,
     0,
     false},
    {{MD5_HEX "-9", S3_CHECKSUM_CRC32, true, false, HASH_ADLER32},
     PROOF_NONE,
     HASH_NONE,
     HASH_ADLER32,
     0,
     0,
     false},
    {{MD5_HEX, S3_CHECKSUM_NONE, false, false, HASH_CRC32},
     PROOF_NONE,
     HASH_NONE,
     HASH_CRC32,
     0,
     0,
     false},
    /* Checksums in order. */
    {{MD5_HEX, S3_CHECKSUM_SHA1, false, false, HASH_NONE},
     PROOF_CHECKSUM,
     HASH_SHA1,
     HASH_NONE,
     0,
     0,
     true},
    {{MD5_HEX "-9", S3_CHECKSUM_CRC32, true, false, HASH_NONE},
     PROOF_CHECKSUM,
     HASH_CRC32,
     HASH_NONE,
     9,
     9,
     true},
    {{MD5_HEX "-1", S3_CHECKSUM_SHA256, true, true, HASH_NONE},
     PROOF_CHECKSUM,
     HASH_SHA256,
     HASH_NONE,
     1,
     0,
     false},
    /* A composite one whose parts nobody counts. */
    {{"opaque", S3_CHECKSUM_SHA256, true, false, HASH_NONE},
     PROOF_NONE,
     HASH_NONE,
     HASH_NONE,
     0,
     0,
     false},
    /* MD5, before a SHA-1 digest; that before HEADs for parts. */
    {{MD5_HEX, S3_CHECKSUM_NONE, false, false, HASH_SHA1},
     PROOF_ETAG,
     HASH_MD5,
     HASH_NONE,
     0,
     0,
     false},
    {{MD5_HEX "-3", S3_CHECKSUM_NONE, false, false, HASH_SHA1},
     PROOF_NONE,
     HASH_NONE,
     HASH_SHA1,
     0,
     0,
     false},
    {{MD5_HEX "-3", S3_CHECKSUM_NONE, false, true, HASH_NONE},
     PROOF_ETAG,
     HASH_MD5,
     HASH_NONE,
     3,
     3,
     false},
    {{"opaque", S3_CHECKSUM_NONE, false, false, HASH_NONE},
     PROOF_NONE,
     HASH_NONE,
     HASH_NONE,
     0,
     0,
     false},
};

static void test_choose(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CHOICES); i++) {
        struct check_choice choice;
        check_choose(&CHOICES[i].facts, &choice);
        assert_int_equal(choice.proof, CHOICES[i].proof);
        assert_int_equal(choice.stored, CHOICES[i].stored);
        assert_int_equal(choice.plain, CHOICES[i].plain);
        assert_int_equal(choice.parts, CHOICES[i].parts);
        assert_int_equal(choice.wants_sizes, CHOICES[i].sizes);
        assert_int_equal(choice.wants_head, CHOICES[i].head);
    }
}

static void test_settle(void **state)
{
    (void)state;
    struct check_choice choice;
    struct check_facts facts = {.etag = MD5_HEX, .whole = true};
    /* A checksum that no listing promised is taken all the same. */
    struct s3_get get = {.checksum = {.kind = S3_CHECKSUM_CRC32, .size = 4, .bytes = {1, 2, 3, 4}}};
    check_choose(&facts, &choice);
    assert_int_equal(choice.proof, PROOF_ETAG);
    check_settle(&choice, &facts, &get);
    assert_int_equal(choice.proof, PROOF_CHECKSUM);
    assert_int_equal(choice.expected.size, 4);
    assert_int_equal(choice.expected.bytes[3], 4);
    /* One that was promised and does not come gives way to the ETag. */
    facts.offered = S3_CHECKSUM_CRC32;
    get.checksum = (struct s3_checksum){.kind = S3_CHECKSUM_NONE};
    check_choose(&facts, &choice);
    check_settle(&choice, &facts, &get);
    assert_int_equal(choice.proof, PROOF_ETAG);
    assert_int_equal(choice.expected.size, 16);
    /* Under KMS an ETag proves nothing; an old digest steps in. */
    get.sse_kms = true;
    facts.digest = HASH_SHA1;
    check_choose(&facts, &choice);
    check_settle(&choice, &facts, &get);
    assert_int_equal(choice.proof, PROOF_NONE);
    assert_int_equal(choice.plain, HASH_SHA1);
    /* A composite one of a number of parts whose sizes were not asked for. */
    facts = (struct check_facts){.etag = "opaque", .whole = true};
    get = (struct s3_get){
        .checksum = {.kind = S3_CHECKSUM_SHA1, .composite = true, .parts = 3, .size = 20}};
    check_choose(&facts, &choice);
    check_settle(&choice, &facts, &get);
    assert_int_equal(choice.proof, PROOF_NONE);
}

static void test_take_head(void **state)
{
    (void)state;
    const struct check_facts facts = {
        .etag = MD5_HEX "-4", .offered = S3_CHECKSUM_SHA256, .offered_composite = true};
    struct check_choice choice;
    struct s3_checksum checksum = {
        .kind = S3_CHECKSUM_SHA256, .composite = true, .parts = 5, .size = 32};
    check_choose(&facts, &choice);
    check_take_head(&choice, &checksum);
    assert_int_equal(choice.expected.size, 0);
    checksum.parts = 4;
    check_take_head(&choice, &checksum);
    assert_int_equal(choice.expected.size, 32);
}

/* A composer fed at any split gives what hashing part by part gives. */
static void test_composer(void **state)
{
    (void)state;
    static const enum hash_kind KINDS[] = {HASH_MD5, HASH_SHA1, HASH_SHA256, HASH_CRC32};
    const uint64_t sizes[3] = {5, 1, 14};
    uint8_t bytes[20];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 37);
    }
    for (size_t k = 0; k < ARRAY_SIZE(KINDS); k++) {
        struct hash *part = hash_new(KINDS[k]);
        struct hash *whole = hash_new(KINDS[k]);
        size_t at = 0;
        for (size_t i = 0; i < 3; i++) {
            hash_update(part, slice_of(bytes + at, sizes[i]));
            at += sizes[i];
            const struct hash_value value = hash_finish(part);
            hash_update(whole, slice_of(value.bytes, value.size));
        }
        const struct hash_value expected = hash_finish(whole);
        const struct check_choice choice = {
            .proof = PROOF_CHECKSUM, .stored = KINDS[k], .parts = 3};
        for (size_t split = 1; split <= sizeof(bytes); split++) {
            struct composer *composer = composer_new(&choice, sizes);
            for (size_t i = 0; i < sizeof(bytes); i += split) {
                const size_t left = sizeof(bytes) - i;
                composer_update(composer, slice_of(bytes + i, left < split ? left : split));
            }
            const struct hash_value value = composer_finish(composer);
            assert_true(hash_value_equal(&value, &expected));
            composer_free(composer);
        }
        hash_free(part);
        hash_free(whole);
    }
}

static void test_hash_values(void **state)
{
    (void)state;
    static const struct {
        enum hash_kind kind;
        const char *hex; /* of "123456789" */
    } CASES[] = {
        {HASH_CRC32, "cbf43926"},
        {HASH_CRC32C, "e3069283"},
        {HASH_CRC64NVME, "ae8b14860a799888"},
        {HASH_ADLER32, "091e01de"},
        {HASH_MD5, "25f9e794323b453885f5181f1b624d0b"},
        {HASH_SHA1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"},
        {HASH_SHA256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct hash *hash = hash_new(CASES[i].kind);
        for (unsigned twice = 0; twice < 2; twice++) {
            hash_update(hash, slice_of("1234", 4));
            hash_update(hash, slice_of("56789", 5));
            const struct hash_value value = hash_finish(hash);
            char hex[2 * HASH_SIZE_MAX + 1];
            format_hex(value.bytes, value.size, hex);
            assert_string_equal(hex, CASES[i].hex);
        }
        hash_free(hash);
        if (hash_is_sum(CASES[i].kind)) {
            const enum hash_kind kind = CASES[i].kind;
            const uint64_t a = hash_sum_update(kind, hash_sum_start(kind), slice_of("1234", 4));
            const uint64_t b = hash_sum_update(kind, hash_sum_start(kind), slice_of("56789", 5));
            const struct hash_value value = hash_sum_value(kind, hash_sum_combine(kind, a, b, 5));
            char hex[2 * HASH_SIZE_MAX + 1];
            format_hex(value.bytes, value.size, hex);
            assert_string_equal(hex, CASES[i].hex);
        }
    }
    const struct hash_value none = {.size = 0};
    assert_false(hash_value_equal(&none, &none));
}

static void test_digest_text(void **state)
{
    (void)state;
    static const struct {
        enum hash_kind kind;
        const char *text;
        bool good;
    } CASES[] = {
        {HASH_CRC32, "1018674301", true},
        {HASH_CRC32, "0", true},
        {HASH_CRC32, "4294967295\n", true},
        {HASH_CRC32, "4294967296", false},
        {HASH_CRC32, "-1", false},
        {HASH_CRC32, "", false},
        {HASH_CRC32, "12 13", false},
        {HASH_ADLER32, "f7c3bc1d808e04732adf679965ccc34ca7ae3441", false},
        {HASH_SHA1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441  ks-t-jb-1-Data.db", true},
        {HASH_SHA1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441", true},
        {HASH_SHA1, "f7c3bc1d808e04732adf679965ccc34ca7ae344", false},
        {HASH_SHA1, "1018674301", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct hash_value value;
        assert_int_equal(
            digest_parse(CASES[i].kind, slice_of(CASES[i].text, strlen(CASES[i].text)), &value),
            CASES[i].good);
    }
}

/* Which digest of which release proves something. */
static void test_digest_kind(void **state)
{
    (void)state;
    static const struct {
        const char *names[3];
        enum hash_kind kind;
    } CASES[] = {
        {{"nb-1-big-Data.db", "nb-1-big-Digest.crc32", "nb-1-big-CompressionInfo.db"}, HASH_CRC32},
        {{"la-1-big-Data.db", "la-1-big-Digest.adler32", "la-1-big-CompressionInfo.db"},
         HASH_ADLER32},
        {{"k-t-ka-1-Data.db", "k-t-ka-1-Digest.sha1", "k-t-ka-1-CRC.db"}, HASH_ADLER32},
        {{"k-t-ka-1-Data.db", "k-t-ka-1-Digest.sha1", "k-t-ka-1-CompressionInfo.db"}, HASH_NONE},
        {{"k-t-jb-1-Data.db", "k-t-jb-1-Digest.sha1", "k-t-jb-1-CRC.db"}, HASH_SHA1},
        {{"nb-1-big-Data.db", "nb-1-big-Digest.md5", "nb-1-big-CRC.db"}, HASH_NONE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct plan_file files[3];
        for (size_t j = 0; j < 3; j++) {
            files[j] = (struct plan_file){.target_name = CASES[i].names[j], .size = 10};
        }
        struct plan_sstable sstable = {.count = 3, .data = 0, .digest = 1, .toc = PLAN_NONE};
        const struct plan plan = {.files = files, .file_count = 3};
        assert_int_equal(digest_kind(&plan, &sstable), CASES[i].kind);
        files[1].size = DIGEST_TEXT_MAX + 1;
        assert_int_equal(digest_kind(&plan, &sstable), HASH_NONE);
        sstable.digest = PLAN_NONE;
        assert_int_equal(digest_kind(&plan, &sstable), HASH_NONE);
    }
}

static void test_toc(void **state)
{
    (void)state;
    struct plan_file files[] = {{.target_name = "nb-1-big-Data.db"},
                                {.target_name = "nb-1-big-Index.db"},
                                {.target_name = "nb-1-big-TOC.txt"}};
    const struct plan plan = {.files = files, .file_count = 3};
    const struct plan_sstable sstable = {.count = 3, .toc = 2};
    static const struct {
        const char *text, *needed, *optional;
    } CASES[] = {
        {"Data.db\nIndex.db\nTOC.txt\n", "", ""},
        {"Data.db\r\nIndex.db", "", ""},
        {"\n\nData.db\n\n", "", ""},
        {"Data.db\nStatistics.db\nCompressionInfo.db\n", "Statistics.db", ""},
        {"Summary.db\nFilter.db\nData.db\n", "", "Summary.db"},
        {"SAI+aa+GroupComplete.db\nPartitions.db", "Partitions.db", "SAI+aa+GroupComplete.db"},
        {"Digest.crc32\nDataX", "DataX", "Digest.crc32"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const struct toc_missing missing =
            toc_compare(&plan, &sstable, slice_of(CASES[i].text, strlen(CASES[i].text)));
        assert_true(slice_is(missing.needed, CASES[i].needed));
        assert_true(slice_is(missing.optional, CASES[i].optional));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_etag),        cmocka_unit_test(test_choose),
        cmocka_unit_test(test_settle),      cmocka_unit_test(test_take_head),
        cmocka_unit_test(test_composer),    cmocka_unit_test(test_hash_values),
        cmocka_unit_test(test_digest_text), cmocka_unit_test(test_digest_kind),
        cmocka_unit_test(test_toc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
