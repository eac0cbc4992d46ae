#include "codec/framer.h"

#include <string.h>

#include "agent/base/err.h"
#include "agent/base/mem.h"

/* A carried record costs memory beside the part buffers, so the limit itself has one. */
#define BLOCK_SIZE_LIMIT ((size_t)1 << 30)

struct framer *framer_new(const struct record_format *format, const struct codec_limits *limits)
{
    ASSERT(limits->block_size_max > 0);
    ASSERT(limits->block_size_max <= BLOCK_SIZE_LIMIT);
    struct framer *framer = xcalloc(1, sizeof *framer);
    framer->format = format;
    framer->limits = *limits;
    return framer;
}

void framer_free(struct framer *framer)
{
    if (framer == NULL) {
        return;
    }
    free(framer->open);
    free(framer);
}

enum codec_status framer_finish(const struct framer *framer)
{
    return framer->begun && framer->open_size == 0 ? CODEC_OK : CODEC_TRUNCATED;
}

uint64_t framer_plain_size(const struct framer *framer)
{
    return framer->plain_size;
}

/*
 * Looks at the record that starts at `bytes`. *ret_need is its size, or the bytes that tell it;
 * when that many are here the record is whole, and its plain bytes are counted. Every verdict falls
 * at a fixed number of bytes, so that it does not depend on how the stream was split.
 */
static enum codec_status framer_take(struct framer *framer, struct slice bytes, size_t *ret_need)
{
    const size_t block_size_max = framer->limits.block_size_max;
    struct record record = {.kind = RECORD_UNKNOWN, .size = RECORD_HEAD_SIZE};
    if (bytes.size >= RECORD_HEAD_SIZE) {
        const enum codec_status status = framer->format->measure(bytes, &record);
        if (status != CODEC_OK) {
            return status;
        }
        if (!framer->begun && record.kind != RECORD_HEADER) {
            return CODEC_CORRUPT;
        }
        if (record.kind != RECORD_HEADER && record.size - RECORD_HEAD_SIZE > block_size_max) {
            return CODEC_LIMIT;
        }
    }
    if (record.size <= bytes.size) {
        const enum codec_status status =
            framer->format->inspect(slice_of(bytes.data, record.size), &record);
        if (status != CODEC_OK) {
            return status;
        }
        if (record.plain_size > block_size_max ||
            !add_u64(framer->plain_size, record.plain_size, &framer->plain_size)) {
            return CODEC_LIMIT;
        }
        framer->begun = true;
    }
    *ret_need = record.size;
    return CODEC_OK;
}

/* Moves what the open record still needs from the front of *part into it. */
static void framer_store(struct framer *framer, struct slice *part)
{
    ASSERT(framer->open_need > framer->open_size);
    const size_t missing = framer->open_need - framer->open_size;
    const size_t size = missing < part->size ? missing : part->size;
    if (framer->open_capacity < framer->open_need) {
        framer->open = xrealloc(framer->open, framer->open_need, 1);
        framer->open_capacity = framer->open_need;
    }
    memcpy(framer->open + framer->open_size, part->data, size);
    framer->open_size += size;
    *part = slice_of(part->data + size, part->size - size);
}

/* Goes on with the open record; once whole it is chunk->carried. */
static enum codec_status framer_fill(struct framer *framer, struct slice *part, struct chunk *chunk)
{
    while (framer->open_size > 0 && part->size > 0) {
        framer_store(framer, part);
        if (framer->open_size < framer->open_need) {
            break;
        }
        const enum codec_status status =
            framer_take(framer, slice_of(framer->open, framer->open_size), &framer->open_need);
        if (status != CODEC_OK) {
            return status;
        }
        if (framer->open_need == framer->open_size) {
            chunk->carried = TAKE_PTR(framer->open);
            chunk->carried_size = framer->open_size;
            framer->open_size = framer->open_capacity = 0;
        }
    }
    return CODEC_OK;
}

