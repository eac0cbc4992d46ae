#include "agent/base/mem.h"
#include "agent/base/random.h"
#include "codec/framer.h"
#include "tests/unit/codec_rig.h"
#include "tests/unit/unit.h"

enum { SEED = 20261123, RANDOM_SPLITS = 64, LINE_SIZE = 4096 };

static void assert_plain(const struct rig_result *result, const struct buf *expected)
{
    assert_int_equal(result->cut, CODEC_OK);
    assert_int_equal(result->decode, CODEC_OK);
    assert_int_equal(result->size, expected->size);
    if (expected->size > 0) {
        assert_memory_equal(result->plain, expected->data, expected->size);
    }
}

static void assert_decodes(const struct buf *stored, const struct buf *expected,
                           struct rig_splits splits, bool reverse)
{
    struct rig_result result = rig_decode(&codec_snappy, rig_slice(stored), splits, reverse);
    assert_plain(&result, expected);
    rig_result_done(&result);
}

/* One vector at every split, in both orders, against the bytes that must come out. */
static void check_vector(const char *stored_path, const char *expected_path)
{
    autobuf struct buf stored = rig_read_file(stored_path);
    autobuf struct buf expected = rig_read_file(expected_path);
    const size_t fixed[] = {1, 2, 3, 7, 4096, stored.size};
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        assert_decodes(&stored, &expected, (struct rig_splits){&fixed[i], 1}, i % 2 == 0);
    }
    struct random random = {.state = SEED + stored.size};
    size_t sizes[RANDOM_SPLITS];
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        sizes[i] = (size_t)random_below(&random, UINT64_C(1) << random_below(&random, 17));
    }
    const struct rig_splits splits = {sizes, ARRAY_SIZE(sizes)};
    assert_decodes(&stored, &expected, splits, false);
    assert_decodes(&stored, &expected, splits, true);
}

/* Streams of five releases of snappy-java, several block sizes, flushes and concatenations. */
static void test_framing_vectors(void **state)
{
    (void)state;
    autofile FILE *list = fopen(TEST_DATA "/framing/snappy/manifest.tsv", "re");
    assert_non_null(list);
    char line[LINE_SIZE];
    assert_non_null(fgets(line, sizeof line, list)); /* the column names */
    unsigned count = 0;
    while (fgets(line, sizeof line, list) != NULL) {
        char name[128];
        char input[128];
        assert_int_equal(sscanf(line, "%127s %127s", name, input), 2);
        autofree char *stored = xasprintf("%s/framing/snappy/%s", TEST_DATA, name);
        autofree char *expected = xasprintf("%s/framing/expected/%s", TEST_DATA, input);
        check_vector(stored, expected);
        count++;
    }
    assert_int_equal(count, 56);
}

/* What Priam uploads: 2048-byte writes, flushed, never closed. */
static void test_priam_vectors(void **state)
{
    (void)state;
    static const char *const VERSIONS[] = {"1.0.4.1", "1.1.2.6", "1.1.7.3"};
    static const unsigned SIZES[] = {0, 1, 2048, 32767, 32768, 32769, 65536, 100000};
    for (size_t v = 0; v < ARRAY_SIZE(VERSIONS); v++) {
        for (size_t i = 0; i < ARRAY_SIZE(SIZES); i++) {
            autofree char *stored =
                xasprintf("%s/vectors/xerial-%s-%u.snappy", TEST_DATA, VERSIONS[v], SIZES[i]);
            autofree char *expected = xasprintf("%s/vectors/plain-%u.bin", TEST_DATA, SIZES[i]);
            check_vector(stored, expected);
        }
    }
}

/* A stream that ends anywhere but at a record's border is cut short, also inside a length word,
 * where Java sees a good end. */
