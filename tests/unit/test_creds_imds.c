#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/base/thread.h"
#include "tests/unit/creds_world.h"

enum behaviour { REPLY, SILENT, TRICKLE, FLOOD };

/* One connection: what must be asked, and what is answered. */
struct step {
    const char *request; /* how it must begin */
    const char *reply;   /* the bytes */
    enum behaviour behaviour;
    const char *token; /* that must be sent; NULL: not looked at */
};

struct server {
    /* set once */
    int listener;
    int stop[2]; /* a pipe, closed to stop */
    pthread_t thread;
    const struct step *steps;
    size_t count;
    char endpoint[64];
    /* the thread's, until server_stop */
    size_t served;
    char complaint[512]; /* "" when all was asked as it should */
};

static void read_request(int fd, char *ret, size_t room)
{
    size_t size = 0;
    ret[0] = '\0';
    while (strstr(ret, "\r\n\r\n") == NULL && size + 1 < room) {
        const ssize_t n = recv(fd, ret + size, room - 1 - size, 0);
        if (n <= 0) {
            return;
        }
        size += (size_t)n;
        ret[size] = '\0';
    }
}

static void check_request(struct server *server, const struct step *step, const char *request)
{
    autofree char *token = step->token == NULL
                               ? xstrdup("")
                               : xasprintf("\r\nX-aws-ec2-metadata-token: %s\r\n", step->token);
    const bool is_put = strncmp(request, "PUT ", 4) == 0;
    const bool is_good =
        strncmp(request, step->request, strlen(step->request)) == 0 &&
        strstr(request, token) != NULL && strcasestr(request, "forwarded") == NULL &&
        (!is_put || (strstr(request, "\r\nX-aws-ec2-metadata-token-ttl-seconds: 21600\r\n") &&
                     strstr(request, "\r\nContent-Length: 0\r\n")));
    if (!is_good && server->complaint[0] == '\0') {
        (void)snprintf(server->complaint, sizeof(server->complaint), "step %zu: %.400s",
                       server->served, request);
    }
}

static void send_some(int fd, const char *data, size_t size)
{
    (void)send(fd, data, size, MSG_NOSIGNAL); /* the client may have left: that is the point */
}

static void behave(int fd, const struct step *step)
{
    char byte;
    struct pollfd left = {.fd = fd, .events = POLLIN};
    switch (step->behaviour) {
    case REPLY:
        send_some(fd, step->reply, strlen(step->reply));
        break;
    case SILENT:
        (void)recv(fd, &byte, 1, 0); /* until the client gives up */
        break;
    case TRICKLE:
        for (size_t i = 0; poll(&left, 1, 100) == 0; i++) {
            send_some(fd, step->reply[i] == '\0' ? " " : step->reply + i, 1);
        }
        break;
    case FLOOD:
        send_some(fd, step->reply, strlen(step->reply));
        while (send(fd, step->reply, strlen(step->reply), MSG_NOSIGNAL) > 0) {
        }
        break;
    }
}

static void *serve(void *arg)
{
    struct server *server = arg;
    while (server->served < server->count) {
        struct pollfd wait[2] = {{.fd = server->listener, .events = POLLIN},
                                 {.fd = server->stop[0], .events = POLLIN}};
        if (poll(wait, 2, -1) < 0 || wait[1].revents != 0) {
            break;
        }
        autofd const int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        const struct step *step = &server->steps[server->served];
        char request[4096];
        read_request(fd, request, sizeof(request));
        check_request(server, step, request);
        behave(fd, step);
        server->served++;
    }
    return NULL;
}

static void server_start(struct server *server, const struct step *steps, size_t count)
{
    *server = (struct server){.steps = steps, .count = count};
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->listener, 16), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(server->endpoint, sizeof(server->endpoint), "http://127.0.0.1:%u/",
                   ntohs(address.sin_port));
    assert_int_equal(pipe(server->stop), 0);
    server->thread = thread_start(serve, server, "imds");
}

