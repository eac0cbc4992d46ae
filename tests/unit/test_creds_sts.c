#include "tests/unit/unit.h"

#include <fcntl.h>

#include "agent/base/mem.h"
#include "s3/creds_sts.h"
#include "tests/unit/creds_world.h"
#include "tests/unit/scripted_server.h"

/* 2026-11-23T08:00:00Z */
static const int64_t start_ms = INT64_C(1795420800000);

#define ARN "arn:aws:iam::123456789012:role/dr/backup"
#define FORM                                                                                       \
    "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fdr%"  \
    "2Fbackup&"
#define TOKEN_FORM                                                                                 \
    "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1234567890"  \
    "12%3Arole%2Fdr%2Fbackup&"
#define SIGNED(id)                                                                                 \
    "authorization: AWS4-HMAC-SHA256 Credential=" id "/20261123/us-east-1/sts/aws4_request"
#define ANSWER(id, end)                                                                            \
    "HTTP/1.1 200 OK\r\n\r\n<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>" id   \
    "</AccessKeyId><SecretAccessKey>sEcReT</SecretAccessKey><SessionToken>tOkEn-" id               \
    "</SessionToken><Expiration>" end "</Expiration></Credentials></AssumeRoleResult>"             \
    "</AssumeRoleResponse>"
#define GOOD(id) ANSWER(id, "2026-11-23T09:00:00Z")
#define REFUSAL_AT(status, date, code, message)                                                    \
    "HTTP/1.1 " status " no\r\n" date "\r\n<ErrorResponse><Error><Type>Sender</Type><Code>" code   \
    "</Code><Message>" message "</Message></Error><RequestId>1</RequestId></ErrorResponse>"
#define REFUSAL(status, code, message) REFUSAL_AT(status, "", code, message)

enum { VARIABLES_MAX = 12 };

struct rig {
    struct scripted_server *server;
    struct world_variable variables[VARIABLES_MAX];
    size_t count;
    struct world world;
    struct creds_system system;
    char directory[32];
    char *config; /* the config file's path */
};

static void rig_set(struct rig *rig, const char *name, const char *value)
{
    assert_true(rig->count + 1 < VARIABLES_MAX);
    rig->variables[rig->count++] = (struct world_variable){.name = name, .value = value};
}

static void rig_write(const char *path, const char *text)
{
    autofd const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void rig_begin(struct rig *rig, const struct exchange *script, size_t count)
{
    *rig = (struct rig){.directory = "/tmp/test_creds_sts.XXXXXX"};
    assert_non_null(mkdtemp(rig->directory));
    rig->config = xasprintf("%s/config", rig->directory);
    rig->server = scripted_server_start(script, count, false);
    rig_set(rig, "AWS_ENDPOINT_URL_STS", scripted_server_url(rig->server));
    rig_set(rig, "AWS_REGION", "us-east-1");
    rig_set(rig, "AWS_EC2_METADATA_DISABLED", "true");
    rig_set(rig, "AWS_CONFIG_FILE", rig->config);
    rig->world = (struct world){.variables = rig->variables, .now_ms = start_ms};
    rig->system = world_system(&rig->world);
}

static void rig_end(struct rig *rig, size_t requests)
{
    assert_int_equal(scripted_server_stop(rig->server), requests);
    (void)unlink(rig->config); /* it may not have been written */
    assert_int_equal(rmdir(rig->directory), 0);
    free(rig->config);
}

static struct creds_value caller_of(const char *token)
{
    struct creds_value caller = {.id = "AKID", .secret = "cAlLeR", .source = "environment"};
    (void)snprintf(caller.token, sizeof(caller.token), "%s", token);
    return caller;
}

static const struct creds_options no_options = {.profile = NULL};

/* The kind, ERR_NONE with the id in text, else with a part of the message in it. */
static void expect_result(int rc, const struct creds_value *value, const struct err *e,
                          enum err_kind kind, const char *text)
{
    if (kind == ERR_NONE) {
        if (rc != 0) {
            fail_msg("failed: %s", e->text);
        }
        assert_string_equal(value->id, text);
        assert_string_equal(value->secret, "sEcReT");
        return;
    }
    assert_int_equal(rc, -1);
    if (e->kind != kind || strstr(e->text, text) == NULL) {
        fail_msg("kind %s, no '%s' in '%s'", err_kind_name(e->kind), text, e->text);
    }
    static const char *const secrets[] = {"sEcReT", "tOkEn", "cAlLeR", "wEbToKeN", "Signature="};
    for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
        assert_null(strstr(e->text, secrets[i]));
        assert_null(strstr(e->hint, secrets[i]));
    }
}

