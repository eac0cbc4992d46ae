#include "codec/crc.h"

#include <pthread.h>
#include <zlib.h>

#include "agent/base/mem.h"
#include "agent/base/random.h"
#include "agent/base/thread.h"
#include "codec/crc_kind.h"
#include "tests/unit/unit.h"

enum { LENGTH_MAX = 600, ALIGNMENTS = 17, SEED = 20261123 };

static const enum crc_kind KINDS[] = {CRC_32, CRC_32C, CRC_64NVME};

/* The definition, bit by bit: slow and obvious. */
static uint64_t crc_by_bits(enum crc_kind kind, uint64_t crc, struct slice bytes)
{
    static const uint64_t POLYNOMIALS[] = {
        [CRC_32] = 0xedb88320, [CRC_32C] = 0x82f63b78, [CRC_64NVME] = 0x9a6c9329ac4bc9b5};
    const uint64_t all = kind == CRC_64NVME ? UINT64_MAX : UINT32_MAX;
    crc ^= all;
    for (size_t i = 0; i < bytes.size; i++) {
        crc ^= bytes.data[i];
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = (crc & 1) != 0 ? (crc >> 1) ^ POLYNOMIALS[kind] : crc >> 1;
        }
    }
    return crc ^ all;
}

static void fill_random(uint8_t *bytes, size_t size, uint64_t seed)
{
    struct random random = {.state = seed};
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)random_next(&random);
    }
}

static void test_known_sums(void **state)
{
    (void)state;
    uint8_t zeros[32] = {0};
    uint8_t ones[32];
    uint8_t ascending[32];
    memset(ones, 0xff, sizeof ones);
    for (size_t i = 0; i < sizeof ascending; i++) {
        ascending[i] = (uint8_t)i;
    }
    const struct {
        enum crc_kind kind;
        struct slice bytes;
        uint64_t crc;
    } cases[] = {
        {CRC_32, slice_of("123456789", 9), 0xcbf43926},
        {CRC_32C, slice_of("123456789", 9), 0xe3069283},
        {CRC_64NVME, slice_of("123456789", 9), 0xae8b14860a799888},
        {CRC_32, slice_of("", 0), 0},
        {CRC_32C, slice_of("", 0), 0},
        {CRC_64NVME, slice_of("", 0), 0},
        /* RFC 3720, B.4 */
        {CRC_32C, slice_of(zeros, sizeof zeros), 0x8a9136aa},
        {CRC_32C, slice_of(ones, sizeof ones), 0x62a8ab43},
        {CRC_32C, slice_of(ascending, sizeof ascending), 0x46dd794e},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(crc_update(cases[i].kind, 0, cases[i].bytes), cases[i].crc);
    }
}

/* All three ways give one answer, at every length around the strides and at every alignment. */
static void test_ways_agree(void **state)
{
    (void)state;
    uint8_t bytes[LENGTH_MAX + ALIGNMENTS];
    fill_random(bytes, sizeof bytes, SEED);
    for (size_t k = 0; k < ARRAY_SIZE(KINDS); k++) {
        for (size_t length = 0; length <= LENGTH_MAX; length++) {
            const size_t alignment = length % ALIGNMENTS;
            const uint64_t start = length % 3 == 0 ? 0 : 0x12345678;
            const struct slice all = slice_of(bytes + alignment, length);
            const uint64_t expected = crc_by_bits(KINDS[k], start, all);
            assert_int_equal(crc_update(KINDS[k], start, all), expected);
        }
        for (size_t alignment = 0; alignment < ALIGNMENTS; alignment++) {
            const struct slice all = slice_of(bytes + alignment, LENGTH_MAX - 1);
            assert_int_equal(crc_update(KINDS[k], 0, all), crc_by_bits(KINDS[k], 0, all));
        }
    }
}

