#include "agent/selection.h"
#include "tests/unit/unit.h"

static void check(const struct selection *selection, const char *keyspace, const char *table,
                  const char *want_why)
{
    const char *why = NULL;
    const bool taken = selection_takes_table(selection, keyspace, table, &why);
    assert_int_equal(taken, want_why == NULL);
    if (want_why == NULL) {
        assert_null(why);
    } else {
        assert_string_equal(why, want_why);
    }
}

static void test_node_local(void **state)
{
    (void)state;
    static const char *const LOCAL[] = {"local",        "peers", "peers_v2",
                                        "LocationInfo", "hints", "compactions_in_progress"};
    const struct selection all = {0};
    const char *everything[] = {"system.*", "system.local"};
    const struct selection asked = {.include = {.names = everything, .count = 2}};
    for (size_t i = 0; i < ARRAY_SIZE(LOCAL); i++) {
        check(&all, "system", LOCAL[i], "node-local");
        check(&asked, "system", LOCAL[i], "node-local");
        check(&all, "shop", LOCAL[i], NULL);
    }
    check(&all, "system", "local-7ad54392bcdd35a684174e047860b377", "node-local");
    check(&all, "system", "Local", NULL);
    check(&all, "system", "paxos", NULL);
    check(&all, "system_schema", "tables", NULL);
}

static void test_lists(void **state)
{
    (void)state;
    const char *include[] = {"shop.*", "blog.posts-5a1c395e"};
    const char *exclude[] = {"shop.carts", "log.*"};
    const struct selection both = {.include = {.names = include, .count = 2},
                                   .exclude = {.names = exclude, .count = 2}};
    check(&both, "shop", "users", NULL);
    check(&both, "shop", "carts", "excluded"); /* exclude wins */
    check(&both, "shop", "carts2", NULL);
    check(&both, "Shop", "users", "not included");
    check(&both, "shopping", "users", "not included");
    check(&both, "blog", "posts-5a1c395e", NULL); /* an id means one incarnation */
    check(&both, "blog", "posts-5a1c395f", "not included");
    check(&both, "blog", "posts", "not included");
    check(&both, "blog", "post-5a1c395e", "not included");
    check(&both, "shop", "carts-1", "excluded"); /* a name means all that had it */
    check(&both, "log", "lines", "excluded");
    check(&both, "system_schema", "tables", "not included");
    const struct selection only_exclude = {.exclude = {.names = exclude, .count = 2}};
    check(&only_exclude, "blog", "posts", NULL);
    check(&only_exclude, "log", "lines", "excluded");
}

static void test_system_auth(void **state)
{
    (void)state;
    const struct selection keep = {.skip_system_auth = true};
    check(&keep, "system_auth", "roles", "system_auth is kept");
    check(&keep, "system", "roles", NULL);
    const struct selection restore = {0};
    check(&restore, "system_auth", "roles", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_node_local),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_system_auth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
