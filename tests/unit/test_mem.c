#include "agent/base/buf.h"
#include "agent/base/mem.h"
#include "agent/base/random.h"
#include "tests/unit/unit.h"

static void test_buf_has_a_maximum(void **state)
{
    (void)state;
    struct buf buf = BUF_INIT(10);
    assert_string_equal(buf_str(&buf), "");
    assert_true(buf_append_str(&buf, "123456"));
    assert_false(buf_append_str(&buf, "78901")); /* whole or not at all */
    assert_string_equal(buf_str(&buf), "123456");
    assert_true(buf.overflowed);
    assert_true(buf_appendf(&buf, "%d", 7890));
    assert_string_equal(buf_str(&buf), "1234567890");
    assert_false(buf_append_char(&buf, 'x'));
    buf_clear(&buf);
    assert_false(buf.overflowed);
    assert_string_equal(buf_str(&buf), "");
    assert_true(buf_append(&buf, "a\0b", 3));
    assert_int_equal(buf.size, 3);
    buf_done(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.size_max, 10);
}

static void test_whole_buf_stays_where_it_is(void **state)
{
    (void)state;
    struct buf buf = buf_whole(1000);
    const char *const begin = buf_str(&buf);
    for (int i = 0; i < 1000; i++) {
        assert_true(buf_append_char(&buf, 'a'));
    }
    assert_false(buf_append_char(&buf, 'x'));
    assert_ptr_equal(buf_str(&buf), begin);
    assert_int_equal(strlen(begin), 1000);
    buf_wipe(&buf);
    assert_null(buf.data);
    buf_wipe(&buf); /* nothing to do */
}

static void test_buf_grows(void **state)
{
    (void)state;
    struct buf buf = BUF_INIT(100000);
    for (int i = 0; i < 100000; i++) {
        assert_true(buf_append_char(&buf, (char)('a' + i % 26)));
    }
    assert_false(buf_append_char(&buf, 'x'));
    for (size_t i = 0; i < buf.size; i++) {
        assert_int_equal(buf.data[i], 'a' + (int)(i % 26));
    }
    buf_done(&buf);
}

static void test_arena_interns(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    const char *kept[5000];
    char text[32];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 5000; i++) {
            const int size = snprintf(text, sizeof(text), "name-%d", i);
            const char *interned = arena_intern(arena, text, (size_t)size);
            assert_string_equal(interned, text);
            if (round == 0) {
                kept[i] = interned;
            }
            assert_ptr_equal(interned, kept[i]);
        }
    }
    /* A prefix is another string than what it begins. */
    assert_ptr_not_equal(arena_intern(arena, "name-1", 6), arena_intern(arena, "name-12", 7));
    assert_ptr_not_equal(arena_add(arena, "x", 1), arena_add(arena, "x", 1));
    autofree char *large = (char *)xcalloc(1, 1000000);
    memset(large, 'y', 999999);
    assert_string_equal(arena_add(arena, large, 999999), large);
    assert_true(arena_bytes(arena) >= 1000000);
    arena_free(arena);
    arena_free(NULL);
}

static void test_sums(void **state)
{
    (void)state;
    uint64_t sum = 1;
    assert_true(add_u64(UINT64_MAX - 1, 1, &sum));
    assert_true(sum == UINT64_MAX);
    sum = 1;
    assert_false(add_u64(UINT64_MAX, 1, &sum));
    assert_int_equal(sum, 1);
}

static void test_random_replays(void **state)
{
    (void)state;
    struct random a = {.state = 42};
    struct random b = {.state = 42};
    assert_true(random_next(&a) == random_next(&b));
    assert_int_equal(random_below(&a, 0), 0);
    for (int i = 0; i < 1000; i++) {
        assert_true(random_below(&a, 7) < 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf_has_a_maximum),
        cmocka_unit_test(test_buf_grows),
        cmocka_unit_test(test_whole_buf_stays_where_it_is),
        cmocka_unit_test(test_arena_interns),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_random_replays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
