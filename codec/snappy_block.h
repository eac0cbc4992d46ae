/*
 * snappy_block: one raw Snappy block, which is a varint of its plain size and then literals and
 * copies. Pure, any thread. No limits here: the caller compares sizes with its own before it
 * allocates.
 */
#ifndef PENATES_CODEC_SNAPPY_BLOCK_H
#define PENATES_CODEC_SNAPPY_BLOCK_H

#include "codec/codec.h"

/* What the block's preamble promises; looks at five bytes at most. CODEC_CORRUPT: no preamble. */
enum codec_status snappy_block_plain_size(struct slice block, size_t *ret_size);

/* Decodes into exactly plain_size bytes, the size that the preamble promises. CODEC_CORRUPT: the
 * block yields more or less than that, or refers to bytes that are not there. */
enum codec_status snappy_block_decode(struct slice block, uint8_t *plain, size_t plain_size);

#endif
