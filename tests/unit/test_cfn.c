#include "tests/unit/unit.h"

#include <string.h>

#include "agent/base/mem.h"
#include "s3/cfn.h"
#include "tests/unit/creds_world.h"
#include "tests/unit/scripted_server.h"

#define ARN "arn:aws:cloudformation:eu-west-1:111122223333:stack/prod/1"
#define HTTP(body) "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" body
#define TOKEN_EXCHANGE                                                                             \
    {                                                                                              \
        .expect = {"PUT /latest/api/token"}, .reply = HTTP("tok"), .after = AFTER_CLOSE            \
    }
#define TAKEN HTTP("<SignalResourceResponse/>")
#define FIELDS                                                                                     \
    "Action=SignalResource&LogicalResourceId=Nodes&StackName=arn%3Aaws%3Acloudformation%3Aeu-west" \
    "-1%3A111122223333%3Astack%2Fprod%2F1&Status=FAILURE&UniqueId=i-1&Version=2010-05-15"

static const struct cfn_signal failure = {.resource = "Nodes", .unique_id = "i-1"};

struct rig {
    struct scripted_server *server;
    struct world_variable variables[8];
    struct world world;
    struct creds_system system;
};

/* One server is metadata and CloudFormation both. */
static void rig_begin(struct rig *rig, const struct exchange *script, size_t count)
{
    rig->server = scripted_server_start(script, count, false);
    const char *url = scripted_server_url(rig->server);
    const struct world_variable variables[8] = {
        {"AWS_EC2_METADATA_SERVICE_ENDPOINT", url},
        {"AWS_ENDPOINT_URL_CLOUDFORMATION", url},
        {"AWS_CONFIG_FILE", "/dev/null"},
        {"AWS_SHARED_CREDENTIALS_FILE", "/dev/null"},
        {"AWS_ACCESS_KEY_ID", "AKID"},
        {"AWS_SECRET_ACCESS_KEY", "sEcReT"},
        {"AWS_REGION", "ap-south-1"},
    };
    memcpy(rig->variables, variables, sizeof(variables));
    rig->world = (struct world){.variables = rig->variables, .now_ms = INT64_C(1795420800000)};
    rig->system = world_system(&rig->world);
}

/* The document is encoded as it is, its last line feed too; the signature's lines are one. */
static void test_by_identity(void **state)
{
    (void)state;
    static const struct exchange script[] = {
        TOKEN_EXCHANGE,
        {.expect = {"GET /latest/meta-data/services/domain"},
         .reply = HTTP("amazonaws.com"),
         .after = AFTER_CLOSE},
        TOKEN_EXCHANGE,
        {.expect = {"GET /latest/dynamic/instance-identity/document HTTP/1.1",
                    "X-aws-ec2-metadata-token: tok\r\n"},
         .reply = HTTP("{ \"a\" : 1 }\n"),
         .after = AFTER_CLOSE},
        TOKEN_EXCHANGE,
        {.expect = {"GET /latest/dynamic/instance-identity/signature HTTP/1.1"},
         .reply = HTTP("sig/+\nna=\n"),
         .after = AFTER_CLOSE},
        {.expect = {"GET /?" FIELDS " HTTP/1.1\r\n",
                    "\r\nAuthorization: CFN_V1 eyAiYSIgOiAxIH0K:sig/+na=\r\n"},
         .reply = TAKEN,
         .after = AFTER_CLOSE},
    };
    struct rig rig;
    rig_begin(&rig, script, ARRAY_SIZE(script));
    const struct cfn_options options = {.stack = ARN};
    struct cfn *cfn = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(cfn_open_in(&rig.system, &options, &cfn, &e), 0);
    assert_string_equal(cfn_region(cfn), "eu-west-1");
    if (cfn_send(cfn, &failure, &e) != 0) {
        fail_msg("%s", e.text);
    }
    cfn_free(cfn);
    assert_int_equal(scripted_server_stop(rig.server), ARRAY_SIZE(script));
}

