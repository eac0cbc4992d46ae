#include "agent/base/parse.h"
#include "tests/unit/unit.h"

static void test_u64(void **state)
{
    (void)state;
    uint64_t value = 7;
    assert_true(parse_u64("18446744073709551615", 20, &value));
    assert_true(value == UINT64_MAX);
    static const char *const BAD[] = {
        "", "-1", "+1", " 1", "1 ", "0x1", "18446744073709551616", "99999999999999999999999"};
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        value = 7;
        assert_false(parse_u64(BAD[i], strlen(BAD[i]), &value));
        assert_int_equal(value, 7); /* untouched on failure */
    }
}

static void test_i64(void **state)
{
    (void)state;
    int64_t value;
    assert_true(parse_i64("-9223372036854775808", 20, &value));
    assert_true(value == INT64_MIN);
    assert_true(parse_i64("9223372036854775807", 19, &value));
    assert_true(value == INT64_MAX);
    assert_true(parse_i64("-0", 2, &value));
    assert_int_equal(value, 0);
    assert_false(parse_i64("9223372036854775808", 19, &value));
    assert_false(parse_i64("-9223372036854775809", 20, &value));
    assert_false(parse_i64("-", 1, &value));
    assert_false(parse_i64("--1", 3, &value));
}

static void test_hex(void **state)
{
    (void)state;
    uint8_t bytes[3] = {9, 9, 9};
    assert_true(parse_hex("00fFa1", 6, bytes, 3));
    assert_int_equal(bytes[1], 0xff);
    char text[7];
    format_hex(bytes, 3, text);
    assert_string_equal(text, "00ffa1");
    assert_false(parse_hex("00fg", 4, bytes, 2));
    assert_false(parse_hex("00f", 3, bytes, 2));
    assert_int_equal(bytes[0], 0);
}

static void test_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        uint64_t bytes;
    } CASES[] = {
        {"0", true, 0},
        {"4096", true, 4096},
        {"64K", true, 65536},
        {"64kib", true, 65536},
        {"8M", true, 8388608},
        {"2GiB", true, UINT64_C(2) << 30},
        {"16777215T", true, UINT64_C(16777215) << 40},
        {"16777216T", false, 0},
        {"", false, 0},
        {"M", false, 0},
        {"1.5G", false, 0},
        {"1X", false, 0},
        {"-1", false, 0},
        {"1 M", false, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        uint64_t bytes = 0;
        assert_int_equal(parse_bytes(CASES[i].text, &bytes), CASES[i].ok);
        assert_true(bytes == CASES[i].bytes);
    }
}

static void test_duration(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        uint64_t ms;
    } CASES[] = {
        {"500ms", true, 500},  {"90", true, 90000},    {"90s", true, 90000}, {"15m", true, 900000},
        {"2h", true, 7200000}, {"1d", true, 86400000}, {"0", true, 0},       {"1w", false, 0},
        {"", false, 0},        {"s", false, 0},        {"1h30m", false, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        uint64_t ms = 0;
        assert_int_equal(parse_duration_ms(CASES[i].text, &ms), CASES[i].ok);
        assert_true(ms == CASES[i].ms);
    }
}

static void test_time(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t ms;
    } CASES[] = {
        {"1970-01-01T00:00:00Z", true, 0},
        {"2026-11-23T07:58:00Z", true, 1795420680000},
        {"202611230758", true, 1795420680000},
        {"20261123", true, 1795392000000},
        {"2026-11-23t07:58:00.5z", true, 1795420680500},
        {"2026-11-23T07:58:00.123456789Z", true, 1795420680123},
        {"2026-11-23T09:58:00+02:00", true, 1795420680000},
        {"2026-11-23T00:58:00-07:00", true, 1795420680000},
        {"2024-02-29T00:00:00Z", true, 1709164800000},
        {"1969-12-31T23:59:59Z", true, -1000},
        {"2023-02-29T00:00:00Z", false, 0}, /* not a leap year */
        {"1900-02-29T00:00:00Z", false, 0}, /* nor are centuries */
        {"2026-13-01T00:00:00Z", false, 0},
        {"2026-00-01T00:00:00Z", false, 0},
        {"2026-11-00T00:00:00Z", false, 0},
        {"2026-11-31T00:00:00Z", false, 0},
        {"2026-11-23T24:00:00Z", false, 0},
        {"2026-11-23T07:58:60Z", false, 0},
        {"2026-11-23T07:58:00", false, 0}, /* no zone: it would have to be guessed */
        {"2026-11-23T07:58:00Zx", false, 0},
        {"2026-11-23T07:58:00.Z", false, 0},
        {"2026-11-23T07:58:00+2:00", false, 0},
        {"2026-11-23", false, 0},
        {"2026112307", false, 0},
        {"202611232460", false, 0},
        {"yesterday", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        int64_t ms = 0;
        if (parse_time_ms(CASES[i].text, &ms) != CASES[i].ok || ms != CASES[i].ms) {
            fail_msg("'%s' gave %lld", CASES[i].text, (long long)ms);
        }
    }
}

static void test_time_round_trip(void **state)
{
    (void)state;
    /* A step that is no multiple of a day walks through every month and hour in 400 years. */
    for (int64_t ms = -2208988800000; ms < 10413792000000; ms += 86400000 * 13 + 3723000) {
        char text[TIME_TEXT_SIZE];
        int64_t back = 1;
        assert_true(parse_time_ms(format_time(ms, text), &back));
        assert_true(back == ms);
        const int64_t minute = ms - (ms % 60000 + 60000) % 60000;
        assert_true(parse_time_ms(format_minute(ms, text), &back));
        assert_true(back == minute);
    }
    char text[TIME_TEXT_SIZE];
    assert_string_equal(format_time(1795420680123, text), "2026-11-23T07:58:00.123Z");
    assert_string_equal(format_minute(1795420680123, text), "202611230758");
}

static void test_format_bytes(void **state)
{
    (void)state;
    char text[BYTES_TEXT_SIZE];
    assert_string_equal(format_bytes(0, text), "0 B");
    assert_string_equal(format_bytes(1023, text), "1023 B");
    assert_string_equal(format_bytes(1536, text), "1.5 KiB");
    assert_string_equal(format_bytes(UINT64_C(3) << 30, text), "3.0 GiB");
    assert_string_equal(format_bytes(UINT64_MAX, text), "16.0 EiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_u64),
        cmocka_unit_test(test_i64),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_duration),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_time_round_trip),
        cmocka_unit_test(test_format_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
