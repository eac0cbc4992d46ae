#include "s3/partition.h"

#include <string.h>

#include "agent/base/err.h"

/* The AWS SDKs' partitions.json. */
static const struct partition PARTITIONS[] = {
    {.id = "aws-cn", .region_prefix = "cn-", .dns_suffix = "amazonaws.com.cn", .no_fips = true},
    {.id = "aws-us-gov", .region_prefix = "us-gov-", .dns_suffix = "amazonaws.com"},
    {.id = "aws-iso", .region_prefix = "us-iso-", .dns_suffix = "c2s.ic.gov"},
    {.id = "aws-iso-b", .region_prefix = "us-isob-", .dns_suffix = "sc2s.sgov.gov"},
    {.id = "aws-iso-e", .region_prefix = "eu-isoe-", .dns_suffix = "cloud.adc-e.uk"},
    {.id = "aws-iso-f", .region_prefix = "us-isof-", .dns_suffix = "csp.hci.ic.gov"},
    {.id = "aws-eusc", .region_prefix = "eusc-", .dns_suffix = "amazonaws.eu"},
    {.id = "aws", .region_prefix = "", .dns_suffix = "amazonaws.com"}, /* last: takes the rest */
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
