#include "tests/unit/unit.h"

#include "agent/archive.h"
#include "agent/thaw.h"

#define DAYS(n) (INT64_C(86400000) * (n))

enum { NOW_DAY = 20000, LARGE = 128 * 1024 };

static void test_listing(void **state)
{
    (void)state;
    static const struct {
        const char *storage_class;
        uint64_t size;
        int64_t age_days;
        enum archive wanted;
    } CASES[] = {
        {"", LARGE, 1000, ARCHIVE_NONE},
        {"STANDARD", LARGE, 1000, ARCHIVE_NONE},
        {"STANDARD_IA", LARGE, 1000, ARCHIVE_NONE},
        {"GLACIER_IR", LARGE, 1000, ARCHIVE_NONE},
        {"GLACIER", 1, 0, ARCHIVE_GLACIER},
        {"DEEP_ARCHIVE", 1, 0, ARCHIVE_DEEP_ARCHIVE},
        {"INTELLIGENT_TIERING", LARGE, 90, ARCHIVE_UNTOLD},
        {"INTELLIGENT_TIERING", LARGE, 89, ARCHIVE_NONE},
        {"INTELLIGENT_TIERING", LARGE - 1, 1000, ARCHIVE_NONE},
        {"INTELLIGENT_TIERING", UINT64_MAX, 1000, ARCHIVE_UNTOLD},
        {"intelligent_tiering", LARGE, 1000, ARCHIVE_NONE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const int64_t modified_ms = DAYS(NOW_DAY - CASES[i].age_days);
        assert_int_equal(
            archive_of_listing(CASES[i].storage_class, CASES[i].size, modified_ms, DAYS(NOW_DAY)),
            CASES[i].wanted);
    }
    assert_int_equal(archive_of_listing("INTELLIGENT_TIERING", LARGE, -1, DAYS(NOW_DAY)),
                     ARCHIVE_UNTOLD);
}

static void test_judge(void **state)
{
    (void)state;
    static const struct {
        enum archive listed;
        enum s3_copy copy;
        int64_t copy_until_ms;
        enum s3_archive_tier tier;
        enum archive wanted;
        bool thawing;
    } CASES[] = {
        {ARCHIVE_GLACIER, S3_COPY_NONE, -1, S3_TIER_NONE, ARCHIVE_GLACIER, false},
        {ARCHIVE_GLACIER, S3_COPY_ONGOING, -1, S3_TIER_NONE, ARCHIVE_GLACIER, true},
        {ARCHIVE_DEEP_ARCHIVE, S3_COPY_THERE, 100, S3_TIER_NONE, ARCHIVE_NONE, false},
        {ARCHIVE_DEEP_ARCHIVE, S3_COPY_THERE, -1, S3_TIER_NONE, ARCHIVE_NONE, false},
        {ARCHIVE_DEEP_ARCHIVE, S3_COPY_THERE, 99, S3_TIER_NONE, ARCHIVE_DEEP_ARCHIVE, false},
        {ARCHIVE_UNTOLD, S3_COPY_NONE, -1, S3_TIER_NONE, ARCHIVE_NONE, false},
        {ARCHIVE_UNTOLD, S3_COPY_NONE, -1, S3_TIER_ARCHIVE_ACCESS, ARCHIVE_ACCESS, false},
        {ARCHIVE_UNTOLD, S3_COPY_ONGOING, -1, S3_TIER_ARCHIVE_ACCESS, ARCHIVE_ACCESS, true},
        {ARCHIVE_UNTOLD, S3_COPY_NONE, -1, S3_TIER_DEEP_ARCHIVE_ACCESS, ARCHIVE_DEEP_ACCESS, false},
        {ARCHIVE_DEEP_ACCESS, S3_COPY_NONE, -1, S3_TIER_NONE, ARCHIVE_NONE, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct archived object = {.archive = CASES[i].listed, .thawing = true};
        const struct s3_get head = {.head = true,
                                    .copy = CASES[i].copy,
                                    .copy_until_ms = CASES[i].copy_until_ms,
                                    .archive_tier = CASES[i].tier};
        archive_judge(&object, &head, 100);
        assert_int_equal(object.archive, CASES[i].wanted);
        assert_int_equal(object.thawing, CASES[i].thawing);
    }
}

static void test_request(void **state)
{
    (void)state;
    char text[ARCHIVE_REQUEST_SIZE];
    assert_string_equal(archive_request(ARCHIVE_DEEP_ARCHIVE, 365, THAW_BULK, text),
                        "<RestoreRequest xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                        "<Days>365</Days><GlacierJobParameters><Tier>Bulk</Tier>"
                        "</GlacierJobParameters></RestoreRequest>");
    assert_string_equal(archive_request(ARCHIVE_ACCESS, 365, THAW_EXPEDITED, text),
                        "<RestoreRequest xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                        "<GlacierJobParameters><Tier>Expedited</Tier>"
                        "</GlacierJobParameters></RestoreRequest>");
}

#define MINUTES(n) (UINT64_C(60000) * (n))

static void test_pause(void **state)
{
    (void)state;
    static const uint64_t CASES[][2] = {
        {0, 1000},
        {16000, 1000},
        {MINUTES(4), 15000},
        {MINUTES(80), MINUTES(5)},
        {MINUTES(72 * 60), MINUTES(5)},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        assert_true(thaw_pause_ms(CASES[i][0]) == CASES[i][1]);
    }
    unsigned looks = 0;
    for (uint64_t waited_ms = 0; waited_ms < MINUTES(12 * 60);
         waited_ms += thaw_pause_ms(waited_ms)) {
        looks++;
    }
    assert_in_range(looks, 200, 250); /* as thaw.c says */
}

static void test_span(void **state)
{
    (void)state;
    char text[THAW_SPAN_SIZE];
    assert_string_equal(thaw_format_span(0, text), "0 s");
    assert_string_equal(thaw_format_span(59999, text), "59 s");
    assert_string_equal(thaw_format_span(MINUTES(59) + 59999, text), "59 min");
    assert_string_equal(thaw_format_span(MINUTES(130), text), "2 h 10 min");
    assert_true(strlen(thaw_format_span(UINT64_MAX, text)) < sizeof(text) - 1);
}

static void test_refusal(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct archived objects[] = {
        {.key_folder = "a/", .key_name = "free", .size = 7},
        {.key_folder = "a/", .key_name = "b", .size = 1024, .archive = ARCHIVE_GLACIER},
        {.key_folder = "a/",
         .key_name = "c",
         .size = 1024,
         .archive = ARCHIVE_ACCESS,
         .thawing = true},
    };
    assert_int_equal(thaw_refuse(objects, 1, &e), 0);
    assert_int_equal(thaw_refuse(objects, ARRAY_SIZE(objects), &e), -1);
    assert_int_equal(e.kind, ERR_REFUSED);
    assert_string_equal(e.text, "2 objects of 2.0 KiB are archived (1 GLACIER, 1 ARCHIVE_ACCESS, 1 "
                                "on the way back), the first is 'a/b'");
    assert_string_equal(e.hint, "let S3 bring them back with --thaw DAYS: usually 3-5 hours, 1-5 "
                                "minutes with --thaw-tier expedited, and 5-12 hours with bulk");
    objects[1].archive = ARCHIVE_DEEP_ARCHIVE;
    assert_int_equal(thaw_refuse(objects, 2, &e), -1);
    assert_string_equal(e.text, "1 object of 1.0 KiB is archived (1 DEEP_ARCHIVE), the first is "
                                "'a/b'");
    assert_string_equal(e.hint, "let S3 bring them back with --thaw DAYS: usually 12 hours, and 48 "
                                "hours with --thaw-tier bulk");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listing), cmocka_unit_test(test_judge),
        cmocka_unit_test(test_request), cmocka_unit_test(test_pause),
        cmocka_unit_test(test_span),    cmocka_unit_test(test_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
