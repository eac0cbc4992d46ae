#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "agent/base/child.h"
#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/base/thread.h"
#include "tests/unit/creds_world.h"

/* 2026-11-23T08:00:00Z */
static const int64_t now_ms = INT64_C(1795420800000);
#define KEYS "\"AccessKeyId\":\"ASIA1\",\"SecretAccessKey\":\"sEcReT\""
#define GOOD                                                                                       \
    "{\"Version\": 1," KEYS ",\"SessionToken\":\"t\",\"Expiration\":\"2026-11-23T09:00:00Z\"}"
/* As a word of a command. */
#define PRINT(text) "printf %s '" text "'"
#define SHELL(text) "sh -c '" text "'"
#define IN_SHELL                                                                                   \
    "printf \"%s\" "                                                                               \
    "\"{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"A\\\",\\\"SecretAccessKey\\\":\\\"s\\\"}\""

static int run(const char *command, long limit_ms, struct creds_value *ret, struct err *e)
{
    struct world world = {.now_ms = now_ms};
    struct creds_system system = world_system(&world);
    system.process_ms = limit_ms;
    return creds_process_read(&system, command, "profile 'dr'", ret, e);
}

static void expect_failure(const char *command, long limit_ms, enum err_kind kind, const char *text)
{
    struct creds_value value = {.id = ""};
    struct err e = ERR_INIT;
    assert_int_equal(run(command, limit_ms, &value, &e), -1);
    if (e.kind != kind || strstr(e.text, text) == NULL) {
        fail_msg("%s: kind %d, no '%s' in '%s'", command, (int)e.kind, text, e.text);
    }
    assert_non_null(strstr(e.text, "profile 'dr': credential_process"));
    assert_null(strstr(e.text, "sEcReT"));
    assert_null(strstr(e.hint, "sEcReT"));
    assert_string_equal(value.id, "");
}

static void test_keys(void **state)
{
    (void)state;
    struct creds_value value;
    struct err e = ERR_INIT;
    assert_int_equal(run(PRINT(GOOD), 0, &value, &e), 0);
    assert_string_equal(value.id, "ASIA1");
    assert_string_equal(value.secret, "sEcReT");
    assert_string_equal(value.token, "t");
    assert_int_equal(value.expires_ms, now_ms + 3600 * 1000);
    assert_string_equal(value.source, "profile 'dr'");
    /* What it says besides is not taken for an answer. */
    assert_int_equal(run(SHELL("echo hello >&2; sleep 0.1; " IN_SHELL), 0, &value, &e), 0);
    assert_string_equal(value.id, "A");
    assert_string_equal(value.token, "");
    assert_int_equal(value.expires_ms, 0);
}

static void test_programs_that_fail(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        enum err_kind kind;
        const char *text;
    } cases[] = {
        {"'unended", ERR_CONFIG, "has a quote that does not end"},
        {"  ", ERR_CONFIG, "names no program"},
        {"/nonexistent/helper sEcReT", ERR_CONFIG, "'/nonexistent/helper' cannot be run"},
        {"penates-no-such-helper", ERR_CONFIG, "cannot be run"},
        {"/etc/passwd", ERR_CONFIG, "cannot be run"},
        {SHELL("echo sEcReT; exit 3"), ERR_AUTH, "'sh' failed: exit status 3"},
        {SHELL("kill -9 $$"), ERR_AUTH, "was ended by signal 9"},
        {"true", ERR_CORRUPT, "what it prints: not a flat JSON object"},
        {"echo sEcReT", ERR_CORRUPT, "not a flat JSON object"},
        {"head -c 65537 /dev/zero", ERR_AUTH, "more than 65536 bytes"},
        {"cat /dev/zero", ERR_AUTH, "more than 65536 bytes"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        expect_failure(cases[i].command, 0, cases[i].kind, cases[i].text);
    }
}

static void test_programs_that_hang_are_ended(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        uint64_t most_ms;
    } cases[] = {
        {"sleep 60", 20 * 1000},
        {SHELL("exec >&-; exec sleep 60"), 20 * 1000},
        {SHELL("sleep 60 & wait"), 20 * 1000},
        {SHELL("while :; do printf \" \"; sleep 0.05; done"), 20 * 1000},
        {SHELL("trap \"\" TERM; while :; do sleep 0.1; done"), 40 * 1000}, /* SIGKILL helps */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const uint64_t start_ms = clock_mono_ms();
        expect_failure(cases[i].command, 200, ERR_AUTH, "has not ended within 0 s");
        assert_in_range(clock_mono_ms() - start_ms, 200, cases[i].most_ms);
    }
}

/* The whole group gets the signal: nothing is left that holds the pipe on which we listen. */
static void test_nothing_is_left_running(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    autofree char *command =
        xasprintf("sh -c 'sleep 60 >/proc/%d/fd/%d & wait'", (int)getpid(), ends[1]);
    expect_failure(command, 500, ERR_AUTH, "has not ended");
    assert_int_equal(close(ends[1]), 0);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 0); /* else it would wait for a minute */
    assert_int_equal(close(ends[0]), 0);
}

