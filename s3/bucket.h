/*
 * bucket: what may stand in the place of a bucket: its name, an alias of an access point, or an
 * access point's ARN. Pure.
 */
#ifndef PENATES_S3_BUCKET_H
#define PENATES_S3_BUCKET_H

#include "agent/base/err.h"
#include "s3/s3.h"

enum { BUCKET_NAME_MAX = 63 }; /* S3 User Guide, "Bucket naming rules"; and DNS, of a label */

struct bucket {
    char name[BUCKET_NAME_MAX + 1];   /* an access point's: "NAME-ACCOUNT", always fit for a host */
    char point_region[S3_REGION_MAX]; /* "": not an access point's ARN */
};

/* How much of "BUCKET/KEY" is the bucket; what follows it is "" or begins with '/'. */
size_t bucket_span(const char *text);

bool bucket_is_arn(const char *text);
/* By its ending, which no bucket's name may have (S3 User Guide, "Bucket naming rules"). */
bool bucket_is_alias(const char *text);

/* "NAME", "arn:...:accesspoint/NAME" or "arn:...:accesspoint:NAME". ERR_CONFIG for what is none of
 * them, and for those kinds that need another protocol: then the hint says what to do instead. */
int bucket_parse(const char *text, struct bucket *ret, struct err *e) MUST_CHECK;

#endif
