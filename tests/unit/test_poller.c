#include "unit.h"

#include "agent/base/clock.h"
#include "agent/base/thread.h"
#include "s3/poller.h"

enum { LONG_MS = 20000 };

static void *wake_soon(void *arg)
{
    clock_sleep_ms(20);
    poller_wake(arg);
    return NULL;
}

/* A wake counts whether it comes before the wait or during it, and once. */
static void test_wake(void **state)
{
    (void)state;
    struct poller *poller = poller_new();
    const uint64_t begin_ms = clock_mono_ms();
    poller_wake(poller);
    poller_wake(poller);
    poller_wait(poller, LONG_MS);
    const pthread_t thread = thread_start(wake_soon, poller, "waker");
    poller_wait(poller, LONG_MS);
    thread_join(thread);
    assert_true(clock_mono_ms() - begin_ms < LONG_MS);
    const uint64_t again_ms = clock_mono_ms();
    poller_wait(poller, 30);
    assert_true(clock_mono_ms() - again_ms >= 30);
    poller_free(poller);
    poller_free(NULL);
}

static CURL *add(struct poller *poller, const char *url)
{
    CURL *easy = curl_easy_init();
    assert_non_null(easy);
    (void)curl_easy_setopt(easy, CURLOPT_URL, url);
    (void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    assert_int_equal(curl_multi_add_handle(poller_multi(poller), easy), CURLM_OK);
    return easy;
}

/* Waiting is all that a transfer needs to come to its end: here nobody listens. */
static void test_transfer(void **state)
{
    (void)state;
    struct poller *poller = poller_new();
    CURL *easy = add(poller, "http://127.0.0.1:1/");
    const uint64_t begin_ms = clock_mono_ms();
    const CURLMsg *message = NULL;
    while (message == NULL && clock_mono_ms() - begin_ms < LONG_MS) {
        int left;
        poller_wait(poller, LONG_MS);
        message = curl_multi_info_read(poller_multi(poller), &left);
    }
    if (message == NULL) {
        fail_msg("nothing within %d ms", LONG_MS);
        return;
    }
    assert_int_equal(message->msg, CURLMSG_DONE);
    assert_int_equal(message->data.result, CURLE_COULDNT_CONNECT);
    assert_int_equal(curl_multi_remove_handle(poller_multi(poller), easy), CURLM_OK);
    curl_easy_cleanup(easy);
    poller_free(poller);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wake),
        cmocka_unit_test(test_transfer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
