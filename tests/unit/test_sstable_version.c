/* Which Cassandra reads which SSTable. */
#include "agent/plan.h"
#include "agent/plan_work.h"
#include "agent/sstable_version.h"
#include "tests/unit/unit.h"

#define UUID "3gp1_0kd1_2a8xs2fs0n3p4z7ogr"

static const struct {
    const char *version, *name;
    enum sstable_verdict want;
} CASES[] = {
    {"2.0", "ks-cf-ia-1-Data.db", SSTABLE_TOO_OLD},
    {"2.0", "ks-cf-ic-1-Data.db", SSTABLE_READ},
    {"2.0", "ks-cf-jb-1-Data.db", SSTABLE_READ},
    {"2.0", "ks-cf-ka-1-Data.db", SSTABLE_TOO_NEW},
    {"2.1", "ks-cf-ic-1-Data.db", SSTABLE_TOO_OLD},
    {"2.1", "ks-cf-h-1-Data.db", SSTABLE_TOO_OLD},
    {"2.1.22", "ks-cf-ka-1-Data.db", SSTABLE_READ},
    {"2.1", "la-1-big-Data.db", SSTABLE_TOO_NEW},
    {"2.2", "lb-1-big-Data.db", SSTABLE_READ},
    {"2.2", "ma-1-big-Data.db", SSTABLE_TOO_NEW},
    {"3", "ks-cf-jb-1-Data.db", SSTABLE_READ},
    {"3.0", "ks-cf-ja-1-Data.db", SSTABLE_TOO_OLD},
    {"3.0", "me-1-big-Data.db", SSTABLE_READ}, /* minors are forward-compatible */
    {"3.11", "la-1-big-Data.db", SSTABLE_READ},
    {"3.11.19", "me-1-big-Data.db", SSTABLE_READ},
    {"3.11.19", "na-1-big-Data.db", SSTABLE_TOO_NEW},
    {"3.11.19", "nb-1-big-Data.db", SSTABLE_TOO_NEW},
    {"4.0", "ks-cf-ka-1-Data.db", SSTABLE_TOO_OLD},
    {"4.0", "lb-1-big-Data.db", SSTABLE_TOO_OLD},
    {"4.0", "ma-1-big-Data.db", SSTABLE_READ},
    {"4.0", "nb-1-big-Data.db", SSTABLE_READ},
    {"4.0", "nb-" UUID "-big-Data.db", SSTABLE_TOO_NEW},
    {"4.1", "nb-" UUID "-big-Data.db", SSTABLE_READ},
    {"4.1", "oa-1-big-Data.db", SSTABLE_TOO_NEW},
    {"4.1", "da-1-bti-Data.db", SSTABLE_TOO_NEW},
    {"4.1.10", "mc-1-big-Data.db", SSTABLE_READ},
    {"5", "nb-1-big-Data.db", SSTABLE_READ},
    {"5.0", "oa-1-big-Data.db", SSTABLE_READ_IF},
    {"5.0.9", "da-" UUID "-bti-Data.db", SSTABLE_READ},
    {"5.0", "ea-1-bti-Data.db", SSTABLE_TOO_NEW},
    {"5.0", "pa-1-big-Data.db", SSTABLE_TOO_NEW},
    {"5.0", "lb-1-big-Data.db", SSTABLE_TOO_OLD},
    {"5.1", "oa-1-big-Data.db", SSTABLE_READ_UNKNOWN},
    {"6", "pa-1-big-Data.db", SSTABLE_READ_UNKNOWN},
    {"6", "lb-1-big-Data.db", SSTABLE_TOO_OLD},
};

static void test_judge(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct cassandra_version version;
        struct sstable_name name;
        assert_true(cassandra_version_parse(CASES[i].version, &version));
        assert_true(sstable_name_parse(slice_of(CASES[i].name, strlen(CASES[i].name)), &name));
        const enum sstable_verdict got = sstable_version_judge(&name, version);
        if (got != CASES[i].want) {
            fail_msg("%s with %s: %d, not %d", CASES[i].name, CASES[i].version, (int)got,
                     (int)CASES[i].want);
        }
    }
}

