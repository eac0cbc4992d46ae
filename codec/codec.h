/*
 * codec: the seam between stored bytes and plain bytes.
 *
 *     part, part, ... (in order)      chunk ── any thread, any order ──▶ (offset, plain bytes)
 *          └── cut() ────────────────▶  │  decode()
 *
 * A codec cuts a stored stream into chunks in order, without decoding; that finds the block borders
 * and every block's place in the output (95 us for an 8 MiB part of 32 KiB blocks). Chunks then
 * decode independently. This works because a snappy-java stream is a chain of blocks that do not
 * refer to each other and that each begin with their decoded size. No I/O, no logging, no threads
 * in here; a framer belongs to one thread at a time, decode() is pure.
 */
#ifndef PENATES_CODEC_CODEC_H
#define PENATES_CODEC_CODEC_H

#include "agent/base/buf.h"

enum codec_status {
    CODEC_OK,
    CODEC_TRUNCATED, /* the stream ends inside a header, a length word or a block */
    CODEC_CORRUPT,   /* bytes contradict the format */
    CODEC_LIMIT,     /* a block claims more than limits.block_size_max */
    CODEC_STOPPED,   /* emit() returned non-zero */
};

/* A literal for messages: "ends early", "is not valid", ... */
const char *codec_status_text(enum codec_status status);

struct codec_limits {
    size_t block_size_max; /* of one block, stored or plain; snappy-java writes 32 KiB, some
                              releases 4 MiB; the format allows 2 GiB, so the limit is ours */
};

/* Whole records of one part. Owns `carried`; `body` points into the part, which must outlive it. */
struct chunk {
    uint8_t *carried; /* the record that straddled the previous parts and this one, or NULL */
    size_t carried_size;
    struct slice body;   /* the records that lie whole inside the part */
    uint64_t out_offset; /* where the first decoded byte lands in the plain file */
    uint64_t out_size;   /* plain bytes that the block preambles promise */
};

void chunk_done(struct chunk *chunk);

/* Decoding memory of one worker; grows to the largest block, at least 1 MiB. */
struct scratch {
    uint8_t *data;
    size_t capacity;
};

void scratch_done(struct scratch *scratch);

/* Takes plain bytes that belong at `offset` of the file; non-zero stops the decode. */
typedef int codec_emit_fn(void *ctx, uint64_t offset, struct slice plain);

struct framer;

struct codec {
    const char *name; /* "snappy", "snappy-framed", "none" */
    struct framer *(*framer_new)(const struct codec_limits *limits);
    /* Parts in order, any sizes. On failure the framer may only be freed. The record left open at
     * the end of the part is copied into the framer; *ret owns nothing of the framer. */
    enum codec_status (*cut)(struct framer *framer, struct slice part, struct chunk *ret);
    /* After the last part: CODEC_TRUNCATED unless the stream stands at a clean border. */
    enum codec_status (*finish)(const struct framer *framer);
    /* Plain bytes promised so far. */
    uint64_t (*plain_size)(const struct framer *framer);
    /* Emits at most 1 MiB, or one block if larger, at a time, in order within the chunk. */
    enum codec_status (*decode)(const struct chunk *chunk, struct scratch *scratch,
                                codec_emit_fn *emit, void *ctx);
    void (*framer_free)(struct framer *framer); /* NULL is fine */
};

extern const struct codec codec_snappy;        /* snappy_xerial.c: what Priam writes */
extern const struct codec codec_snappy_framed; /* snappy_framed.c: Snappy's own framing */
extern const struct codec codec_none;          /* identity.c: stored as is */

/* What the key or the manifest says about an object's bytes. */
enum codec_claim {
    CODEC_CLAIM_UNKNOWN, /* v1 keys say nothing: the magic decides (priam spec 11.2.13) */
    CODEC_CLAIM_SNAPPY,
    CODEC_CLAIM_NONE,
};

/* detect.c. Bytes needed to tell the magics apart. */
enum { CODEC_DETECT_SIZE = 10 };

/*
 * The codec for an object that starts with `first` (the whole object when shorter than
 * CODEC_DETECT_SIZE). CODEC_CLAIM_NONE is believed without looking: a plain file may begin with any
 * bytes. A claim of snappy without the magic is NULL. Unknown without a magic is codec_none.
 */
const struct codec *codec_detect(enum codec_claim claim, struct slice first);

#endif
