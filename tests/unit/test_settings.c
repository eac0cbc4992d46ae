#include "s3/settings.h"

#include "agent/base/mem.h"
#include "tests/unit/creds_world.h"
#include "tests/unit/tree.h"

#define PROFILE "[profile dr]\n"

/* Up to four variables, the config file, and what it all means. */
static const struct {
    struct world_variable variables[4];
    const char *config;
    const char *endpoint, *ca_file; /* NULL: none */
    bool dualstack, fips, path_style, virtual_host;
} CASES[] = {
    {.config = ""},
    {.config = "not a config file"},
    {.variables = {{"AWS_ENDPOINT_URL", "http://a"}}, .endpoint = "http://a"},
    {.variables = {{"AWS_ENDPOINT_URL", "http://a"}, {"AWS_ENDPOINT_URL_S3", "http://b"}},
     .endpoint = "http://b"},
    {.variables = {{"AWS_ENDPOINT_URL", "http://a"}, {"AWS_ENDPOINT_URL_S3", ""}},
     .endpoint = "http://a"},
    {.variables = {{"AWS_ENDPOINT_URL_S3", "http://b"},
                   {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"}},
     .config = PROFILE "endpoint_url = http://c\n"},
    {.variables = {{"AWS_ENDPOINT_URL", "http://a"},
                   {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false"}},
     .config = PROFILE "ignore_configured_endpoint_urls = true\n",
     .endpoint = "http://a"},
    {.config = PROFILE "endpoint_url = http://c\n", .endpoint = "http://c"},
    {.config = PROFILE "endpoint_url = http://c\nignore_configured_endpoint_urls = true\n"},
    {.variables = {{"AWS_ENDPOINT_URL", "http://a"}},
     .config = PROFILE "endpoint_url = http://c\n",
     .endpoint = "http://a"},
    {.config = "[profile other]\nendpoint_url = http://c\n"},
    {.variables = {{"AWS_CA_BUNDLE", "/a"}}, .config = PROFILE "ca_bundle = /b\n", .ca_file = "/a"},
    {.config = PROFILE "ca_bundle = /b\n", .ca_file = "/b"},
    {.variables = {{"AWS_USE_DUALSTACK_ENDPOINT", "TRUE"}, {"AWS_USE_FIPS_ENDPOINT", "true"}},
     .dualstack = true,
     .fips = true},
    {.variables = {{"AWS_USE_DUALSTACK_ENDPOINT", "1"}, {"AWS_USE_FIPS_ENDPOINT", "yes"}}},
    {.config = PROFILE "use_dualstack_endpoint = true\nuse_fips_endpoint = True\n",
     .dualstack = true,
     .fips = true},
    {.variables = {{"AWS_USE_FIPS_ENDPOINT", "false"}},
     .config = PROFILE "use_fips_endpoint = true\n"},
    {.config = PROFILE "s3 =\n  max_concurrent_requests = 5\n  addressing_style = virtual\n",
     .virtual_host = true},
    {.config = PROFILE "s3 =\n\taddressing_style=path\nca_bundle = /b\n",
     .path_style = true,
     .ca_file = "/b"},
    {.config = PROFILE "s3 =\n  addressing_style = auto\n"},
    {.config = PROFILE "addressing_style = path\n"},
    {.config = PROFILE "s3api =\n  addressing_style = path\n"},
    {.config = PROFILE "s3 = x\n  addressing_style = path\n"},
    /* Of a section that is not read. */
    {.config = PROFILE "services = x\n[services x]\ns3 =\n  endpoint_url = http://d\n"},
};

static void expect_text(const char *found, const char *wanted)
{
    assert_string_equal(found == NULL ? "(none)" : found, wanted == NULL ? "(none)" : wanted);
}

static void check_case(size_t i, const struct tree *tree, const char *path)
{
    if (CASES[i].config != NULL) {
        tree_file(tree, "config", CASES[i].config);
    }
    struct world_variable variables[6] = {{"AWS_CONFIG_FILE", path}};
    memcpy(variables + 1, CASES[i].variables, sizeof(CASES[i].variables));
    struct world world = {.variables = variables};
    const struct creds_system system = world_system(&world);
    struct settings settings;
    settings_read_in(&system, "dr", &settings);
    expect_text(settings.endpoint, CASES[i].endpoint);
    expect_text(settings.ca_file, CASES[i].ca_file);
    assert_int_equal(settings.dualstack, CASES[i].dualstack);
    assert_int_equal(settings.fips, CASES[i].fips);
    assert_int_equal(settings.path_style, CASES[i].path_style);
    assert_int_equal(settings.virtual_host, CASES[i].virtual_host);
    settings_done(&settings);
}

static void test_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const struct tree tree = tree_new();
        autofree char *path = xasprintf("%s/config", tree.root);
        check_case(i, &tree, path);
        tree_free(&tree);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
