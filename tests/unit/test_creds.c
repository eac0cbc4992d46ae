#include "tests/unit/unit.h"

#include "agent/base/clock.h"
#include "agent/base/thread.h"
#include "tests/unit/creds_world.h"

/* 2026-11-23T08:00:00Z */
enum { MINUTE = 60 * 1000 };
static const int64_t start_ms = INT64_C(1795420800000);
#define AT_8 "2026-11-23T08:00:00Z"
#define AT_9 "2026-11-23T09:00:00Z"
#define AT_10 "2026-11-23T10:00:00Z"

static const struct creds_options no_options = {.profile = NULL};

#define NO_FILES                                                                                   \
    {"AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials"},                                   \
        {"AWS_CONFIG_FILE", "/nonexistent/config"}, {"AWS_EC2_METADATA_DISABLED", "true"},         \
    {                                                                                              \
        NULL, NULL                                                                                 \
    }

static void expect_environment(const struct world_variable *variables, enum err_kind kind,
                               const char *text)
{
    struct world world = {.variables = variables, .now_ms = start_ms};
    const struct creds_system system = world_system(&world);
    struct creds_value value = {.id = ""};
    struct err e = ERR_INIT;
    const int rc = creds_env_read(&system, &value, &e);
    assert_int_equal(rc, kind == ERR_NONE ? 0 : -1);
    if (rc == 0) {
        assert_string_equal(value.id, text);
        assert_string_equal(value.source, "environment");
        return;
    }
    assert_int_equal(e.kind, kind);
    if (strstr(e.text, text) == NULL) {
        fail_msg("no '%s' in '%s'", text, e.text);
    }
    assert_null(strstr(e.text, "sEcReT"));
    assert_string_equal(value.id, "");
}

#define ENV(...)                                                                                   \
    (const struct world_variable[])                                                                \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            NULL, NULL                                                                             \
        }                                                                                          \
    }
#define ID(text)                                                                                   \
    {                                                                                              \
        "AWS_ACCESS_KEY_ID", text                                                                  \
    }
#define SECRET(text)                                                                               \
    {                                                                                              \
        "AWS_SECRET_ACCESS_KEY", text                                                              \
    }
#define EXPIRES(text)                                                                              \
    {                                                                                              \
        "AWS_CREDENTIAL_EXPIRATION", text                                                          \
    }

static void test_environment(void **state)
{
    (void)state;
    expect_environment(ENV(ID("A"), SECRET("s")), ERR_NONE, "A");
    expect_environment(ENV(ID("A"), SECRET("s"), EXPIRES("")), ERR_NONE, "A");
    expect_environment(ENV(ID("A"), SECRET("s"), EXPIRES(AT_9)), ERR_NONE, "A");
    expect_environment(NULL, ERR_NOT_FOUND, "AWS_ACCESS_KEY_ID is not set");
    expect_environment(ENV(ID(""), SECRET("")), ERR_NOT_FOUND, "AWS_ACCESS_KEY_ID is not set");
    expect_environment(ENV(ID("A")), ERR_CONFIG, "AWS_SECRET_ACCESS_KEY is not");
    expect_environment(ENV(SECRET("sEcReT")), ERR_CONFIG, "AWS_ACCESS_KEY_ID is not");
    expect_environment(ENV(ID("A"), SECRET("sEcReT\n")), ERR_CONFIG, "number 7");
    expect_environment(ENV(ID("A"), SECRET("s"), EXPIRES("soon")), ERR_CONFIG, "is no time");
    expect_environment(ENV(ID("A"), SECRET("s"), EXPIRES(AT_8)), ERR_AUTH, "expired at " AT_8);
}

