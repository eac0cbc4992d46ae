#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/stack/stack_text.h"

#define ARN "arn:aws:cloudformation:eu-west-1:111122223333:stack/prod-ring/6d3c0f10-ec4b"

static void test_stacks(void **state)
{
    (void)state;
    static const char *const good[] = {
        "prod", "p", "Prod-7", ARN, "arn:aws-cn:cloudformation:cn-north-1:111122223333:stack/a/b",
    };
    static const char *const bad[] = {
        "",
        "7prod",
        "-",
        "a_b",
        "a b",
        "prod/ring",
        "arn:",
        "arn:aws:s3:::bucket",
        "arn:aws:cloudformation:eu-west-1:111122223333:stack/prod",
        "arn:aws:cloudformation:eu-west-1:111122223333:stack/prod/",
        "arn:aws:cloudformation:eu-west-1:111122223333:stack//id",
        "arn:aws:cloudformation::111122223333:stack/prod/id",
        "arn:aws:cloudformation:eu-west-1:111122223333:changeset/prod/id",
        ARN "/x",
        ARN "?x",
        ARN "\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_true(stack_text_is_stack(good[i]));
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        if (stack_text_is_stack(bad[i])) {
            fail_msg("'%s' is no stack", bad[i]);
        }
    }
    char name[STACK_NAME_MAX + 2] = "";
    memset(name, 'x', STACK_NAME_MAX);
    assert_true(stack_text_is_stack(name));
    name[STACK_NAME_MAX] = 'x';
    assert_false(stack_text_is_stack(name));
}

static void test_resources(void **state)
{
    (void)state;
    char longest[STACK_RESOURCE_MAX + 2] = "";
    memset(longest, 'N', STACK_RESOURCE_MAX);
    assert_true(stack_text_is_resource("Nodes0"));
    assert_true(stack_text_is_resource(longest));
    longest[STACK_RESOURCE_MAX] = 'N';
    assert_false(stack_text_is_resource(longest));
    assert_false(stack_text_is_resource(""));
    assert_false(stack_text_is_resource("No-des"));
}

static void expect_body(const struct stack_word *word, const char *text)
{
    autofree char *body = stack_text_body(word);
    assert_string_equal(body, text);
}

static void test_bodies(void **state)
{
    (void)state;
    expect_body(
        &(struct stack_word){
            .success = true, .unique_id = "i-1", .data = "{\"a\":1}", .reason = "good"},
        "{\"Status\":\"SUCCESS\",\"UniqueId\":\"i-1\",\"Data\":\"{\\\"a\\\":1}\","
        "\"Reason\":\"good\"}\n");
    char reason[STACK_REASON_MAX + 3] = "";
    memset(reason, 'x', STACK_REASON_MAX - 1);
    memcpy(reason + STACK_REASON_MAX - 1, "\xc3\xbc", 2); /* would be cut in two */
    autofree char *wanted = xasprintf("{\"Status\":\"FAILURE\",\"UniqueId\":\"i-1\",\"Data\":\"\","
                                      "\"Reason\":\"%.*s\"}\n",
                                      STACK_REASON_MAX - 1, reason);
    expect_body(&(struct stack_word){.unique_id = "i-1", .data = "", .reason = reason}, wanted);
}

static void expect_data(const struct stack_facts *facts, const char *text)
{
    autofree char *data = stack_text_data(facts);
    assert_string_equal(data, text);
    assert_true(strlen(data) <= STACK_NODE_DATA_MAX);
}

static void test_data(void **state)
{
    (void)state;
    expect_data(&(struct stack_facts){.files = 1, .bytes = 2, .ms = 3999},
                "{\"files\":1,\"bytes\":2,\"secs\":3}");
    expect_data(&(struct stack_facts){.has_slot = true,
                                      .token = "-9223372036854775808",
                                      .snapshot_ms = INT64_C(1795420800000)},
                "{\"slot\":0,\"token\":\"-9223372036854775808\",\"meta\":\"2026-11-23T08:00:00Z\","
                "\"files\":0,\"bytes\":0,\"secs\":0}");
    struct stack_facts most = {.has_slot = true,
                               .slot = UINT32_MAX,
                               .token = "170141183460469231731687303715884105727",
                               .snapshot_ms = INT64_C(253402300799999),
                               .files = UINT32_MAX,
                               .bytes = INT64_MAX,
                               .ms = UINT32_MAX};
    autofree char *data = stack_text_data(&most);
    assert_non_null(strstr(data, "\"token\":\"1701"));
    assert_true(strlen(data) <= STACK_NODE_DATA_MAX);
    char token[128] = "";
    memset(token, 'f', sizeof(token) - 1); /* of an ordered partitioner: any bytes in hex */
    most.slot = SIZE_MAX;
    most.token = token;
    most.files = most.bytes = most.ms = UINT64_MAX;
    autofree char *without = stack_text_data(&most);
    assert_null(strstr(without, "token")); /* rather no token than half of one */
    assert_true(strlen(without) <= STACK_NODE_DATA_MAX);
}

static void test_what_is_final(void **state)
{
    (void)state;
    static const struct {
        enum err_kind kind;
        bool final;
    } cases[] = {
        {ERR_CONFIG, true},    {ERR_RETRY, false},    {ERR_SLOW_DOWN, false}, {ERR_AUTH, true},
        {ERR_NOT_FOUND, true}, {ERR_NO_BACKUP, true}, {ERR_CHANGED, false},   {ERR_CORRUPT, true},
        {ERR_TRUNCATED, true}, {ERR_LIMIT, true},     {ERR_CREATE, true},     {ERR_DISK, false},
        {ERR_REFUSED, true},   {ERR_COMMAND, false},  {ERR_CANCELLED, false}, {ERR_BUG, false},
    };
    _Static_assert(ARRAY_SIZE(cases) == ERR_KIND_COUNT - 1, "all but none");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct err e = {.kind = cases[i].kind};
        assert_int_equal(stack_text_is_final(&e), cases[i].final);
    }
    const struct err busy = {.kind = ERR_REFUSED, .sys = EBUSY};
    assert_false(stack_text_is_final(&busy));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stacks),        cmocka_unit_test(test_resources),
        cmocka_unit_test(test_bodies),        cmocka_unit_test(test_data),
        cmocka_unit_test(test_what_is_final),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
