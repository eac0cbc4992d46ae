/*
 * region: where a bucket lies, by what a store's refusal tells. A region's name is all that is
 * taken from it: hosts are made from that by endpoint.c. Pure.
 */
#ifndef PENATES_S3_REGION_H
#define PENATES_S3_REGION_H

#include "s3/error_xml.h"
#include "s3/http_headers.h"

/* From x-amz-bucket-region, else <Region>, else out of an <Endpoint> of S3's own. "": not told, or
 * not a name that can stand in a host's. */
void region_told(const struct http_headers *headers, const struct error_xml *error,
                 char ret[S3_REGION_MAX]);

#endif
