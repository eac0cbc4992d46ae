/*
 * partition: which AWS a region belongs to. Partitions share nothing: no accounts, no credentials,
 * no domain. Pure.
 */
#ifndef PENATES_S3_PARTITION_H
#define PENATES_S3_PARTITION_H

#include <stdbool.h>

struct partition {
    const char *id;               /* as in an ARN: "aws", "aws-cn" */
    const char *region_prefix;    /* of its regions' names; "" for "aws" itself */
    const char *dns_suffix;       /* "amazonaws.com": of SERVICE.REGION.SUFFIX */
    const char *dualstack_suffix; /* "api.aws": the same, over IPv6 too; of all but S3 */
    bool no_fips;                 /* has no FIPS endpoints of S3 */
};

/* Never NULL: a region that nobody else claims is one of "aws". Static. */
const struct partition *partition_of_region(const char *region);

#endif