/* Asks the whole chain; the text is a part of the message, or the id. */
static void expect_chain(const struct creds_options *options,
                         const struct world_variable *variables, enum err_kind kind,
                         const char *text, const char *hint)
{
    struct world world = {.variables = variables, .now_ms = start_ms};
    const struct creds_system system = world_system(&world);
    struct creds *creds = creds_new_in(options, &system);
    struct creds_value value;
    struct err e = ERR_INIT;
    struct err why = ERR_INIT;
    assert_false(creds_out_of_reach(creds, &why)); /* nobody has asked */
    const int rc = creds_get(creds, &value, &e);
    assert_int_equal(creds_out_of_reach(creds, &why), kind == ERR_RETRY);
    assert_string_equal(why.text, kind == ERR_RETRY ? e.text : "");
    creds_free(creds);
    assert_int_equal(rc, kind == ERR_NONE ? 0 : -1);
    if (rc == 0) {
        assert_string_equal(value.id, text);
        return;
    }
    assert_int_equal(e.kind, kind);
    if (strstr(e.text, text) == NULL || strstr(e.hint, hint) == NULL) {
        fail_msg("no '%s' in '%s', or no '%s' in '%s'", text, e.text, hint, e.hint);
    }
}

/* The older name of the token counts before the other (botocore). */
static void test_token_of_the_environment(void **state)
{
    (void)state;
    static const struct {
        const char *older, *token, *want;
    } cases[] = {
        {NULL, NULL, ""}, {NULL, "t", "t"}, {"o", NULL, "o"}, {"o", "t", "o"}, {"", "t", "t"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct world_variable variables[] = {ID("A"),
                                                   SECRET("s"),
                                                   {"AWS_SECURITY_TOKEN", cases[i].older},
                                                   {"AWS_SESSION_TOKEN", cases[i].token},
                                                   {NULL, NULL}};
        struct world world = {.variables = variables};
        const struct creds_system system = world_system(&world);
        struct creds_value value;
        struct err e = ERR_INIT;
        assert_int_equal(creds_env_read(&system, &value, &e), 0);
        assert_string_equal(value.token, cases[i].want);
    }
}

static void test_chain(void **state)
{
    (void)state;
    const struct creds_options profile = {.profile = "dr"};
    const struct creds_options role = {.role_arn = "arn:aws:iam::1:role/x"};
    const struct creds_options good_role = {.role_arn = "arn:aws:iam::123456789012:role/x"};
    static const struct world_variable nothing[] = {NO_FILES};
    static const struct world_variable keys[] = {ID("A"), SECRET("s"), NO_FILES};
    static const struct world_variable half[] = {ID("A"), NO_FILES};
    static const struct world_variable web[] = {{"AWS_WEB_IDENTITY_TOKEN_FILE", "/x"}, NO_FILES};
    static const struct world_variable relative[] = {
        {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "x"}, NO_FILES};
    static const struct world_variable nobody[] = {
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/"}, NO_FILES};
    static const struct world_variable full[] = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://x"},
                                                 NO_FILES};
    expect_chain(&no_options, keys, ERR_NONE, "A", NULL);
    expect_chain(&no_options, nothing, ERR_AUTH,
                 "no credentials: environment: AWS_ACCESS_KEY_ID is not set; profile 'default': "
                 "neither in /nonexistent/credentials nor in /nonexistent/config; container: "
                 "AWS_CONTAINER_CREDENTIALS_FULL_URI is not set; instance metadata: switched off "
                 "by AWS_EC2_METADATA_DISABLED",
                 "give --profile");
    /* A profile that was asked for is never replaced by other keys. */
    expect_chain(&profile, keys, ERR_CONFIG, "profile 'dr': neither in", "list-profiles");
    expect_chain(&no_options, half, ERR_CONFIG, "AWS_SECRET_ACCESS_KEY is not", "set both");
    expect_chain(&no_options, web, ERR_CONFIG, "neither AWS_ROLE_ARN nor role_arn", "correct that");
    expect_chain(&no_options, relative, ERR_CONFIG, "RELATIVE_URI is no path", "correct that");
    expect_chain(&no_options, full, ERR_CONFIG, "FULL_URI is not an address", "https://");
    expect_chain(&no_options, nobody, ERR_RETRY,
                 "no credentials: container: http://127.0.0.1:1: ", "");
    expect_chain(&role, keys, ERR_CONFIG, "role 'arn:aws:iam::1:role/x': not the ARN", "role/NAME");
    expect_chain(&good_role, nothing, ERR_AUTH, "no credentials: environment: ", "give --profile");
}

static void test_process_environment(void **state)
{
    (void)state;
    char id[] = "AWS_ACCESS_KEY_ID=P1";
    char secret[] = "AWS_SECRET_ACCESS_KEY=s";
    char region[] = "AWS_DEFAULT_REGION=eu-north-1";
    assert_int_equal(putenv(id) + putenv(secret) + putenv(region), 0);
    struct creds *creds = creds_new(&no_options);
    struct creds_value value;
    struct err e = ERR_INIT;
    assert_int_equal(creds_get(creds, &value, &e), 0);
    assert_string_equal(value.id, "P1");
    autofree char *found = creds_region(creds);
    assert_non_null(found);
    creds_free(creds);
    creds_free(NULL);
}

static void test_region(void **state)
{
    (void)state;
    static const struct world_variable both[] = {
        {"AWS_DEFAULT_REGION", "b"}, {"AWS_REGION", "a"}, NO_FILES};
    static const struct world_variable second[] = {{"AWS_DEFAULT_REGION", "b"}, NO_FILES};
    static const struct world_variable nothing[] = {NO_FILES};
    const struct {
        const struct world_variable *variables;
        const char *want;
    } cases[] = {{both, "a"}, {second, "b"}, {nothing, NULL}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world = {.variables = cases[i].variables};
        const struct creds_system system = world_system(&world);
        struct creds *creds = creds_new_in(&no_options, &system);
        autofree char *region = creds_region(creds);
        assert_int_equal(region != NULL, cases[i].want != NULL);
        assert_true(region == NULL || strcmp(region, cases[i].want) == 0);
        creds_free(creds);
    }
}

/* An environment that changes, counts how often it is asked, and can hold up who asks. */
struct source {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under lock */
    const char *id;      /* NULL: nothing there */
    const char *expires; /* NULL: never */
    int64_t now_ms;
    unsigned asked;
    unsigned arrived; /* callers about to ask */
    bool is_held;
};

static const char *source_get_env(void *ctx, const char *name)
{
    struct source *source = ctx;
    const char *value = NULL;
    mutex_lock(&source->lock);
    if (strcmp(name, "AWS_ACCESS_KEY_ID") == 0) {
        source->asked++;
        cond_broadcast(&source->changed);
        while (source->is_held) {
            cond_wait(&source->changed, &source->lock);
        }
        value = source->id;
    } else if (strcmp(name, "AWS_SECRET_ACCESS_KEY") == 0) {
        value = source->id == NULL ? NULL : "s";
    } else if (strcmp(name, "AWS_CREDENTIAL_EXPIRATION") == 0) {
        value = source->expires;
    } else if (strcmp(name, "AWS_EC2_METADATA_DISABLED") == 0) {
        value = "true";
    }
    mutex_unlock(&source->lock);
    return value;
}

static int64_t source_now_ms(void *ctx)
{
    struct source *source = ctx;
    mutex_lock(&source->lock);
    const int64_t now_ms = source->now_ms;
    mutex_unlock(&source->lock);
    return now_ms;
}

static void source_sleep_ms(void *ctx, uint64_t ms)
{
    (void)ctx;
    (void)ms;
}

static char told[sizeof(((struct err *)0)->text)]; /* of the last on_stale */
static unsigned told_count;

static void on_stale(const struct err *why)
{
    told_count++;
    (void)snprintf(told, sizeof(told), "%s", why->text);
}

static struct creds *creds_of(struct source *source)
{
    const struct creds_options options = {.on_stale = on_stale};
    told_count = 0;
    const struct creds_system system = {.get_env = source_get_env,
                                        .now_ms = source_now_ms,
                                        .sleep_ms = source_sleep_ms,
                                        .ctx = source};
    return creds_new_in(&options, &system);
}

static struct creds *source_begin(struct source *source, const char *id, const char *expires)
{
    *source = (struct source){.id = id, .expires = expires, .now_ms = start_ms};
    mutex_init(&source->lock);
    cond_init(&source->changed);
    return creds_of(source);
}

/* creds NULL: they were freed before. */
static void source_end(struct source *source, struct creds *creds)
{
    creds_free(creds);
    cond_done(&source->changed);
    mutex_done(&source->lock);
}

static void set_now(struct source *source, int64_t minutes_ms)
{
    mutex_lock(&source->lock);
    source->now_ms = start_ms + minutes_ms;
    mutex_unlock(&source->lock);
}

/* At that time: the id that comes once a renewal has ended, after so many questions in all. */
static void expect_at_ms(struct creds *creds, struct source *source, int64_t ms, const char *id,
                         unsigned asked)
{
    set_now(source, ms);
    struct creds_value value;
    struct err e = ERR_INIT;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(creds_get(creds, &value, &e), 0);
        creds_wait(creds);
    }
    assert_string_equal(value.id, id);
    assert_int_equal(source->asked, asked);
}

