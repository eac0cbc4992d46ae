/*
 * framer: what the Snappy containers share. Both are chains of records, each of which begins with
 * its own size and decodes by itself; a format says how to read one record, framer.c does the rest:
 * cutting parts at record borders, carrying the record that straddles them, collecting decoded
 * blocks into large pieces. Inside codec/ only.
 *
 *     part ──▶ [rest of the open record] [whole records] [start of the next open record]
 *                └─▶ chunk.carried         └─▶ chunk.body   └─▶ framer.open
 */
#ifndef PENATES_CODEC_FRAMER_H
#define PENATES_CODEC_FRAMER_H

#include "codec/codec.h"

/* Both formats tell kind and size in the first four bytes. */
enum { RECORD_HEAD_SIZE = 4 };

enum record_kind {
    RECORD_UNKNOWN, /* too few bytes to tell */
    RECORD_HEADER,  /* opens a stream, again wherever streams were concatenated; no plain bytes */
    RECORD_BLOCK,   /* plain bytes */
    RECORD_SKIP,    /* to be ignored */
};

struct record {
    enum record_kind kind;
    size_t size;       /* of the whole record; RECORD_HEAD_SIZE while the kind is unknown */
    size_t plain_size; /* set by inspect() */
};

/* One record of a format. All of these are pure. */
struct record_format {
    /* From the first RECORD_HEAD_SIZE bytes: kind and size. CODEC_CORRUPT when no record starts
     * like this. */
    enum codec_status (*measure)(struct slice bytes, struct record *ret);
    /* From all of its bytes: checks all that needs no decoding, and sets plain_size. */
    enum codec_status (*inspect)(struct slice whole, struct record *record);
    /* A block into exactly plain_size bytes. */
    enum codec_status (*decode)(struct slice whole, const struct record *record, uint8_t *plain);
};

struct framer {
    /* set once */
    const struct record_format *format; /* NULL: there are no records, bytes are stored as is */
    struct codec_limits limits;
    /* moved by cut */
    bool begun;       /* the first header was seen */
    uint8_t *open;    /* the record that the last part left open */
    size_t open_size; /* bytes of it that are here; 0: the stream stands at a border */
    size_t open_need; /* its size, or the bytes that tell it; more than open_size */
    size_t open_capacity;
    uint64_t plain_size;
};

struct framer *framer_new(const struct record_format *format, const struct codec_limits *limits);
void framer_free(struct framer *framer);

/* The codec operations of codec.h, for any record format. */
enum codec_status framer_cut(struct framer *framer, struct slice part, struct chunk *ret);
enum codec_status framer_finish(const struct framer *framer);
uint64_t framer_plain_size(const struct framer *framer);
enum codec_status framer_decode(const struct record_format *format, const struct chunk *chunk,
                                struct scratch *scratch, codec_emit_fn *emit, void *ctx);

/* Makes room for `size` bytes. What was in there is lost. */
void scratch_reserve(struct scratch *scratch, size_t size);

/* A piece for emit(): large enough that a write costs little beside its bytes, small enough to lie
 * in a second-level cache until it is summed. */
enum { CODEC_EMIT_SIZE = 1 << 20 };

#endif
