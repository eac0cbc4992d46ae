#include "s3/partition.h"

#include <string.h>

#include "agent/base/err.h"

/* The AWS SDKs' partitions.json. */
static const struct partition PARTITIONS[] = {
    {.id = "aws-cn",
     .region_prefix = "cn-",
     .dns_suffix = "amazonaws.com.cn",
     .dualstack_suffix = "api.amazonwebservices.com.cn",
     .no_fips = true},
    {.id = "aws-us-gov",
     .region_prefix = "us-gov-",
     .dns_suffix = "amazonaws.com",
     .dualstack_suffix = "api.aws"},
    {.id = "aws-iso",
     .region_prefix = "us-iso-",
     .dns_suffix = "c2s.ic.gov",
     .dualstack_suffix = "api.aws.ic.gov"},
    {.id = "aws-iso-b",
     .region_prefix = "us-isob-",
     .dns_suffix = "sc2s.sgov.gov",
     .dualstack_suffix = "api.aws.scloud"},
    {.id = "aws-iso-e",
     .region_prefix = "eu-isoe-",
     .dns_suffix = "cloud.adc-e.uk",
     .dualstack_suffix = "api.cloud-aws.adc-e.uk"},
    {.id = "aws-iso-f",
     .region_prefix = "us-isof-",
     .dns_suffix = "csp.hci.ic.gov",
     .dualstack_suffix = "api.aws.hci.ic.gov"},
    {.id = "aws-eusc",
     .region_prefix = "eusc-",
     .dns_suffix = "amazonaws.eu",
     .dualstack_suffix = "api.amazonwebservices.eu"},
    {.id = "aws", /* last: takes the rest */
     .region_prefix = "",
     .dns_suffix = "amazonaws.com",
     .dualstack_suffix = "api.aws"},
};

const struct partition *partition_of_region(const char *region)
{
    ASSERT(region != NULL);
    const struct partition *partition = PARTITIONS;
    while (strncmp(region, partition->region_prefix, strlen(partition->region_prefix)) != 0) {
        partition++;
    }
    ASSERT(partition < PARTITIONS + ARRAY_SIZE(PARTITIONS));
    return partition;
}
