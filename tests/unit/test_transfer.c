/* All of transfer, from plan to committed files, in memory: see transfer_rig.h. */
#include "unit.h"

#include "agent/base/interrupt.h"
#include "agent/base/mem.h"
#include "agent/hash.h"
#include "codec_rig.h"
#include "transfer_rig.h"

enum { MIB = 1 << 20, BLOCK = 32 << 10 };

static struct buf text_buf(const char *text)
{
    struct buf buf = BUF_INIT(1 << 20);
    assert_true(buf_append_str(&buf, text));
    return buf;
}

static struct buf digest_of(enum hash_kind kind, const struct buf *plain)
{
    struct buf buf = BUF_INIT(256);
    struct hash *hash = hash_new(kind);
    hash_update(hash, slice_of(plain->data, plain->size));
    const struct hash_value value = hash_finish(hash);
    hash_free(hash);
    if (kind == HASH_SHA1) {
        for (size_t i = 0; i < value.size; i++) {
            assert_true(buf_appendf(&buf, "%02x", value.bytes[i]));
        }
        assert_true(buf_append_str(&buf, "  ks-t-jb-1-Data.db"));
        return buf;
    }
    const uint64_t sum = (uint64_t)value.bytes[0] << 24 | (uint64_t)value.bytes[1] << 16 |
                         (uint64_t)value.bytes[2] << 8 | value.bytes[3];
    assert_true(buf_appendf(&buf, "%llu", (unsigned long long)sum));
    return buf;
}

/* Adds one SSTable of five components; returns its Data.db. */
static struct rig_file *add_sstable(struct rig *rig, unsigned generation, struct buf data,
                                    size_t block_size, const struct rig_traits *traits)
{
    static const char *const TOC = "TOC.txt\nData.db\nIndex.db\nDigest.crc32\nFilter.db\n";
    autofree char *data_name = xasprintf("nb-%u-big-Data.db", generation);
    autofree char *index_name = xasprintf("nb-%u-big-Index.db", generation);
    autofree char *filter_name = xasprintf("nb-%u-big-Filter.db", generation);
    autofree char *digest_name = xasprintf("nb-%u-big-Digest.crc32", generation);
    autofree char *toc_name = xasprintf("nb-%u-big-TOC.txt", generation);
    const struct buf digest = digest_of(HASH_CRC32, &data);
    struct rig_file *file = rig_add_file(rig, data_name, data, block_size, traits);
    (void)rig_add_file(rig, index_name, rig_text(5000 + generation, generation), BLOCK, traits);
    (void)rig_add_file(rig, filter_name, rig_noise(1000, generation), BLOCK, traits);
    (void)rig_add_file(rig, digest_name, digest, BLOCK, NULL);
    (void)rig_add_file(rig, toc_name, text_buf(TOC), BLOCK, NULL);
    rig_end_sstable(rig, 5);
    return file;
}

static void run_right(struct rig *rig)
{
    struct err e = ERR_INIT;
    if (rig_run(rig, &e) != 0) {
        fail_msg("%s", e.text);
    }
    rig_assert_all_right(rig);
}

static struct err run_wrong(struct rig *rig, enum err_kind kind, const char *part_of_text)
{
    struct err e = ERR_INIT;
    assert_int_equal(rig_run(rig, &e), -1);
    if (e.kind != kind || strstr(e.text, part_of_text) == NULL) {
        fail_msg("%s: %s", err_kind_name(e.kind), e.text);
    }
    rig_assert_nothing_half(rig);
    return e;
}

static void test_one(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1);
    (void)rig_add_file(rig, "schema.cql", text_buf("create"), BLOCK, NULL);
    run_right(rig);
    assert_int_equal(rig->files[0].gets, 1);
    assert_int_equal(rig->files[0].heads, 0);
    assert_int_equal(rig->files[0].result.checks, CHECK_SIZE | CHECK_STRUCTURE);
    rig_free(rig);
}

static void test_many(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct rig *rig = rig_new(seed);
        rig->config.threads = (unsigned)seed;
        rig->config.connections = 3 * (unsigned)seed;
        for (unsigned i = 0; i < 60; i++) {
            const size_t size = i % 15 == 0 ? 5 * MIB + i : 100 * i;
            (void)add_sstable(rig, i + 1, i % 2 == 0 ? rig_noise(size, i) : rig_text(size, i),
                              i % 3 == 0 ? 0 : BLOCK, NULL);
        }
        run_right(rig);
        for (uint32_t i = 0; i < rig->plan.sstable_count; i++) {
            const struct plan_sstable *sstable = &rig->plan.sstables[i];
            if (rig->files[sstable->data].plain.size > 0) {
                assert_true(rig->files[sstable->data].result.checks & CHECK_DIGEST);
            }
            assert_true(rig->files[sstable->toc].result.checks & CHECK_TOC);
        }
        rig_free(rig);
    }
}