static void assume(struct rig *rig, const struct creds_role *role, enum err_kind kind,
                   const char *text)
{
    const struct creds_value caller = caller_of("tOkEn");
    struct creds_value value = {.id = ""};
    struct err e = ERR_INIT;
    const int rc = creds_sts_assume(&rig->system, &no_options, role, &caller, &value, &e);
    expect_result(rc, &value, &e, kind, text);
}

static void ask_chain(struct rig *rig, const struct creds_options *options, enum err_kind kind,
                      const char *text)
{
    struct creds_value value = {.id = ""};
    struct err e = ERR_INIT;
    const int rc = creds_chain_ask(&rig->system, options, &value, &e);
    expect_result(rc, &value, &e, kind, text);
}

static const struct creds_role plain = {.arn = ARN};

static void test_the_request(void **state)
{
    (void)state;
    static const struct exchange script[] = {
        {.expect = {"POST / HTTP/1.1\r\n", FORM "RoleSessionName=penates-", "&DurationSeconds=3600",
                    SIGNED("AKID"), "x-amz-security-token: tOkEn\r\n",
                    "content-type: application/x-www-form-urlencoded; charset=utf-8\r\n"},
         .refuse = "ExternalId",
         .reply = GOOD("ASIA1"),
         .after = AFTER_CLOSE},
        {.expect = {FORM "RoleSessionName=me%40x&DurationSeconds=900&ExternalId=a%3A%2Fb"},
         .reply = GOOD("ASIA2"),
         .after = AFTER_CLOSE},
    };
    struct rig rig;
    rig_begin(&rig, script, ARRAY_SIZE(script));
    assume(&rig, &plain, ERR_NONE, "ASIA1");
    assume(&rig,
           &(struct creds_role){
               .arn = ARN, .external_id = "a:/b", .session_name = "me@x", .duration_s = 900},
           ERR_NONE, "ASIA2");
    assume(&rig, &(struct creds_role){.arn = "x"}, ERR_CONFIG, "not the ARN of a role");
    rig_end(&rig, 2);
}

struct try_case {
    struct exchange script[4];
    size_t requests;
    enum err_kind kind;
    const char *text;
    uint64_t slept_ms;
};

#define DATE_9 "Date: Mon, 23 Nov 2026 09:00:00 GMT\r\n"
#define UNWELL                                                                                     \
    {                                                                                              \
        .reply = "HTTP/1.1 503 no\r\n\r\n", .after = AFTER_CLOSE                                   \
    }