static void test_every_truncation(void **state)
{
    (void)state;
    autobuf struct buf plain = rig_text(300, SEED);
    autobuf struct buf stream = BUF_INIT(4096);
    size_t borders[4];
    size_t count = 0;
    rig_add_xerial_header(&stream);
    borders[count++] = stream.size;
    rig_add_xerial_block(&stream, rig_slice(&plain));
    borders[count++] = stream.size;
    rig_add_xerial_header(&stream);
    borders[count++] = stream.size;
    rig_add_xerial_block(&stream, slice_of(plain.data, 7));
    borders[count++] = stream.size;
    assert_int_equal(count, ARRAY_SIZE(borders));
    size_t clean = 0;
    for (size_t size = 0; size <= stream.size; size++) {
        const bool border = size == borders[clean];
        clean += border ? 1 : 0;
        const size_t splits[] = {5, SIZE_MAX};
        for (size_t i = 0; i < ARRAY_SIZE(splits); i++) {
            struct rig_result result = rig_decode(&codec_snappy, slice_of(stream.data, size),
                                                  (struct rig_splits){&splits[i], 1}, false);
            assert_int_equal(result.cut, border ? CODEC_OK : CODEC_TRUNCATED);
            assert_int_equal(result.decode, CODEC_OK);
            rig_result_done(&result);
        }
    }
    assert_int_equal(clean, count);
}

#define HEADER "\x82SNAPPY\0\0\0\0\1\0\0\0\1"

/* Whole and byte by byte, the verdict is the same. */
static void test_bad_streams(void **state)
{
    (void)state;
    static const struct rig_case CASES[] = {
        {"", 0, CODEC_TRUNCATED, CODEC_OK},
        {"X", 1, CODEC_TRUNCATED, CODEC_OK},
        {"JUNK", 4, CODEC_CORRUPT, CODEC_OK},
        {"\0\0\0\3\1\0X", 7, CODEC_CORRUPT, CODEC_OK}, /* a block, but no header before it */
        {"\x82SNAPPX\0\0\0\0\1\0\0\0\1", 16, CODEC_CORRUPT, CODEC_OK},
        {"\x82SNAPPY\0\0\0\0\0\0\0\0\1", 16, CODEC_CORRUPT, CODEC_OK}, /* version 0 */
        {"\x82SNAPPY\0\0\0\0\2\0\0\0\2", 16, CODEC_CORRUPT, CODEC_OK}, /* for readers of 2 */
        {"\x82SNAPPY\0\0\0\0\2\0\0\0\1", 16, CODEC_OK, CODEC_OK},
        {HEADER "\0\0\0\0", 20, CODEC_CORRUPT, CODEC_OK},             /* empty block */
        {HEADER "\xff\xff\xff\xff", 20, CODEC_CORRUPT, CODEC_OK},     /* negative length */
        {HEADER "\x82SNX", 20, CODEC_CORRUPT, CODEC_OK},              /* nearly a header */
        {HEADER "\x00\x40\x00\x01", 20, CODEC_LIMIT, CODEC_OK},       /* limit + 1 stored */
        {HEADER "\x00\x40\x00\x00", 20, CODEC_TRUNCATED, CODEC_OK},   /* the limit itself */
        {HEADER "\0\0\0\4\x81\x80\x80\2", 24, CODEC_LIMIT, CODEC_OK}, /* limit + 1 plain */
        {HEADER "\0\0\0\6\xff\xff\xff\xff\x7f\0", 26, CODEC_CORRUPT, CODEC_OK}, /* 35 bits */
        {HEADER "\0\0\0\3\x80\x80\x80", 23, CODEC_CORRUPT, CODEC_OK}, /* preamble is cut */
        {HEADER "\0\0\0\1\0", 21, CODEC_OK, CODEC_OK},                /* a block of no bytes */
        {HEADER "\0\0\0\3\0\0X", 23, CODEC_OK, CODEC_CORRUPT},        /* more than promised */
        {HEADER "\0\0\0\3\1\0X", 23, CODEC_OK, CODEC_OK},             /* "X" */
        {HEADER "\0\0\0\3\2\0X", 23, CODEC_OK, CODEC_CORRUPT},        /* less than promised */
        {HEADER "\0\0\0\5\1\0X\0Y", 25, CODEC_OK, CODEC_CORRUPT},     /* more, in a second tag */
        {HEADER "\0\0\0\3\4\x01\x01", 23, CODEC_OK, CODEC_CORRUPT},   /* copy from before */
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        if (!rig_gives(&codec_snappy, &CASES[i])) {
            fail_msg("case %zu", i);
        }
    }
}

