/* handle: a curl easy handle with everything that is the same for all requests of a client. */
#ifndef PENATES_S3_HANDLE_H
#define PENATES_S3_HANDLE_H

#include <curl/curl.h>

#include "s3/s3.h"

/* The caller cleans up. */
CURL *handle_new(const struct s3_options *options);

/* Before a try that is to bring so many bytes. */
void handle_set_buffer(CURL *easy, const struct s3_options *options, uint64_t body_size);

/* Options cannot fail but for a libcurl that was built without what we need. */
static inline void handle_set(CURLcode code)
{
    ASSERT(code == CURLE_OK);
}

#endif