/* Each kind of proof, for objects of one part and of several. */
static void test_proofs(void **state)
{
    (void)state;
    static const struct {
        struct rig_traits traits;
        unsigned checks;      /* beside size and structure */
        unsigned heads_large; /* HEADs of the object of several parts */
        unsigned heads_small;
    } CASES[] = {
        {{.checksum = S3_CHECKSUM_CRC32, .listed = true}, CHECK_S3_CHECKSUM, 1, 0},
        {{.checksum = S3_CHECKSUM_CRC32C, .listed = true}, CHECK_S3_CHECKSUM, 1, 0},
        {{.checksum = S3_CHECKSUM_CRC64NVME, .listed = true}, CHECK_S3_CHECKSUM, 1, 0},
        {{.checksum = S3_CHECKSUM_SHA1, .listed = true}, CHECK_S3_CHECKSUM, 1, 0},
        {{.checksum = S3_CHECKSUM_SHA256, .listed = true, .etag_md5 = true},
         CHECK_S3_CHECKSUM,
         1,
         0},
        {{.checksum = S3_CHECKSUM_SHA256,
          .listed = true,
          .etag_md5 = true,
          .composite = true,
          .upload_parts = 3},
         CHECK_S3_CHECKSUM,
         4,
         3},
        {{.checksum = S3_CHECKSUM_CRC32,
          .listed = true,
          .etag_md5 = true,
          .composite = true,
          .upload_parts = 7},
         CHECK_S3_CHECKSUM,
         8,
         7},
        {{.checksum = S3_CHECKSUM_CRC32,
          .listed = true,
          .etag_md5 = true,
          .composite = true,
          .upload_parts = 1},
         CHECK_S3_CHECKSUM,
         1,
         0},
        {{.etag_md5 = true}, CHECK_MD5, 0, 0},
        {{.etag_md5 = true, .upload_parts = 1}, CHECK_MD5, 0, 0},
        {{.etag_md5 = true, .upload_parts = 5}, CHECK_MD5, 5, 5},
        {{.sse_kms = true}, 0, 0, 0},
        {{.sse_kms = true, .checksum = S3_CHECKSUM_CRC32C, .listed = true},
         CHECK_S3_CHECKSUM,
         1,
         0},
        {{.local_size = true, .no_plain_size = true}, 0, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct rig *rig = rig_new(i);
        struct rig_file *large =
            rig_add_file(rig, "large", rig_noise(3 * MIB + 17, i), BLOCK, &CASES[i].traits);
        struct rig_file *small =
            rig_add_file(rig, "small", rig_noise(20000, i), BLOCK, &CASES[i].traits);
        struct rig_file *none =
            rig_add_file(rig, "none", rig_noise(2 * MIB, i), 0, &CASES[i].traits);
        run_right(rig);
        const unsigned expected = CASES[i].checks | CHECK_SIZE | CHECK_STRUCTURE;
        assert_int_equal(large->result.checks, expected);
        assert_int_equal(small->result.checks, expected);
        assert_int_equal(none->result.checks, expected & ~(unsigned)CHECK_STRUCTURE);
        assert_int_equal(large->heads, CASES[i].heads_large);
        assert_int_equal(small->heads, CASES[i].heads_small);
        rig_free(rig);
    }
}

/* Every proof that passes on good bytes fails on a flipped bit. Stored as is, so that no structure
 * can notice first. */
static void test_proofs_fail(void **state)
{
    (void)state;
    static const struct rig_traits CASES[] = {
        {.checksum = S3_CHECKSUM_CRC32, .listed = true},
        {.checksum = S3_CHECKSUM_CRC64NVME, .listed = true},
        {.checksum = S3_CHECKSUM_SHA256, .listed = true},
        {.checksum = S3_CHECKSUM_CRC32C,
         .listed = true,
         .etag_md5 = true,
         .composite = true,
         .upload_parts = 3},
        {.etag_md5 = true},
        {.etag_md5 = true, .upload_parts = 4},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        for (unsigned large = 0; large < 2; large++) {
            struct rig *rig = rig_new(i);
            struct rig_traits traits = CASES[i];
            traits.flip = true;
            (void)rig_add_file(rig, "f", rig_noise(large ? 4 * MIB : 4000, i), 0, &traits);
            const struct err e = run_wrong(rig, ERR_CORRUPT, "restore ks/t/f from base/ks/t/f: ");
            assert_non_null(strstr(e.text, "stored bytes"));
            rig_free(rig);
        }
    }
}

static void test_digest_fails(void **state)
{
    (void)state;
    for (unsigned large = 0; large < 2; large++) {
        for (uint64_t seed = 0; seed < 6; seed++) {
            struct rig *rig = rig_new(seed);
            const struct rig_traits flip = {.flip = true};
            struct rig_file *data =
                add_sstable(rig, 1, rig_noise(large ? 3 * MIB : 3000, seed), 0, &flip);
            data[1].traits.flip = false;
            data[2].traits.flip = false;
            (void)run_wrong(rig, ERR_CORRUPT, "CRC-32 of the file is not that of the SSTable");
            /* A digest is never committed before its data. */
            assert_false(data[3].committed);
            rig_free(rig);
        }
    }
}

/* A store that does not know ?partNumber costs the check, not the restore; one that denies it
 * does. */
static void test_part_sizes(void **state)
{
    (void)state;
    static const struct {
        enum err_kind fail, outcome;
        bool no_sizes;
    } CASES[] = {
        {ERR_NONE, ERR_NONE, true},
        {ERR_CORRUPT, ERR_NONE, false},
        {ERR_AUTH, ERR_AUTH, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct rig *rig = rig_new(i);
        const struct rig_traits traits = {.etag_md5 = true,
                                          .upload_parts = 3,
                                          .fail_sizes = CASES[i].fail,
                                          .no_sizes = CASES[i].no_sizes};
        struct rig_file *file = rig_add_file(rig, "f", rig_noise(3 * MIB, i), BLOCK, &traits);
        if (CASES[i].outcome == ERR_NONE) {
            run_right(rig);
            assert_int_equal(file->result.checks, CHECK_SIZE | CHECK_STRUCTURE);
        } else {
            (void)run_wrong(rig, CASES[i].outcome, "made to fail");
        }
        rig_free(rig);
    }
}

/* The SHA-1 of old releases, in order over several parts; and Adler-32. */
static void test_old_digests(void **state)
{
    (void)state;
    static const struct {
        const char *data, *digest;
        enum hash_kind kind;
    } CASES[] = {
        {"ks-t-jb-1-Data.db", "ks-t-jb-1-Digest.sha1", HASH_SHA1},
        {"ks-t-ka-1-Data.db", "ks-t-ka-1-Digest.sha1", HASH_ADLER32},
        {"la-1-big-Data.db", "la-1-big-Digest.adler32", HASH_ADLER32},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        for (unsigned flip = 0; flip < 2; flip++) {
            struct rig *rig = rig_new(i);
            const struct buf data = rig_noise(5 * MIB + 3, i);
            const struct rig_traits traits = {.flip = flip == 1};
            (void)rig_add_file(rig, CASES[i].digest, digest_of(CASES[i].kind, &data), BLOCK, NULL);
            struct rig_file *file =
                rig_add_file(rig, CASES[i].data, data, flip ? 0 : BLOCK, &traits);
            rig_end_sstable(rig, 2);
            if (flip) {
                (void)run_wrong(rig, ERR_CORRUPT, "of the file is not that of the SSTable");
            } else {
                run_right(rig);
                assert_true(file->result.checks & CHECK_DIGEST);
            }
            rig_free(rig);
        }
    }
}

static void test_empty(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1);
    struct rig_file *file = rig_add_file(rig, "Rows.db", text_buf(""), 0, NULL);
    struct rig_file *header = rig_add_file(rig, "Empty.db", text_buf(""), BLOCK, NULL);
    run_right(rig);
    assert_int_equal(file->gets, 0);
    assert_int_equal(file->result.checks, CHECK_SIZE);
    assert_int_equal(header->gets, 1);
    assert_int_equal(header->result.checks, CHECK_SIZE | CHECK_STRUCTURE);
    rig_free(rig);

    rig = rig_new(1);
    file = rig_add_file(rig, "Rows.db", text_buf("abc"), BLOCK, NULL);
    rig_set_stored(file, text_buf(""));
    (void)run_wrong(rig, ERR_TRUNCATED, "is empty");
    rig_free(rig);
}

/* A stream that ends early or is no stream, at every border that matters, in one part or more. */
static void test_truncated(void **state)
{
    (void)state;
    for (unsigned large = 0; large < 2; large++) {
        const size_t cuts[] = {1, 7, 15, 17, 19, 25, 30000};
        for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
            struct rig *rig = rig_new(i);
            struct rig_file *file =
                rig_add_file(rig, "f", rig_noise(large ? 3 * MIB : 40000, i), BLOCK, NULL);
            struct buf cut = BUF_INIT(8 * MIB);
            const size_t size = large ? file->stored.size - cuts[i] : cuts[i];
            assert_true(buf_append(&cut, file->stored.data, size));
            rig_set_stored(file, cut);
            struct err e = ERR_INIT;
            assert_int_equal(rig_run(rig, &e), -1);
            assert_true(e.kind == ERR_TRUNCATED || e.kind == ERR_CORRUPT);
            assert_true(large == 0 || e.kind == ERR_TRUNCATED);
            rig_assert_nothing_half(rig);
            rig_free(rig);
        }
    }
}

