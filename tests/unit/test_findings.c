#include "agent/findings.h"

#include "agent/base/mem.h"
#include "unit.h"

static struct findings *some(void)
{
    struct findings *findings = findings_new();
    struct err denied = ERR_INIT;
    struct err full = ERR_INIT;
    err_set(&denied, ERR_AUTH, "list s3://b/: 403");
    err_hint(&denied, "add s3:ListBucket");
    err_set(&full, ERR_CREATE, "target '/d': no room");
    findings_ok(findings, "endpoint", "http://%s", "h\x1b[31m");
    findings_warn(findings, "clock", "set the clock", "%d s", 90);
    findings_fail(findings, "list", &denied);
    findings_skip(findings, "get", "there is no listing");
    findings_fail(findings, "disk", &full);
    return findings;
}

static void test_table(void **state)
{
    (void)state;
    struct findings *findings = some();
    struct mem_file mem;
    findings_print(findings, mem_file_open(&mem));
    autofree char *text = mem_file_close(&mem);
    assert_string_equal(
        text, "CHECK     STATE    WHAT\n"
              "endpoint  ok       http://h?[31m\n"
              "clock     warned   90 s\n"
              "                   -> set the clock\n"
              "list      failed   list s3://b/: 403\n"
              "                   -> add s3:ListBucket\n"
              "get       skipped  there is no listing\n"
              "disk      failed   target '/d': no room\n"
              "                   -> make room or give the right to write, then run again\n");
    findings_free(findings);
}

static void test_first_failure_counts(void **state)
{
    (void)state;
    struct findings *findings = some();
    assert_int_equal(findings_failure(findings)->kind, ERR_AUTH);
    assert_string_equal(findings_failure(findings)->text, "list s3://b/: 403");
    findings_free(findings);
    findings = findings_new();
    findings_ok(findings, "get", "fine");
    findings_warn(findings, "clock", "set it", "slow");
    findings_skip(findings, "target", "no --into");
    assert_null(findings_failure(findings));
    findings_free(findings);
}

static void test_json(void **state)
{
    (void)state;
    struct findings *findings = some();
    struct mem_file mem;
    findings_json(findings, "s3://b/\"base\"", mem_file_open(&mem));
    autofree char *text = mem_file_close(&mem);
    assert_non_null(strstr(text, "\"source\": \"s3://b/\\\"base\\\"\""));
    assert_non_null(strstr(text, "\"ok\": false"));
    assert_non_null(strstr(text, "\"exit_code\": 77"));
    assert_non_null(strstr(text,
                           "{\"name\": \"get\", \"state\": \"skipped\", \"text\": \"there is no "
                           "listing\", \"next_step\": null, \"seconds\": 0."));
    findings_free(findings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_first_failure_counts),
        cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
