/*
 * transport: what it means that an answer did not arrive: DNS, proxy, connection, TLS, a body that
 * broke off. curl's own words say what, a table says what to do about it; proxy.h has the words for
 * a proxy.
 */
#ifndef PENATES_S3_TRANSPORT_H
#define PENATES_S3_TRANSPORT_H

#include <curl/curl.h>

#include "s3/error_map.h"

/* Sets *e. `curl_error` is the text of CURLOPT_ERRORBUFFER, "": there is none. */
enum verdict transport_judge(CURL *easy, CURLcode code, const char *curl_error, struct err *e);

#endif