static void test_wrong_size(void **state)
{
    (void)state;
    for (int by = -1; by <= 1; by += 2) {
        for (unsigned large = 0; large < 2; large++) {
            struct rig *rig = rig_new(1);
            struct rig_file *file =
                rig_add_file(rig, "f", rig_noise(large ? 3 * MIB : 4000, 1), BLOCK, NULL);
            file->plan->plain_size = (uint64_t)((int64_t)file->plain.size + by);
            (void)run_wrong(rig, by < 0 ? ERR_CORRUPT : ERR_TRUNCATED, "manifest");
            rig_free(rig);
        }
    }
}

static void test_block_limit(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1);
    (void)rig_add_file(rig, "f", rig_text(6 * MIB, 1), 6 * MIB, NULL);
    const struct err e = run_wrong(rig, ERR_LIMIT, "claims more than the limit");
    assert_non_null(strstr(e.hint, "--memory"));
    rig_free(rig);
    /* 4 MiB blocks, the largest that a release writes by itself, across 1 MiB parts. */
    rig = rig_new(2);
    (void)rig_add_file(rig, "f", rig_noise(21 * MIB, 1), 4 * MIB, NULL);
    run_right(rig);
    rig_free(rig);
}

static void test_faults(void **state)
{
    (void)state;
    static const struct {
        struct rig_traits traits;
        enum err_kind kind;
        const char *text;
    } CASES[] = {
        {{.fail = ERR_NOT_FOUND, .fail_part = 0}, ERR_NOT_FOUND, "made to fail"},
        {{.fail = ERR_CHANGED, .fail_part = 2}, ERR_CHANGED, "made to fail"},
        {{.fail = ERR_RETRY, .fail_part = 3}, ERR_RETRY, "made to fail"},
        {{.fail_write = true}, ERR_DISK, "made to fail"},
        {{.flip = true, .etag_md5 = true}, ERR_CORRUPT, "restore ks/t/bad from "},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        for (uint64_t seed = 0; seed < 5; seed++) {
            struct rig *rig = rig_new(seed);
            for (unsigned j = 0; j < 10; j++) {
                (void)add_sstable(rig, j + 1, rig_noise(j == 5 ? 9 * MIB : 3000, j), BLOCK, NULL);
            }
            (void)rig_add_file(rig, "bad", rig_noise(4 * MIB, i), BLOCK, &CASES[i].traits);
            const struct err e = run_wrong(rig, CASES[i].kind, CASES[i].text);
            assert_non_null(strstr(e.text, "base/ks/t/bad"));
            rig_free(rig);
        }
    }
}