static void server_stop(struct server *server)
{
    assert_int_equal(close(server->stop[1]), 0);
    thread_join(server->thread);
    assert_int_equal(close(server->stop[0]) + close(server->listener), 0);
    assert_string_equal(server->complaint, "");
    assert_int_equal(server->served, server->count);
}

#define HTTP(status, body) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n" body
#define TOKEN_STEP(text)                                                                           \
    {                                                                                              \
        .request = "PUT /latest/api/token HTTP/1.1", .reply = HTTP("200 OK", text)                 \
    }
#define ROLE_PATH "/latest/meta-data/iam/security-credentials/"
#define ROLE_STEP(text)                                                                            \
    {                                                                                              \
        .request = "GET " ROLE_PATH " HTTP/1.1", .reply = text                                     \
    }
#define KEYS_STEP(text)                                                                            \
    {                                                                                              \
        .request = "GET " ROLE_PATH "restore HTTP/1.1", .reply = text                              \
    }
#define REST "\"SecretAccessKey\":\"s\",\"Token\":\"t\",\"Expiration\":\"2026-11-23T08:00:00Z\"}"
#define DOCUMENT "{\"Code\" : \"Success\",\n\"Type\":\"AWS-HMAC\",\"AccessKeyId\":\"ASIA1\"," REST

/* What a script leads to. */
struct outcome {
    const char *text; /* NULL: it works; else a part of the message */
    enum err_kind kind;
    const char *hint; /* a part of it, NULL: none */
    uint64_t slept_ms;
    long answer_ms; /* as in struct world */
};

static void run_script(const struct step *steps, size_t count, const struct outcome *want)
{
    struct server server;
    server_start(&server, steps, count);
    const struct world_variable variables[] = {
        {"AWS_EC2_METADATA_SERVICE_ENDPOINT", server.endpoint}, {NULL, NULL}};
    struct world world = {.variables = variables, .answer_ms = want->answer_ms};
    const struct creds_system system = world_system(&world);
    struct creds_value value = {.id = ""};
    struct err e = ERR_INIT;
    const int rc = creds_imds_read(&system, NULL, &value, &e);
    server_stop(&server);
    assert_int_equal(rc, want->text == NULL ? 0 : -1);
    assert_int_equal(world.slept_ms, want->slept_ms);
    if (want->text == NULL) {
        assert_string_equal(value.id, "ASIA1");
        assert_string_equal(value.secret, "s");
        assert_string_equal(value.token, "t");
        assert_int_equal(value.expires_ms, INT64_C(1795420800000));
        assert_string_equal(value.source, "instance role 'restore'");
        return;
    }
    if (strstr(e.text, want->text) == NULL) {
        fail_msg("no '%s' in '%s'", want->text, e.text);
    }
    assert_int_equal(e.kind, want->kind);
    assert_int_equal(e.hint[0] != '\0', want->hint != NULL);
    assert_true(want->hint == NULL || strstr(e.hint, want->hint) != NULL);
}

static void test_role(void **state)
{
    (void)state;
    static const struct step steps[] = {
        TOKEN_STEP("tok==\n"),
        {.request = "GET " ROLE_PATH " HTTP/1.1",
         .reply = HTTP("200 OK", "restore\n"),
         .token = "tok=="},
        {.request = "GET " ROLE_PATH "restore HTTP/1.1",
         .reply = HTTP("200 OK", DOCUMENT),
         .token = "tok=="},
    };
    const struct outcome works = {.text = NULL};
    run_script(steps, ARRAY_SIZE(steps), &works);
}

