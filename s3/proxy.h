/*
 * proxy: whose fault it was. libcurl itself finds the proxy in https_proxy, HTTPS_PROXY, http_proxy
 * (this one in lower case only: a CGI server's clients set the other), all_proxy and ALL_PROXY, and
 * those to spare in no_proxy and NO_PROXY. Here are the words for what goes wrong at it, so that
 * nobody looks for the fault at the store. A proxy's URL holds a password: libcurl's own words
 * about it are never passed on.
 */
#ifndef PENATES_S3_PROXY_H
#define PENATES_S3_PROXY_H

#include <curl/curl.h>

#include "s3/error_map.h"

/* Why a try with this handle failed; words are libcurl's. VERDICT_DONE: not at the proxy, *e is
 * untouched. */
enum verdict proxy_judge(CURL *easy, CURLcode code, const char *words, struct err *e);

/* A refusal that is not in the store's form: over plain HTTP it may be the proxy's. Then *e, worded
 * as the store's, says so. */
void proxy_doubt(int status, struct err *e);

#endif
