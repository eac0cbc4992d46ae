/*
 * scripted_server: an HTTP peer on 127.0.0.1 that answers the n-th request with the n-th exchange
 * of a script, byte for byte, and can break off, reset or fall silent after it. Requests of several
 * connections count in the order of their arrival.
 */
#ifndef PENATES_TESTS_SCRIPTED_SERVER_H
#define PENATES_TESTS_SCRIPTED_SERVER_H

#include "agent/base/buf.h"

enum after {
    AFTER_KEEP,  /* the connection stays open for the next request */
    AFTER_CLOSE, /* FIN */
    AFTER_RESET, /* RST */
    AFTER_STALL, /* open, and silent for ever */
};

struct exchange {
    const char *expect[7]; /* what the request must contain; ends with NULL */
    const char *refuse;    /* what it must not contain; NULL: nothing */
    const char *reply;
    enum after after;
    unsigned delay_ms;   /* before the reply */
    unsigned trickle_ms; /* before each of its bytes */
};

struct scripted_server;

/* The script is borrowed. The last exchange repeats when `repeat` is set. */
struct scripted_server *scripted_server_start(const struct exchange *script, size_t count,
                                              bool repeat);
/* "http://127.0.0.1:PORT"; borrowed. */
const char *scripted_server_url(const struct scripted_server *server);
/* Most connections that were open at once, so far. */
size_t scripted_server_peak(const struct scripted_server *server);
/* Ends the thread and closes all. Fails the test when a request was not as expected or had no
 * exchange. Returns how many came. */
size_t scripted_server_stop(struct scripted_server *server);

#endif
