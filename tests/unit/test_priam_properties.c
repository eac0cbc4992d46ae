#include "unit.h"

#include "agent/base/mem.h"
#include "config_rig.h"

static struct config *load(const char *text, unsigned number)
{
    autofree char *name = xasprintf("priam%u", number);
    return rig_load_good(WORDS("restore", "--priam-properties", rig_file(name, text)));
}

static void check_text(const char *found, const char *expected)
{
    if (expected == NULL) {
        assert_null(found);
    } else {
        assert_non_null(found);
        assert_string_equal(found, expected);
    }
}

static void test_source_and_cluster(void **state)
{
    static const struct {
        const char *text, *source, *cluster, *region;
    } CASES[] = {
        {"priam.s3.bucket=b\n", "s3://b/backup", NULL, NULL},
        {"priam.s3.bucket=b\npriam.s3.base_dir=cass\n", "s3://b/cass", NULL, NULL},
        {"priam.s3.bucket : b\npriam.clustername = prod\n", "s3://b/backup", "prod", NULL},
        {"priam.s3.bucket=b\npriam.clustername=\n", "s3://b/backup", NULL, NULL},
        {"priam.s3.bucket=old\npriam.s3.bucket=new\n", "s3://new/backup", NULL, NULL},
        {"priam.restore.prefix=b/base/us-east-1/prod\npriam.s3.bucket=mine\n", "s3://b/base",
         "prod", "us-east-1"},
        {"priam.restore.prefix=b/base/us-east-1/prod/more\npriam.clustername=mine", "s3://b/base",
         "prod", "us-east-1"},
        {"priam.restore.prefix=b/base/-6717_random_fake_app\n", "s3://b/base", "random_fake_app",
         NULL},
    };
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(CASES); i++) {
        autofree char *text = xasprintf("priam.data.location=/d\n%s", CASES[i].text);
        struct config *config = load(text, i);
        check_text(config->source, CASES[i].source);
        check_text(config->selection.cluster, CASES[i].cluster);
        check_text(config->selection.source_region, CASES[i].region);
        config_free(config);
    }
}

static void test_rest(void **state)
{
    (void)state;
    struct config *config = load("priam.s3.bucket=b\n"
                                 "priam.data.location=/var/lib/cassandra/data\n"
                                 "priam.restore.snapshot=201202142346,\\\n    201202150000\n"
                                 "priam.restore.cf.include=ks.a,ks.b-9fdc11\n"
                                 "priam.restore.cf.exclude=other.*\n"
                                 "priam.roleassumption.arn=arn:aws:iam::123456789012:role/x\n",
                                 0);
    assert_true(config->selection.has_range);
    assert_int_equal(config->selection.range_end_ms - config->selection.range_start_ms, 14 * 60000);
    assert_int_equal(config->selection.include.count, 2);
    assert_string_equal(config->selection.exclude.names[0], "other.*");
    assert_string_equal(config->targets[0], "/var/lib/cassandra/data");
    assert_string_equal(config->role_arn, "arn:aws:iam::123456789012:role/x");
    config_free(config);
}

/* A flag for the time leaves Priam's range aside. */
static void test_flag_wins(void **state)
{
    (void)state;
    const char *path = rig_file("p", "priam.s3.bucket=b\npriam.restore.snapshot=default\n");
    struct config *config =
        rig_load_good(WORDS("verify", "/mirror", "--at=latest", "--priam-properties", path));
    assert_string_equal(config->source, "/mirror");
    assert_false(config->selection.has_range);
    config_free(config);
}

static void test_bad(void **state)
{
    static const struct {
        const char *text, *error;
    } CASES[] = {
        {"priam.restore.prefix=b/base\n", "priam.restore.prefix: 'b/base'"},
        {"priam.restore.prefix=b/base/prod\n", "priam.restore.prefix: 'b/base/prod'"},
        {"priam.s3.bucket=b\npriam.restore.snapshot=2017040500,201704092359\n",
         "priam.restore.snapshot: '2017040500,201704092359' is not a range"},
        {"priam.s3.bucket=b\npriam.restore.cf.include=users\n",
         "priam.restore.cf.include: 'users' is not a table"},
        {"a=1\nb=\\u00\n", "line 2: a \\u escape is malformed"},
        {"a=1\n", "no SOURCE was given"},
    };
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(CASES); i++) {
        autofree char *name = xasprintf("bad%u", i);
        const char *path = rig_file(name, CASES[i].text);
        rig_expect_refused(WORDS("restore", "--into=/d", "--priam-properties", path),
                           CASES[i].error, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_source_and_cluster, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_rest, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_flag_wins, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_bad, rig_setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
