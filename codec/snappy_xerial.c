/*
 * The stream of snappy-java's SnappyOutputStream (priam spec 5.1): a header of 82 "SNAPPY" 00 and
 * two big-endian versions, then records of a big-endian length and one raw block. No end mark, no
 * checksum. Concatenated streams are valid, so a header may stand where a length is expected.
 */
#include <string.h>

#include "agent/base/err.h"
#include "codec/framer.h"
#include "codec/snappy_block.h"

enum { HEADER_SIZE = 16, MAGIC_SIZE = 8, VERSION = 1 };

static const uint8_t magic[MAGIC_SIZE] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};

static uint32_t read_be32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static enum codec_status xerial_measure(struct slice bytes, struct record *ret)
{
    ASSERT(bytes.size >= RECORD_HEAD_SIZE);
    if (memcmp(bytes.data, magic, RECORD_HEAD_SIZE) == 0) {
        *ret = (struct record){.kind = RECORD_HEADER, .size = HEADER_SIZE};
        return CODEC_OK;
    }
    /* Java reads a signed length. No encoder writes an empty block: even no bytes have a preamble.
     */
    const uint32_t length = read_be32(bytes.data);
    if (length == 0 || length > INT32_MAX) {
        return CODEC_CORRUPT;
    }
    *ret = (struct record){.kind = RECORD_BLOCK, .size = RECORD_HEAD_SIZE + (size_t)length};
    return CODEC_OK;
}

static struct slice xerial_block(struct slice whole)
{
    ASSERT(whole.size > RECORD_HEAD_SIZE);
    return slice_of(whole.data + RECORD_HEAD_SIZE, whole.size - RECORD_HEAD_SIZE);
}

static enum codec_status xerial_inspect(struct slice whole, struct record *record)
{
    if (record->kind == RECORD_BLOCK) {
        return snappy_block_plain_size(xerial_block(whole), &record->plain_size);
    }
    ASSERT(whole.size == HEADER_SIZE);
    const uint32_t version = read_be32(whole.data + MAGIC_SIZE);
    const uint32_t readable_by = read_be32(whole.data + MAGIC_SIZE + sizeof version);
    if (memcmp(whole.data, magic, MAGIC_SIZE) != 0 || version < VERSION || readable_by > VERSION) {
        return CODEC_CORRUPT;
    }
    return CODEC_OK;
}

static enum codec_status xerial_decode_block(struct slice whole, const struct record *record,
                                             uint8_t *plain)
{
    return snappy_block_decode(xerial_block(whole), plain, record->plain_size);
}

static const struct record_format xerial_format = {
    .measure = xerial_measure,
    .inspect = xerial_inspect,
    .decode = xerial_decode_block,
};

static struct framer *xerial_framer_new(const struct codec_limits *limits)
{
    return framer_new(&xerial_format, limits);
}

static enum codec_status xerial_decode(const struct chunk *chunk, struct scratch *scratch,
                                       codec_emit_fn *emit, void *ctx)
{
    return framer_decode(&xerial_format, chunk, scratch, emit, ctx);
}

const struct codec codec_snappy = {
    .name = "snappy",
    .framer_new = xerial_framer_new,
    .cut = framer_cut,
    .finish = framer_finish,
    .plain_size = framer_plain_size,
    .decode = xerial_decode,
    .framer_free = framer_free,
};