/* Steps over whole records, which stay where they are, and stores the one that is left open. */
static enum codec_status framer_walk(struct framer *framer, struct slice part, struct chunk *chunk)
{
    ASSERT(part.size == 0 || framer->open_size == 0);
    struct slice rest = part;
    size_t need = 0;
    while (rest.size > 0) {
        const enum codec_status status = framer_take(framer, rest, &need);
        if (status != CODEC_OK) {
            return status;
        }
        if (need > rest.size) {
            break;
        }
        rest = slice_of(rest.data + need, rest.size - need);
    }
    chunk->body = slice_of(part.data, part.size - rest.size);
    if (rest.size > 0) {
        framer->open_need = need;
        framer_store(framer, &rest);
        ASSERT(rest.size == 0);
    }
    return CODEC_OK;
}

enum codec_status framer_cut(struct framer *framer, struct slice part, struct chunk *ret)
{
    struct chunk chunk = {.out_offset = framer->plain_size};
    enum codec_status status = framer_fill(framer, &part, &chunk);
    if (status == CODEC_OK) {
        status = framer_walk(framer, part, &chunk);
    }
    if (status != CODEC_OK) {
        chunk_done(&chunk);
        return status;
    }
    chunk.out_size = framer->plain_size - chunk.out_offset;
    *ret = chunk;
    return CODEC_OK;
}

/* Decoded blocks on their way to emit(), as many as fit into one piece. */
struct piece {
    struct scratch *scratch;
    codec_emit_fn *emit;
    void *ctx;
    uint64_t offset; /* of the first byte in scratch */
    size_t size;
};

static enum codec_status piece_emit(struct piece *piece)
{
    if (piece->size == 0) {
        return CODEC_OK;
    }
    const struct slice plain = slice_of(piece->scratch->data, piece->size);
    if (piece->emit(piece->ctx, piece->offset, plain) != 0) {
        return CODEC_STOPPED;
    }
    piece->offset += piece->size;
    piece->size = 0;
    return CODEC_OK;
}

static enum codec_status piece_add(struct piece *piece, const struct record_format *format,
                                   struct slice whole, const struct record *record)
{
    if (piece->size + record->plain_size > CODEC_EMIT_SIZE) {
        const enum codec_status status = piece_emit(piece);
        if (status != CODEC_OK) {
            return status;
        }
        scratch_reserve(piece->scratch, record->plain_size);
    }
    const enum codec_status status =
        format->decode(whole, record, piece->scratch->data + piece->size);
    if (status == CODEC_OK) {
        piece->size += record->plain_size;
    }
    return status;
}

static enum codec_status piece_add_records(struct piece *piece, const struct record_format *format,
                                           struct slice bytes)
{
    while (bytes.size > 0) {
        struct record record;
        enum codec_status status = format->measure(bytes, &record);
        ASSERT(status == CODEC_OK && record.size <= bytes.size); /* cut saw to it */
        const struct slice whole = slice_of(bytes.data, record.size);
        status = format->inspect(whole, &record);
        ASSERT(status == CODEC_OK);
        if (record.kind == RECORD_BLOCK) {
            status = piece_add(piece, format, whole, &record);
            if (status != CODEC_OK) {
                return status;
            }
        }
        bytes = slice_of(bytes.data + record.size, bytes.size - record.size);
    }
    return CODEC_OK;
}

enum codec_status framer_decode(const struct record_format *format, const struct chunk *chunk,
                                struct scratch *scratch, codec_emit_fn *emit, void *ctx)
{
    struct piece piece = {
        .scratch = scratch, .emit = emit, .ctx = ctx, .offset = chunk->out_offset};
    scratch_reserve(scratch, CODEC_EMIT_SIZE);
    enum codec_status status =
        piece_add_records(&piece, format, slice_of(chunk->carried, chunk->carried_size));
    if (status == CODEC_OK) {
        status = piece_add_records(&piece, format, chunk->body);
    }
    if (status == CODEC_OK) {
        status = piece_emit(&piece);
    }
    ASSERT(status != CODEC_OK || piece.offset == chunk->out_offset + chunk->out_size);
    return status;
}
