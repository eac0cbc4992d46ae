#include "unit.h"

#include "agent/base/random.h"
#include "agent/budget.h"

enum { SLAB = 1 << 16, LIMIT = 20 * SLAB, HELD_MAX = 400 };

static void test_exact_and_slab(void **state)
{
    (void)state;
    struct budget *budget = budget_new(3 * SLAB, SLAB);
    struct budget_block small = {.data = NULL};
    struct budget_block slab = {.data = NULL};
    assert_true(budget_take(budget, 100, 10, &small));
    assert_int_equal(small.charged, 110);
    assert_int_equal(small.slab_size, 0);
    assert_true(budget_take(budget, SLAB / 2 + 1, 10, &slab));
    assert_int_equal(slab.charged, SLAB + 10);
    assert_int_equal(slab.slab_size, SLAB);
    budget_give(budget, &small);
    assert_null(small.data);
    budget_give(budget, &small); /* an empty one is fine */
    budget_give(budget, &slab);
    assert_int_equal(budget_peak(budget), SLAB + 120);
    budget_free(budget);
    budget_free(NULL);
}

static void test_slab_is_used_again(void **state)
{
    (void)state;
    struct budget *budget = budget_new(2 * SLAB, SLAB);
    struct budget_block block = {.data = NULL};
    assert_true(budget_take(budget, SLAB, 0, &block));
    const uint8_t *first = block.data;
    budget_give(budget, &block);
    assert_true(budget_take(budget, SLAB, 0, &block));
    assert_ptr_equal(block.data, first);
    budget_give(budget, &block);
    budget_free(budget);
}

/* What malloc would map and unmap each time has slabs of its own, of at most twice its size. */
static void test_levels(void **state)
{
    (void)state;
    enum { MIB = 1 << 20 };
    static const struct {
        size_t slab, size, want;
    } CASES[] = {
        {8 * MIB, 8 * MIB, 8 * MIB},
        {8 * MIB, 4 * MIB, 4 * MIB},
        {8 * MIB, 2 * MIB + 1, 4 * MIB},
        {8 * MIB, MIB / 4 + 1, MIB / 2},
        {8 * MIB, MIB / 4, 0},
        {8 * MIB, 1, 0},
        {64 * MIB, MIB / 4 + 1, MIB / 2},
        {64 * MIB, MIB / 4, 0},
        {MIB, MIB / 2, MIB / 2},
        {5 * MIB, MIB, 5 * MIB / 4},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct budget *budget = budget_new(CASES[i].slab, CASES[i].slab);
        struct budget_block block = {.data = NULL};
        assert_true(budget_take(budget, CASES[i].size, 0, &block));
        assert_int_equal(block.slab_size, CASES[i].want);
        const uint8_t *first = block.data;
        budget_give(budget, &block);
        assert_true(budget_take(budget, CASES[i].size, 0, &block));
        assert_true(CASES[i].want == 0 || block.data == first);
        budget_give(budget, &block);
        assert_true(budget_reserve(budget, CASES[i].slab)); /* idle ones give way */
        budget_release(budget, CASES[i].slab);
        budget_free(budget);
    }
}

/* What does not fit leaves no trace; an idle slab gives way to whatever needs its room. */
static void test_full(void **state)
{
    (void)state;
    struct budget *budget = budget_new(2 * SLAB, SLAB);
    struct budget_block a = {.data = NULL};
    struct budget_block b = {.data = NULL};
    struct budget_block none = {.data = NULL};
    assert_true(budget_take(budget, SLAB, 0, &a));
    assert_false(budget_take(budget, SLAB, 1, &none));
    assert_null(none.data);
    assert_true(budget_take(budget, SLAB, 0, &b));
    assert_false(budget_reserve(budget, 1));
    budget_give(budget, &a);
    budget_give(budget, &b);
    assert_true(budget_reserve(budget, SLAB + 1));
    assert_false(budget_take(budget, SLAB, 0, &none));
    budget_release(budget, SLAB + 1);
    assert_int_equal(budget_peak(budget), 2 * SLAB);
    assert_true(budget_take(budget, SLAB, SLAB, &a));
    budget_give(budget, &a);
    budget_free(budget);
}

/* Random taking and giving: the peak stays within the limit, a refusal is always justified, and
 * nobody else writes to what is held. */
static void test_never_exceeds(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct random random = {.state = seed};
        struct budget *budget = budget_new(LIMIT, SLAB);
        struct budget_block held[HELD_MAX];
        size_t sizes[HELD_MAX];
        size_t count = 0;
        uint64_t used = 0;
        for (unsigned i = 0; i < 3000; i++) {
            if (count < HELD_MAX && random_below(&random, 5) < 3) {
                const size_t size = 1 + (size_t)random_below(&random, SLAB);
                const size_t overhead = (size_t)random_below(&random, 300);
                const uint64_t charge = (size > SLAB / 2 ? SLAB : size) + overhead;
                const bool taken = budget_take(budget, size, overhead, &held[count]);
                assert_int_equal(taken, used + charge <= LIMIT);
                if (taken) {
                    used += charge;
                    memset(held[count].data, (int)(held[count].charged & 0xff), size);
                    sizes[count++] = size;
                }
            } else if (count > 0) {
                const size_t at = (size_t)random_below(&random, count);
                used -= held[at].charged;
                assert_int_equal(held[at].data[0], held[at].charged & 0xff);
                assert_int_equal(held[at].data[sizes[at] - 1], held[at].charged & 0xff);
                budget_give(budget, &held[at]);
                held[at] = held[--count];
                sizes[at] = sizes[count];
            }
            assert_true(budget_peak(budget) <= LIMIT);
        }
        while (count > 0) {
            budget_give(budget, &held[--count]);
        }
        budget_free(budget);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_and_slab), cmocka_unit_test(test_slab_is_used_again),
        cmocka_unit_test(test_levels),         cmocka_unit_test(test_full),
        cmocka_unit_test(test_never_exceeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