static void test_parse(void **state)
{
    (void)state;
    struct cassandra_version version;
    assert_true(cassandra_version_parse("4.1.10", &version));
    assert_int_equal(version.major, 4);
    assert_int_equal(version.minor, 1);
    assert_int_equal(version.patch, 10);
    assert_true(cassandra_version_parse("3", &version));
    assert_int_equal(version.minor, 0);
    static const char *const BAD[] = {"",        ".",  "4.", "4..1", ".1",  "4.1.2.3", "4.1.", "v4",
                                      "4.1-rc1", " 4", "4 ", "-4",   "1.2", "99999",   "4.x"};
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        if (cassandra_version_parse(BAD[i], &version)) {
            fail_msg("'%s' was taken", BAD[i]);
        }
    }
}

/* A plan of single-file SSTables. */
static int check(const char *const *names, const char *text, struct plan *plan, struct err *e)
{
    enum { MOST = 4 };
    struct plan_file files[MOST] = {0};
    struct plan_sstable sstables[MOST] = {0};
    struct cassandra_version version;
    uint32_t count = 0;
    for (; names[count] != NULL; count++) {
        files[count] = (struct plan_file){.target_folder = "ks/t-1", .target_name = names[count]};
        sstables[count] = (struct plan_sstable){
            .first = count, .count = 1, .data = PLAN_NONE, .digest = PLAN_NONE, .toc = PLAN_NONE};
    }
    plan->files = files;
    plan->sstables = sstables;
    plan->file_count = plan->sstable_count = count;
    assert_true(cassandra_version_parse(text, &version));
    const int result = sstable_version_check(plan, version, e);
    plan->files = NULL;
    plan->sstables = NULL;
    return result;
}

static void plan_done(struct plan *plan)
{
    free(plan->warnings);
    arena_free(plan->strings);
}

static void test_check_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *version, *name, *text, *hint;
    } WANT[] = {
        {"4.1", "oa-2-big-Data.db",
         "'ks/t-1/oa-2-big-Data.db': Cassandra 4.1 cannot read it: format 'oa', of Cassandra 5.0",
         "Cassandra 5.0,"},
        {"4.1", "da-2-bti-Data.db", "format 'da' (BTI), of Cassandra 5.0", "Cassandra 5.0,"},
        {"4.0", "nb-" UUID "-big-Data.db", "'nb' under a UUID, of Cassandra 4.x, 4.1 or later",
         "Cassandra 4.1 to 5.0,"},
        {"5.0", "ks-t-ka-2-Data.db", "format 'ka', of Cassandra 2.1", "Cassandra 2.1 to 3.11,"},
        {"5.0", "pa-2-big-Data.db", "of a Cassandra after 5.0", "the version that wrote it"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(WANT); i++) {
        struct plan plan = {.strings = arena_new()};
        struct err e = ERR_INIT;
        const char *const names[] = {WANT[i].name, NULL};
        assert_int_equal(check(names, WANT[i].version, &plan, &e), -1);
        assert_int_equal(e.kind, ERR_REFUSED);
        assert_non_null(strstr(e.text, WANT[i].text));
        assert_non_null(strstr(e.hint, WANT[i].hint));
        assert_int_equal(plan.warning_count, 0);
        plan_done(&plan);
    }
}

static void test_check_warns(void **state)
{
    (void)state;
    struct plan plan = {.strings = arena_new()};
    struct err e = ERR_INIT;
    const char *const names[] = {"oa-1-big-Data.db", "nb-2-big-Data.db", "oa-3-big-Data.db", NULL};
    assert_int_equal(check(names, "5.0", &plan, &e), 0);
    assert_int_equal(plan.warning_count, 1);
    assert_string_equal(plan.warnings[0].subject, "Cassandra 5.0");
    assert_non_null(strstr(plan.warnings[0].why, "reads 2 SSTables"));
    assert_int_equal(check(names, "7.2", &plan, &e), 0);
    assert_int_equal(plan.warning_count, 2);
    assert_non_null(strstr(plan.warnings[1].why, "these 3 SSTables"));
    const struct cassandra_version none = {0};
    assert_int_equal(sstable_version_check(&plan, none, &e), 0);
    assert_int_equal(plan.warning_count, 2);
    plan_done(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_check_refuses),
        cmocka_unit_test(test_check_warns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
