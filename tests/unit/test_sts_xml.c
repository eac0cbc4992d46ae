#include "tests/unit/unit.h"

#include <fcntl.h>
#include <openssl/crypto.h>
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

enum { SECRET_SIZE = 40 };

/* Never as a whole where the test itself would find it. */
static char secret_at(size_t i)
{
    return (char)('a' + i * 7 % 26);
}

static bool is_in(const char *bytes, size_t size)
{
    for (size_t at = 0; at + SECRET_SIZE <= size; at++) {
        size_t same = 0;
        while (same < SECRET_SIZE && bytes[at + same] == secret_at(same)) {
            same++;
        }
        if (same == SECRET_SIZE) {
            return true;
        }
    }
    return false;
}

/* Memory that allocators had from the system. */
static bool is_in_memory(void)
{
    static char bytes[1024 * 1024];
    char line[512];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "re");
    autofd const int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    assert_true(maps != NULL && memory >= 0);
    while (fgets(line, sizeof(line), maps) != NULL) {
        size_t begin, end, inode;
        char access[8];
        const int fields = sscanf(line, "%zx-%zx %7s %*s %*s %zu", &begin, &end, access, &inode);
        assert_int_equal(fields, 4);
        const bool is_ours = (size_t)bytes < end && (size_t)(bytes + sizeof(bytes)) > begin;
        /* A sanitizer's shadow is larger, and nothing but that. */
        if (access[1] != 'w' || inode != 0 || is_ours || end - begin > 256 * sizeof(bytes)) {
            continue;
        }
        for (size_t at = begin; at < end; at += sizeof(bytes) - SECRET_SIZE) {
            const size_t left = end - at;
            const ssize_t n =
                pread(memory, bytes, left < sizeof(bytes) ? left : sizeof(bytes), (off_t)at);
            found = found || (n > 0 && is_in(bytes, (size_t)n));
        }
    }
    assert_int_equal(fclose(maps), 0);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return found;
}

static void test_no_copy_is_left(void **state)
{
    (void)state;
    static const char begin[] =
        "<AssumeRoleResponse><R><Credentials>" ID TOKEN END "<SecretAccessKey>";
    static const char end[] = "</SecretAccessKey></Credentials></R></AssumeRoleResponse>";
    const size_t size = strlen(begin) + SECRET_SIZE + strlen(end);
    char *body = xcalloc(size, 1);
    memcpy(body, begin, strlen(begin));
    for (size_t i = 0; i < SECRET_SIZE; i++) {
        body[strlen(begin) + i] = secret_at(i);
    }
    memcpy(body + strlen(begin) + SECRET_SIZE, end, strlen(end));
    assert_true(is_in_memory()); /* so it can be found */
    struct creds_value value;
    struct err e = ERR_INIT;
    assert_int_equal(sts_xml_credentials(slice_of(body, size), "role 'x'", &value, &e), 0);
    assert_true(is_in(value.secret, SECRET_SIZE));
    creds_value_wipe(&value);
    OPENSSL_cleanse(body, size);
    free(body);
    assert_false(is_in_memory());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_cut_short_anywhere),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_no_copy_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