static const struct try_case tries[] = {
    {.script = {UNWELL,
                {.reply = REFUSAL("400", "Throttling", "x"), .after = AFTER_CLOSE},
                {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<Ass", .after = AFTER_CLOSE},
                {.reply = GOOD("ASIA1"), .after = AFTER_CLOSE}},
     .requests = 4,
     .text = "ASIA1",
     .slept_ms = 250 + 500 + 1000},
    {.script = {UNWELL, UNWELL, UNWELL, UNWELL},
     .requests = 4,
     .kind = ERR_RETRY,
     .text = "STS is in trouble: HTTP 503",
     .slept_ms = 250 + 500 + 1000},
    {.script = {{.reply = REFUSAL("403", "AccessDenied", "User: me is not authorized"),
                 .after = AFTER_CLOSE}},
     .requests = 1,
     .kind = ERR_AUTH,
     .text = "assuming " ARN ": not allowed: AccessDenied: User: me"},
    /* What was signed is quoted by some: never by us. */
    {.script = {{.reply = REFUSAL("403", "SignatureDoesNotMatch", "No.\n\nCanonical: tOkEn"),
                 .after = AFTER_CLOSE}},
     .requests = 1,
     .kind = ERR_AUTH,
     .text = "SignatureDoesNotMatch: No."},
    {.script = {{.reply = REFUSAL("403", "SignatureDoesNotMatch", "Canonical: tOkEn"),
                 .after = AFTER_CLOSE}},
     .requests = 1,
     .kind = ERR_AUTH,
     .text = "the secret access key is wrong: SignatureDoesNotMatch"},
    /* The server's clock is an hour ahead: signed by it, once; the end is by ours again. */
    {.script = {{.reply = REFUSAL_AT("403", DATE_9, "SignatureDoesNotMatch", "Signature expired"),
                 .after = AFTER_CLOSE},
                {.expect = {"x-amz-date: 20261123T090000Z"},
                 .reply = ANSWER("ASIA1", "2026-11-23T10:00:00Z"),
                 .after = AFTER_CLOSE}},
     .requests = 2,
     .text = "ASIA1"},
    {.script = {{.reply = REFUSAL_AT("403", DATE_9, "SignatureDoesNotMatch", "Signature expired"),
                 .after = AFTER_CLOSE},
                {.reply = REFUSAL_AT("403", DATE_9, "SignatureDoesNotMatch", "Signature expired"),
                 .after = AFTER_CLOSE}},
     .requests = 2,
     .kind = ERR_AUTH,
     .text = "the clock is wrong"},
    {.script = {{.reply = ANSWER("ASIA1", "2026-11-23T08:00:00Z"), .after = AFTER_CLOSE}},
     .requests = 1,
     .kind = ERR_AUTH,
     .text = "STS gives credentials that have expired"},
    {.script = {{.reply = "HTTP/1.1 200 OK\r\n\r\n<AssumeRoleResponse><AssumeRoleResult><Cred",
                 .after = AFTER_CLOSE}},
     .requests = 1,
     .kind = ERR_CORRUPT,
     .text = "the answer of STS: XML"},
    {.script = {{.reply = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
                 .after = AFTER_CLOSE}},
     .requests = 1,
     .kind = ERR_AUTH,
     .text = "HTTP 302"},
};

static void test_tries(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
        struct rig rig;
        rig_begin(&rig, tries[i].script, tries[i].requests);
        assume(&rig, &plain, tries[i].kind, tries[i].text);
        assert_int_equal(rig.world.slept_ms, tries[i].slept_ms);
        rig_end(&rig, tries[i].requests);
    }
}

static void test_an_answer_that_is_huge(void **state)
{
    (void)state;
    static char reply[128 * 1024] = "HTTP/1.1 200 OK\r\n\r\n<AssumeRoleResponse>";
    memset(reply + strlen(reply), ' ', sizeof(reply) - 1 - strlen(reply));
    const struct exchange script[] = {{.reply = reply, .after = AFTER_CLOSE}};
    struct rig rig;
    rig_begin(&rig, script, 1);
    assume(&rig, &plain, ERR_LIMIT, "answers with more than 65536 bytes");
    rig_end(&rig, 1);
}

