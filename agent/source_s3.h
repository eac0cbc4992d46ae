/* source_s3: a source that is an S3 bucket; see source.h. */
#ifndef PENATES_SOURCE_S3_H
#define PENATES_SOURCE_S3_H

#include "agent/source.h"

/* A client and its credentials for the bucket, from the AWS part of the config. May ask the
 * instance metadata service for the region, but not S3. ERR_CONFIG. The caller sets name and base.
 */
int source_s3_open(const struct config *config, const char *bucket, struct source **ret,
                   struct err *e) MUST_CHECK;

/* What is below such a source, for who asks further than for objects. Borrowed. */
struct source_s3_parts {
    struct s3_client *client; /* NULL: the source is no bucket */
    struct creds *creds;      /* NULL: requests are not signed */
    bool region_known;        /* somebody named a region before the bucket was asked */
};
struct source_s3_parts source_s3_parts(struct source *source);

#endif
