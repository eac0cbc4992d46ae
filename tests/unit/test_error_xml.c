#include "s3/error_xml.h"
#include "tests/unit/unit.h"

static bool parse(const char *text, struct error_xml *ret)
{
    return error_xml_parse(slice_of(text, strlen(text)), ret);
}

static void test_good(void **state)
{
    (void)state;
    struct error_xml error;
    assert_true(parse("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code>"
                      "<Message>The specified key &lt;x&gt; does not exist.</Message><Key>k</Key>"
                      "<RequestId>1</RequestId></Error>",
                      &error));
    assert_string_equal(error.code, "NoSuchKey");
    assert_string_equal(error.message, "The specified key <x> does not exist.");
    assert_string_equal(error.region, "");
    assert_true(
        parse("<Error xmlns=\"x\"><Region>eu-west-1</Region><Code>C</Code></Error>", &error));
    assert_string_equal(error.region, "eu-west-1");
    assert_true(parse("<ErrorResponse xmlns=\"x\"><Error><Type>Sender</Type><Code>Of STS</Code>"
                      "<Message>M</Message></Error><RequestId>1</RequestId></ErrorResponse>",
                      &error));
    assert_string_equal(error.code, "Of STS");
    assert_string_equal(error.message, "M");
    /* A body that breaks off has told the code all the same. */
    assert_true(parse("<Error><Code>SlowDown</Code><Message>Plea", &error));
    assert_string_equal(error.code, "SlowDown");
}

static void test_bad(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",
        "junk",
        "<html><Code>x</Code></html>",
        "<html><Error><Code>x</Code></Error></html>",
        "<ErrorResponse><Code>x</Code></ErrorResponse>",
        "<ErrorResponse><a><Error><Code>x</Code></Error></a></ErrorResponse>",
        "<ErrorResponse><Other><Code>x</Code></Other></ErrorResponse>",
        "<Error></Error>",
        "<Error><Code></Code></Error>",
        "<Error><x><Code>deep</Code></x></Error>",
        "<Error><Code>Slow",
        "<!DOCTYPE Error [<!ENTITY a \"b\">]><Error><Code>&a;</Code></Error>",
        "<Error><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a><Code>x</Code></Error>",
    };
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        struct error_xml error = {.code = "untouched"};
        assert_false(parse(BAD[i], &error));
        assert_string_equal(error.code, "untouched");
    }
}

static void test_long(void **state)
{
    (void)state;
    char text[8000] = "<Error><Code>";
    memset(text + strlen(text), 'c', 1000);
    strncat(text, "</Code><Message>", 100);
    memset(text + strlen(text), 'm', 4000);
    strncat(text, "</Message></Error>", 100);
    struct error_xml error;
    assert_true(parse(text, &error));
    assert_int_equal(strlen(error.code), sizeof(error.code) - 1);
    assert_int_equal(strlen(error.message), sizeof(error.message) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
