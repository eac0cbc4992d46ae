/* Stored as is: every part is one chunk, and its bytes reach emit() without a copy. */
#include "agent/base/err.h"
#include "agent/base/mem.h"
#include "codec/framer.h"

static struct framer *identity_framer_new(const struct codec_limits *limits)
{
    return framer_new(NULL, limits);
}

static enum codec_status identity_cut(struct framer *framer, struct slice part, struct chunk *ret)
{
    const uint64_t offset = framer->plain_size;
    if (!add_u64(offset, part.size, &framer->plain_size)) {
        return CODEC_LIMIT;
    }
    *ret = (struct chunk){.body = part, .out_offset = offset, .out_size = part.size};
    return CODEC_OK;
}

/* Any bytes are a whole file, none too. */
static enum codec_status identity_finish(const struct framer *framer)
{
    (void)framer;
    return CODEC_OK;
}

static enum codec_status identity_decode(const struct chunk *chunk, struct scratch *scratch,
                                         codec_emit_fn *emit, void *ctx)
{
    (void)scratch;
    ASSERT(chunk->carried == NULL);
    for (size_t at = 0; at < chunk->body.size; at += CODEC_EMIT_SIZE) {
        const size_t left = chunk->body.size - at;
        const size_t size = left < CODEC_EMIT_SIZE ? left : CODEC_EMIT_SIZE;
        if (emit(ctx, chunk->out_offset + at, slice_of(chunk->body.data + at, size)) != 0) {
            return CODEC_STOPPED;
        }
    }
    return CODEC_OK;
}

const struct codec codec_none = {
    .name = "none",
    .framer_new = identity_framer_new,
    .cut = identity_cut,
    .finish = identity_finish,
    .plain_size = framer_plain_size,
    .decode = identity_decode,
    .framer_free = framer_free,
};
