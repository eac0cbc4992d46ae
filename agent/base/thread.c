#include "agent/base/thread.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "agent/base/err.h"

void mutex_init(pthread_mutex_t *mutex)
{
    const int failed = pthread_mutex_init(mutex, NULL);
    ASSERT(failed == 0);
}

void mutex_done(pthread_mutex_t *mutex)
{
    const int failed = pthread_mutex_destroy(mutex);
    ASSERT(failed == 0);
}

void mutex_lock(pthread_mutex_t *mutex)
{
    const int failed = pthread_mutex_lock(mutex);
    ASSERT(failed == 0);
}

void mutex_unlock(pthread_mutex_t *mutex)
{
    const int failed = pthread_mutex_unlock(mutex);
    ASSERT(failed == 0);
}

void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    int failed = pthread_condattr_init(&attr);
    ASSERT(failed == 0);
    failed = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    ASSERT(failed == 0);
    failed = pthread_cond_init(cond, &attr);
    ASSERT(failed == 0);
    (void)pthread_condattr_destroy(&attr); /* frees nothing that could fail */
}

void cond_done(pthread_cond_t *cond)
{
    const int failed = pthread_cond_destroy(cond);
    ASSERT(failed == 0);
}

void cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    const int failed = pthread_cond_wait(cond, mutex);
    ASSERT(failed == 0);
}

int cond_wait_ms(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t timeout_ms)
{
    struct timespec until;
    int failed = clock_gettime(CLOCK_MONOTONIC, &until);
    ASSERT(failed == 0);
    until.tv_sec += (time_t)(timeout_ms / 1000);
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    failed = pthread_cond_timedwait(cond, mutex, &until);
    ASSERT(failed == 0 || failed == ETIMEDOUT);
    return failed == 0;
}

void cond_signal(pthread_cond_t *cond)
{
    const int failed = pthread_cond_signal(cond);
    ASSERT(failed == 0);
}

void cond_broadcast(pthread_cond_t *cond)
{
    const int failed = pthread_cond_broadcast(cond);
    ASSERT(failed == 0);
}

pthread_t thread_start(void *(*run)(void *), void *arg, const char *name)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all); /* cannot fail on a valid pointer */
    int failed = pthread_sigmask(SIG_SETMASK, &all, &before);
    ASSERT(failed == 0);
    pthread_t thread;
    failed = pthread_create(&thread, NULL, run, arg);
    ASSERT(failed == 0);
    failed = pthread_sigmask(SIG_SETMASK, &before, NULL);
    ASSERT(failed == 0);
    (void)pthread_setname_np(thread, name); /* only for debuggers */
    return thread;
}

void thread_join(pthread_t thread)
{
    const int failed = pthread_join(thread, NULL);
    ASSERT(failed == 0);
}
