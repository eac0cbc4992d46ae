#include "tests/unit/unit.h"

#include <string.h>

#include "agent/base/mem.h"
#include "s3/sts_xml.h"

#define ROOT(name, inside)                                                                         \
    "<" name " xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><" name "Result>" inside        \
    "</" name "Result><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></" name ">"
#define ID "<AccessKeyId>ASIA1</AccessKeyId>"
#define SECRET "<SecretAccessKey>sEcReT</SecretAccessKey>"
#define TOKEN "<SessionToken>tOkEn</SessionToken>"
#define END "<Expiration>2026-11-23T09:00:00Z</Expiration>"
#define CREDENTIALS(inside) "<Credentials>" inside "</Credentials>"
#define GOOD ID SECRET TOKEN END

static void expect(const char *body, const char *text)
{
    struct creds_value value = {.id = ""};
    struct err e = ERR_INIT;
    const int rc = sts_xml_credentials(slice_of(body, strlen(body)), "role 'x'", &value, &e);
    if (text == NULL) {
        assert_int_equal(rc, 0);
        assert_string_equal(value.id, "ASIA1");
        assert_string_equal(value.secret, "sEcReT");
        assert_string_equal(value.token, "tOkEn");
        assert_string_equal(value.source, "role 'x'");
        assert_int_equal(value.expires_ms, INT64_C(1795424400000));
        return;
    }
    assert_int_equal(rc, -1);
    assert_string_equal(value.id, "");
    if (strstr(e.text, text) == NULL) {
        fail_msg("no '%s' in '%s'", text, e.text);
    }
    assert_null(strstr(e.text, "sEcReT"));
    assert_null(strstr(e.text, "tOkEn"));
}

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *text; /* NULL: good */
    } cases[] = {
        {ROOT("AssumeRoleResponse", CREDENTIALS(GOOD)), NULL},
        {ROOT("AssumeRoleWithWebIdentityResponse",
              "<Audience>a</Audience><AssumedRoleUser><Arn>x</Arn></AssumedRoleUser>" CREDENTIALS(
                  "\n " END TOKEN SECRET ID "\n") "<Provider>p</Provider>"),
         NULL},
        /* Namespaces tell nothing that the names do not. */
        {"<a:AssumeRoleResponse xmlns:a='urn:x'><a:R><a:Credentials>" GOOD
         "</a:Credentials></a:R></a:AssumeRoleResponse>",
         NULL},
        {"<AssumeRoleResponse xmlns='urn:other'><R>" CREDENTIALS(GOOD) "</R></AssumeRoleResponse>",
         NULL},
        {"", "XML"},
        {"<html><body>nginx</body></html>", "no answer of STS"},
        {"<ListBucketResult/>", "no answer of STS"},
        {"{\"AssumeRoleResponse\": 1}", "XML"},
        {ROOT("AssumeRoleResponse", ""), "no AccessKeyId in it"},
        {ROOT("AssumeRoleResponse", CREDENTIALS("")), "no AccessKeyId in it"},
        {ROOT("AssumeRoleResponse", CREDENTIALS(ID TOKEN END)), "no SecretAccessKey in it"},
        {ROOT("AssumeRoleResponse", CREDENTIALS(ID SECRET END)), "no SessionToken in it"},
        {ROOT("AssumeRoleResponse", CREDENTIALS(ID SECRET TOKEN)), "no Expiration in it"},
        {ROOT("AssumeRoleResponse", GOOD), "no AccessKeyId in it"},
        {ROOT("AssumeRoleResponse", "<Other>" GOOD "</Other>"), "no AccessKeyId in it"},
        {ROOT("AssumeRoleResponse", CREDENTIALS("<x>" GOOD "</x>")), "no AccessKeyId in it"},
        {ROOT("AssumeRoleResponse", CREDENTIALS(GOOD) CREDENTIALS(GOOD)), "for the second time"},
        {ROOT("AssumeRoleResponse", CREDENTIALS(GOOD ID)), "AccessKeyId for the second time"},
        {ROOT("AssumeRoleResponse", CREDENTIALS(ID SECRET TOKEN "<Expiration>soon</Expiration>")),
         "its Expiration is no time"},
        {ROOT("AssumeRoleResponse", CREDENTIALS("<AccessKeyId/>" SECRET TOKEN END)),
         "the access key id is empty"},
        {ROOT("AssumeRoleResponse",
              CREDENTIALS("<AccessKeyId>a\nb</AccessKeyId>" SECRET TOKEN END)),
         "a character that cannot be in one"},
        {"<!DOCTYPE x [<!ENTITY a 'b'>]>" ROOT("AssumeRoleResponse", CREDENTIALS(GOOD)), "XML"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        expect(cases[i].body, cases[i].text);
    }
}

static void test_cut_short_anywhere(void **state)
{
    (void)state;
    static const char whole[] = ROOT("AssumeRoleResponse", CREDENTIALS(GOOD));
    for (size_t size = 0; size < strlen(whole); size++) {
        autofree char *cut = xstrndup(whole, size);
        expect(cut, "XML");
    }
    expect(whole, NULL);
}

static void test_long_texts(void **state)
{
    (void)state;
    static char text[CREDS_TOKEN_MAX + 1];
    memset(text, 'a', sizeof(text) - 1);
    autofree char *body = xasprintf("<AssumeRoleResponse><R><Credentials>" ID SECRET END
                                    "<SessionToken>%s</SessionToken></Credentials></R>"
                                    "</AssumeRoleResponse>",
                                    text);
    expect(body, "SessionToken is longer than 8191 characters");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_cut_short_anywhere),
        cmocka_unit_test(test_long_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
