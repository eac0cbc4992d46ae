#include "unit.h"

#include <sys/stat.h>

#include "agent/base/mem.h"
#include "agent/out_file.h"
#include "agent/report.h"
#include "agent/sample.h"
#include "agent/text_table.h"
#include "config_rig.h"
#include "small_plan.h"

static const struct s3_stats STATS = {.requests = 7, .retries = 2};

static void finish_file(struct report *report, uint32_t file, unsigned checks, bool skipped)
{
    const struct transfer_result result = {
        .file = file, .checks = checks, .plain_size = 3, .skipped = skipped};
    report_add_file(report, &result);
}

static void test_counts(void **state)
{
    (void)state;
    const struct config config = {.command = COMMAND_RESTORE};
    struct report *report = report_new(&config, "/s");
    report_set_plan(report, &small_plan, NULL);
    finish_file(report, 0, CHECK_DIGEST | CHECK_STRUCTURE, false);
    finish_file(report, 1, CHECK_SIZE | CHECK_STRUCTURE, false); /* none of its content */
    finish_file(report, 3, CHECK_MD5, true);
    report_end(report, REPORT_RESTORED, &STATS, NULL);
    const struct report_counts counts = report_count_all(report);
    assert_int_equal(counts.wanted.files, 5);
    assert_int_equal(counts.wanted.bytes, 1130);
    assert_int_equal(counts.finished.files, 3);
    assert_int_equal(counts.finished.bytes, 1110);
    assert_int_equal(counts.earlier.files, 1);
    assert_int_equal(counts.earlier.bytes, 1000);
    assert_int_equal(counts.unchecked.files, 1);
    assert_int_equal(counts.unchecked.bytes, 10);
    assert_int_equal(counts.plain_bytes, 9);
    assert_int_equal(counts.checked[1].files, 1); /* digest */
    assert_int_equal(counts.checked[1].bytes, 100);
    assert_int_equal(counts.checked[4].files, 2); /* structure */
    report_free(report);
}

static void test_sampled_counts(void **state)
{
    static const uint8_t TAKE[SMALL_PLAN_FILES] = {1, 1, 0, 0, 0};
    (void)state;
    const struct config config = {.command = COMMAND_VERIFY, .sample = 0.4};
    struct report *report = report_new(&config, "/s");
    report_set_plan(report, &small_plan, TAKE);
    finish_file(report, 1, CHECK_MD5, false);
    report_end(report, REPORT_VERIFIED, &STATS, NULL);
    const struct report_counts counts = report_count_all(report);
    assert_int_equal(counts.wanted.files, 2);
    assert_int_equal(counts.finished.files, 1);
    autofree char *text = report_json(report);
    assert_non_null(strstr(text, "\"path\": \"ks/t-1/nb-1-big-TOC.txt\""));
    assert_null(strstr(text, "nb-2"));
    report_free(report);
}

static void test_json(void **state)
{
    static const char *const PARTS[] = {
        "\"result\": \"failed\"",
        "\"exit\": 65",
        "\"error\": \"it: broke\"",
        "\"next\": \"mend it\"",
        "\"path\": \"ks/t-1/nb-1-big-Data.db\", \"key\": "
        "\"backup/1_c/5/SST_V2/1000/ks/t-1/SNAPPY/PLAINTEXT/nb-1-big-Data.db\", "
        "\"state\": \"done\", \"size\": 100, \"plain_size\": 3, \"checks\": [\"s3-checksum\", "
        "\"toc\"]",
        "\"state\": \"open\", \"size\": 10, \"plain_size\": null, \"checks\": []",
        "\"none\": {\"files\": 0, \"bytes\": 0}",
    };
    (void)state;
    const struct config config = {.command = COMMAND_RESTORE, .targets = {"/d"}, .target_count = 1};
    struct err e = ERR_INIT;
    err_set(&e, ERR_CORRUPT, "it: broke");
    err_hint(&e, "mend it");
    struct report *report = report_new(&config, "/s");
    report_set_plan(report, &small_plan, NULL);
    finish_file(report, 0, CHECK_S3_CHECKSUM | CHECK_TOC, false);
    report_end(report, REPORT_FAILED, &STATS, &e);
    autofree char *text = report_json(report);
    for (size_t i = 0; i < ARRAY_SIZE(PARTS); i++) {
        if (strstr(text, PARTS[i]) == NULL) {
            fail_msg("'%s' is not in:\n%s", PARTS[i], text);
        }
    }
    report_free(report);
}

