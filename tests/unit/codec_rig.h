/*
 * codec_rig: runs a codec over a stream the way the agent does (parts cut in order, chunks decoded
 * in any order, bytes placed by offset), with the parts split as asked. Shared by tests and
 * fuzzers.
 */
#ifndef PENATES_TESTS_CODEC_RIG_H
#define PENATES_TESTS_CODEC_RIG_H

#include "codec/codec.h"

enum { RIG_BLOCK_SIZE_MAX = 1 << 22 };

/* Sizes of the parts, taken in turn and again from the start; 0 counts as 1. */
struct rig_splits {
    const size_t *sizes;
    size_t count;
};

struct rig_result {
    enum codec_status cut;    /* of all parts and of finish */
    enum codec_status decode; /* of all chunks; CODEC_OK when cut failed */
    uint8_t *plain;           /* NULL unless both are CODEC_OK and there are bytes */
    size_t size;
    size_t emit_count;
};

/* Frees nothing of `stored`. With `reverse`, the last chunk is decoded first. Aborts when bytes are
 * emitted twice, not at all, or outside of their chunk. */
struct rig_result rig_decode(const struct codec *codec, struct slice stored,
                             struct rig_splits splits, bool reverse);
void rig_result_done(struct rig_result *result);

/* The stream in one part. */
struct rig_result rig_decode_whole(const struct codec *codec, struct slice stored);

/* A short stream and what must come of it. */
struct rig_case {
    const char *bytes;
    size_t size;
    enum codec_status cut, decode;
};

/* True when it comes, whole, byte by byte and by three. */
bool rig_gives(const struct codec *codec, const struct rig_case *expected);

/* A whole file; aborts when it cannot be read. The caller frees ->data. */
struct buf rig_read_file(const char *path);

static inline struct slice rig_slice(const struct buf *buf)
{
    return slice_of(buf->data, buf->size);
}

/* Growing a stream record by record. */
void rig_add(struct buf *stream, const void *bytes, size_t size);
void rig_add_xerial_header(struct buf *stream);
void rig_add_xerial_block(struct buf *stream, struct slice plain);
void rig_add_framed_header(struct buf *stream);
/* A chunk with its masked sum; `compressed` chooses the type. */
void rig_add_framed_block(struct buf *stream, struct slice plain, bool compressed);

/* `size` bytes that compress to about half, the same for the same seed. */
struct buf rig_text(size_t size, uint64_t seed);

#endif