static void expect_at(struct creds *creds, struct source *source, int minutes, const char *id,
                      unsigned asked)
{
    expect_at_ms(creds, source, (int64_t)minutes * MINUTE, id, asked);
}

static void test_renewal(void **state)
{
    (void)state;
    struct source source;
    struct creds *creds = source_begin(&source, "A", AT_9);
    expect_at(creds, &source, 0, "A", 1);
    expect_at(creds, &source, 44, "A", 1);
    assert_int_equal(told_count, 0);
    source.id = NULL; /* a failed renewal keeps what there is, and waits a minute */
    expect_at(creds, &source, 45, "A", 2);
    expect_at(creds, &source, 45, "A", 2);
    expect_at(creds, &source, 46, "A", 3);
    expect_at(creds, &source, 55, "A", 4);
    expect_at(creds, &source, 70, "A", 5); /* even past the end */
    assert_int_equal(told_count, 1);
    assert_non_null(strstr(told, "not renewed, and used on though they end at " AT_9 ": no cred"));
    source.id = "B";
    source.expires = AT_10;
    expect_at(creds, &source, 71, "B", 6);
    expect_at(creds, &source, 95, "B", 6);
    source.id = NULL;
    expect_at(creds, &source, 106, "B", 7);
    assert_int_equal(told_count, 2);
    source.id = "C";
    source.expires = NULL;
    expect_at(creds, &source, 107, "C", 8);
    expect_at(creds, &source, 100000, "C", 8);
    source_end(&source, creds);
}

