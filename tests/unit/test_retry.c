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
        {1, true, false, 500},    {4, true, false, 4000},   {7, true, false, 20000},
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
    } CASES[] = {{0, 0, 500}, {3000, 3000, 3500}, {UINT64_MAX, 20000, 20500}};
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

static void test_flow(void **state)
{
    (void)state;
    struct retry_flow flow;
    retry_flow_init(&flow, 32);
    retry_flow_grow(&flow);
    assert_int_equal(flow.limit, 32);
    retry_flow_cut(&flow, 0);
    assert_int_equal(flow.limit, 16);
    retry_flow_cut(&flow, 999); /* of the same burst */
    assert_int_equal(flow.limit, 16);
    retry_flow_cut(&flow, 1000);
    assert_int_equal(flow.limit, 8);
    for (unsigned i = 0; i < 7; i++) {
        retry_flow_grow(&flow);
    }
    assert_int_equal(flow.limit, 8);
    retry_flow_grow(&flow);
    assert_int_equal(flow.limit, 9);
    for (uint64_t now_ms = 2000; now_ms < 20000; now_ms += 1000) {
        retry_flow_cut(&flow, now_ms);
    }
    assert_int_equal(flow.limit, 1); /* never none: there must be a way back */
    for (unsigned i = 0; i < 31 * 32 / 2; i++) {
        retry_flow_grow(&flow);
    }
    assert_int_equal(flow.limit, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_wish_of_the_store),
        cmocka_unit_test(test_purse),
        cmocka_unit_test(test_flow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
