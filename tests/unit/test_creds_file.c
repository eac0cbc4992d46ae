#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "agent/base/mem.h"
#include "s3/creds_file.h"
#include "tests/unit/creds_world.h"

static char directory[] = "/tmp/test_creds_file.XXXXXX";

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) == NULL ? -1 : 0;
}

static int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}

static const struct creds_options no_options = {.profile = NULL};

static char *path_of(const char *name)
{
    return xasprintf("%s/%s", directory, name);
}

static void write_file(const char *path, const char *text, size_t size)
{
    autofd const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), (ssize_t)size);
}

#define KEYS(n) "aws_access_key_id = ID" n "\naws_secret_access_key = SECRET" n "\n"

#define ARN "arn:aws:iam::123456789012:role/x"
#define ROLE_BY(name) "role_arn = " ARN "\nsource_profile = " name "\n"
#define ROLE ROLE_BY("a")

struct file_case {
    const char *credentials; /* NULL: no file */
    const char *config;
    const char *option;   /* --profile */
    const char *variable; /* AWS_PROFILE */
    const char *id;       /* wanted; NULL: refused */
    const char *token;
    enum err_kind kind;
    const char *text; /* a part of the message */
};

static const struct file_case cases[] = {
    /* Where a profile is looked for. */
    {.credentials = "[default]\n" KEYS("1"), .id = "ID1"},
    {.config = "[default]\n" KEYS("1"), .id = "ID1"},
    {.config = "[profile default]\n" KEYS("1"), .id = "ID1"},
    {.credentials = "[default]\n" KEYS("1"), .config = "[default]\n" KEYS("2"), .id = "ID1"},
    {.credentials = "[dr]\n" KEYS("1") "[default]\n" KEYS("2"), .option = "dr", .id = "ID1"},
    {.credentials = "[dr]\n" KEYS("1") "[default]\n" KEYS("2"), .variable = "dr", .id = "ID1"},
    {.credentials = "[a]\n" KEYS("1") "[b]\n" KEYS("2"),
     .option = "a",
     .variable = "b",
     .id = "ID1"},
    {.config = "[profile dr]\n" KEYS("1"), .option = "dr", .id = "ID1"},
    {.config = "[profile \t\"d r\" ]\n" KEYS("1"), .option = "d r", .id = "ID1"},
    {.config = "[profile 'dr']\n" KEYS("1"), .option = "dr", .id = "ID1"},
    {.config = "[dr]\n" KEYS("1"), .option = "dr", .kind = ERR_CONFIG, .text = "neither in"},
    {.config = "[profiledr]\n" KEYS("1"), .option = "dr", .kind = ERR_CONFIG, .text = "'dr'"},
    {.credentials = "[profile dr]\n" KEYS("1"),
     .option = "dr",
     .kind = ERR_CONFIG,
     .text = "neither in"},
    {.credentials = "[DR]\n" KEYS("1"), .option = "dr", .kind = ERR_CONFIG, .text = "neither in"},
    {.variable = "dr", .kind = ERR_CONFIG, .text = "neither in"},
    {.kind = ERR_NOT_FOUND, .text = "profile 'default': neither in"},
    {.credentials = "", .kind = ERR_NOT_FOUND, .text = "neither in"},
    {.credentials = "[default]\nregion = x\n", .kind = ERR_NOT_FOUND, .text = "no aws_access_key"},
    {.credentials = "[default]\naws_access_key_id =\naws_secret_access_key=\n",
     .kind = ERR_NOT_FOUND,
     .text = "no aws_access_key"},

    /* The format. */
    {.credentials = "# c\n ; c\n\n[default] ; c\r\nAWS_Access_Key_ID=ID1\r\n"
                    "aws_secret_access_key : S=#;1 \r\naws_session_token=T==\r\n",
     .id = "ID1",
     .token = "T=="},
    /* The older name of the token counts before the other (botocore). */
    {.credentials = "[default]\n" KEYS("1") "aws_session_token = T\naws_security_token = O\n",
     .id = "ID1",
     .token = "O"},
    {.config = "[default]\n" KEYS("1") "aws_security_token = O\n", .id = "ID1", .token = "O"},
    {.credentials = "[default]\n\taws_access_key_id = ID1\n\taws_secret_access_key = S\n",
     .id = "ID1"},
    {.credentials = "[default]\nregion = x\n  aws_access_key_id = no\n" KEYS("1"), .id = "ID1"},
    {.config = "[default]\ns3 =\n  max = 1\n  # c\n\n  nonsense\n" KEYS("1"), .id = "ID1"},
    {.credentials = "[default]\naws_access_key_id = ID1\naws_secret_access_key = S", .id = "ID1"},
    {.credentials = "key = value\n", .kind = ERR_CONFIG, .text = "line 1: a property before"},
    {.credentials = "[default]\nnonsense\n", .kind = ERR_CONFIG, .text = "line 2: neither"},
    {.credentials = "[default]\n= x\n", .kind = ERR_CONFIG, .text = "line 2: neither"},
    {.credentials = "[other]\nnonsense\n[default]\n" KEYS("1"),
     .kind = ERR_CONFIG,
     .text = "line 2: neither"},
    {.credentials = "[default\n", .kind = ERR_CONFIG, .text = "line 1: no section"},
    {.credentials = "[]\n", .kind = ERR_CONFIG, .text = "line 1: no section"},
    {.credentials = "[default]\n[default]\n", .kind = ERR_CONFIG, .text = "line 2: profile"},
    {.credentials = "[default]\n" KEYS("1") KEYS("2"),
     .kind = ERR_CONFIG,
     .text = "line 4: aws_access_key_id for the second time"},

    /* Half a pair, and what cannot be a key. */
    {.credentials = "[default]\naws_access_key_id = ID1\n",
     .kind = ERR_CONFIG,
     .text = "no aws_secret_access_key"},
    {.credentials = "[default]\naws_secret_access_key = S\n",
     .kind = ERR_CONFIG,
     .text = "no aws_access_key_id"},
    {.credentials = "[default]\naws_access_key_id = ID1\n",
     .config = "[default]\naws_secret_access_key = S\n",
     .kind = ERR_CONFIG,
     .text = "same file"},
    {.credentials = "[default]\naws_access_key_id = ID1\naws_secret_access_key = S x\n",
     .kind = ERR_CONFIG,
     .text = "secret access key has a character"},
    {.credentials = "[default]\naws_access_key_id = \xc3\xa9\naws_secret_access_key = S\n",
     .kind = ERR_CONFIG,
     .text = "access key id has a character"},
    {.credentials = "[default]\n" KEYS("1") "aws_session_token = a b\n",
     .kind = ERR_CONFIG,
     .text = "session token has a character"},

    /* Ways to credentials that are not supported: never somebody else's instead. */
    {.config = "[default]\nsso_session = x\nsso_account_id = 1\n",
     .kind = ERR_CONFIG,
     .text = "sso_*"},
    {.config = "[default]\nlogin_session = x\n", .kind = ERR_CONFIG, .text = "login_session"},
    {.config = "[default]\ncredential_process = /nonexistent/x\n" KEYS("1"),
     .kind = ERR_CONFIG,
     .text = "/nonexistent/x"},
    {.credentials = "[default]\n" KEYS("1"),
     .config = "[default]\ncredential_process = /bin/x\n",
     .id = "ID1"},
    {.config = "[default]\n" ROLE "mfa_serial = arn:aws:iam::123456789012:mfa/me\n",
     .kind = ERR_CONFIG,
     .text = "MFA"},

    /* Roles, as far as nobody needs to be asked. */
    {.config = "[profile dr]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = a\n",
     .option = "dr",
     .kind = ERR_CONFIG,
     .text = "config, line 2): role 'arn:aws:iam::1:role/x': not the ARN"},
    {.credentials = "[dr]\n" KEYS("1"),
     .config = "[profile dr]\nrole_arn = " ARN "\n",
     .option = "dr",
     .kind = ERR_CONFIG,
     .text = "neither source_profile nor credential_source"},
    {.config = "[default]\n" ROLE "credential_source = Environment\n" KEYS("1"),
     .kind = ERR_CONFIG,
     .text = "config, line 4): it has both source_profile and credential_source"},
    {.config = "[default]\nrole_arn = " ARN "\ncredential_source = environment\n",
     .kind = ERR_CONFIG,
     .text = "line 3): credential_source 'environment' is none of"},
    {.config = "[default]\nrole_arn = " ARN "\ncredential_source = Environment\n",
     .kind = ERR_AUTH,
     .text = "profile 'default': environment: AWS_ACCESS_KEY_ID is not set"},
    {.config = "[default]\n" ROLE, .kind = ERR_CONFIG, .text = "profile 'default' (/tmp/"},
    {.config = "[default]\n" ROLE, .kind = ERR_CONFIG, .text = "there is no source_profile 'a'"},
    {.config = "[default]\n" ROLE "[profile a]\nregion = x\n",
     .kind = ERR_CONFIG,
     .text = "profile 'a': it has no aws_access_key_id"},
    {.config = "[default]\n" ROLE "[profile a]\n" ROLE,
     .kind = ERR_CONFIG,
     .text = "profile 'a' (/tmp/"},
    {.config = "[default]\n" ROLE "[profile a]\n" ROLE,
     .kind = ERR_CONFIG,
     .text = "line 6): source_profile 'a' closes a loop"},
    {.config = "[default]\n" ROLE "[profile a]\n" ROLE_BY("default"),
     .kind = ERR_CONFIG,
     .text = "line 6): source_profile 'default' closes a loop"},
    {.config = "[default]\n" ROLE
               "[profile a]\n" ROLE_BY("b") "[profile b]\n" ROLE_BY("c") "[profile c]\n" ROLE_BY(
                   "d") "[profile d]\n" ROLE_BY("e") "[profile e]\n" ROLE_BY("f") "[profile "
                                                                                  "f]\n" KEYS("1"),
     .kind = ERR_CONFIG,
     .text = "profile 'e' (/tmp/"},
    {.config = "[default]\n" ROLE
               "[profile a]\n" ROLE_BY("b") "[profile b]\n" ROLE_BY("c") "[profile c]\n" ROLE_BY(
                   "d") "[profile d]\n" ROLE_BY("e") "[profile e]\n" ROLE_BY("f") "[profile "
                                                                                  "f]\n" KEYS("1"),
     .kind = ERR_CONFIG,
     .text = "a source_profile behind 5 others"},
    {.config = "[default]\n" ROLE "duration_seconds = 1h\n[profile a]\n" KEYS("1"),
     .kind = ERR_CONFIG,
     .text = "line 4): duration_seconds is no number"},
    {.config = "[default]\n" ROLE "duration_seconds = 899\n[profile a]\n" KEYS("1"),
     .kind = ERR_CONFIG,
     .text = "the duration is not within 900 to 43200 seconds"},
    {.config = "[default]\n" ROLE "role_session_name = a b\n[profile a]\n" KEYS("1"),
     .kind = ERR_CONFIG,
     .text = "the session's name is not one"},
    {.config = "[default]\n" ROLE "external_id = x\n[profile a]\n" KEYS("1"),
     .kind = ERR_CONFIG,
     .text = "the external id is not one"},
    {.config = "[profile other]\nrole_arn = x\n[default]\n" KEYS("1"), .id = "ID1"},
    {.config = "[default]\nweb_identity_token_file = /nonexistent/x\n",
     .kind = ERR_CONFIG,
     .text = "neither AWS_ROLE_ARN nor role_arn"},
    {.config = "[default]\nweb_identity_token_file = /nonexistent/x\nrole_arn = " ARN "\n",
     .kind = ERR_CONFIG,
     .text = "web identity: reading '/nonexistent/x': No such file"},
};

