#include "agent/base/random.h"
#include "tests/unit/codec_rig.h"
#include "tests/unit/unit.h"

enum { SEED = 20261123, BLOCK = 65536 };

#define HEADER "\xff\6\0\0sNaPpY"
/* "abcd" stored plainly; the masked sum is of an independent implementation. */
#define ABCD                                                                                       \
    "\1\x08\0\0\x68\x10\xe6\xb6"                                                                   \
    "abcd"

static void assert_decodes(const struct buf *stored, const struct buf *expected,
                           struct rig_splits splits, bool reverse)
{
    struct rig_result result = rig_decode(&codec_snappy_framed, rig_slice(stored), splits, reverse);
    assert_int_equal(result.cut, CODEC_OK);
    assert_int_equal(result.decode, CODEC_OK);
    assert_int_equal(result.size, expected->size);
    assert_memory_equal(result.plain, expected->data, expected->size);
    rig_result_done(&result);
}

/* Blocks of both types, with all that may stand between them. */
static struct buf mixed_stream(const struct buf *plain)
{
    struct buf stream = BUF_INIT(1 << 24);
    rig_add_framed_header(&stream);
    unsigned turn = 0;
    for (size_t at = 0; at < plain->size; at += BLOCK, turn++) {
        const size_t size = plain->size - at < BLOCK ? plain->size - at : BLOCK;
        rig_add_framed_block(&stream, slice_of(plain->data + at, size), turn % 3 != 2);
        if (turn % 2 == 0) {
            rig_add(&stream, "\x80\5\0\0extra", 9);
            rig_add(&stream, "\xfe\0\0\0", 4); /* padding, empty */
        } else {
            rig_add_framed_header(&stream); /* as concatenation leaves it */
        }
    }
    return stream;
}

static void test_any_split_and_order(void **state)
{
    (void)state;
    autobuf struct buf plain = rig_text(5 * BLOCK + 4321, SEED);
    autobuf struct buf stream = mixed_stream(&plain);
    const size_t fixed[] = {1, 2, 3, 7, 4096, stream.size};
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        assert_decodes(&stream, &plain, (struct rig_splits){&fixed[i], 1}, i % 2 == 0);
    }
    struct random random = {.state = SEED};
    size_t sizes[64];
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        sizes[i] = (size_t)random_below(&random, UINT64_C(1) << random_below(&random, 18));
    }
    assert_decodes(&stream, &plain, (struct rig_splits){sizes, ARRAY_SIZE(sizes)}, false);
    assert_decodes(&stream, &plain, (struct rig_splits){sizes, ARRAY_SIZE(sizes)}, true);
}

static void test_every_truncation(void **state)
{
    (void)state;
    static const char STREAM[] = HEADER ABCD "\x80\2\0\0xy" ABCD;
    const size_t size = sizeof STREAM - 1;
    for (size_t end = 0; end <= size; end++) {
        const bool border = end == 10 || end == 22 || end == 28 || end == 40;
        struct rig_result result = rig_decode_whole(&codec_snappy_framed, slice_of(STREAM, end));
        assert_int_equal(result.cut, border ? CODEC_OK : CODEC_TRUNCATED);
        rig_result_done(&result);
    }
    assert_int_equal(size, 40);
}

static void test_streams(void **state)
{
    (void)state;
    static const struct rig_case CASES[] = {
        {HEADER, 10, CODEC_OK, CODEC_OK},
        {HEADER ABCD, 22, CODEC_OK, CODEC_OK},
        {ABCD, 12, CODEC_CORRUPT, CODEC_OK},                 /* no identifier */
        {"\x80\0\0\0" HEADER, 14, CODEC_CORRUPT, CODEC_OK},  /* identifier not first */
        {"\xff\6\0\0SnApPy", 10, CODEC_CORRUPT, CODEC_OK},   /* another name */
        {"\xff\7\0\0sNaPpY!", 11, CODEC_CORRUPT, CODEC_OK},  /* another size */
        {HEADER "\2\0\0\0", 14, CODEC_CORRUPT, CODEC_OK},    /* must not be skipped */
        {HEADER "\x7f\0\0\0", 14, CODEC_CORRUPT, CODEC_OK},  /* nor this */
        {HEADER "\xfd\1\0\0x", 15, CODEC_OK, CODEC_OK},      /* may be skipped */
        {HEADER "\0\3\0\0abc", 17, CODEC_CORRUPT, CODEC_OK}, /* no room for the sum */
        {HEADER "\1\3\0\0abc", 17, CODEC_CORRUPT, CODEC_OK},
        {HEADER "\0\4\0\0abcd", 18, CODEC_CORRUPT, CODEC_OK}, /* no room for the preamble */
        {HEADER "\1\x08\0\0\x68\x10\xe6\xb6"
                "abce",
         22, CODEC_OK, CODEC_CORRUPT}, /* the bytes changed */
        {HEADER "\1\x08\0\0\x69\x10\xe6\xb6"
                "abcd",
         22, CODEC_OK, CODEC_CORRUPT}, /* the sum changed */
        {HEADER "\0\x0a\0\0\x68\x10\xe6\xb6\4\x0c"
                "abcd",
         24, CODEC_OK, CODEC_OK},
        {HEADER "\0\x0a\0\0\x68\x10\xe6\xb6\5\x0c"
                "abcd",
         24, CODEC_OK, CODEC_CORRUPT}, /* promises five */
        {HEADER "\0\x08\0\0\x68\x10\xe6\xb6\x81\x80\4\0", 22, CODEC_CORRUPT, CODEC_OK}, /* 65537 */
        {HEADER "\x80\1\0\x40", 14, CODEC_LIMIT, CODEC_OK}, /* limit + 1 to skip */
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        if (!rig_gives(&codec_snappy_framed, &CASES[i])) {
            fail_msg("case %zu", i);
        }
    }
}

/* 65,536 plain bytes are allowed in either type, one more is not. */
static void test_plain_size_limit(void **state)
{
    (void)state;
    autobuf struct buf plain = rig_text(BLOCK + 1, SEED);
    for (unsigned compressed = 0; compressed < 2; compressed++) {
        for (size_t size = BLOCK; size <= BLOCK + 1; size++) {
            autobuf struct buf stream = BUF_INIT(1 << 20);
            rig_add_framed_header(&stream);
            rig_add_framed_block(&stream, slice_of(plain.data, size), compressed != 0);
            struct rig_result result = rig_decode_whole(&codec_snappy_framed, rig_slice(&stream));
            assert_int_equal(result.cut, size == BLOCK ? CODEC_OK : CODEC_CORRUPT);
            rig_result_done(&result);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_split_and_order),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_plain_size_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