static void test_toc(void **state)
{
    (void)state;
    for (unsigned allow = 0; allow < 2; allow++) {
        struct rig *rig = rig_new(1);
        rig->config.selection.allow_incomplete = allow == 1;
        struct rig_file *toc = rig_add_file(rig, "nb-1-big-TOC.txt",
                                            text_buf("Data.db\nTOC.txt\nIndex.db\n"), BLOCK, NULL);
        (void)rig_add_file(rig, "nb-1-big-Data.db", rig_noise(100, 1), BLOCK, NULL);
        rig_end_sstable(rig, 2);
        if (allow) {
            run_right(rig);
            assert_false(toc->result.checks & CHECK_TOC);
        } else {
            const struct err e = run_wrong(rig, ERR_NO_BACKUP, "TOC.txt names Index.db");
            assert_non_null(strstr(e.hint, "--allow-incomplete"));
        }
        rig_free(rig);
    }
}

/* What was finished before is reported and not fetched; a digest only when its data needs it. */
static void test_rerun(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1);
    struct rig_file *first = add_sstable(rig, 1, rig_noise(3 * MIB, 1), BLOCK, NULL);
    struct rig_file *second = add_sstable(rig, 2, rig_noise(3000, 2), BLOCK, NULL);
    for (unsigned i = 0; i < 5; i++) {
        first[i].done_before = true;
        second[i].done_before = i != 0;
    }
    run_right(rig);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(first[i].gets, 0);
        assert_true(first[i].result.skipped);
        assert_int_equal(second[i].gets, i == 0 || i == 3 ? 1 : 0);
        assert_int_equal(second[i].result.skipped, i != 0);
    }
    assert_true(second->result.checks & CHECK_DIGEST);
    rig_free(rig);
}