static void test_endpoints(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        enum err_kind kind;
        const char *text;
    } cases[] = {
        {"AWS_ENDPOINT_URL", "http://127.0.0.1:1", ERR_RETRY, "http://127.0.0.1:1"},
        {"AWS_ENDPOINT_URL_STS", "127.0.0.1", ERR_CONFIG, "is no https://HOST"},
        {"AWS_ENDPOINT_URL_STS", "http:///x", ERR_CONFIG, "is no https://HOST"},
        {"AWS_ENDPOINT_URL_STS", "ftp://127.0.0.1", ERR_CONFIG, "is no https://HOST"},
        {"AWS_ENDPOINT_URL_STS", "http://a\r\nb: c", ERR_CONFIG, "is no https://HOST"},
        {"AWS_ENDPOINT_URL_STS", "http://me:sEcReT@127.0.0.1", ERR_CONFIG, "is no https://HOST"},
        {"AWS_REGION", "evil.example/", ERR_CONFIG, "not a region's name"},
        /* Nobody's answer but this name's: the host is made of the region and the partition. */
        {"AWS_REGION", "xx-nowhere-1", ERR_RETRY, "https://sts-fips.xx-nowhere-1.amazonaws.com"},
        /* There the usual endpoints are FIPS's, and no others have names (botocore's rule set). */
        {"AWS_REGION", "us-gov-nowhere-1", ERR_RETRY, "https://sts.us-gov-nowhere-1.amazonaws.com"},
        {"AWS_REGION", "cn-nowhere-1", ERR_RETRY, "https://sts-fips.cn-nowhere-1.amazonaws.com.cn"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct world_variable variables[] = {
            {cases[i].name, cases[i].value}, {"AWS_REGION", "us-east-1"}, {NULL, NULL}};
        struct world world = {.variables = variables, .now_ms = start_ms};
        const struct creds_system system = world_system(&world);
        const struct creds_options fips = {.fips = true};
        const struct creds_value caller = caller_of("");
        struct creds_value value = {.id = ""};
        struct err e = ERR_INIT;
        const int rc = creds_sts_assume(&system, &fips, &plain, &caller, &value, &e);
        expect_result(rc, &value, &e, cases[i].kind, cases[i].text);
    }
}

/* The endpoints that botocore has for every service are STS's too. */
static void test_endpoint_of_the_profile(void **state)
{
    (void)state;
    static const struct {
        const char *variable, *value, *config, *text;
    } cases[] = {
        {NULL, NULL, "endpoint_url = http://127.0.0.1:1\n", "http://127.0.0.1:1: "},
        {"AWS_ENDPOINT_URL", "http://127.0.0.1:2", "endpoint_url = http://127.0.0.1:1\n",
         "http://127.0.0.1:2: "},
        {"AWS_ENDPOINT_URL_STS", "http://127.0.0.1:2",
         "ignore_configured_endpoint_urls = true\nregion = xx-nowhere-1\n",
         "https://sts.xx-nowhere-1.amazonaws.com: "},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct rig rig;
        rig_begin(&rig, NULL, 0);
        rig.count = 0;
        rig_set(&rig, "AWS_CONFIG_FILE", rig.config);
        rig_set(&rig, "AWS_EC2_METADATA_DISABLED", "true");
        if (cases[i].variable != NULL) {
            rig_set(&rig, cases[i].variable, cases[i].value);
        }
        rig.variables[rig.count] = (struct world_variable){NULL, NULL};
        autofree char *text = xasprintf("[default]\n%s", cases[i].config);
        rig_write(rig.config, text);
        assume(&rig, &plain, ERR_RETRY, cases[i].text);
        rig_end(&rig, 0);
    }
}

#define KEYS "aws_access_key_id = AKID\naws_secret_access_key = cAlLeR\n"

