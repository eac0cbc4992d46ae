#include "s3/retry.h"
#include "tests/unit/unit.h"

/* The largest of many delays shows the bound, the smallest that it is full jitter. */
static uint64_t widest(struct retry_try last, uint64_t *ret_narrowest)
{
    struct random random = {.state = 1};
    uint64_t most = 0;
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < 2000; i++) {
        uint64_t delay_ms = 0;
        assert_true(retry_delay(&last, &random, &delay_ms));
        most = delay_ms > most ? delay_ms : most;
        least = delay_ms < least ? delay_ms : least;
    }
    *ret_narrowest = least;
    return most;
}

static void test_bounds(void **state)
{
    (void)state;
    static const struct {
        unsigned tries;
        bool slow_down, purse_empty;
        uint64_t bound_ms;
    } CASES[] = {
        {1, false, false, 100},   {2, false, false, 200},   {3, false, false, 400},
        {8, false, false, 12800}, {9, false, false, 20000}, {1000, false, false, 20000},
        {1, true, false, 100},    {4, true, false, 800},    {7, true, false, 1000},
        {1, false, true, 20000},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const struct retry_try last = {
            .tries = CASES[i].tries,
            .budget_ms = UINT64_MAX,
            .slow_down = CASES[i].slow_down,
            .purse_empty = CASES[i].purse_empty,
        };
        uint64_t least = 0;
        const uint64_t most = widest(last, &least);
        assert_in_range(most, CASES[i].bound_ms * 98 / 100, CASES[i].bound_ms);
        assert_in_range(least, 0, CASES[i].bound_ms / 50);
    }
}

static void test_budget(void **state)
{
    (void)state;
    struct random random = {.state = 1};
    uint64_t delay_ms = 7;
    struct retry_try last = {.tries = 1, .elapsed_ms = 0, .budget_ms = 0};
    assert_false(retry_delay(&last, &random, &delay_ms)); /* one try only */
    last = (struct retry_try){.tries = 9, .elapsed_ms = 1000, .budget_ms = 1000};
    assert_false(retry_delay(&last, &random, &delay_ms));
    assert_int_equal(delay_ms, 7); /* untouched */
    last.elapsed_ms = 999;
    for (unsigned i = 0; i < 100; i++) {
        assert_true(retry_delay(&last, &random, &delay_ms));
        assert_in_range(delay_ms, 0, 1); /* the last try comes at the budget's end */
    }
}

static void test_wish_of_the_store(void **state)
{
    (void)state;
    static const struct {
        uint64_t after_ms, least_ms, most_ms;
    } CASES[] = {{0, 0, 100}, {3000, 3000, 3100}, {UINT64_MAX, 20000, 20100}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const struct retry_try last = {
            .tries = 1, .budget_ms = UINT64_MAX, .slow_down = true, .after_ms = CASES[i].after_ms};
        uint64_t least = 0;
        const uint64_t most = widest(last, &least);
        assert_in_range(least, CASES[i].least_ms, CASES[i].least_ms + 20);
        assert_in_range(most, CASES[i].most_ms - 20, CASES[i].most_ms);
    }
}

static void test_purse(void **state)
{
    (void)state;
    struct retry_purse purse;
    retry_purse_init(&purse);
    for (unsigned i = 0; i < 100; i++) {
        assert_true(retry_purse_take(&purse));
    }
    assert_false(retry_purse_take(&purse));
    for (unsigned i = 0; i < 4; i++) {
        retry_purse_give(&purse);
        assert_false(retry_purse_take(&purse));
    }
    retry_purse_give(&purse);
    assert_true(retry_purse_take(&purse));
    for (unsigned i = 0; i < 2000; i++) {
        retry_purse_give(&purse);
    }
    assert_int_equal(purse.coins, 500);
}

static void test_outage(void **state)
{
    (void)state;
    struct retry_outage outage = {.lasts = false};
    assert_int_equal(retry_outage_fail(&outage, 5000), 0);
    assert_int_equal(retry_outage_fail(&outage, 5700),
                     700);                                 /* another's failure, the same outage */
    assert_int_equal(retry_outage_fail(&outage, 4999), 0); /* a clock that was read earlier */
    retry_outage_end(&outage);
    assert_int_equal(retry_outage_fail(&outage, 9000), 0);
    assert_int_equal(retry_outage_fail(&outage, 9001), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_wish_of_the_store),
        cmocka_unit_test(test_purse),
        cmocka_unit_test(test_outage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