static void test_what_a_program_leaves_running_is_not_waited_for(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    /* It would hold our listening up for a minute; its number comes by a pipe of ours. */
    autofree char *command = xasprintf("sh -c '%s; sleep 60 & echo $! >/proc/%d/fd/%d'", IN_SHELL,
                                       (int)getpid(), ends[1]);
    struct creds_value value;
    struct err e = ERR_INIT;
    const uint64_t start_ms = clock_mono_ms();
    assert_int_equal(run(command, 0, &value, &e), 0);
    assert_in_range(clock_mono_ms() - start_ms, 0, 20 * 1000);
    char text[32] = "";
    int64_t number = 0;
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    assert_true(parse_i64(text, strcspn(text, "\n"), &number) && number > 1);
    assert_int_equal(kill((pid_t)number, SIGKILL), 0);
    assert_int_equal(close(ends[0]) + close(ends[1]), 0);
}

static void *run_in_thread(void *arg)
{
    struct err e = ERR_INIT;
    *(int *)arg = run(PRINT(GOOD), 0, &(struct creds_value){.id = ""}, &e);
    return NULL;
}

/* Our threads block all signals; the parent may have made us ignore SIGCHLD. */
static void test_state_of_signals(void **state)
{
    (void)state;
    int rc = -1;
    thread_join(thread_start(run_in_thread, &rc, "creds"));
    assert_int_equal(rc, 0);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction before;
    assert_int_equal(sigaction(SIGCHLD, &ignore, &before), 0);
    struct creds_value value;
    struct err e = ERR_INIT;
    assert_int_equal(run(PRINT(GOOD), 0, &value, &e), 0);
    expect_failure(SHELL("exit 1"), 0, ERR_CORRUPT, "not a flat JSON object");
    assert_int_equal(sigaction(SIGCHLD, &before, NULL), 0);
}

/* In a process of its own, which is not to be used afterwards. The number of what went wrong. */
static int leave(void)
{
    char name[] = "sleep", seconds[] = "60";
    char *const argv[] = {name, seconds, NULL};
    pid_t children[CHILDREN_MAX], other;
    for (size_t round = 0; round < 2; round++) { /* what was reaped takes no room */
        for (size_t i = 0; i < CHILDREN_MAX; i++) {
            if (child_start(name, argv, STDERR_FILENO, &children[i]) != 0) {
                return 1;
            }
        }
        if (child_start(name, argv, STDERR_FILENO, &other) != EAGAIN) {
            return 2;
        }
        for (size_t i = 0; i < CHILDREN_MAX && round == 0; i++) {
            if (kill(children[i], SIGKILL) != 0 || WTERMSIG(child_reap(children[i])) != SIGKILL) {
                return 3;
            }
        }
    }
    child_end_all();
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        if (WTERMSIG(child_reap(children[i])) != SIGTERM) {
            return 4;
        }
    }
    return child_start(name, argv, STDERR_FILENO, &other) == ECANCELED ? 0 : 5;
}

static void test_all_end_with_us(void **state)
{
    (void)state;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(leave());
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_documents(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err_kind kind;
        const char *said;
    } cases[] = {
        {"{" KEYS ",\"Version\":1}", ERR_NONE, NULL},
        {"{\"Version\":1,\"SessionToken\":null,\"Expiration\":null," KEYS "}", ERR_NONE, NULL},
        {"{" KEYS "}", ERR_CORRUPT, "no \"Version\": 1"},
        {"{\"Version\":2," KEYS "}", ERR_CORRUPT, "no \"Version\": 1"},
        {"{\"Version\":11," KEYS "}", ERR_CORRUPT, "no \"Version\": 1"},
        {"{\"Version\":\"1\"," KEYS "}", ERR_CORRUPT, "no \"Version\": 1"},
        {"{\"Version\":1,\"Version\":1," KEYS "}", ERR_CORRUPT, "not a flat JSON object"},
        {"{\"Version\":1,\"AccessKeyId\":\"A\"}", ERR_CORRUPT, "no SecretAccessKey"},
        {"{\"Version\":1,\"SecretAccessKey\":\"sEcReT\"}", ERR_CORRUPT, "no AccessKeyId"},
        {"{\"Version\":1,\"AccessKeyId\":\"\",\"SecretAccessKey\":\"sEcReT\"}", ERR_CONFIG,
         "empty"},
        {"{\"Version\":1,\"Expiration\":\"soon\"," KEYS "}", ERR_CORRUPT, "is no time"},
        {"{\"Version\":1,\"Expiration\":\"2026-11-23T08:00:00Z\"," KEYS "}", ERR_AUTH,
         "expired at 2026-11-23T08:00:00Z"},
        {"{\"Version\":1," KEYS, ERR_CORRUPT, "not a flat JSON object"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        autofree char *text = xstrdup(cases[i].text);
        struct creds_value value = {.id = ""};
        struct err e = ERR_INIT;
        const int rc = creds_process_parse(text, strlen(text), now_ms, &value, &e);
        assert_int_equal(e.kind, cases[i].kind);
        assert_int_equal(rc, cases[i].said == NULL ? 0 : -1);
        if (rc != 0 &&
            (strstr(e.text, cases[i].said) == NULL || strstr(e.text, "sEcReT") != NULL)) {
            fail_msg("'%s': '%s'", cases[i].text, e.text);
        }
        assert_string_equal(value.id, rc == 0 ? "ASIA1" : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_programs_that_fail),
        cmocka_unit_test(test_programs_that_hang_are_ended),
        cmocka_unit_test(test_nothing_is_left_running),
        cmocka_unit_test(test_what_a_program_leaves_running_is_not_waited_for),
        cmocka_unit_test(test_state_of_signals),
        cmocka_unit_test(test_all_end_with_us),
        cmocka_unit_test(test_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
