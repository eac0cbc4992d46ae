#include "unit.h"

#include "agent/config_own.h"
#include "config_rig.h"

#define AT_8 INT64_C(1795420800000) /* 2026-11-23T08:00:00Z */

static void test_defaults(void **state)
{
    (void)state;
    struct config *config = rig_load_good(WORDS("restore", "s3://b/base", "--into", "/d"));
    assert_int_equal(config->command, COMMAND_RESTORE);
    assert_string_equal(config->source, "s3://b/base");
    assert_int_equal(config->target_count, 1);
    assert_string_equal(config->targets[0], "/d");
    assert_true(config->selection.at_latest);
    assert_false(config->selection.has_range);
    assert_int_equal(config->selection.format, DIALECT_AUTO);
    assert_int_equal(config->mode, 0640);
    assert_int_equal(config->dir_mode, 0750);
    assert_int_equal(config->part_size, 8 << 20);
    assert_true(config->connections >= 64 && config->connections <= 512);
    assert_int_equal(config->retry_for_ms, 600000);
    assert_int_equal(config->log_level, LOG_INFO);
    assert_true(config->threads >= 2);
    assert_true(config->net_threads >= 1 && config->net_threads <= 16);
    assert_true(config->memory >= 64 << 20 && config->memory <= UINT64_C(4) << 30);
    assert_false(config->set_owner || config->set_mode || config->set_dir_mode);
    config_free(config);
}

static void test_selection(void **state)
{
    (void)state;
    struct config *config =
        rig_load_good(WORDS("plan", "/dir", "--cluster=prod", "--token", "-12,34", "--token=5",
                            "--at", "2026-11-23T08:00:00Z", "--include", "a.b, c.*",
                            "--exclude=d.e", "--system-auth=keep", "--v1-utc-offset", "-05:30"));
    const struct selection *selection = &config->selection;
    assert_string_equal(selection->cluster, "prod");
    assert_int_equal(selection->tokens.count, 3);
    assert_string_equal(selection->tokens.names[0], "-12");
    assert_string_equal(selection->tokens.names[1], "34");
    assert_string_equal(selection->tokens.names[2], "5");
    assert_false(selection->at_latest);
    assert_int_equal(selection->at_ms, AT_8);
    assert_int_equal(selection->include.count, 2);
    assert_string_equal(selection->include.names[1], "c.*");
    assert_int_equal(selection->exclude.count, 1);
    assert_true(selection->skip_system_auth);
    /* Written half past five hours behind UTC: that much is added. */
    assert_int_equal(selection->v1_offset_ms, (5 * 60 + 30) * 60000);
    config_free(config);
}

static void test_target(void **state)
{
    (void)state;
    struct config *config =
        rig_load_good(WORDS("restore", "/s", "--into=/a", "--into", "/b", "--layout", "loader",
                            "--owner", "12:34", "--mode=600", "--dir-mode", "0700", "--replace",
                            "a.b", "--memory=64M", "--bandwidth=10M/s"));
    assert_int_equal(config->target_count, 2);
    assert_string_equal(config->targets[1], "/b");
    assert_int_equal(config->layout, LAYOUT_LOADER);
    assert_true(config->set_owner && config->set_mode && config->set_dir_mode);
    assert_int_equal(config->owner, 12);
    assert_int_equal(config->group, 34);
    assert_int_equal(config->mode, 0600);
    assert_int_equal(config->dir_mode, 0700);
    assert_int_equal(config->replace.count, 1);
    assert_int_equal(config->memory, 64 << 20);
    assert_int_equal(config->bandwidth, 10 << 20);
    config_free(config);
}

static void test_last_wins(void **state)
{
    (void)state;
    struct config *config = rig_load_good(
        WORDS("restore", "/s", "--into", "/a", "--threads=3", "--threads=4", "-q", "-v"));
    assert_int_equal(config->threads, 4);
    assert_int_equal(config->log_level, LOG_DEBUG);
    config_free(config);
}

static void test_range(void **state)
{
    (void)state;
    struct config *config =
        rig_load_good(WORDS("verify", "/s", "--range", "20261122,202611230800"));
    assert_true(config->selection.has_range);
    assert_false(config->selection.range_default);
    assert_int_equal(config->selection.range_start_ms, AT_8 - 32 * 3600000);
    assert_int_equal(config->selection.range_end_ms, AT_8);
    config_free(config);
    config = rig_load_good(WORDS("verify", "/s", "--range", "Default"));
    assert_true(config->selection.range_default);
    assert_int_equal(config->selection.range_end_ms - config->selection.range_start_ms, 86400000);
    config_free(config);
}