static void test_a_chain_of_profiles(void **state)
{
    (void)state;
    static const struct exchange script[] = {
        {.expect = {SIGNED("AKID"), "RoleSessionName=second&DurationSeconds=1800"},
         .refuse = "x-amz-security-token",
         .reply = GOOD("ASIA1"),
         .after = AFTER_CLOSE},
        {.expect = {SIGNED("ASIA1"), "x-amz-security-token: tOkEn-ASIA1\r\n", "ExternalId=ext"},
         .reply = GOOD("ASIA2"),
         .after = AFTER_CLOSE},
        {.expect = {SIGNED("ASIA2"), "x-amz-security-token: tOkEn-ASIA2\r\n",
                    "RoleSessionName=pen"},
         .refuse = "ExternalId=ext",
         .reply = GOOD("ASIA3"),
         .after = AFTER_CLOSE},
    };
    struct rig rig;
    rig_begin(&rig, script, ARRAY_SIZE(script));
    rig_write(rig.config, "[profile a]\nrole_arn = " ARN "\nsource_profile = b\nexternal_id = ext\n"
                          "[profile b]\nrole_arn = " ARN "\nsource_profile = c\n"
                          "role_session_name = second\nduration_seconds = 1800\n"
                          /* Keys of a source beat its role. */
                          "[profile c]\nrole_arn = " ARN "\nsource_profile = a\n" KEYS);
    rig_set(&rig, "AWS_ACCESS_KEY_ID", "NOT-THIS");
    rig_set(&rig, "AWS_SECRET_ACCESS_KEY", "s");
    ask_chain(&rig, &(struct creds_options){.profile = "a", .role_arn = ARN}, ERR_NONE, "ASIA3");
    rig_end(&rig, 3);
}

static void test_a_profile_that_names_itself(void **state)
{
    (void)state;
    static const struct exchange script[] = {
        {.expect = {SIGNED("AKID")}, .reply = GOOD("ASIA1"), .after = AFTER_CLOSE}};
    struct rig rig;
    rig_begin(&rig, script, 1);
    rig_write(rig.config, "[default]\nrole_arn = " ARN "\nsource_profile = default\n" KEYS);
    ask_chain(&rig, &no_options, ERR_NONE, "ASIA1");
    rig_end(&rig, 1);
}

static void test_a_role_with_the_environment(void **state)
{
    (void)state;
    static const struct exchange script[] = {
        {.expect = {SIGNED("ENV1")}, .reply = GOOD("ASIA1"), .after = AFTER_CLOSE},
        {.expect = {SIGNED("ENV1")}, .reply = GOOD("ASIA2"), .after = AFTER_CLOSE},
    };
    struct rig rig;
    rig_begin(&rig, script, 2);
    rig_set(&rig, "AWS_ACCESS_KEY_ID", "ENV1");
    rig_set(&rig, "AWS_SECRET_ACCESS_KEY", "cAlLeR");
    rig_write(rig.config, "[profile a]\nrole_arn = " ARN "\ncredential_source = Environment\n");
    ask_chain(&rig, &(struct creds_options){.profile = "a"}, ERR_NONE, "ASIA1");
    ask_chain(&rig, &(struct creds_options){.role_arn = ARN}, ERR_NONE, "ASIA2");
    /* AWS_PROFILE does not take the environment's keys out, --profile does (botocore). */
    rig_set(&rig, "AWS_PROFILE", "a");
    struct creds_value value;
    struct err e = ERR_INIT;
    assert_int_equal(creds_chain_ask(&rig.system, &no_options, &value, &e), 0);
    assert_string_equal(value.id, "ENV1");
    rig_end(&rig, 2);
}

static void test_a_refused_role_is_not_passed_over(void **state)
{
    (void)state;
    static const struct exchange script[] = {
        {.reply = REFUSAL("403", "AccessDenied", "no"), .after = AFTER_CLOSE}};
    struct rig rig;
    rig_begin(&rig, script, 1);
    rig_write(rig.config, "[default]\nrole_arn = " ARN "\nsource_profile = a\n[profile a]\n" KEYS);
    ask_chain(&rig, &no_options, ERR_AUTH,
              "no credentials: profile 'default': assuming " ARN ": not allowed: AccessDenied: no");
    rig_end(&rig, 1);
}

