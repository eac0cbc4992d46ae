#include "unit.h"

#include "agent/base/random.h"
#include "agent/transfer_limits.h"

enum { MIB = 1 << 20 };

static void test_table(void **state)
{
    (void)state;
    static const struct {
        uint64_t memory_mib, part_mib;
        unsigned threads;
        uint64_t want_part_mib, want_block_mib;
        unsigned want_workers;
    } CASES[] = {
        {64, 8, 2, 4, 5, 2},       {64, 8, 32, 4, 5, 3},    {64, 1, 2, 1, 5, 2},
        {32, 8, 1, 2, 5, 1},       {2048, 8, 16, 8, 8, 16}, {4096, 64, 64, 64, 16, 64},
        {65536, 8, 64, 8, 64, 64},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct err e = ERR_INIT;
        struct transfer_limits limits;
        assert_int_equal(transfer_limits_derive(CASES[i].memory_mib * MIB, 0,
                                                CASES[i].part_mib * MIB, CASES[i].threads, &limits,
                                                &e),
                         0);
        assert_int_equal(limits.part_size, CASES[i].want_part_mib * MIB);
        assert_int_equal(limits.block_size_max, CASES[i].want_block_mib * MIB);
        assert_int_equal(limits.workers, CASES[i].want_workers);
        assert_int_equal(limits.parts_max, 8 * limits.workers);
    }
}

/* Whatever is asked for: it adds up to the memory, and two parts fit beside the carried blocks of
 * every open object. */
static void test_adds_up(void **state)
{
    (void)state;
    struct random random = {.state = 1};
    unsigned refused = 0;
    for (unsigned i = 0; i < 20000; i++) {
        const uint64_t memory = MIB + random_below(&random, UINT64_C(1) << (24 + i % 16));
        const uint64_t plan = random_below(&random, memory / 2);
        const uint64_t part = MIB + random_below(&random, 64 * MIB);
        const unsigned threads = 1 + (unsigned)random_below(&random, 200);
        struct err e = ERR_INIT;
        struct transfer_limits limits;
        if (transfer_limits_derive(memory, plan, part, threads, &limits, &e) != 0) {
            assert_int_equal(e.kind, ERR_LIMIT);
            assert_true(memory - plan < 64 * MIB);
            refused++;
            continue;
        }
        assert_int_equal(plan + limits.budget + limits.workers * (uint64_t)limits.block_size_max,
                         memory);
        assert_true(limits.part_size <= part && limits.part_size >= PART_SIZE_MIN);
        assert_true(limits.workers >= 1 && limits.workers <= threads);
        assert_true(limits.open_max >= 1 && limits.open_max <= OPEN_MAX);
        assert_true(limits.carry_size + 2 * limits.part_size <= limits.budget);
        assert_true(limits.open_max == 1 ||
                    limits.open_max * limits.carry_size <= limits.budget / 2);
    }
    assert_true(refused > 0);
}

static void test_message(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct transfer_limits limits;
    assert_int_equal(transfer_limits_derive(64 * MIB, 60 * MIB, 8 * MIB, 2, &limits, &e), -1);
    assert_int_equal(e.kind, ERR_LIMIT);
    assert_non_null(strstr(e.text, "--memory"));
    assert_non_null(strstr(e.text, "78.0 MiB"));
    assert_non_null(strstr(e.hint, "--memory"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_adds_up),
        cmocka_unit_test(test_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
