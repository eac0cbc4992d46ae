#include "tests/unit/unit.h"

#include <string.h>

#include "s3/service.h"
#include "tests/unit/creds_world.h"

static const struct service_name cloudformation = {"cloudformation", "CloudFormation",
                                                   "AWS_ENDPOINT_URL_CLOUDFORMATION"};

static const struct world_variable quiet[] = {
    {"AWS_EC2_METADATA_DISABLED", "true"}, {"AWS_CONFIG_FILE", "/dev/null"}, {NULL, NULL}};

static int find(const struct world_variable *variables, const struct service_wish *wish,
                struct service *ret, struct err *e)
{
    struct world world = {.variables = variables};
    const struct creds_system system = world_system(&world);
    *e = ERR_INIT;
    return service_find(&cloudformation, &system, wish, ret, e);
}

/* As botocore 1.43 makes them for both services that there are here. */
static void test_hosts(void **state)
{
    (void)state;
    static const struct {
        struct service_wish wish;
        const char *url;
    } cases[] = {
        {{.region = "eu-west-1"}, "https://cloudformation.eu-west-1.amazonaws.com"},
        {{.region = "eu-west-1", .fips = true},
         "https://cloudformation-fips.eu-west-1.amazonaws.com"},
        {{.region = "us-gov-west-1", .fips = true},
         "https://cloudformation.us-gov-west-1.amazonaws.com"},
        {{.region = "cn-north-1"}, "https://cloudformation.cn-north-1.amazonaws.com.cn"},
        {{.region = "us-iso-east-1"}, "https://cloudformation.us-iso-east-1.c2s.ic.gov"},
        {{.region = "us-isob-east-1"}, "https://cloudformation.us-isob-east-1.sc2s.sgov.gov"},
        {{.region = "eusc-de-east-1"}, "https://cloudformation.eusc-de-east-1.amazonaws.eu"},
        {{.region = "xx-new-1", .domain = "example.test"},
         "https://cloudformation.xx-new-1.example.test"},
        {{.region = "eu-west-1", .domain = "evil/x"},
         "https://cloudformation.eu-west-1.amazonaws.com"},
        {{.region = "eu-west-1", .domain = ""}, "https://cloudformation.eu-west-1.amazonaws.com"},
        {{.region = NULL}, "https://cloudformation.us-east-1.amazonaws.com"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct service service;
        struct err e;
        assert_int_equal(find(quiet, &cases[i].wish, &service, &e), 0);
        assert_string_equal(service.url, cases[i].url);
        assert_string_equal(service.host, cases[i].url + strlen("https://"));
        assert_string_equal(service.path, "/");
        service_done(&service);
    }
}

static void test_endpoints_of_ones_own(void **state)
{
    (void)state;
    static const struct {
        const char *variable, *value, *host, *path; /* host NULL: refused */
    } cases[] = {
        {"AWS_ENDPOINT_URL_CLOUDFORMATION", "http://127.0.0.1:8080", "127.0.0.1:8080", "/"},
        {"AWS_ENDPOINT_URL_CLOUDFORMATION", "https://host/", "host", "/"},
        {"AWS_ENDPOINT_URL_CLOUDFORMATION", "https://host/a/b", "host", "/a/b"},
        {"AWS_ENDPOINT_URL", "http://[::1]:1", "[::1]:1", "/"},
        {"AWS_ENDPOINT_URL_STS", "http://sts", "cloudformation.eu-west-1.amazonaws.com", "/"},
        {"AWS_ENDPOINT_URL_CLOUDFORMATION", "ftp://host", NULL, NULL},
        {"AWS_ENDPOINT_URL_CLOUDFORMATION", "https://user@host", NULL, NULL},
        {"AWS_ENDPOINT_URL_CLOUDFORMATION", "https://", NULL, NULL},
        {"AWS_ENDPOINT_URL_CLOUDFORMATION", "https://host/?x", NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct world_variable variables[] = {
            quiet[0], quiet[1], {cases[i].variable, cases[i].value}, {NULL, NULL}};
        const struct service_wish wish = {.region = "eu-west-1"};
        struct service service;
        struct err e;
        const int rc = find(variables, &wish, &service, &e);
        assert_int_equal(rc, cases[i].host == NULL ? -1 : 0);
        if (rc != 0) {
            assert_int_equal(e.kind, ERR_CONFIG);
            assert_non_null(strstr(e.text, "the endpoint of CloudFormation "
                                           "(AWS_ENDPOINT_URL_CLOUDFORMATION"));
        } else {
            assert_string_equal(service.host, cases[i].host);
            assert_string_equal(service.path, cases[i].path);
        }
        service_done(&service);
    }
}

static void test_regions_that_are_none(void **state)
{
    (void)state;
    static const char *const regions[] = {"", "a.b", "a/b",
                                          "a-region-with-a-name-that-nobody-would-give-to-one"};
    for (size_t i = 0; i < ARRAY_SIZE(regions); i++) {
        const struct service_wish wish = {.region = regions[i]};
        struct service service;
        struct err e;
        assert_int_equal(find(quiet, &wish, &service, &e), -1);
        assert_int_equal(e.kind, ERR_CONFIG);
        service_done(&service);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_endpoints_of_ones_own),
        cmocka_unit_test(test_regions_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