static void test_all_tokens(void **state)
{
    (void)state;
    struct config *config = rig_load_good(WORDS("verify", "/s", "--token", "all"));
    assert_true(config->selection.all_tokens);
    assert_int_equal(config->selection.tokens.count, 0);
    config_free(config);
}

static void test_sample(void **state)
{
    static const struct {
        const char *text;
        double share;
    } CASES[] = {{"100%", 1}, {"5%", 0.05}, {"0.5%", 0.005}, {"12.25", 0.1225}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct config *config = rig_load_good(
            WORDS("verify", "/s", "--sample", CASES[i].text, "--seed", "18446744073709551615"));
        assert_true(config->sample > CASES[i].share - 1e-9);
        assert_true(config->sample < CASES[i].share + 1e-9);
        assert_true(config->seed == UINT64_MAX);
        config_free(config);
    }
}

static void test_words(void **state)
{
    (void)state;
    struct config *config = rig_load_good(WORDS("--json", "list", "--", "--strange"));
    assert_string_equal(config->source, "--strange");
    assert_true(config->json);
    config_free(config);
    config = rig_load_good(WORDS("decode", "-", "-o", "out", "--raw"));
    assert_string_equal(config->argument, "-");
    assert_string_equal(config->decode_out, "out");
    assert_null(config->plan_out);
    assert_true(config->decode_raw);
    config_free(config);
    config = rig_load_good(WORDS("plan", "/s", "-oout"));
    assert_string_equal(config->plan_out, "out");
    config_free(config);
}

static void test_help(void **state)
{
    (void)state;
    struct config *config = rig_load_good(WORDS("restore", "--help", "--sample=1"));
    assert_int_equal(config->command, COMMAND_HELP);
    assert_string_equal(config->argument, "restore");
    config_free(config);
    config = rig_load_good(WORDS("-h"));
    assert_int_equal(config->command, COMMAND_HELP);
    assert_null(config->argument);
    config_free(config);
    config = rig_load_good(WORDS("--version"));
    assert_int_equal(config->command, COMMAND_VERSION);
    config_free(config);
}

/* Flags before variables before the file before Priam's properties. */
static void test_precedence(void **state)
{
    (void)state;
    const char *priam = rig_file("Priam.properties", "priam.clustername=priam\n"
                                                     "priam.s3.bucket=bucket\n"
                                                     "priam.data.location=/priam\n");
    autofree char *text = xasprintf("# comment\n\n cluster = file \nthreads=7\n"
                                    "priam-properties = %s\nconnections = 9\n"
                                    "include = a.b\ninclude = c.d\njson = true\n",
                                    priam);
    autofree char *variable = xasprintf("PENATES_CONFIG=%s", rig_file("conf", text));
    rig_environment((const char *const[]){variable, "PENATES_CLUSTER=environment",
                                          "PENATES_THREADS=8", "PENATES_JSON=false", NULL});
    struct config *config = rig_load_good(WORDS("restore", "--cluster", "flag"));
    assert_string_equal(config->selection.cluster, "flag");
    assert_int_equal(config->threads, 8);
    assert_int_equal(config->connections, 9);
    assert_int_equal(config->selection.include.count, 2);
    assert_false(config->json);
    assert_string_equal(config->source, "s3://bucket/backup");
    assert_int_equal(config->target_count, 1);
    assert_string_equal(config->targets[0], "/priam");
    config_free(config);
    /* What a command does not take is meant for another one, when no flag says it. */
    config = rig_load_good(WORDS("policy", "s3://other"));
    assert_string_equal(config->selection.cluster, "environment");
    assert_string_equal(config->source, "s3://other");
    config_free(config);
}

