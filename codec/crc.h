/*
 * crc: the CRCs that S3 and Cassandra keep, and their combination, so that parts can be summed on
 * any core and joined in order without reading the bytes again. Values are the usual reflected,
 * pre- and post-inverted ones: crc32("123456789") is 0xcbf43926, crc32c 0xe3069283,
 * crc64nvme 0xae8b14860a799888. Pure; any thread.
 */
#ifndef PENATES_CODEC_CRC_H
#define PENATES_CODEC_CRC_H

#include "agent/base/buf.h"

enum crc_kind { CRC_32, CRC_32C, CRC_64NVME };

/* Sum of `bytes` appended to bytes whose sum is `crc`; start with 0. */
uint64_t crc_update(enum crc_kind kind, uint64_t crc, struct slice bytes);

/* The sum of A followed by B, from crc(A), crc(B) and B's size. */
uint64_t crc_combine(enum crc_kind kind, uint64_t crc_a, uint64_t crc_b, uint64_t size_b);

#endif
