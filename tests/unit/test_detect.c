#include "codec/codec.h"

#include "tests/unit/unit.h"

#define XERIAL "\x82SNAPPY\0\0\0\0\1\0\0\0\1"
#define FRAMED "\xff\6\0\0sNaPpY"

static const struct {
    const char *bytes;
    size_t size;
    const struct codec *unknown, *snappy; /* what comes of each claim */
} CASES[] = {
    {XERIAL, 16, &codec_snappy, &codec_snappy},
    {XERIAL, 8, &codec_snappy, &codec_snappy},
    {XERIAL, 7, &codec_none, NULL},
    {FRAMED, 10, &codec_snappy_framed, &codec_snappy_framed},
    {FRAMED, 9, &codec_none, NULL},
    {"\x82SNAPPX\0\0\0", 10, &codec_none, NULL},
    {"\x82SNAPPY\1\0\0", 10, &codec_none, NULL},
    {"[\"key\"]....", 10, &codec_none, NULL},
    {"", 0, &codec_none, NULL},
};

static void test_detect_by_magic(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const struct slice first = slice_of(CASES[i].bytes, CASES[i].size);
        assert_ptr_equal(codec_detect(CODEC_CLAIM_UNKNOWN, first), CASES[i].unknown);
        assert_ptr_equal(codec_detect(CODEC_CLAIM_SNAPPY, first), CASES[i].snappy);
    }
}

static void test_none_is_believed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const struct slice first = slice_of(CASES[i].bytes, CASES[i].size);
        assert_ptr_equal(codec_detect(CODEC_CLAIM_NONE, first), &codec_none);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_detect_by_magic),
        cmocka_unit_test(test_none_is_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