/* They live from 8:00:00 to 8:00:04, and the service has new ones at its own time. */
static void test_lives_of_seconds(void **state)
{
    (void)state;
    struct source source;
    struct creds *creds = source_begin(&source, "A", "2026-11-23T08:00:04Z");
    expect_at_ms(creds, &source, 0, "A", 1);
    expect_at_ms(creds, &source, 1999, "A", 1);
    expect_at_ms(creds, &source, 2000, "A", 2); /* half of it; nothing new yet */
    expect_at_ms(creds, &source, 2499, "A", 2);
    expect_at_ms(creds, &source, 2500, "A", 3); /* after half a second, then one */
    source.id = "B";
    source.expires = "2026-11-23T08:00:07Z";
    expect_at_ms(creds, &source, 3400, "A", 3);
    expect_at_ms(creds, &source, 3500, "B", 4);
    expect_at_ms(creds, &source, 5200, "B", 4);
    source.expires = "2026-11-23T08:00:09Z"; /* the same ones, for longer */
    expect_at_ms(creds, &source, 5300, "B", 5);
    expect_at_ms(creds, &source, 7000, "B", 5);
    source_end(&source, creds);
}

/* Nothing new for ten minutes: it is asked less and less. */
static void test_ended_ones_cause_no_storm(void **state)
{
    (void)state;
    struct source source;
    struct creds *creds = source_begin(&source, "A", "2026-11-23T08:00:04Z");
    expect_at_ms(creds, &source, 0, "A", 1);
    for (int64_t ms = 2000; ms < 600 * 1000; ms += 100) {
        set_now(&source, ms);
        struct creds_value value;
        struct err e = ERR_INIT;
        assert_int_equal(creds_get(creds, &value, &e), 0);
        creds_wait(creds);
    }
    assert_in_range(source.asked, 10, 20);
    source_end(&source, creds);
}