static void test_token_is_renewed_once(void **state)
{
    (void)state;
    static const struct step steps[] = {
        TOKEN_STEP("one"),
        {.request = "GET " ROLE_PATH " ", .reply = HTTP("401 No", ""), .token = "one"},
        TOKEN_STEP("two"),
        {.request = "GET " ROLE_PATH " ", .reply = HTTP("200 OK", "restore"), .token = "two"},
        {.request = "GET " ROLE_PATH "r", .reply = HTTP("200 OK", DOCUMENT), .token = "two"},
    };
    const struct outcome works = {.text = NULL};
    run_script(steps, ARRAY_SIZE(steps), &works);

    static const struct step again[] = {TOKEN_STEP("one"), ROLE_STEP(HTTP("401 No", "")),
                                        TOKEN_STEP("two"), ROLE_STEP(HTTP("401 No", ""))};
    const struct outcome fails = {.text = "answers 401", .kind = ERR_AUTH};
    run_script(again, ARRAY_SIZE(again), &fails);
}

/* Another role is attached between the two questions. */
static void test_role_changes(void **state)
{
    (void)state;
    static const struct step steps[] = {
        TOKEN_STEP("t"),
        ROLE_STEP(HTTP("200 OK", "before")),
        {.request = "GET " ROLE_PATH "before ", .reply = HTTP("404 Gone", "")},
        ROLE_STEP(HTTP("200 OK", "restore")),
        KEYS_STEP(HTTP("200 OK", DOCUMENT)),
    };
    const struct outcome works = {.text = NULL};
    run_script(steps, ARRAY_SIZE(steps), &works);

    static const struct step role = ROLE_STEP(HTTP("200 OK", "restore"));
    static const struct step gone = KEYS_STEP(HTTP("404 Gone", ""));
    const struct step always[] = {TOKEN_STEP("t"), role, gone, role, gone};
    const struct outcome fails = {.text = "asked for credentials, it answers 404",
                                  .kind = ERR_AUTH};
    run_script(always, ARRAY_SIZE(always), &fails);
}

static void test_trouble_is_tried_again(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {.request = "PUT ", .reply = HTTP("503 Busy", "")},
        TOKEN_STEP("t"),
        ROLE_STEP(HTTP("429 Slow", "")),
        ROLE_STEP(HTTP("200 OK", "restore")),
        KEYS_STEP(""), /* closes without a word */
        KEYS_STEP("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"),
        KEYS_STEP(HTTP("200 OK", DOCUMENT)),
    };
    const struct outcome works = {.text = NULL, .slept_ms = 100 + 200 + 400 + 800};
    run_script(steps, ARRAY_SIZE(steps), &works);

    static const struct step busy = {.request = "PUT ", .reply = HTTP("500 Bad", "")};
    const struct step five[] = {busy, busy, busy, busy, busy};
    const struct outcome fails = {
        .text = "answers 500", .kind = ERR_RETRY, .slept_ms = 100 + 200 + 400 + 800};
    run_script(five, ARRAY_SIZE(five), &fails);
}

static void test_lost_answer_hints_at_the_hop_limit(void **state)
{
    (void)state;
    static const struct step silent = {.request = "PUT ", .behaviour = SILENT};
    const struct step five[] = {silent, silent, silent, silent, silent};
    const struct outcome fails = {.text = "no answer from http://127.0.0.1:",
                                  .kind = ERR_AUTH,
                                  .hint = "--http-put-response-hop-limit 2",
                                  .slept_ms = 100 + 200 + 400 + 800,
                                  .answer_ms = WORLD_SILENCE_MS};
    run_script(five, ARRAY_SIZE(five), &fails);
}

static void test_trickle_is_cut(void **state)
{
    (void)state;
    static const struct step steps[] = {
        TOKEN_STEP("t"),
        ROLE_STEP(HTTP("200 OK", "restore")),
        {.request = "GET ", .reply = HTTP("200 OK", DOCUMENT), .behaviour = TRICKLE},
        KEYS_STEP(HTTP("200 OK", DOCUMENT)),
    };
    const struct outcome works = {.text = NULL, .slept_ms = 100, .answer_ms = WORLD_STALL_MS};
    const uint64_t start_ms = clock_mono_ms();
    run_script(steps, ARRAY_SIZE(steps), &works);
    assert_in_range(clock_mono_ms() - start_ms, WORLD_STALL_MS - 50, 10 * WORLD_STALL_MS);
}