static void test_web_identity(void **state)
{
    (void)state;
    static const struct exchange script[] = {
        {.expect = {"POST / HTTP/1.1\r\n", TOKEN_FORM "RoleSessionName=pod&DurationSeconds=3600",
                    "&WebIdentityToken=wEbToKeN.1%2B"},
         .refuse = "uthorization",
         .reply = GOOD("ASIA1"),
         .after = AFTER_CLOSE},
        {.expect = {"&WebIdentityToken=wEbToKeN.2"},
         .refuse = "uthorization",
         .reply = GOOD("ASIA2"),
         .after = AFTER_CLOSE},
        {.reply = REFUSAL("400", "InvalidIdentityToken", "bad: wEbToKeN.2"), .after = AFTER_CLOSE},
    };
    struct rig rig;
    rig_begin(&rig, script, ARRAY_SIZE(script));
    autofree char *token = xasprintf("%s/token", rig.directory);
    rig_set(&rig, "AWS_WEB_IDENTITY_TOKEN_FILE", token);
    rig_set(&rig, "AWS_ROLE_ARN", ARN);
    rig_set(&rig, "AWS_ROLE_SESSION_NAME", "pod");
    rig_write(rig.config, "[default]\n" KEYS); /* a web identity comes first */
    rig_write(token, "wEbToKeN.1+\n");
    ask_chain(&rig, &no_options, ERR_NONE, "ASIA1");
    rig_write(token, " wEbToKeN.2\r\n"); /* as it is now, every time */
    ask_chain(&rig, &no_options, ERR_NONE, "ASIA2");
    ask_chain(&rig, &no_options, ERR_AUTH, "the web identity token is not accepted");
    static const char *const bad[] = {"", "\n", "a b", "wEbToKeN\x01", "\xc3\xa9"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        rig_write(token, bad[i]);
        ask_chain(&rig, &no_options, ERR_CONFIG, "/token' has no token in it");
    }
    assert_int_equal(unlink(token), 0);
    ask_chain(&rig, &no_options, ERR_CONFIG, "No such file");
    /* --profile takes the environment out. */
    struct creds_value value;
    struct err e = ERR_INIT;
    const struct creds_options named = {.profile = "default"};
    assert_int_equal(creds_chain_ask(&rig.system, &named, &value, &e), 0);
    assert_string_equal(value.id, "AKID");
    rig_end(&rig, 3);
}

static void test_a_long_token(void **state)
{
    (void)state;
    static char text[20 * 1000 + 100];
    static const struct exchange script[] = {
        {.expect = {"%2B%2B%2B"}, .reply = GOOD("ASIA1"), .after = AFTER_CLOSE}};
    struct rig rig;
    rig_begin(&rig, script, 1);
    autofree char *token = xasprintf("%s/token", rig.directory);
    rig_write(rig.config, "[profile a]\nrole_arn = " ARN "\n");
    rig_set(&rig, "AWS_WEB_IDENTITY_TOKEN_FILE", token);
    rig_set(&rig, "AWS_ROLE_ARN", ARN);
    memset(text, '+', 20 * 1000);
    rig_write(token, text);
    ask_chain(&rig, &no_options, ERR_NONE, "ASIA1");
    memset(text, '+', 20 * 1000 + 1);
    rig_write(token, text);
    ask_chain(&rig, &no_options, ERR_CONFIG, "has no token in it");
    memset(text, '+', sizeof(text) - 1);
    rig_write(token, text);
    ask_chain(&rig, &no_options, ERR_CONFIG, "it has 20064 bytes or more");
    assert_int_equal(unlink(token), 0);
    rig_end(&rig, 1);
}

int main(void)
{
    /* Nobody is there, so that no name is asked for outside. */
    static char proxy[] = "https_proxy=http://127.0.0.1:1";
    if (putenv(proxy) != 0) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_request),
        cmocka_unit_test(test_tries),
        cmocka_unit_test(test_an_answer_that_is_huge),
        cmocka_unit_test(test_endpoints),
        cmocka_unit_test(test_endpoint_of_the_profile),
        cmocka_unit_test(test_a_chain_of_profiles),
        cmocka_unit_test(test_a_profile_that_names_itself),
        cmocka_unit_test(test_a_role_with_the_environment),
        cmocka_unit_test(test_a_refused_role_is_not_passed_over),
        cmocka_unit_test(test_web_identity),
        cmocka_unit_test(test_a_long_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
