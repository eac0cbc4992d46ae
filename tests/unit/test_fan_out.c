#include "agent/fan_out.h"

#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "tests/unit/unit.h"

enum { ITEMS = 1000 };

static int mark(void *ctx, size_t index, struct err *e)
{
    (void)e;
    ((uint8_t *)ctx)[index]++; /* one thread an index */
    return 0;
}

static void test_all(void **state)
{
    (void)state;
    uint8_t *marks = xcalloc(ITEMS, 1);
    struct err e = ERR_INIT;
    assert_int_equal(fan_out(ITEMS, mark, marks, &e), 0);
    for (size_t i = 0; i < ITEMS; i++) {
        assert_int_equal(marks[i], 1);
    }
    free(marks);
    assert_int_equal(fan_out(0, mark, NULL, &e), 0);
}

/* Items 3 and 7 fail, 7 first in time. */
static int fail_some(void *ctx, size_t index, struct err *e)
{
    ((uint8_t *)ctx)[index]++;
    if (index == 3) {
        clock_sleep_ms(50);
    }
    return index == 3 || index == 7 ? err_set(e, ERR_AUTH, "item %zu: fails", index) : 0;
}

static void test_failure(void **state)
{
    (void)state;
    uint8_t *marks = xcalloc(1000000, 1);
    struct err e = ERR_INIT;
    assert_int_equal(fan_out(1000000, fail_some, marks, &e), -1);
    assert_int_equal(e.kind, ERR_AUTH);
    assert_string_equal(e.text, "item 3: fails");
    assert_int_equal(marks[999999], 0); /* no further item is begun */
    free(marks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