static void test_verify_sample(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1);
    rig->verify = true;
    (void)add_sstable(rig, 1, rig_noise(3 * MIB, 1), BLOCK, NULL);
    (void)add_sstable(rig, 2, rig_noise(3000, 1), BLOCK, NULL);
    run_right(rig);
    rig_free(rig);

    rig = rig_new(1);
    rig->verify = true;
    struct rig_file *data = add_sstable(rig, 1, rig_noise(3 * MIB, 1), BLOCK, NULL);
    uint8_t take[5] = {1, 0, 0, 0, 0};
    rig->take = take;
    struct err e = ERR_INIT;
    assert_int_equal(rig_run(rig, &e), 0);
    assert_true(data->result.checks & CHECK_DIGEST);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(data[i].reports, i == 0 ? 1 : 0);
    }
    rig_free(rig);
}

/* Data is committed before its digest, so a rerun finds no digest without its data. */
static void test_commit_order(void **state)
{
    (void)state;
    struct rig *rig = rig_new(7);
    for (unsigned i = 0; i < 50; i++) {
        (void)add_sstable(rig, i + 1, rig_noise(i == 0 ? 4 * MIB : 2000, i), BLOCK, NULL);
    }
    run_right(rig);
    uint32_t place[250];
    for (uint32_t i = 0; i < rig->commit_count; i++) {
        place[rig->commit_order[i]] = i;
    }
    for (uint32_t i = 0; i < rig->plan.sstable_count; i++) {
        assert_true(place[rig->plan.sstables[i].data] < place[rig->plan.sstables[i].digest]);
    }
    rig_free(rig);
}

/* Much more data than memory, in large blocks and small objects at once: the rig asserts the
 * budget's peak. */
static void test_memory(void **state)
{
    (void)state;
    struct rig *rig = rig_new(3);
    rig->config.connections = 64;
    rig->config.part_size = 8 * MIB;
    (void)rig_add_file(rig, "a", rig_noise(70 * MIB, 1), 4 * MIB, NULL);
    (void)rig_add_file(rig, "b", rig_noise(70 * MIB, 2), BLOCK, NULL);
    (void)rig_add_file(rig, "c", rig_noise(70 * MIB, 3), 0, NULL);
    for (unsigned i = 0; i < 500; i++) {
        autofree char *name = xasprintf("s%u", i);
        (void)rig_add_file(rig, name, rig_text(100 * (i + 1), i), BLOCK, NULL);
    }
    run_right(rig);
    assert_true(rig->budget_peak > 16 * MIB);
    rig_free(rig);
}

static void test_too_little_memory(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1);
    rig->config.memory = 8 * MIB;
    (void)rig_add_file(rig, "a", rig_noise(1000, 1), BLOCK, NULL);
    struct err e = ERR_INIT;
    assert_int_equal(rig_run(rig, &e), -1);
    assert_int_equal(e.kind, ERR_LIMIT);
    assert_non_null(strstr(e.text, "--memory"));
    rig_free(rig);
}

/* Last: the interrupt cannot be taken back. */
static void test_interrupt(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1);
    rig->interrupt_after = 40;
    for (unsigned i = 0; i < 50; i++) {
        (void)add_sstable(rig, i + 1, rig_noise(i == 0 ? 9 * MIB : 2000, i), BLOCK, NULL);
    }
    (void)run_wrong(rig, ERR_CANCELLED, "interrupted");
    assert_true(interrupt_asked());
    assert_true(rig->get_count < 250);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),           cmocka_unit_test(test_many),
        cmocka_unit_test(test_proofs),        cmocka_unit_test(test_proofs_fail),
        cmocka_unit_test(test_digest_fails),  cmocka_unit_test(test_part_sizes),
        cmocka_unit_test(test_old_digests),   cmocka_unit_test(test_empty),
        cmocka_unit_test(test_truncated),     cmocka_unit_test(test_wrong_size),
        cmocka_unit_test(test_block_limit),   cmocka_unit_test(test_faults),
        cmocka_unit_test(test_toc),           cmocka_unit_test(test_rerun),
        cmocka_unit_test(test_verify_sample), cmocka_unit_test(test_commit_order),
        cmocka_unit_test(test_memory),        cmocka_unit_test(test_too_little_memory),
        cmocka_unit_test(test_interrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