static const struct codec_limits LIMITS = {.block_size_max = RIG_BLOCK_SIZE_MAX};

/* A block that spans many parts is carried whole and comes with the part that ends it. */
static void test_block_larger_than_parts(void **state)
{
    (void)state;
    enum { PART = 1000 };
    autobuf struct buf plain = rig_text(100000, SEED);
    autobuf struct buf stream = BUF_INIT(1 << 20);
    rig_add_xerial_header(&stream);
    rig_add_xerial_block(&stream, rig_slice(&plain));
    const size_t block_size = stream.size - 16;
    rig_add(&stream, HEADER, 16);
    struct framer *framer = codec_snappy.framer_new(&LIMITS);
    for (size_t at = 0; at < stream.size; at += PART) {
        const size_t size = at + PART < stream.size ? PART : stream.size - at;
        struct chunk chunk;
        assert_int_equal(codec_snappy.cut(framer, slice_of(stream.data + at, size), &chunk),
                         CODEC_OK);
        const bool ends = at <= 16 + block_size - 1 && 16 + block_size - 1 < at + size;
        assert_int_equal(chunk.carried_size, ends ? block_size : 0);
        assert_int_equal(chunk.carried != NULL, ends);
        assert_int_equal(chunk.out_size, ends ? plain.size : 0);
        assert_int_equal(chunk.body.size, at == 0 ? 16 : (ends ? at + size - 16 - block_size : 0));
        chunk_done(&chunk);
        assert_null(chunk.carried);
    }
    assert_int_equal(codec_snappy.finish(framer), CODEC_OK);
    assert_int_equal(codec_snappy.plain_size(framer), plain.size);
    codec_snappy.framer_free(framer);
}

/* Records that lie whole in a part are not copied. */
static void test_whole_records_are_borrowed(void **state)
{
    (void)state;
    autobuf struct buf plain = rig_text(5000, SEED);
    autobuf struct buf stream = BUF_INIT(1 << 20);
    rig_add_xerial_header(&stream);
    rig_add_xerial_block(&stream, rig_slice(&plain));
    struct framer *framer = codec_snappy.framer_new(&LIMITS);
    struct chunk chunk;
    assert_int_equal(codec_snappy.cut(framer, rig_slice(&stream), &chunk), CODEC_OK);
    assert_null(chunk.carried);
    assert_ptr_equal(chunk.body.data, stream.data);
    assert_int_equal(chunk.body.size, stream.size);
    codec_snappy.framer_free(framer); /* the chunk owns nothing of the framer */
    chunk_done(&chunk);
}

struct pieces {
    size_t sizes[16];
    size_t count;
    size_t stop_after; /* the emit that says stop; 0: none */
};

static int note_piece(void *ctx, uint64_t offset, struct slice plain)
{
    struct pieces *pieces = ctx;
    (void)offset;
    assert_in_range(pieces->count, 0, ARRAY_SIZE(pieces->sizes) - 1);
    pieces->sizes[pieces->count++] = plain.size;
    return pieces->count == pieces->stop_after ? -1 : 0;
}

static enum codec_status decode_pieces(const struct buf *stream, struct pieces *pieces)
{
    struct framer *framer = codec_snappy.framer_new(&LIMITS);
    struct scratch scratch = {0};
    struct chunk chunk;
    assert_int_equal(codec_snappy.cut(framer, rig_slice(stream), &chunk), CODEC_OK);
    const enum codec_status status = codec_snappy.decode(&chunk, &scratch, note_piece, pieces);
    chunk_done(&chunk);
    scratch_done(&scratch);
    codec_snappy.framer_free(framer);
    return status;
}

