#include "unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "s3/ca_bundle.h"

static void test_first_that_is_there(void **state)
{
    (void)state;
    char path[] = "/tmp/penates-ca-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    const char *const places[] = {"/nonexistent/ca.pem", path, "/dev/null", NULL};
    assert_string_equal(ca_bundle_first(places), path);
    assert_int_equal(unlink(path), 0);
    assert_string_equal(ca_bundle_first(places), "/dev/null");
    const char *const nowhere[] = {"/nonexistent/ca.pem", NULL};
    assert_null(ca_bundle_first(nowhere));
}

/* The distribution's libcurl, which the tests are linked with, is left to its own. */
static void test_a_curl_that_knows_is_left_alone(void **state)
{
    (void)state;
    assert_null(ca_bundle_find());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_that_is_there),
        cmocka_unit_test(test_a_curl_that_knows_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
