/*
 * poller: lets one curl multi handle work by epoll. curl tells which sockets and which time it
 * waits for, and is called for those that have something to say only: connections that wait for a
 * slow store cost nothing. One net thread, but for poller_wake.
 */
#ifndef PENATES_S3_POLLER_H
#define PENATES_S3_POLLER_H

#include <curl/curl.h>

#include "agent/base/err.h"

struct poller;

/* With a multi handle of its own. */
struct poller *poller_new(void);
/* No easy handle is left in the multi handle. NULL is fine. */
void poller_free(struct poller *poller);
CURLM *poller_multi(struct poller *poller);

/* Waits for a socket, for curl's own time, for poller_wake or for timeout_ms, and lets curl act. */
void poller_wait(struct poller *poller, uint64_t timeout_ms);
/* Any thread: ends the wait that is under way, or else the next one. */
void poller_wake(struct poller *poller);

#endif