/* The table serves short inputs and processors without the multiplication; here, any length. */
static void test_table_alone(void **state)
{
    (void)state;
    uint8_t bytes[LENGTH_MAX];
    fill_random(bytes, sizeof bytes, SEED + 1);
    for (size_t k = 0; k < ARRAY_SIZE(KINDS); k++) {
        const struct crc_table *table = crc_table_of(KINDS[k]);
        const uint64_t all = UINT64_MAX >> (64 - table->width);
        for (size_t length = 0; length <= LENGTH_MAX; length++) {
            const struct slice some = slice_of(bytes, length);
            const uint64_t expected = crc_update(KINDS[k], 0, some);
            assert_int_equal(crc_table_update(table, all, some) ^ all, expected);
            if (length >= CRC_CLMUL_SIZE_MIN && crc_clmul_usable()) {
                assert_int_equal(crc_clmul_update(table, all, some) ^ all, expected);
            }
        }
    }
}

static void test_zlib_agrees(void **state)
{
    (void)state;
    const size_t size = 1 << 20;
    autofree uint8_t *bytes = xrealloc(NULL, size, 1);
    fill_random(bytes, size, SEED + 2);
    assert_int_equal(crc_update(CRC_32, 0, slice_of(bytes, size)), crc32_z(0, bytes, size));
}

static void test_combine_is_sequential(void **state)
{
    (void)state;
    static const size_t SIZES[] = {0, 1, 2, 15, 16, 63, 64, 65, 255, 256, 4095, 4096, 8191};
    uint8_t bytes[8192];
    fill_random(bytes, sizeof bytes, SEED + 3);
    for (size_t k = 0; k < ARRAY_SIZE(KINDS); k++) {
        const uint64_t whole = crc_update(KINDS[k], 0, slice_of(bytes, sizeof bytes));
        for (size_t i = 0; i < ARRAY_SIZE(SIZES); i++) {
            const size_t size_b = sizeof bytes - SIZES[i];
            const uint64_t a = crc_update(KINDS[k], 0, slice_of(bytes, SIZES[i]));
            const uint64_t b = crc_update(KINDS[k], 0, slice_of(bytes + SIZES[i], size_b));
            assert_int_equal(crc_combine(KINDS[k], a, b, size_b), whole);
            assert_int_equal(crc_update(KINDS[k], a, slice_of(bytes + SIZES[i], size_b)), whole);
        }
    }
}

/* Sizes that no test can sum: doubling a run of zeros step by step must equal one jump. */
static void test_combine_huge(void **state)
{
    (void)state;
    const uint8_t zero = 0;
    for (size_t k = 0; k < ARRAY_SIZE(KINDS); k++) {
        uint64_t run = crc_update(KINDS[k], 0, slice_of(&zero, 1)); /* 2^i zeros */
        for (unsigned i = 0; i < 62; i++) {
            const uint64_t size = UINT64_C(1) << i;
            const uint64_t twice = crc_combine(KINDS[k], run, run, size);
            const uint64_t thrice = crc_combine(KINDS[k], twice, run, size);
            assert_int_equal(crc_combine(KINDS[k], run, twice, 2 * size), thrice);
            run = twice;
        }
    }
}

static void *sum_first(void *ret)
{
    *(uint64_t *)ret = crc_update(CRC_64NVME, 0, slice_of("123456789", 9));
    return NULL;
}

/* Runs first, so that the tables do not exist yet. */
static void test_first_use_from_many_threads(void **state)
{
    (void)state;
    pthread_t threads[8];
    uint64_t sums[ARRAY_SIZE(threads)];
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        threads[i] = thread_start(sum_first, &sums[i], "sum");
    }
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        thread_join(threads[i]);
        assert_int_equal(sums[i], 0xae8b14860a799888);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_use_from_many_threads),
        cmocka_unit_test(test_known_sums),
        cmocka_unit_test(test_ways_agree),
        cmocka_unit_test(test_table_alone),
        cmocka_unit_test(test_zlib_agrees),
        cmocka_unit_test(test_combine_is_sequential),
        cmocka_unit_test(test_combine_huge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
