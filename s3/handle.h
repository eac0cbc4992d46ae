/* handle: a curl easy handle with everything that is the same for all requests of a client. */
#ifndef PENATES_S3_HANDLE_H
#define PENATES_S3_HANDLE_H

#include <curl/curl.h>

#include "s3/s3.h"

/* The caller cleans up. */
CURL *handle_new(const struct s3_options *options);

/* Options cannot fail but for a libcurl that was built without what we need. */
static inline void handle_set(CURLcode code)
{
    ASSERT(code == CURLE_OK);
}

#endif
