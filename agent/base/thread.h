/*
 * thread: pthreads whose failure is a bug. Mutexes are not recursive; a function that needs one
 * held ends in _locked.
 */
#ifndef PENATES_BASE_THREAD_H
#define PENATES_BASE_THREAD_H

#include <pthread.h>
#include <stdint.h>

void mutex_init(pthread_mutex_t *mutex);
void mutex_done(pthread_mutex_t *mutex);
void mutex_lock(pthread_mutex_t *mutex);
void mutex_unlock(pthread_mutex_t *mutex);
/* Waits on the monotonic clock. */
void cond_init(pthread_cond_t *cond);
void cond_done(pthread_cond_t *cond);
void cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
/* True when signalled (or spuriously woken), false at the time-out. */
int cond_wait_ms(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t timeout_ms);
void cond_signal(pthread_cond_t *cond);
void cond_broadcast(pthread_cond_t *cond);

/* Starts a thread with all signals blocked (main alone sees them); aborts when it cannot. */
pthread_t thread_start(void *(*run)(void *), void *arg, const char *name);
void thread_join(pthread_t thread);

#endif
