#include "tests/unit/unit.h"

#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "tests/unit/creds_world.h"
#include "tests/unit/scripted_server.h"

static const char relative[] = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
static const char full[] = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
static const char token_file[] = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
static const char token[] = "AWS_CONTAINER_AUTHORIZATION_TOKEN";

#define KEYS "\"AccessKeyId\":\"ASIA1\",\"SecretAccessKey\":\"sEcReT\""
#define REST "\"Token\":\"t\",\"Expiration\":\"2026-11-23T08:00:00Z\""
#define HTTP(status, body) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n" body
#define GOOD HTTP("200 OK", "{\"RoleArn\":\"arn:aws:iam::1:role/x\"," KEYS "," REST "}")

static int ask(const struct world_variable *variables, struct world *world, struct creds_value *ret,
               struct err *e)
{
    world->variables = variables;
    const struct creds_system system = world_system(world);
    return creds_container_read(&system, ret, e);
}

static void expect_text(const struct err *e, enum err_kind kind, const char *text)
{
    if (e->kind != kind || strstr(e->text, text) == NULL) {
        fail_msg("kind %d, no '%s' in '%s'", (int)e->kind, text, e->text);
    }
    assert_null(strstr(e->text, "sEcReT"));
    assert_null(strstr(e->hint, "sEcReT"));
}

static void expect_keys(const struct creds_value *value)
{
    assert_string_equal(value->id, "ASIA1");
    assert_string_equal(value->secret, "sEcReT");
    assert_string_equal(value->token, "t");
    assert_int_equal(value->expires_ms, INT64_C(1795420800000));
    assert_string_equal(value->source, "container role");
}

/* A script of an agent that FULL_URI names; text NULL: it works. */
static void run_script(const struct exchange *script, size_t count, enum err_kind kind,
                       const char *text, uint64_t slept_ms)
{
    struct scripted_server *server = scripted_server_start(script, count, false);
    autofree char *url = xasprintf("%s/sEcReT", scripted_server_url(server));
    const struct world_variable variables[] = {{full, url}, {token, "Bearer to+ken"}, {NULL, NULL}};
    struct world world = {.answer_ms = WORLD_STALL_MS};
    struct creds_value value = {.id = ""};
    struct err e = ERR_INIT;
    const int rc = ask(variables, &world, &value, &e);
    assert_int_equal(scripted_server_stop(server), count);
    assert_int_equal(world.slept_ms, slept_ms);
    if (text == NULL) {
        assert_int_equal(rc, 0);
        expect_keys(&value);
        return;
    }
    assert_int_equal(rc, -1);
    expect_text(&e, kind, text);
}