static void expect_case(const struct file_case *want, const struct creds_system *system)
{
    struct creds_value value = {.id = ""};
    struct err e = ERR_INIT;
    const struct creds_options options = {.profile = want->option};
    const int rc = creds_links_read(system, &options, &value, &e);
    if (want->id != NULL) {
        assert_int_equal(rc, 0);
        assert_string_equal(value.id, want->id);
        assert_string_equal(value.token, want->token == NULL ? "" : want->token);
        assert_int_equal(value.expires_ms, 0);
        assert_non_null(strstr(value.source, "profile '"));
        return;
    }
    assert_int_equal(rc, -1);
    assert_int_equal(e.kind, want->kind);
    if (strstr(e.text, want->text) == NULL) {
        fail_msg("no '%s' in '%s'", want->text, e.text);
    }
    assert_null(strstr(e.text, "SECRET"));
    assert_string_equal(value.id, "");
}

static void test_profiles(void **state)
{
    (void)state;
    autofree char *credentials = path_of("credentials");
    autofree char *config = path_of("config");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct world_variable variables[] = {{"AWS_SHARED_CREDENTIALS_FILE", credentials},
                                                   {"AWS_CONFIG_FILE", config},
                                                   {"AWS_PROFILE", cases[i].variable},
                                                   {NULL, NULL}};
        struct world world = {.variables = variables};
        const struct creds_system system = world_system(&world);
        if (cases[i].credentials != NULL) {
            write_file(credentials, cases[i].credentials, strlen(cases[i].credentials));
        }
        if (cases[i].config != NULL) {
            write_file(config, cases[i].config, strlen(cases[i].config));
        }
        expect_case(&cases[i], &system);
        (void)unlink(credentials); /* either may not have been there */
        (void)unlink(config);
    }
}

