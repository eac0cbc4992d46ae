#include "tests/unit/unit.h"

#include <string.h>

#include "agent/base/mem.h"
#include "s3/creds_role.h"

#define ACCOUNT "123456789012"

static void test_arns(void **state)
{
    (void)state;
    static const char name_64[] =
        "0123456789012345678901234567890123456789012345678901234567890123";
    autofree char *longest = xasprintf("arn:aws:iam::" ACCOUNT ":role/%s", name_64);
    autofree char *longer = xasprintf("%sx", longest);
    const struct {
        const char *arn;
        const char *name; /* NULL: refused */
    } cases[] = {
        {"arn:aws:iam::" ACCOUNT ":role/backup", "backup"},
        {"arn:aws:iam::" ACCOUNT ":role/a/b/c_+=,.@-", "c_+=,.@-"},
        {"arn:aws-cn:iam::" ACCOUNT ":role/x", "x"},
        {"arn:aws-us-gov:iam::" ACCOUNT ":role/service-role/x", "x"},
        {longest, name_64},
        {longer, NULL},
        {"", NULL},
        {"backup", NULL},
        {"arn:aws:iam::12345678901:role/backup", NULL},
        {"arn:aws:iam::1234567890123:role/backup", NULL},
        {"arn:aws:iam::12345678901x:role/backup", NULL},
        {"arn:aws:iam:::role/backup", NULL},
        {"arn:aws:iam:eu-west-1:" ACCOUNT ":role/backup", NULL},
        {"arn:aws:iam::" ACCOUNT ":user/backup", NULL},
        {"arn:aws:sts::" ACCOUNT ":assumed-role/backup/x", NULL},
        {"arn:aws:iam::" ACCOUNT ":role/", NULL},
        {"arn:aws:iam::" ACCOUNT ":role/a/", NULL},
        {"arn:aws:iam::" ACCOUNT ":role/a b", NULL},
        {"arn:aws:iam::" ACCOUNT ":role/a b/c", NULL},
        {"arn:aws:iam::" ACCOUNT ":role/a\nb", NULL},
        {"arn:gcp:iam::" ACCOUNT ":role/backup", NULL},
        {"arn:aws/iam::" ACCOUNT ":role/backup", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct creds_role role = {.arn = cases[i].arn};
        struct err e = ERR_INIT;
        if (cases[i].name != NULL) {
            assert_int_equal(creds_role_check(&role, &e), 0);
            assert_string_equal(creds_role_name(cases[i].arn), cases[i].name);
        } else if (creds_role_check(&role, &e) == 0) {
            fail_msg("'%s' was taken", cases[i].arn);
        } else {
            assert_int_equal(e.kind, ERR_CONFIG);
            assert_non_null(strstr(e.hint, "role/NAME"));
        }
    }
}

static void test_other_texts(void **state)
{
    (void)state;
    static const char arn[] = "arn:aws:iam::" ACCOUNT ":role/x";
    static char long_id[1226];
    memset(long_id, 'a', sizeof(long_id) - 1);
    static const char session_64[] =
        "0123456789012345678901234567890123456789012345678901234567890123";
    autofree char *session_65 = xasprintf("%sx", session_64);
    const struct {
        struct creds_role role;
        bool is_good;
    } cases[] = {
        {{.arn = arn, .external_id = "a:/b", .session_name = "a@b", .duration_s = 900}, true},
        {{.arn = arn, .session_name = session_64, .duration_s = 43200}, true},
        {{.arn = arn, .external_id = long_id + 1}, true},
        {{.arn = arn, .external_id = long_id}, false},
        {{.arn = arn, .external_id = "a"}, false},
        {{.arn = arn, .external_id = "a b"}, false},
        {{.arn = arn, .session_name = "a"}, false},
        {{.arn = arn, .session_name = "a/b"}, false},
        {{.arn = arn, .session_name = session_65}, false},
        {{.arn = arn, .duration_s = 899}, false},
        {{.arn = arn, .duration_s = 43201}, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err e = ERR_INIT;
        assert_int_equal(creds_role_check(&cases[i].role, &e), cases[i].is_good ? 0 : -1);
        assert_int_equal(e.kind, cases[i].is_good ? ERR_NONE : ERR_CONFIG);
    }
}

static void test_session_names(void **state)
{
    (void)state;
    const struct {
        const char *machine, *want;
    } cases[] = {
        {"i-0af01c0123456789a", "penates-i-0af01c0123456789a"},
        {"node 1/a\xc3\xa9", "penates-node-1-a--"},
        {"", "penates-"},
        {"0123456789012345678901234567890123456789012345678901234567890123",
         "penates-01234567890123456789012345678901234567890123456789012345"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char name[CREDS_ROLE_SESSION_MAX + 1];
        creds_role_session_of(cases[i].machine, name);
        assert_string_equal(name, cases[i].want);
    }
    char own[CREDS_ROLE_SESSION_MAX + 1];
    creds_role_session(own);
    const struct creds_role role = {.arn = "arn:aws:iam::" ACCOUNT ":role/x", .session_name = own};
    struct err e = ERR_INIT;
    assert_int_equal(creds_role_check(&role, &e), 0);
    assert_int_equal(strncmp(own, "penates-", 8), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arns),
        cmocka_unit_test(test_other_texts),
        cmocka_unit_test(test_session_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
