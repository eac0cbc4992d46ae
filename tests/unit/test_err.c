#include "agent/base/err.h"

#include <errno.h>
#include <sys/wait.h>

#include "tests/unit/unit.h"

static void test_set_wrap_hint(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    assert_int_equal(err_set(&e, ERR_CORRUPT, "block at %d", 7), -1);
    assert_int_equal(err_wrap(&e, "restore '%s'", "a/b"), -1);
    assert_string_equal(e.text, "restore 'a/b': block at 7");
    assert_string_equal(err_next_step(&e), "choose another restore point with --at");
    assert_int_equal(err_hint(&e, "do %s", "this"), -1);
    assert_string_equal(err_next_step(&e), "do this");
    assert_int_equal(err_set_sys(&e, ERR_DISK, ENOSPC, "write"), -1);
    assert_string_equal(e.text, "write: No space left on device");
    assert_int_equal(e.sys, ENOSPC);
    assert_string_equal(e.hint, ""); /* a new failure forgets the old advice */
}

static void test_no_forged_lines(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    (void)err_set(&e, ERR_REFUSED, "key 'a\n\x1b[31mb\x7f'");
    assert_string_equal(e.text, "key 'a??[31mb?'");
    (void)err_wrap(&e, "x\r");
    assert_string_equal(e.text, "x?: key 'a??[31mb?'");
    (void)err_set(&e, ERR_REFUSED, "\xc2\x9b\x31mb\xc2\xa0\xc3\xa9\xc2");
    assert_string_equal(e.text, "??1mb\xc2\xa0\xc3\xa9\xc2");
}

static void test_long_texts_are_cut(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    char text[2000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    (void)err_set(&e, ERR_BUG, "%s", text);
    assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
    (void)err_wrap(&e, "%s", text);
    assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
    (void)err_set_sys(&e, ERR_BUG, EIO, "%s", text);
    assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
    (void)err_hint(&e, "%s", text);
    assert_int_equal(strlen(e.hint), sizeof(e.hint) - 1);
}

/* The exit codes are a contract with scripts: this table is the documented one. */
static void test_exit_codes(void **state)
{
    (void)state;
    static const struct {
        enum err_kind kind;
        int code;
    } CODES[ERR_KIND_COUNT] = {
        {ERR_NONE, 0},     {ERR_CONFIG, 64},    {ERR_RETRY, 69},     {ERR_SLOW_DOWN, 69},
        {ERR_AUTH, 77},    {ERR_NOT_FOUND, 66}, {ERR_NO_BACKUP, 66}, {ERR_CHANGED, 75},
        {ERR_CORRUPT, 65}, {ERR_TRUNCATED, 65}, {ERR_LIMIT, 65},     {ERR_CREATE, 73},
        {ERR_DISK, 74},    {ERR_REFUSED, 78},   {ERR_COMMAND, 75},   {ERR_CANCELLED, 75},
        {ERR_BUG, 70},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CODES); i++) {
        assert_int_equal(CODES[i].kind, i);
        assert_int_equal(err_exit_code(CODES[i].kind), CODES[i].code);
        assert_true(err_kind_name(CODES[i].kind)[0] != '\0');
        assert_int_equal(err_is_transient(CODES[i].kind),
                         CODES[i].kind == ERR_RETRY || CODES[i].kind == ERR_SLOW_DOWN);
    }
}

static void test_assert_ends_with_70(void **state)
{
    (void)state;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(STDERR_FILENO); /* the line is expected, and would only alarm a reader */
        ASSERT(child != 0);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 70);
}

static void test_signatures_are_hidden(void **state)
{
    (void)state;
    struct err e;
    err_set(&e, ERR_CONFIG, "'%s' is none", "https://h/a?x=1&Signature=a%3D&X-Amz-Signature=c");
    err_hint(&e, "not %s", "x-amz-security-token=tok and Signature=");
    assert_string_equal(e.text, "'https://h/a?x=1&**************&X-Amz-***********' is none");
    assert_string_equal(e.hint, "not x-amz-****************** and **********");
    e = (struct err){.kind = ERR_CONFIG, .text = "x"};
    err_wrap(&e, "signature=%s", "s\"q");
    assert_string_equal(e.text, "***********\"q: x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_wrap_hint),       cmocka_unit_test(test_no_forged_lines),
        cmocka_unit_test(test_long_texts_are_cut),  cmocka_unit_test(test_exit_codes),
        cmocka_unit_test(test_assert_ends_with_70), cmocka_unit_test(test_signatures_are_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
