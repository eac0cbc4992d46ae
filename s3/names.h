/*
 * names: where the handles of one net thread remember the addresses of names. curl shuffles a
 * name's addresses when they enter its cache (hostip.c), so one cache sends all connections of a
 * second to one of the many hosts that S3 names; several caches have each a first one of their own.
 */
#ifndef PENATES_S3_NAMES_H
#define PENATES_S3_NAMES_H

#include <curl/curl.h>

enum { NAMES_CACHES = 8 }; /* S3 names eight hosts at a time */

struct names {
    CURLSH *caches[NAMES_CACHES];
    unsigned lent;
};

void names_init(struct names *names);
/* The handle, of the same thread, keeps to one of the caches from now on. */
void names_lend(struct names *names, CURL *easy);
/* Once no handle has one of them any more. */
void names_done(struct names *names);

#endif