/* Small blocks gather into 1 MiB; a larger block goes alone; what follows gathers again. */
static void test_pieces(void **state)
{
    (void)state;
    autobuf struct buf small = rig_text(32768, SEED);
    autobuf struct buf large = rig_text(3 << 20, SEED);
    autobuf struct buf stream = BUF_INIT(1 << 24);
    rig_add_xerial_header(&stream);
    for (unsigned i = 0; i < 33; i++) {
        rig_add_xerial_block(&stream, rig_slice(&small));
    }
    rig_add_xerial_block(&stream, rig_slice(&large));
    for (unsigned i = 0; i < 2; i++) {
        rig_add_xerial_block(&stream, rig_slice(&small));
    }
    static const size_t EXPECTED[] = {1 << 20, 32768, 3 << 20, 65536};
    struct pieces pieces = {0};
    assert_int_equal(decode_pieces(&stream, &pieces), CODEC_OK);
    assert_int_equal(pieces.count, ARRAY_SIZE(EXPECTED));
    assert_memory_equal(pieces.sizes, EXPECTED, sizeof EXPECTED);
    for (size_t stop = 1; stop <= ARRAY_SIZE(EXPECTED); stop++) {
        pieces = (struct pieces){.stop_after = stop};
        assert_int_equal(decode_pieces(&stream, &pieces), CODEC_STOPPED);
        assert_int_equal(pieces.count, stop);
    }
}

/* No file gets there, but a sum from outside is never trusted not to. */
static void test_plain_size_overflow(void **state)
{
    (void)state;
    struct framer *framer = codec_snappy.framer_new(&LIMITS);
    framer->plain_size = UINT64_MAX;
    struct chunk chunk;
    assert_int_equal(codec_snappy.cut(framer, slice_of(HEADER "\0\0\0\3\1\0X", 23), &chunk),
                     CODEC_LIMIT);
    codec_snappy.framer_free(framer);
    framer = codec_none.framer_new(&LIMITS);
    framer->plain_size = UINT64_MAX;
    assert_int_equal(codec_none.cut(framer, slice_of("X", 1), &chunk), CODEC_LIMIT);
    codec_none.framer_free(framer);
}

/* Stored as is: the same bytes at any split, and no bytes are a file too. */
static void test_identity(void **state)
{
    (void)state;
    autobuf struct buf plain = rig_text(3000000, SEED);
    static const size_t SPLITS[] = {4097, SIZE_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(SPLITS); i++) {
        struct rig_result result =
            rig_decode(&codec_none, rig_slice(&plain), (struct rig_splits){&SPLITS[i], 1}, i == 0);
        assert_plain(&result, &plain);
        rig_result_done(&result);
    }
    const struct buf nothing = BUF_INIT(1);
    struct rig_result result = rig_decode_whole(&codec_none, slice_of(NULL, 0));
    assert_plain(&result, &nothing);
    rig_result_done(&result);
}

static void test_identity_stops(void **state)
{
    (void)state;
    struct chunk chunk = {.body = slice_of("abc", 3), .out_size = 3};
    struct pieces pieces = {.stop_after = 1};
    struct scratch scratch = {0};
    assert_int_equal(codec_none.decode(&chunk, &scratch, note_piece, &pieces), CODEC_STOPPED);
    assert_null(scratch.data); /* the bytes are emitted where they lie */
}

static void test_words(void **state)
{
    (void)state;
    assert_string_equal(codec_status_text(CODEC_OK), "is valid");
    assert_string_equal(codec_status_text(CODEC_TRUNCATED), "ends early");
    assert_string_equal(codec_status_text(CODEC_CORRUPT), "is not valid");
    assert_string_equal(codec_status_text(CODEC_LIMIT), "has a block larger than the limit");
    assert_string_equal(codec_status_text(CODEC_STOPPED), "was stopped");
    codec_snappy.framer_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_framing_vectors),
        cmocka_unit_test(test_priam_vectors),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_bad_streams),
        cmocka_unit_test(test_block_larger_than_parts),
        cmocka_unit_test(test_whole_records_are_borrowed),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_plain_size_overflow),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_identity_stops),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