/* However long and strange the texts, the line stays one line of at most 2000 bytes. */
static void test_line(void **state)
{
    (void)state;
    char long_name[3000];
    memset(long_name, '\xff', sizeof(long_name) - 1); /* three bytes each in JSON */
    long_name[sizeof(long_name) - 1] = '\0';
    struct err e = ERR_INIT;
    err_set(&e, ERR_CORRUPT, "%s", long_name);
    err_hint(&e, "%s", long_name);
    const struct config config = {
        .command = COMMAND_RESTORE, .targets = {long_name}, .target_count = 1};
    struct report *report = report_new(&config, long_name);
    report_set_plan(report, &small_plan, NULL);
    report_end(report, REPORT_FAILED, &STATS, &e);
    autofree char *line = report_line(report);
    const size_t size = strlen(line);
    assert_true(size <= REPORT_LINE_SIZE_MAX);
    assert_ptr_equal(strchr(line, '\n'), line + size - 1);
    assert_non_null(strstr(line, "...\""));
    assert_non_null(strstr(line, "\"retries\":2"));
    report_free(report);
}

static void test_metrics(void **state)
{
    (void)state;
    const struct config config = {.command = COMMAND_VERIFY, .sample = 1};
    struct report *report = report_new(&config, "/s");
    report_end(report, REPORT_VERIFIED, &STATS, NULL);
    const char *path = rig_file("metrics", "old");
    struct err e = ERR_INIT;
    assert_int_equal(report_write_metrics(report, path, &e), 0);
    FILE *file = fopen(path, "re");
    char text[8192];
    const size_t size = fread(text, 1, sizeof(text) - 1, file);
    text[size] = '\0';
    assert_int_equal(fclose(file), 0);
    assert_non_null(strstr(text, "\npenates_success{command=\"verify\"} 1\n"));
    assert_non_null(strstr(text, "\npenates_retries{command=\"verify\"} 2\n"));
    assert_null(strstr(text, "old"));
    assert_int_equal(report_write_metrics(report, "/no/such/metrics", &e), -1);
    assert_int_equal(e.kind, ERR_CREATE);
    report_free(report);
}

static void test_out_file(void **state)
{
    (void)state;
    const char *path = rig_file("out", "before");
    struct err e = ERR_INIT;
    struct out_file out = {0};
    assert_int_equal(out_file_open(&out, path, &e), 0);
    assert_true(fputs("after", out.file) >= 0);
    out_file_done(&out); /* abandoned: the old text stays */
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 6);
    /* A device is written in place, not replaced. */
    assert_int_equal(out_file_write("/dev/null", "x", 1, &e), 0);
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
    assert_int_equal(out_file_write("/dev/full", "x", 1, &e), -1);
    assert_int_equal(e.kind, ERR_DISK);
}

static void test_sample(void **state)
{
    (void)state;
    bool differs = false;
    for (uint64_t seed = 0; seed < 50; seed++) {
        autofree uint8_t *take = sample_pick(&small_plan, 0.67, seed);
        autofree uint8_t *again = sample_pick(&small_plan, 0.67, seed);
        autofree uint8_t *other = sample_pick(&small_plan, 0.67, seed + 1);
        assert_memory_equal(take, again, SMALL_PLAN_FILES);
        differs = differs || memcmp(take, other, SMALL_PLAN_FILES) != 0;
        assert_int_equal(take[0], take[1]); /* an SSTable is taken whole */
        assert_int_equal(take[3], take[4]);
        assert_int_equal(take[0] + take[2] + take[3], 2); /* of three units */
    }
    assert_true(differs);
    autofree uint8_t *least = sample_pick(&small_plan, 0.001, 1);
    assert_int_equal(least[0] + least[2] + least[3], 1);
    autofree uint8_t *all = sample_pick(&small_plan, 1, 1);
    assert_int_equal(all[0] + all[2] + all[3], 3);
}

static void test_text_table(void **state)
{
    static const struct text_column COLUMNS[] = {{"NAME", false}, {"N", true}, {"WHY", false}};
    (void)state;
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    struct text_table *table = text_table_new(COLUMNS, ARRAY_SIZE(COLUMNS));
    text_table_add(table, "\xc3\xa9\x1b");
    text_table_add_u64(table, 12345);
    text_table_add(table, "x");
    text_table_add(table, "longer");
    text_table_add_bytes(table, 1);
    text_table_add(table, "");
    text_table_print(table, "  ", file);
    text_table_free(table);
    assert_int_equal(fclose(file), 0);
    assert_string_equal(text, "  NAME        N  WHY\n"
                              "  \xc3\xa9?      12345  x\n"
                              "  longer    1 B\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_sampled_counts),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_line),
        cmocka_unit_test_setup_teardown(test_metrics, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_out_file, rig_setup, rig_teardown),
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_text_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
