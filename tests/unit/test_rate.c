#include "s3/rate.h"
#include "tests/unit/unit.h"

static void test_rate(void **state)
{
    (void)state;
    struct rate none = {.bytes_per_s = 0};
    assert_int_equal(rate_take(&none, 1 << 30, 5), 0);

    struct rate rate = {.bytes_per_s = 1000};
    assert_int_equal(rate_take(&rate, 0, 10000), 0);
    assert_int_equal(rate_take(&rate, 500, 10000), 500);
    assert_int_equal(rate_take(&rate, 500, 10100), 900); /* another thread's debt adds up */
    assert_int_equal(rate_take(&rate, 0, 11000), 0);
    assert_int_equal(rate_take(&rate, 100, 60000), 100); /* idle time is not saved up */
    struct rate fast = {.bytes_per_s = UINT64_C(12500000000)};
    uint64_t now_ms = 0;
    for (unsigned i = 0; i < 1000; i++) {
        now_ms += rate_take(&fast, 1 << 20, now_ms);
    }
    assert_in_range(now_ms, 82, 84); /* parts of a millisecond are not lost */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