static void test_rejection(void **state)
{
    (void)state;
    struct source source;
    struct creds *creds = source_begin(&source, "A", NULL);
    struct creds_value a;
    struct creds_value other = {.id = "X"};
    struct err e = ERR_INIT;
    assert_int_equal(creds_get(creds, &a, &e), 0);
    assert_true(creds_is_current(creds, &a));
    assert_false(creds_is_current(creds, &other));
    creds_reject(creds, &other); /* somebody has renewed since */
    expect_at(creds, &source, 0, "A", 1);
    creds_reject(creds, &a);
    creds_reject(creds, &a);
    expect_at(creds, &source, 0, "A", 2);
    creds_reject(creds, &a); /* once for the same identity */
    expect_at(creds, &source, 9, "A", 2);
    creds_free(creds);

    creds = creds_of(&source);
    source.asked = 0;
    expect_at(creds, &source, 0, "A", 1);
    creds_reject(creds, &a);
    source.id = "B";
    expect_at(creds, &source, 0, "B", 2);
    struct creds_value b;
    assert_int_equal(creds_get(creds, &b, &e), 0);
    assert_false(creds_is_current(creds, &a));
    creds_reject(creds, &b);
    source.id = NULL; /* nothing better to be had: the old ones */
    expect_at(creds, &source, 0, "B", 3);
    expect_at(creds, &source, 0, "B", 3);
    source_end(&source, creds);
}

struct caller {
    struct creds *creds;
    struct source *source;
    struct creds_value value;
    struct err e;
    int rc;
};

static void *call(void *arg)
{
    struct caller *caller = arg;
    mutex_lock(&caller->source->lock);
    caller->source->arrived++;
    cond_broadcast(&caller->source->changed);
    mutex_unlock(&caller->source->lock);
    caller->rc = creds_get(caller->creds, &caller->value, &caller->e);
    return NULL;
}

static void hold(struct source *source, bool is_held)
{
    mutex_lock(&source->lock);
    source->is_held = is_held;
    cond_broadcast(&source->changed);
    mutex_unlock(&source->lock);
}

static void wait_until_asked(struct source *source, unsigned asked)
{
    mutex_lock(&source->lock);
    while (source->asked < asked) {
        cond_wait(&source->changed, &source->lock);
    }
    mutex_unlock(&source->lock);
}

enum { CALLERS = 4 };

/* One asks, three more come while it does; nobody gets anything before the end. */
static void run_callers(struct creds *creds, struct source *source, unsigned asked,
                        struct caller callers[CALLERS])
{
    pthread_t threads[CALLERS];
    hold(source, true);
    for (size_t i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.creds = creds, .source = source};
        threads[i] = thread_start(call, &callers[i], "caller");
    }
    mutex_lock(&source->lock);
    while (source->asked < asked || source->arrived < CALLERS) {
        cond_wait(&source->changed, &source->lock);
    }
    source->arrived = 0;
    mutex_unlock(&source->lock);
    clock_sleep_ms(200); /* from having arrived to waiting in creds_get nothing can be seen */
    hold(source, false);
    for (size_t i = 0; i < CALLERS; i++) {
        thread_join(threads[i]);
    }
    assert_int_equal(source->asked, asked);
}