static void test_without_an_identity(void **state)
{
    (void)state;
    static const struct exchange script[] = {
        TOKEN_EXCHANGE,
        {.expect = {"services/domain"}, .reply = HTTP("amazonaws.com"), .after = AFTER_CLOSE},
        TOKEN_EXCHANGE,
        {.expect = {"instance-identity/document"},
         .reply = "HTTP/1.1 404 No\r\n\r\n",
         .after = AFTER_CLOSE},
    };
    struct rig rig;
    rig_begin(&rig, script, ARRAY_SIZE(script));
    const struct cfn_options options = {.stack = ARN};
    struct cfn *cfn = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(cfn_open_in(&rig.system, &options, &cfn, &e), 0);
    assert_int_equal(cfn_send(cfn, &failure, &e), -1);
    assert_int_equal(e.kind, ERR_CONFIG); /* "not found" would mean that nobody waits */
    assert_non_null(strstr(e.text, "signalling Nodes: instance metadata: there is no document"));
    assert_non_null(strstr(e.hint, "--signal-auth sigv4"));
    cfn_free(cfn);
    assert_int_equal(scripted_server_stop(rig.server), ARRAY_SIZE(script));
}

static void test_signed(void **state)
{
    (void)state;
    static const struct exchange script[] = {
        {.expect = {"POST / HTTP/1.1\r\n", "\r\n\r\n" FIELDS,
                    "authorization: AWS4-HMAC-SHA256 "
                    "Credential=AKID/20261123/eu-west-1/cloudformation/aws4_request, "},
         .refuse = "sEcReT",
         .reply = TAKEN,
         .after = AFTER_CLOSE},
    };
    struct rig rig;
    rig_begin(&rig, script, ARRAY_SIZE(script));
    const struct cfn_options options = {.stack = ARN, .signs = true};
    struct cfn *cfn = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(cfn_open_in(&rig.system, &options, &cfn, &e), 0);
    assert_int_equal(cfn_send(cfn, &failure, &e), 0);
    cfn_free(cfn);
    assert_int_equal(scripted_server_stop(rig.server), ARRAY_SIZE(script));
}

/* The instance's clock is an hour late; the store would be asked by its own clock as well. */
static void test_clock_that_is_off(void **state)
{
    (void)state;
#define REFUSED                                                                                    \
    "HTTP/1.1 403 No\r\nConnection: close\r\nDate: Mon, 23 Nov 2026 09:00:00 GMT\r\n\r\n"          \
    "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>Signature expired: x"        \
    "</Message></Error></ErrorResponse>"
    static const struct exchange script[] = {
        {.expect = {"x-amz-date: 20261123T080000Z"}, .reply = REFUSED, .after = AFTER_CLOSE},
        {.expect = {"x-amz-date: 20261123T090000Z"}, .reply = TAKEN, .after = AFTER_CLOSE},
        {.expect = {"x-amz-date: 20261123T090000Z"}, .reply = REFUSED, .after = AFTER_CLOSE},
    };
    struct rig rig;
    rig_begin(&rig, script, ARRAY_SIZE(script));
    const struct cfn_options options = {.stack = ARN, .signs = true};
    struct cfn *cfn = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(cfn_open_in(&rig.system, &options, &cfn, &e), 0);
    assert_int_equal(cfn_send(cfn, &failure, &e), 0);
    assert_int_equal(e.kind, ERR_NONE);
    assert_int_equal(cfn_send(cfn, &failure, &e), -1); /* once is enough */
    assert_non_null(strstr(e.text, "the clock is wrong"));
    cfn_free(cfn);
    assert_int_equal(scripted_server_stop(rig.server), ARRAY_SIZE(script));
}

static void test_nobody_is_there(void **state)
{
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL, 0);
    const struct cfn_options options = {.stack = "prod", .signs = true};
    struct cfn *cfn = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(cfn_open_in(&rig.system, &options, &cfn, &e), 0);
    assert_string_equal(cfn_region(cfn), "ap-south-1");
    assert_int_equal(cfn_reach(cfn, &e), 0);
    autofree char *url = xstrdup(scripted_server_url(rig.server));
    assert_string_equal(cfn_url(cfn), url);
    assert_int_equal(scripted_server_stop(rig.server), 0);
    assert_int_equal(cfn_reach(cfn, &e), -1);
    assert_int_equal(e.kind, ERR_RETRY);
    assert_non_null(strstr(e.hint, "com.amazonaws.ap-south-1.cloudformation"));
    e = ERR_INIT;
    assert_int_equal(cfn_send(cfn, &failure, &e), -1);
    assert_int_equal(e.kind, ERR_RETRY);
    cfn_free(cfn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_identity),     cmocka_unit_test(test_without_an_identity),
        cmocka_unit_test(test_signed),          cmocka_unit_test(test_clock_that_is_off),
        cmocka_unit_test(test_nobody_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