static void test_flood_is_cut(void **state)
{
    (void)state;
    static const struct step steps[] = {
        TOKEN_STEP("t"),
        ROLE_STEP(HTTP("200 OK", "restore")),
        {.request = "GET ", .reply = HTTP("200 OK", DOCUMENT), .behaviour = FLOOD},
    };
    const struct outcome fails = {.text = "more than 65536 bytes", .kind = ERR_LIMIT};
    run_script(steps, ARRAY_SIZE(steps), &fails);
}

static void test_bad_tokens(void **state)
{
    (void)state;
    static char text[2048];
    (void)snprintf(text, sizeof(text), HTTP("200 OK", "%01500d"), 0);
    const struct {
        const char *reply, *text;
    } cases[] = {
        {HTTP("403 Forbidden", ""), "switched off, or not for this process (403)"},
        {HTTP("404 Not Found", ""), "no IMDSv2 token (404)"},
        {HTTP("405 Not Allowed", ""), "no IMDSv2 token (405)"},
        {HTTP("302 Found", "x"), "no IMDSv2 token (302)"},
        {HTTP("200 OK", ""), "no IMDSv2 token (200)"},
        {HTTP("200 OK", "a\r\nX-Evil: b"), "no IMDSv2 token (200)"},
        {HTTP("200 OK", "<html> </html>"), "no IMDSv2 token (200)"},
        {text, "no IMDSv2 token (200)"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct step step = {.request = "PUT ", .reply = cases[i].reply};
        const struct outcome fails = {.text = cases[i].text, .kind = ERR_AUTH};
        run_script(&step, 1, &fails);
    }
}

static void test_bad_roles(void **state)
{
    (void)state;
    static const struct {
        const char *reply, *text;
        enum err_kind kind;
        const char *hint;
    } cases[] = {
        {HTTP("404 Not Found", "x"), "has no role", ERR_NOT_FOUND, "instance profile"},
        {HTTP("400 Bad", ""), "asked for the role, it answers 400", ERR_AUTH, NULL},
        {HTTP("200 OK", ""), "no role's name", ERR_AUTH, NULL},
        {HTTP("200 OK", "a\nb"), "no role's name", ERR_AUTH, NULL},
        {HTTP("200 OK", "../../user-data"), "no role's name", ERR_AUTH, NULL},
        {HTTP("200 OK", "a?b"), "no role's name", ERR_AUTH, NULL},
        {HTTP("200 OK", "0123456789012345678901234567890123456789012345678901234567890123x"),
         "no role's name", ERR_AUTH, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct step steps[] = {TOKEN_STEP("t"), ROLE_STEP(cases[i].reply)};
        const struct outcome fails = {
            .text = cases[i].text, .kind = cases[i].kind, .hint = cases[i].hint};
        run_script(steps, 2, &fails);
    }
}

static void test_bad_documents_are_not_asked_for_again(void **state)
{
    (void)state;
    static const struct {
        const char *reply, *text;
        enum err_kind kind;
    } cases[] = {
        {HTTP("400 Bad", ""), "asked for credentials, it answers 400", ERR_AUTH},
        {HTTP("200 OK", "<html>"), "not a flat JSON object", ERR_CORRUPT},
        {HTTP("200 OK", "{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"no\\ntrust\"}"),
         "AssumeRoleUnauthorizedAccess: no?trust", ERR_AUTH},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct step steps[] = {TOKEN_STEP("t"), ROLE_STEP(HTTP("200 OK", "restore")),
                                     KEYS_STEP(cases[i].reply)};
        const struct outcome fails = {.text = cases[i].text, .kind = cases[i].kind};
        run_script(steps, 3, &fails);
    }
}

static int parse_document(const char *text, struct creds_value *ret, struct err *e)
{
    autofree char *copy = xstrdup(text);
    return creds_imds_parse(copy, strlen(copy), ret, e);
}

static void test_documents(void **state)
{
    (void)state;
    static const char *const good[] = {
        DOCUMENT,
        " \r\n" DOCUMENT "\n\t ",
        "{\"Code\":\"Succ\\u0065ss\",\"AccessKeyId\":\"ASIA1\",\"n\":-1.5e3,\"b\":true," REST,
        "{\"Code\":\"Success\",\"AccessKeyId\":\"A\\u0053IA1\",\"x\":\"\\u00e9\\ud83d\\ude00\\/\","
        "\"y\":\"\\\"\\\\\\b\\f\\n\\r\\t\"," REST,
    };
    struct creds_value value;
    struct err e = ERR_INIT;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_int_equal(parse_document(good[i], &value, &e), 0);
        assert_string_equal(value.id, "ASIA1");
        assert_string_equal(value.secret, "s");
    }
    static const struct {
        const char *text;
        enum err_kind kind;
    } bad[] = {
        {"", ERR_CORRUPT},
        {"{", ERR_CORRUPT},
        {"[]", ERR_CORRUPT},
        {"{}", ERR_AUTH}, /* no code */
        {"{}x", ERR_CORRUPT},
        {"{\"Code\"", ERR_CORRUPT},
        {"{\"Code\":", ERR_CORRUPT},
        {"{\"Code\":\"Success", ERR_CORRUPT},
        {"{\"Code\":\"Success\"", ERR_CORRUPT},
        {"{\"Code\":\"Success\",", ERR_CORRUPT},
        {"{\"Code\":\"Success\",}", ERR_CORRUPT},
        {"{\"Code\":{}}", ERR_CORRUPT},
        {"{\"Code\":[\"Success\"]}", ERR_CORRUPT},
        {"{\"Code\":\"a\nb\"}", ERR_CORRUPT},
        {"{\"Code\":\"\\x\"}", ERR_CORRUPT},
        {"{\"Code\":\"\\", ERR_CORRUPT},
        {"{\"Code\":\"\\u12\"}", ERR_CORRUPT},
        {"{\"Code\":\"\\u12", ERR_CORRUPT},
        {"{\"Code\":\"\\u00zz\"}", ERR_CORRUPT},
        {"{\"Code\":\"Success\",\"Code\":\"Success\"}", ERR_CORRUPT},
        {"{\"Code\":null,\"AccessKeyId\":\"A\"," REST, ERR_AUTH},
        {"{\"Code\":\"Success\"}", ERR_CORRUPT},
        {"{\"Code\":\"Success\"," REST, ERR_CORRUPT},
        {"{\"Code\":\"Success\",\"AccessKeyId\":7," REST, ERR_CORRUPT},
        {"{\"Code\":\"Success\",\"AccessKeyId\":\"\"," REST, ERR_CONFIG},
        {"{\"Code\":\"Success\",\"AccessKeyId\":\"a\\u00e9\"," REST, ERR_CONFIG},
        {"{\"Code\":\"Success\",\"AccessKeyId\":\"a\\u0000\"," REST, ERR_CONFIG},
        {"{\"Code\":\"Success\",\"AccessKeyId\":\"a\\nb\"," REST, ERR_CONFIG},
        {"{\"Code\":\"Success\",\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\",\"Token\":\"t\","
         "\"Expiration\":\"soon\"}",
         ERR_CORRUPT},
        {"{\"Code\":\"Success\",\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\",\"Token\":\"t\","
         "\"Expiration\":\"1970-01-01T00:00:00Z\"}",
         ERR_CORRUPT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(parse_document(bad[i].text, &value, &e), -1);
        if (e.kind != bad[i].kind) {
            fail_msg("'%s': %s", bad[i].text, e.text);
        }
    }
    char nul[] = "{}\0";
    assert_int_equal(creds_imds_parse(nul, 3, &value, &e), -1);
}

static void expect_without_server(const struct world_variable *variables, enum err_kind kind,
                                  const char *text)
{
    struct world world = {.variables = variables};
    const struct creds_system system = world_system(&world);
    struct creds_value value;
    struct err e = ERR_INIT;
    assert_int_equal(creds_imds_read(&system, NULL, &value, &e), -1);
    assert_int_equal(e.kind, kind);
    if (strstr(e.text, text) == NULL) {
        fail_msg("no '%s' in '%s'", text, e.text);
    }
    assert_null(creds_imds_region(&system, NULL));
}

static void test_settings(void **state)
{
    (void)state;
    static const char endpoint[] = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
    static const char mode[] = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE";
    static char long_url[400];
    (void)snprintf(long_url, sizeof(long_url), "http://%0300d", 0);
    expect_without_server(
        (const struct world_variable[]){{"AWS_EC2_METADATA_DISABLED", "TRUE"}, {NULL, NULL}},
        ERR_NOT_FOUND, "switched off by AWS_EC2_METADATA_DISABLED");
    expect_without_server((const struct world_variable[]){{mode, "ipv5"}, {NULL, NULL}}, ERR_CONFIG,
                          "is 'ipv5', neither IPv4 nor IPv6");
    expect_without_server((const struct world_variable[]){{endpoint, "file:///x"}, {NULL, NULL}},
                          ERR_CONFIG, "is no http:// address");
    expect_without_server((const struct world_variable[]){{endpoint, long_url}, {NULL, NULL}},
                          ERR_CONFIG, "is no http:// address");
    /* Port 1 refuses; the mode is looked at even when an address is given. */
    expect_without_server((const struct world_variable[]){{endpoint, "http://127.0.0.1:1"},
                                                          {mode, "IPv6"},
                                                          {NULL, NULL}},
                          ERR_NOT_FOUND, "http://127.0.0.1:1: ");
}

static void expect_address(const struct world_variable *variables, const char *profile,
                           const char *want)
{
    struct world world = {.variables = variables};
    const struct creds_system system = world_system(&world);
    char endpoint[CREDS_ENDPOINT_MAX];
    struct err e = ERR_INIT;
    assert_int_equal(creds_imds_endpoint(&system, profile, endpoint, &e), 0);
    assert_string_equal(endpoint, want);
}

static void test_addresses(void **state)
{
    (void)state;
    char path[] = "/tmp/penates-config-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char text[] =
        "[profile six]\nec2_metadata_service_endpoint_mode = IPv6\n"
        "[profile own]\nec2_metadata_service_endpoint = http://127.0.0.1:9/\n"
        "ec2_metadata_service_endpoint_mode = ipv6\n"
        "[profile old]\nimds_use_ipv6 = true\n";
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
    static const struct {
        const char *profile, *address, *mode, *want, *use_ipv6;
    } cases[] = {
        {NULL, NULL, NULL, "http://169.254.169.254", NULL},
        {NULL, NULL, "IPv4", "http://169.254.169.254", NULL},
        {NULL, NULL, "ipv6", "http://[fd00:ec2::254]", NULL},
        {NULL, "http://127.0.0.1:8//", "IPv6", "http://127.0.0.1:8", NULL},
        {NULL, "https://proxy", NULL, "https://proxy", NULL},
        {"six", NULL, NULL, "http://[fd00:ec2::254]", NULL},
        {"six", NULL, "ipv4", "http://169.254.169.254",
         NULL}, /* the environment beats the profile */
        {"own", NULL, NULL, "http://127.0.0.1:9", NULL},
        {"own", "http://127.0.0.1:8", NULL, "http://127.0.0.1:8", NULL},
        {"none", NULL, NULL, "http://169.254.169.254", NULL},
        /* The older way to say it is asked only where there is no mode. */
        {NULL, NULL, NULL, "http://[fd00:ec2::254]", "True"},
        {NULL, NULL, NULL, "http://169.254.169.254", "1"},
        {NULL, NULL, "ipv4", "http://169.254.169.254", "true"},
        {"six", NULL, NULL, "http://[fd00:ec2::254]", "false"},
        {"old", NULL, NULL, "http://[fd00:ec2::254]", NULL},
        {"old", NULL, NULL, "http://169.254.169.254", "false"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct world_variable variables[] = {
            {"AWS_CONFIG_FILE", path},
            {"AWS_EC2_METADATA_SERVICE_ENDPOINT", cases[i].address},
            {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", cases[i].mode},
            {"AWS_IMDS_USE_IPV6", cases[i].use_ipv6},
            {NULL, NULL}};
        expect_address(variables, cases[i].profile, cases[i].want);
    }
    assert_int_equal(unlink(path), 0);
}

static void test_limits(void **state)
{
    (void)state;
    char path[] = "/tmp/penates-config-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char text[] = "[default]\nmetadata_service_timeout = 3\n"
                               "metadata_service_num_attempts = 4\n";
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
    const struct {
        const char *file, *timeout, *attempts;
        struct creds_imds_limits want; /* tries 0: refused */
    } cases[] = {
        {"", NULL, NULL, {1000, 2000, 5, 2}},
        {"", "60", "10", {60000, 120000, 10, 10}},
        {"", NULL, "1", {1000, 2000, 1, 1}},
        {path, NULL, NULL, {3000, 6000, 4, 4}},
        {path, "2", NULL, {2000, 4000, 4, 4}},
        {"", "61", NULL, {0, 0, 0, 0}},
        {"", "0", NULL, {0, 0, 0, 0}},
        {"", "1.5", NULL, {0, 0, 0, 0}},
        {"", NULL, "11", {0, 0, 0, 0}},
        {"", NULL, "-1", {0, 0, 0, 0}},
        {"", "99999999999999999999", "1", {0, 0, 0, 0}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct world_variable variables[] = {
            {"AWS_CONFIG_FILE", cases[i].file},
            {"AWS_METADATA_SERVICE_TIMEOUT", cases[i].timeout},
            {"AWS_METADATA_SERVICE_NUM_ATTEMPTS", cases[i].attempts},
            {NULL, NULL}};
        struct world world = {.variables = variables};
        struct creds_system system = world_system(&world);
        system.imds_ms = 0;
        struct creds_imds_limits limits = {.tries = 0};
        struct err e = ERR_INIT;
        const int rc = creds_imds_limits(&system, NULL, &limits, &e);
        assert_int_equal(rc, cases[i].want.tries == 0 ? -1 : 0);
        assert_int_equal(e.kind, rc == 0 ? ERR_NONE : ERR_CONFIG);
        assert_int_equal(limits.connect_ms, cases[i].want.connect_ms);
        assert_int_equal(limits.total_ms, cases[i].want.total_ms);
        assert_int_equal(limits.tries, cases[i].want.tries);
        assert_int_equal(limits.connect_tries, cases[i].want.connect_tries);
    }
    assert_int_equal(unlink(path), 0);
}

static void expect_attempts(const char *attempts, size_t requests, uint64_t slept_ms)
{
    struct step steps[8];
    for (size_t i = 0; i < requests; i++) {
        steps[i] = (struct step){.request = "PUT ", .reply = HTTP("503 No", "")};
    }
    struct server server;
    server_start(&server, steps, requests);
    const struct world_variable variables[] = {
        {"AWS_EC2_METADATA_SERVICE_ENDPOINT", server.endpoint},
        {"AWS_METADATA_SERVICE_NUM_ATTEMPTS", attempts},
        {NULL, NULL}};
    struct world world = {.variables = variables};
    const struct creds_system system = world_system(&world);
    struct creds_value value;
    struct err e = ERR_INIT;
    assert_int_equal(creds_imds_read(&system, NULL, &value, &e), -1);
    server_stop(&server); /* it has counted them */
    assert_int_equal(e.kind, ERR_RETRY);
    assert_int_equal(world.slept_ms, slept_ms);
}

static void test_attempts(void **state)
{
    (void)state;
    expect_attempts("1", 1, 0);
    expect_attempts("7", 7, 100 + 200 + 400 + 800 + 1600 + 1600);
}

/* A listener whose queue is full lets connections time out, as a machine off EC2 does. */
static void test_nobody_there_is_told_within_seconds(void **state)
{
    (void)state;
    autofd const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    int fillers[8];
    for (size_t i = 0; i < ARRAY_SIZE(fillers); i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (struct sockaddr *)&address, size); /* some never get through */
    }
    char endpoint[64];
    (void)snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u", ntohs(address.sin_port));
    const struct world_variable variables[] = {{"AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint},
                                               {NULL, NULL}};
    struct world world = {.variables = variables, .answer_ms = WORLD_SILENCE_MS};
    const struct creds_system system = world_system(&world);
    struct creds_value value;
    struct err e = ERR_INIT;
    const uint64_t start_ms = clock_mono_ms();
    assert_int_equal(creds_imds_read(&system, NULL, &value, &e), -1);
    assert_in_range(clock_mono_ms() - start_ms, 2 * WORLD_SILENCE_MS - 50, 20 * WORLD_SILENCE_MS);
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "no connection to"));
    assert_string_equal(e.hint, "");
    for (size_t i = 0; i < ARRAY_SIZE(fillers); i++) {
        assert_int_equal(close(fillers[i]), 0);
    }
}

static void test_region(void **state)
{
    (void)state;
    static const struct {
        const char *reply, *want;
    } cases[] = {
        {HTTP("200 OK", "eu-west-1\n"), "eu-west-1"},
        {HTTP("200 OK", "evil.example/"), NULL},
        {HTTP("200 OK", ""), NULL},
        {HTTP("200 OK", "a123456789012345678901234567890123"), NULL},
        {HTTP("404 Not Found", "x"), NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct step steps[] = {
            TOKEN_STEP("t"),
            {.request = "GET /latest/meta-data/placement/region ", .reply = cases[i].reply}};
        struct server server;
        server_start(&server, steps, 2);
        const struct world_variable variables[] = {
            {"AWS_EC2_METADATA_SERVICE_ENDPOINT", server.endpoint}, {NULL, NULL}};
        struct world world = {.variables = variables};
        const struct creds_system system = world_system(&world);
        autofree char *region = creds_imds_region(&system, NULL);
        server_stop(&server);
        assert_int_equal(region != NULL, cases[i].want != NULL);
        assert_true(region == NULL || strcmp(region, cases[i].want) == 0);
    }
}

int main(void)
{
    /* A proxy that nobody listens at: whoever asks it fails. */
    char proxy[] = "http_proxy=http://127.0.0.1:1";
    if (putenv(proxy) != 0) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_role),
        cmocka_unit_test(test_token_is_renewed_once),
        cmocka_unit_test(test_role_changes),
        cmocka_unit_test(test_trouble_is_tried_again),
        cmocka_unit_test(test_lost_answer_hints_at_the_hop_limit),
        cmocka_unit_test(test_trickle_is_cut),
        cmocka_unit_test(test_flood_is_cut),
        cmocka_unit_test(test_bad_tokens),
        cmocka_unit_test(test_bad_roles),
        cmocka_unit_test(test_bad_documents_are_not_asked_for_again),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_attempts),
        cmocka_unit_test(test_nobody_there_is_told_within_seconds),
        cmocka_unit_test(test_region),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