static void test_answers(void **state)
{
    (void)state;
    static const struct exchange good[] = {
        {.expect = {"GET /sEcReT HTTP/1.1\r\n", "\r\nAccept: application/json\r\n",
                    "\r\nAuthorization: Bearer to+ken\r\n"},
         .reply = GOOD,
         .after = AFTER_CLOSE}};
    run_script(good, 1, ERR_NONE, NULL, 0);
    static const struct exchange late[] = {
        {.reply = HTTP("500 Oops", ""), .after = AFTER_CLOSE},
        {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", .after = AFTER_STALL},
        {.reply = GOOD, .after = AFTER_CLOSE}};
    run_script(late, 3, ERR_NONE, NULL, 2000);
    static const struct exchange busy = {.reply = HTTP("429 Slow", ""), .after = AFTER_CLOSE};
    const struct exchange always[] = {busy, busy, busy};
    run_script(always, 3, ERR_RETRY, "it answers 429", 2000);
    static const struct {
        const char *reply;
        enum err_kind kind;
        const char *text;
    } cases[] = {
        {HTTP("403 No", "sEcReT"), ERR_AUTH, "it answers 403"},
        {HTTP("302 Found\r\nLocation: http://127.0.0.1:1/", ""), ERR_AUTH, "it answers 302"},
        {HTTP("200 OK", ""), ERR_CORRUPT, "the credentials: not a flat JSON object"},
        {HTTP("200 OK", "sEcReT"), ERR_CORRUPT, "not a flat JSON object"},
        {HTTP("200 OK", "{" KEYS "}"), ERR_CORRUPT, "have no Token"},
        {HTTP("200 OK", "{" KEYS "," REST "," REST "}"), ERR_CORRUPT, "not a flat JSON object"},
        {HTTP("200 OK", "{" KEYS ",\"Token\":\"t\",\"Expiration\":\"soon\"}"), ERR_CORRUPT,
         "Expiration is no time"},
        {HTTP("200 OK",
              "{" KEYS ",\"Token\":\"t\\nX: y\",\"Expiration\":\"2026-11-23T08:00:00Z\"}"),
         ERR_CONFIG, "the session token has a character"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct exchange bad[] = {{.reply = cases[i].reply, .after = AFTER_CLOSE}};
        run_script(bad, 1, cases[i].kind, cases[i].text, 0);
    }
}

/* Whoever may be asked is: nobody listens at port 1, and the agents' addresses are not tried here,
 * for somebody might. */
static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        enum err_kind kind;
        const char *text;
    } cases[] = {
        {full, "http://127.0.0.1:1/x", ERR_RETRY, "http://127.0.0.1:1: "},
        {full, "http://127.9.9.9:1/x", ERR_RETRY, "http://127.9.9.9:1: "},
        {full, "HTTP://LOCALHOST:1", ERR_RETRY, "container: "},
        {full, "http://[::1]:1/x", ERR_RETRY, "http://[::1]:1: "},
        {full, "https://127.0.0.1:1/x", ERR_RETRY, "https://127.0.0.1:1: "},
        {full, "http://10.0.0.1/sEcReT", ERR_CONFIG, "is not an address that may be asked"},
        {full, "http://127.0.0.1@10.0.0.1/", ERR_CONFIG, "is not an address"},
        {full, "http://127.0.0.1:80@10.0.0.1/", ERR_CONFIG, "is not an address"},
        {full, "https://u:sEcReT@127.0.0.1:1/", ERR_CONFIG, "is not an address"},
        {full, "http://127.0.0.1.example.com/", ERR_CONFIG, "is not an address"},
        {full, "http://127.0.0.1:1#@example.com/", ERR_RETRY, "http://127.0.0.1:1: "},
        {full, "http://example.com#@127.0.0.1/", ERR_CONFIG, "is not an address"},
        {full, "http://example.com\\@127.0.0.1/", ERR_CONFIG, "is not an address"},
        {full, "http://localhost.example.com/", ERR_CONFIG, "is not an address"},
        {full, "http://169.254.170.2.example.com/", ERR_CONFIG, "is not an address"},
        {full, "http://169.254.169.254/", ERR_CONFIG, "is not an address"},
        {full, "http://[fd00:ec2::254]/", ERR_CONFIG, "is not an address"},
        {full, "http://[::ffff:10.0.0.1]/", ERR_CONFIG, "is not an address"},
        {full, "http://[::1/", ERR_CONFIG, "is not an address"},
        {full, "http:///x", ERR_CONFIG, "is not an address"},
        {full, "http://127.0.0.1:99999/", ERR_CONFIG, "is not an address"},
        {full, "http://127.0.0.1 /", ERR_CONFIG, "is not an address"},
        {full, "http://127.0.0.1:1/\r\nX: y", ERR_CONFIG, "is not an address"},
        {full, "ftp://127.0.0.1/", ERR_CONFIG, "is not an address"},
        {full, "file:///etc/passwd", ERR_CONFIG, "is not an address"},
        {full, "127.0.0.1", ERR_CONFIG, "is not an address"},
        {relative, "@127.0.0.1/", ERR_CONFIG, "is no path that begins with '/'"},
        {relative, ".example.com/", ERR_CONFIG, "is no path"},
        {relative, ":1@127.0.0.1/", ERR_CONFIG, "is no path"},
        {relative, "/x\r\nX: y", ERR_CONFIG, "is no path"},
        {"unrelated", "x", ERR_NOT_FOUND, "FULL_URI is not set"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct world_variable variables[] = {{cases[i].name, cases[i].value}, {NULL, NULL}};
        struct world world = {.now_ms = 0};
        struct creds_value value;
        struct err e = ERR_INIT;
        assert_int_equal(ask(variables, &world, &value, &e), -1);
        if (e.kind != cases[i].kind) {
            fail_msg("'%s': '%s'", cases[i].value, e.text);
        }
        expect_text(&e, cases[i].kind, cases[i].text);
        assert_int_equal(world.slept_ms, cases[i].kind == ERR_RETRY ? 2000 : 0);
    }
}

static void write_file(const char *path, const char *text)
{
    autofile FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) >= 0, 1);
}

static void test_token_files(void **state)
{
    (void)state;
    static const struct exchange script[] = {
        {.expect = {"\r\nAuthorization: one\r\n"}, .reply = GOOD, .after = AFTER_CLOSE},
        {.expect = {"\r\nAuthorization: two\r\n"}, .reply = GOOD, .after = AFTER_CLOSE},
        {.refuse = "Authorization", .reply = GOOD, .after = AFTER_CLOSE}};
    char path[] = "/tmp/penates-token-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    struct scripted_server *server = scripted_server_start(script, ARRAY_SIZE(script), false);
    autofree char *url = xstrdup(scripted_server_url(server));
    const struct world_variable variables[] = {
        {full, url}, {token_file, path}, {token, "of the variable"}, {NULL, NULL}};
    const struct world_variable none[] = {{full, url}, {NULL, NULL}};
    struct world world = {.now_ms = 0};
    struct creds_value value;
    struct err e = ERR_INIT;
    write_file(path, "one");
    assert_int_equal(ask(variables, &world, &value, &e), 0);
    write_file(path, "two"); /* it is read again each time */
    assert_int_equal(ask(variables, &world, &value, &e), 0);
    expect_keys(&value);
    assert_int_equal(ask(none, &world, &value, &e), 0);
    assert_int_equal(scripted_server_stop(server), 3);

    autofree char *long_token = xcalloc(17 * 1024, 1);
    memset(long_token, 'x', 17 * 1024 - 1);
    const struct {
        const char *text, *said;
    } cases[] = {{"sEcReT\n", "has a line end"},
                 {"sEcReT\r\nX: y", "has a line end"},
                 {"sEcReT\x7f", "has a line end"},
                 {"", "is empty"},
                 {long_token, "more than 16384 bytes"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        write_file(path, cases[i].text);
        assert_int_equal(ask(variables, &world, &value, &e), -1);
        expect_text(&e, ERR_CONFIG, cases[i].said);
        if (cases[i].text[0] != '\0') {
            const struct world_variable direct[] = {
                {full, "http://127.0.0.1:1"}, {token, cases[i].text}, {NULL, NULL}};
            assert_int_equal(ask(direct, &world, &value, &e), -1);
            expect_text(&e, ERR_CONFIG, cases[i].said);
        }
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ask(variables, &world, &value, &e), -1);
    expect_text(&e, ERR_CONFIG, "No such file");
}

int main(void)
{
    /* Nobody listens at it: whoever asked it would fail. */
    char proxy[] = "http_proxy=http://127.0.0.1:1";
    if (putenv(proxy) != 0) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_token_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
