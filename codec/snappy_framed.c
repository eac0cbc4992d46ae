/*
 * Snappy's own framing format (framing_format.txt of google/snappy): chunks of one type byte, three
 * bytes of little-endian length, and data. Plain bytes carry a masked CRC-32C, checked in decode.
 */
#include <string.h>

#include "agent/base/err.h"
#include "codec/crc.h"
#include "codec/framer.h"
#include "codec/snappy_block.h"

enum {
    TYPE_COMPRESSED = 0x00,
    TYPE_PLAIN = 0x01,
    TYPE_SKIPPABLE_FIRST = 0x80, /* 0x02 to 0x7f must not be skipped by who does not know them */
    TYPE_IDENTIFIER = 0xff,
};

enum {
    CRC_SIZE = 4,
    DATA_AT = RECORD_HEAD_SIZE + CRC_SIZE,
    PLAIN_SIZE_MAX = 65536, /* section 4.2 of the format */
};

static const uint8_t identifier[] = {TYPE_IDENTIFIER, 6, 0, 0, 's', 'N', 'a', 'P', 'p', 'Y'};

static enum codec_status framed_measure(struct slice bytes, struct record *ret)
{
    ASSERT(bytes.size >= RECORD_HEAD_SIZE);
    const unsigned type = bytes.data[0];
    const size_t size = RECORD_HEAD_SIZE + ((size_t)bytes.data[1] | (size_t)bytes.data[2] << 8 |
                                            (size_t)bytes.data[3] << 16);
    enum record_kind kind = RECORD_SKIP;
    if (type == TYPE_IDENTIFIER) {
        kind = RECORD_HEADER;
        if (size != sizeof identifier) {
            return CODEC_CORRUPT;
        }
    } else if (type == TYPE_COMPRESSED || type == TYPE_PLAIN) {
        kind = RECORD_BLOCK;
        if (size < DATA_AT) {
            return CODEC_CORRUPT;
        }
    } else if (type < TYPE_SKIPPABLE_FIRST) {
        return CODEC_CORRUPT;
    }
    *ret = (struct record){.kind = kind, .size = size};
    return CODEC_OK;
}

static struct slice framed_data(struct slice whole)
{
    ASSERT(whole.size >= DATA_AT);
    return slice_of(whole.data + DATA_AT, whole.size - DATA_AT);
}

static enum codec_status framed_inspect(struct slice whole, struct record *record)
{
    if (record->kind == RECORD_HEADER) {
        ASSERT(whole.size == sizeof identifier);
        return memcmp(whole.data, identifier, sizeof identifier) == 0 ? CODEC_OK : CODEC_CORRUPT;
    }
    if (record->kind == RECORD_SKIP) {
        return CODEC_OK;
    }
    const struct slice data = framed_data(whole);
    size_t plain_size = data.size;
    if (whole.data[0] == TYPE_COMPRESSED) {
        const enum codec_status status = snappy_block_plain_size(data, &plain_size);
        if (status != CODEC_OK) {
            return status;
        }
    }
    if (plain_size > PLAIN_SIZE_MAX) {
        return CODEC_CORRUPT;
    }
    record->plain_size = plain_size;
    return CODEC_OK;
}

/* Section 3 of the format: the sum of bytes that hold sums of their own is a weak one, so rotate it
 * and add a constant. */
static uint32_t framed_masked_crc(struct slice plain)
{
    const uint32_t crc = (uint32_t)crc_update(CRC_32C, 0, plain);
    return (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8);
}

static uint32_t read_le32(const uint8_t *bytes)
{
    return (uint32_t)bytes[3] << 24 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[1] << 8 | bytes[0];
}

static enum codec_status framed_decode_block(struct slice whole, const struct record *record,
                                             uint8_t *plain)
{
    const struct slice data = framed_data(whole);
    if (whole.data[0] == TYPE_PLAIN) {
        ASSERT(data.size == record->plain_size);
        memcpy(plain, data.data, data.size);
    } else {
        const enum codec_status status = snappy_block_decode(data, plain, record->plain_size);
        if (status != CODEC_OK) {
            return status;
        }
    }
    const uint32_t crc = framed_masked_crc(slice_of(plain, record->plain_size));
    return crc == read_le32(whole.data + RECORD_HEAD_SIZE) ? CODEC_OK : CODEC_CORRUPT;
}

static const struct record_format framed_format = {
    .measure = framed_measure,
    .inspect = framed_inspect,
    .decode = framed_decode_block,
};

static struct framer *framed_framer_new(const struct codec_limits *limits)
{
    return framer_new(&framed_format, limits);
}

static enum codec_status framed_decode(const struct chunk *chunk, struct scratch *scratch,
                                       codec_emit_fn *emit, void *ctx)
{
    return framer_decode(&framed_format, chunk, scratch, emit, ctx);
}

const struct codec codec_snappy_framed = {
    .name = "snappy-framed",
    .framer_new = framed_framer_new,
    .cut = framer_cut,
    .finish = framer_finish,
    .plain_size = framer_plain_size,
    .decode = framed_decode,
    .framer_free = framer_free,
};