static void test_one_asks_for_all(void **state)
{
    (void)state;
    struct source source;
    struct creds *creds = source_begin(&source, NULL, NULL);
    static struct caller callers[CALLERS];
    run_callers(creds, &source, 1, callers);
    for (size_t i = 0; i < CALLERS; i++) {
        assert_int_equal(callers[i].rc, -1);
        assert_int_equal(callers[i].e.kind, ERR_AUTH);
    }
    source.id = "A";
    source.expires = AT_9;
    run_callers(creds, &source, 2, callers);
    for (size_t i = 0; i < CALLERS; i++) {
        assert_int_equal(callers[i].rc, 0);
        assert_string_equal(callers[i].value.id, "A");
    }
    source.id = "B";
    set_now(&source, 50 * (int64_t)MINUTE); /* ten minutes left: all wait */
    run_callers(creds, &source, 3, callers);
    for (size_t i = 0; i < CALLERS; i++) {
        assert_string_equal(callers[i].value.id, "B");
    }
    source_end(&source, creds);
}

/* Its caller is a net thread: all its transfers would wait for an answer that may never come. */
static void test_early_renewal_holds_nobody_up(void **state)
{
    (void)state;
    struct source source;
    struct creds *creds = source_begin(&source, "A", AT_9);
    expect_at(creds, &source, 0, "A", 1);
    source.id = "B";
    set_now(&source, 49 * (int64_t)MINUTE);
    hold(&source, true);
    struct creds_value value;
    struct err e = ERR_INIT;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(creds_get(creds, &value, &e), 0);
        assert_string_equal(value.id, "A");
    }
    wait_until_asked(&source, 2);
    hold(&source, false);
    creds_wait(creds);
    expect_at(creds, &source, 49, "B", 2);
    source_end(&source, creds);
}

/* A renewal under way when all is over: nothing is freed below it. */
static void test_freed_during_a_renewal(void **state)
{
    (void)state;
    struct source source;
    struct creds *creds = source_begin(&source, "A", AT_9);
    expect_at(creds, &source, 0, "A", 1);
    set_now(&source, 46 * (int64_t)MINUTE);
    struct creds_value value;
    struct err e = ERR_INIT;
    assert_int_equal(creds_get(creds, &value, &e), 0);
    creds_free(creds);
    assert_int_equal(source.asked, 2);
    source_end(&source, NULL);
}

/* The fetch under way began before the rejection and may bring the refused ones once more. */
static void test_rejection_during_a_fetch(void **state)
{
    (void)state;
    struct source source;
    struct creds *creds = source_begin(&source, "A", AT_9);
    expect_at(creds, &source, 0, "A", 1);
    set_now(&source, 46 * (int64_t)MINUTE);
    hold(&source, true);
    struct creds_value a;
    struct err e = ERR_INIT;
    assert_int_equal(creds_get(creds, &a, &e), 0);
    wait_until_asked(&source, 2);
    creds_reject(creds, &a);
    hold(&source, false);
    creds_wait(creds);
    source.id = "B";
    expect_at(creds, &source, 46, "B", 3);
    source_end(&source, creds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_token_of_the_environment),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_process_environment),
        cmocka_unit_test(test_region),
        cmocka_unit_test(test_renewal),
        cmocka_unit_test(test_lives_of_seconds),
        cmocka_unit_test(test_ended_ones_cause_no_storm),
        cmocka_unit_test(test_rejection),
        cmocka_unit_test(test_one_asks_for_all),
        cmocka_unit_test(test_early_renewal_holds_nobody_up),
        cmocka_unit_test(test_freed_during_a_renewal),
        cmocka_unit_test(test_rejection_during_a_fetch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