static void test_bad(void **state)
{
    static const struct {
        const char *words[8];
        const char *text, *hint; /* parts of them */
    } CASES[] = {
        {{"penates"}, "no command", "penates help"},
        {{"penates", "restor"}, "restor: there is no such command", "'restore'"},
        {{"penates", "list", "/s", "--memroy", "1"},
         "--memroy: there is no such option",
         "--memory"},
        {{"penates", "list", "/s", "-x"}, "-x: there is no such option", ""},
        {{"penates", "list", "/s", "-qv"}, "-qv: short options are not joined", ""},
        {{"penates", "list"}, "list: no SOURCE", "s3://"},
        {{"penates", "list", "/s", "/t"}, "/t: 'list' takes no further argument", ""},
        {{"penates", "list", "/s", "--into", "/d"}, "--into: 'list' does not take it", "help list"},
        {{"penates", "restore", "/s"}, "restore: no --into", ""},
        {{"penates", "restore", "/s", "--into"}, "--into: no value", "--into DIR"},
        {{"penates", "restore", "/s", "--into", "--json"}, "--into: no value", ""},
        {{"penates", "restore", "/s", "--into="}, "--into: '' is not a directory", ""},
        {{"penates", "status"}, "status: no DIR", ""},
        {{"penates", "verify", "/s", "--memory", "12X"}, "--memory: '12X'", "64M"},
        {{"penates", "verify", "/s", "--memory=1M"}, "--memory: '1M' is out of range", ""},
        {{"penates", "verify", "/s", "--memory=64M", "--part-size=64M"}, "two parts", ""},
        {{"penates", "verify", "/s", "--threads=0"}, "--threads: '0' is out of range", "1 to"},
        {{"penates", "verify", "/s", "--threads=x"}, "--threads: 'x' is not a number", ""},
        {{"penates", "verify", "/s", "--net-threads=65"}, "--net-threads: '65'", ""},
        {{"penates", "verify", "/s", "--connections=-1"}, "--connections: '-1'", ""},
        {{"penates", "verify", "/s", "--part-size=65M"}, "--part-size: '65M'", ""},
        {{"penates", "verify", "/s", "--bandwidth=fast"}, "--bandwidth: 'fast'", ""},
        {{"penates", "verify", "/s", "--retry-for=soon"}, "--retry-for: 'soon'", "90s"},
        {{"penates", "verify", "/s", "--retry-for=99d"}, "--retry-for: '99d'", ""},
        {{"penates", "verify", "/s", "--at=noon"}, "--at: 'noon' is not a time", "latest"},
        {{"penates", "verify", "/s", "--range=1,2"}, "--range: '1,2'", ""},
        {{"penates", "verify", "/s", "--range=202611230800"}, "--range: '202611230800'", ""},
        {{"penates", "verify", "/s", "--range=20261123,20261122"}, "ends before it starts", ""},
        {{"penates", "verify", "/s", "--range=default", "--at=latest"},
         "--range: excludes --at",
         ""},
        {{"penates", "verify", "/s", "--format=v3"}, "--format: 'v3'", "auto, v1, v2"},
        {{"penates", "verify", "/s", "--include=users"}, "--include: 'users'", "KEYSPACE.TABLE"},
        {{"penates", "verify", "/s", "--include=a.b.c"}, "--include: 'a.b.c'", ""},
        {{"penates", "verify", "/s", "--exclude=,"}, "--exclude: names no table", ""},
        {{"penates", "verify", "/s", "--token=a/b"}, "--token: 'a/b' is not a token", ""},
        {{"penates", "verify", "/s", "--token="}, "--token: '' is not a token", ""},
        {{"penates", "verify", "/s", "--token=all,1"}, "--token: 'all' stands beside", ""},
        {{"penates", "verify", "/s", "--cluster="}, "--cluster: is empty", ""},
        {{"penates", "verify", "/s", "--system-auth=drop"}, "--system-auth: 'drop'", ""},
        {{"penates", "verify", "/s", "--v1-utc-offset=2"}, "--v1-utc-offset: '2'", "+02:00"},
        {{"penates", "verify", "/s", "--v1-utc-offset=+15:00"}, "--v1-utc-offset:", ""},
        {{"penates", "verify", "/s", "--sample=0%"}, "--sample: '0%'", ""},
        {{"penates", "verify", "/s", "--sample=101%"}, "--sample: '101%'", ""},
        {{"penates", "verify", "/s", "--sample=100.1%"}, "--sample: '100.1%'", ""},
        {{"penates", "verify", "/s", "--sample=5.%"}, "--sample: '5.%'", ""},
        {{"penates", "verify", "/s", "--sample=5%%"}, "--sample: '5%%'", ""},
        {{"penates", "verify", "/s", "--seed=-1"}, "--seed: '-1'", ""},
        {{"penates", "verify", "/s", "--json=maybe"}, "--json: 'maybe'", ""},
        {{"penates", "verify", "/s", "--progress=often"}, "--progress: 'often'", "never"},
        {{"penates", "verify", "/s", "--log-level=loud"}, "--log-level: 'loud'", "debug"},
        {{"penates", "verify", "/s", "--endpoint=host"}, "--endpoint: 'host'", "https://"},
        {{"penates", "verify", "/s", "--expected-bucket-owner=1"},
         "--expected-bucket-owner:",
         "12 digits"},
        {{"penates", "verify", "/s", "--request-payer=me"}, "--request-payer: 'me'", ""},
        {{"penates", "plan", "/s", "--mode=9"}, "--mode: '9'", "octal"},
        {{"penates", "plan", "/s", "--mode=01777"}, "--mode: '01777'", ""},
        {{"penates", "plan", "/s", "--mode=0440"}, "--mode: '0440' shuts out", ""},
        {{"penates", "plan", "/s", "--dir-mode=600"}, "--dir-mode: '600' shuts out", ""},
        {{"penates", "plan", "/s", "--owner=no-such-user"}, "--owner: 'no-such-user'", ""},
        {{"penates", "plan", "/s", "--owner=4000000"}, "--owner: '4000000' has no group", ""},
        {{"penates", "plan", "/s", "--owner=root:no-such-group"}, "names no group", ""},
        {{"penates", "plan", "/s", "--owner=4294967295:0"}, "names no user", ""},
        {{"penates", "plan", "/s", "--config=/no/such/file"}, "/no/such/file: ", ""},
        {{"penates", "plan", "/s", "--priam-properties=/no/such"}, "/no/such: ", ""},
        {{"penates", "restore", "--into=/d", "--plan=/no/such"}, "/no/such: ", ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        rig_expect_refused(CASES[i].words, CASES[i].text, CASES[i].hint);
    }
}

static void test_too_many_targets(void **state)
{
    (void)state;
    autofree char *text = xstrdup("");
    for (int i = 0; i <= CONFIG_TARGETS_MAX; i++) {
        char *longer = xasprintf("%sinto = /d%d\n", text, i);
        free(text);
        text = longer;
    }
    rig_expect_refused(WORDS("restore", "/s", "--config", rig_file("conf", text)),
                       "line 17: into: more than 16", "");
}

static void test_bad_origin(void **state)
{
    static const struct {
        const char *file, *text;
    } CASES[] = {
        {"cluster\n", "line 1: is not 'option = value'"},
        {"\ncluter = x\n", "line 2: there is no option 'cluter'"},
        {"config = /x\n", "'config' has no meaning in a file"},
        {"help = true\n", "'help' has no meaning in a file"},
        {"threads = none\n", "line 1: threads: 'none' is not a number"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        autofree char *name = xasprintf("conf%zu", i);
        const char *path = rig_file(name, CASES[i].file);
        struct config *config = NULL;
        struct err e = ERR_INIT;
        assert_int_equal(rig_load(WORDS("verify", "/s", "--config", path), &config, &e), -1);
        assert_int_equal(e.kind, ERR_CONFIG);
        if (strstr(e.text, CASES[i].text) == NULL || strstr(e.text, path) != e.text) {
            fail_msg("'%s' does not hold '%s'", e.text, CASES[i].text);
        }
    }
    rig_environment((const char *const[]){"PENATES_CONFIG=/dev/null", "PENATES_MEMORY=lots",
                                          "PENATES_CLUSTER=", "PENATES_NO_SUCH=1", NULL});
    struct config *config = NULL;
    struct err e = ERR_INIT;
    log_set_level(LOG_ERROR); /* the unknown variable is a warning */
    assert_int_equal(rig_load(WORDS("verify", "/s"), &config, &e), -1);
    log_set_level(LOG_INFO);
    assert_int_equal(strncmp(e.text, "PENATES_MEMORY: 'lots'", 22), 0);
}

static void test_nul_and_size(void **state)
{
    (void)state;
    rig_expect_refused(WORDS("verify", "/s", "--config", "/dev/zero"), "larger than", "");
}

static void test_memory(void **state)
{
    (void)state;
    assert_int_equal(config_memory_for(0), UINT64_C(64) << 20);
    assert_int_equal(config_memory_for(UINT64_C(2) << 30), UINT64_C(256) << 20);
    assert_true(config_memory_for(UINT64_C(1) << 40) == UINT64_C(4) << 30);
    assert_int_equal(config_cgroup_limit("1048576\n"), 1048576);
    assert_true(config_cgroup_limit("max\n") == UINT64_MAX);
    assert_true(config_cgroup_limit("") == UINT64_MAX);
}

static void test_owner(void **state)
{
    uid_t owner = 1;
    gid_t group = 1;
    const char *why = NULL;
    (void)state;
    assert_true(config_find_owner("root", &owner, &group, &why));
    assert_int_equal(owner, 0);
    assert_int_equal(group, 0);
    assert_true(config_find_owner("root:77", &owner, &group, &why));
    assert_int_equal(group, 77);
    assert_false(config_find_owner("", &owner, &group, &why));
    assert_non_null(why);
}

/* Of the nearest directory that is there; root's is nobody's. */
static void test_owner_of_a_directory(void **state)
{
    (void)state;
    uid_t owner = 1;
    gid_t group = 1;
    assert_false(config_owner_of("/", &owner, &group));
    assert_false(config_owner_of("/no/such/directory", &owner, &group));
    assert_int_equal(owner, 0);
    assert_false(config_owner_of("/dev/null/below", &owner, &group)); /* cannot be looked at */
    if (geteuid() != 0) {
        return; /* only root can give something away */
    }
    const char *file = rig_file("given", "");
    autofree char *folder = xstrndup(file, (size_t)(strrchr(file, '/') - file));
    assert_int_equal(chown(folder, 4242, 4243), 0);
    autofree char *below = xasprintf("%s/not/yet/", folder);
    assert_true(config_owner_of(below, &owner, &group));
    assert_int_equal(owner, 4242);
    assert_int_equal(group, 4243);
    struct config *config = rig_load_good(WORDS("restore", "/s", "--into", below));
    assert_true(config->set_owner && !config->owner_given);
    assert_int_equal(config->owner, 4242);
    config_free(config);
    config = rig_load_good(WORDS("restore", "/s", "--into", below, "--owner", "root"));
    assert_true(config->set_owner && config->owner_given);
    assert_int_equal(config->owner, 0);
    config_free(config);
    /* What somebody outside of a user namespace looks like. */
    assert_int_equal(chown(folder, 65534, 65534), 0);
    assert_false(config_owner_of(below, &owner, &group));
}

/* What names a stack is known whatever else is wrong, wherever it stands. */
static void test_what_is_left_for_a_stack(void **state)
{
    (void)state;
    static const char file[] = "no-such-option = 1\nstack = prod\nthreads = none\n"
                               "wait-handle = https://host/x?y\n";
    const char *path = rig_file("stack.conf", file);
    const char *const *const cases[] = {
        WORDS("restore", "--config", path),
        WORDS("--no-such-option", "restore", "--config", path),
        WORDS("restore", "--threads", "0", "--config", path, "--memory"),
        WORDS("restore", "a", "b", "--config", path),
        WORDS("restore", "--signal-auth", "none", "--config", path),
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct config *config = rig_load_refused(cases[i]);
        assert_int_equal(config->command, COMMAND_RESTORE);
        assert_string_equal(config->stack, "prod");
        assert_string_equal(config->wait_handle, "https://host/x?y");
        assert_null(config->stack_resource);
        assert_int_equal(config->signal_auth, SIGNAL_AUTH_INSTANCE);
        config_free(config);
    }
    struct config *plan = rig_load_refused(WORDS("plan", "--config", path));
    assert_null(plan->wait_handle);
    config_free(plan);
    struct config *nothing = rig_load_refused(WORDS("--config", path));
    assert_int_not_equal(nothing->command, COMMAND_RESTORE);
    config_free(nothing);
    struct config *bad = rig_load_refused(
        WORDS("restore", "--wait-handle", "sEcReT", "--stack", "good", "--stack-resource", "b-d"));
    assert_null(bad->wait_handle);
    assert_string_equal(bad->stack, "good");
    assert_null(bad->stack_resource);
    config_free(bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_selection, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_target, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_last_wins, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_range, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_all_tokens, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_sample, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_words, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_help, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_what_is_left_for_a_stack, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_precedence, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_bad, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_too_many_targets, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_bad_origin, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_nul_and_size, rig_setup, rig_teardown),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_owner),
        cmocka_unit_test_setup_teardown(test_owner_of_a_directory, rig_setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
