#include "codec/snappy_block.h"

#include <snappy-c.h>

#include "agent/base/err.h"

enum codec_status snappy_block_plain_size(struct slice block, size_t *ret_size)
{
    size_t size;
    if (snappy_uncompressed_length((const char *)block.data, block.size, &size) != SNAPPY_OK) {
        return CODEC_CORRUPT;
    }
    ASSERT(size <= UINT32_MAX); /* the preamble's varint has 32 bits */
    *ret_size = size;
    return CODEC_OK;
}

enum codec_status snappy_block_decode(struct slice block, uint8_t *plain, size_t plain_size)
{
    size_t size = plain_size;
    if (snappy_uncompress((const char *)block.data, block.size, (char *)plain, &size) !=
        SNAPPY_OK) {
        return CODEC_CORRUPT;
    }
    ASSERT(size == plain_size);
    return CODEC_OK;
}