/* botocore's order; an empty one says nothing. */
static void test_variables_that_name_the_profile(void **state)
{
    (void)state;
    static const struct {
        const char *option, *first, *second, *want;
        bool is_named;
    } named[] = {
        {NULL, NULL, NULL, "default", false}, {NULL, NULL, "b", "b", true},
        {NULL, "a", NULL, "a", true},         {NULL, "a", "b", "a", true},
        {NULL, "", "b", "b", true},           {"o", "a", "b", "o", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
        const struct world_variable variables[] = {{"AWS_DEFAULT_PROFILE", named[i].first},
                                                   {"AWS_PROFILE", named[i].second},
                                                   {NULL, NULL}};
        struct world world = {.variables = variables};
        const struct creds_system system = world_system(&world);
        bool is_named = !named[i].is_named;
        assert_string_equal(creds_shared_name(&system, named[i].option, &is_named), named[i].want);
        assert_int_equal(is_named, named[i].is_named);
    }
}

static void test_unsupported_says_what_to_do(void **state)
{
    (void)state;
    autofree char *config = path_of("config");
    const char text[] = "[profile dr]\nsso_session = x\n";
    write_file(config, text, strlen(text));
    const struct world_variable variables[] = {{"AWS_CONFIG_FILE", config}, {NULL, NULL}};
    struct world world = {.variables = variables};
    const struct creds_system system = world_system(&world);
    struct creds_value value;
    struct err e = ERR_INIT;
    assert_int_equal(
        creds_links_read(&system, &(struct creds_options){.profile = "dr"}, &value, &e), -1);
    assert_non_null(strstr(e.hint, "export-credentials --profile dr"));
    assert_int_equal(unlink(config), 0);
}

static void test_places(void **state)
{
    (void)state;
    autofree char *aws = path_of(".aws");
    autofree char *credentials = path_of(".aws/credentials");
    autofree char *other = path_of("other");
    assert_int_equal(mkdir(aws, 0700), 0);
    const char first[] = "[default]\nregion = eu-west-1\n" KEYS("1");
    const char second[] = "[default]\n" KEYS("2");
    write_file(credentials, first, strlen(first));
    write_file(other, second, strlen(second));

    const struct world_variable at_home[] = {
        {"HOME", directory}, {"AWS_EC2_METADATA_DISABLED", "true"}, {NULL, NULL}};
    const struct world_variable tilde[] = {{"HOME", directory},
                                           {"AWS_EC2_METADATA_DISABLED", "true"},
                                           {"AWS_SHARED_CREDENTIALS_FILE", "~/other"},
                                           {NULL, NULL}};
    const struct world_variable no_home[] = {{"AWS_SHARED_CREDENTIALS_FILE", "~/other"},
                                             {NULL, NULL}};
    struct creds_value value = {.id = ""};
    struct err e = ERR_INIT;
    struct world world = {.variables = at_home};
    const struct creds_system system = world_system(&world);
    assert_int_equal(creds_links_read(&system, &no_options, &value, &e), 0);
    assert_string_equal(value.id, "ID1");
    autofree char *region = creds_find_region(&system, NULL);
    assert_string_equal(region, "eu-west-1");
    assert_null(creds_find_region(&system, "nobody"));

    world.variables = tilde;
    assert_int_equal(creds_links_read(&system, &no_options, &value, &e), 0);
    assert_string_equal(value.id, "ID2");
    assert_null(creds_find_region(&system, NULL));

    world.variables = no_home;
    assert_int_equal(creds_links_read(&system, &no_options, &value, &e), -1);
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    world.variables = NULL;
    assert_int_equal(creds_links_read(&system, &no_options, &value, &e), -1);
    assert_non_null(strstr(e.text, "nowhere (HOME is not set)"));

    assert_int_equal(unlink(credentials) + unlink(other) + rmdir(aws), 0);
}

static void expect_bad_file(const char *path, const char *text)
{
    const struct world_variable variables[] = {
        {"AWS_SHARED_CREDENTIALS_FILE", path}, {"AWS_EC2_METADATA_DISABLED", "true"}, {NULL, NULL}};
    struct world world = {.variables = variables};
    const struct creds_system system = world_system(&world);
    struct creds_value value;
    struct err e = ERR_INIT;
    assert_int_equal(creds_links_read(&system, &no_options, &value, &e), -1);
    assert_int_equal(e.kind, ERR_CONFIG);
    assert_non_null(strstr(e.text, path));
    if (strstr(e.text, text) == NULL) {
        fail_msg("no '%s' in '%s'", text, e.text);
    }
    assert_null(creds_find_region(&system, NULL));
}

static void test_files_that_cannot_be_read(void **state)
{
    (void)state;
    expect_bad_file(directory, "directory");
    autofree char *path = path_of("credentials");
    write_file(path, "[default]\n\0x = y\n", 17);
    expect_bad_file(path, "NUL");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    const int silent = open(path, O_RDWR);
    assert_true(silent >= 0);
    expect_bad_file(path, "unavailable");
    assert_int_equal(close(silent), 0);
    assert_int_equal(unlink(path), 0);

    const size_t size = 1024 * 1024;
    autofree char *big = xcalloc(size, 1);
    memset(big, '\n', size);
    write_file(path, big, size);
    expect_bad_file(path, "1048576 bytes");
    const char tail[] = "[default]\n" KEYS("1");
    memcpy(big + size - 1 - strlen(tail), tail, strlen(tail));
    write_file(path, big, size - 1);
    const struct file_case fits = {.id = "ID1"};
    const struct world_variable variables[] = {{"AWS_SHARED_CREDENTIALS_FILE", path}, {NULL, NULL}};
    struct world world = {.variables = variables};
    const struct creds_system system = world_system(&world);
    expect_case(&fits, &system);
    assert_int_equal(unlink(path), 0);
}

static void test_lengths(void **state)
{
    (void)state;
    static char text[CREDS_TOKEN_MAX + 1];
    struct creds_value value;
    struct err e = ERR_INIT;
    memset(text, 'a', sizeof(text) - 1);
    assert_int_equal(creds_value_set(&value, "s", "a", "b", text, 0, &e), -1);
    assert_string_equal(e.text, "s: the session token is longer than 8191 characters");
    text[CREDS_TOKEN_MAX - 1] = '\0';
    assert_int_equal(creds_value_set(&value, "s", "a", "b", text, 7, &e), 0);
    assert_string_equal(value.token, text);
    assert_int_equal(value.expires_ms, 7);
    text[CREDS_SECRET_MAX] = '\0';
    assert_int_equal(creds_value_set(&value, "s", "a", text, NULL, 0, &e), -1);
    text[CREDS_ID_MAX] = '\0';
    assert_int_equal(creds_value_set(&value, "s", text, "b", NULL, 0, &e), -1);
    assert_int_equal(creds_value_set(&value, "s", "", "b", NULL, 0, &e), -1);
    assert_int_equal(creds_value_set(&value, "s", "a", "", NULL, 0, &e), -1);
    assert_int_equal(e.kind, ERR_CONFIG);
    assert_int_equal(value.expires_ms, 7); /* untouched by failures */
    creds_value_wipe(&value);
    const struct creds_value zero = {.id = ""};
    assert_memory_equal(&value, &zero, sizeof(zero));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_variables_that_name_the_profile),
        cmocka_unit_test(test_unsupported_says_what_to_do),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_files_that_cannot_be_read),
        cmocka_unit_test(test_lengths),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
