#include "tests/unit/codec_rig.h"

#include <snappy-c.h>
#include <string.h>

#include "agent/base/err.h"
#include "agent/base/mem.h"
#include "agent/base/random.h"
#include "codec/crc.h"

enum { FILE_SIZE_MAX = 1 << 28, PLAIN_SIZE_MAX = 1 << 25 };

/* What is emitted, in place, with one mark a byte. */
struct rig_sink {
    const struct chunk *chunk;
    uint8_t *plain;
    uint8_t *written;
    size_t emit_count;
    uint64_t next; /* offset that the next piece of this chunk must have */
};

static int rig_emit(void *ctx, uint64_t offset, struct slice plain)
{
    struct rig_sink *sink = ctx;
    ASSERT(offset == sink->next);
    ASSERT(offset + plain.size <= sink->chunk->out_offset + sink->chunk->out_size);
    for (size_t i = 0; i < plain.size; i++) {
        ASSERT(sink->written[offset + i] == 0);
        sink->written[offset + i] = 1;
    }
    memcpy(sink->plain + offset, plain.data, plain.size);
    sink->next += plain.size;
    sink->emit_count++;
    return 0;
}

/* Each part in memory of its own size, so that a sanitizer sees any step over its end. */
struct rig_part {
    uint8_t *bytes;
    struct chunk chunk;
};

struct rig_parts {
    struct rig_part *items;
    size_t count;
};

static void rig_parts_done(struct rig_parts *parts)
{
    for (size_t i = 0; i < parts->count; i++) {
        chunk_done(&parts->items[i].chunk);
        free(parts->items[i].bytes);
    }
    free(parts->items);
}

static enum codec_status rig_cut(const struct codec *codec, struct framer *framer,
                                 struct slice stored, struct rig_splits splits,
                                 struct rig_parts *parts)
{
    size_t capacity = 0;
    uint64_t plain_size = 0;
    for (size_t at = 0; at < stored.size;) {
        if (parts->count == capacity) {
            capacity = capacity == 0 ? 16 : 2 * capacity;
            parts->items = xrealloc(parts->items, capacity, sizeof *parts->items);
        }
        const size_t asked = splits.sizes[parts->count % splits.count];
        const size_t wanted = asked == 0 ? 1 : asked;
        const size_t size = wanted < stored.size - at ? wanted : stored.size - at;
        struct rig_part *part = &parts->items[parts->count++];
        *part = (struct rig_part){.bytes = xrealloc(NULL, size, 1)};
        memcpy(part->bytes, stored.data + at, size);
        const enum codec_status status =
            codec->cut(framer, slice_of(part->bytes, size), &part->chunk);
        if (status != CODEC_OK) {
            return status;
        }
        ASSERT(part->chunk.out_offset == plain_size);
        plain_size += part->chunk.out_size;
        ASSERT(codec->plain_size(framer) == plain_size);
        at += size;
    }
    return codec->finish(framer);
}

static enum codec_status rig_decode_parts(const struct codec *codec, const struct rig_parts *parts,
                                          struct rig_sink *sink, bool reverse)
{
    struct scratch scratch = {0};
    enum codec_status status = CODEC_OK;
    for (size_t i = 0; i < parts->count && status == CODEC_OK; i++) {
        sink->chunk = &parts->items[reverse ? parts->count - 1 - i : i].chunk;
        sink->next = sink->chunk->out_offset;
        status = codec->decode(sink->chunk, &scratch, rig_emit, sink);
        ASSERT(status != CODEC_OK || sink->next == sink->chunk->out_offset + sink->chunk->out_size);
    }
    scratch_done(&scratch);
    return status;
}

struct rig_result rig_decode(const struct codec *codec, struct slice stored,
                             struct rig_splits splits, bool reverse)
{
    const struct codec_limits limits = {.block_size_max = RIG_BLOCK_SIZE_MAX};
    struct framer *framer = codec->framer_new(&limits);
    struct rig_parts parts = {0};
    struct rig_result result = {.cut = rig_cut(codec, framer, stored, splits, &parts)};
    if (result.cut == CODEC_OK && codec->plain_size(framer) > PLAIN_SIZE_MAX) {
        result.decode = CODEC_LIMIT; /* promises are cheap, and this rig would allocate them all */
    } else if (result.cut == CODEC_OK) {
        result.size = (size_t)codec->plain_size(framer);
        struct rig_sink sink = {.plain = xcalloc(result.size + 1, 1),
                                .written = xcalloc(result.size + 1, 1)};
        result.decode = rig_decode_parts(codec, &parts, &sink, reverse);
        result.emit_count = sink.emit_count;
        free(sink.written);
        if (result.decode == CODEC_OK) {
            result.plain = TAKE_PTR(sink.plain);
        }
        free(sink.plain);
    }
    rig_parts_done(&parts);
    codec->framer_free(framer);
    return result;
}

struct rig_result rig_decode_whole(const struct codec *codec, struct slice stored)
{
    const size_t whole = SIZE_MAX;
    return rig_decode(codec, stored, (struct rig_splits){&whole, 1}, false);
}

bool rig_gives(const struct codec *codec, const struct rig_case *expected)
{
    static const size_t SPLITS[] = {1, 3, SIZE_MAX};
    bool gives = true;
    for (size_t i = 0; i < ARRAY_SIZE(SPLITS); i++) {
        struct rig_result result = rig_decode(codec, slice_of(expected->bytes, expected->size),
                                              (struct rig_splits){&SPLITS[i], 1}, false);
        gives = gives && result.cut == expected->cut && result.decode == expected->decode;
        rig_result_done(&result);
    }
    return gives;
}

void rig_result_done(struct rig_result *result)
{
    free(result->plain);
    result->plain = NULL;
}

struct buf rig_read_file(const char *path)
{
    struct buf content = BUF_INIT(FILE_SIZE_MAX);
    autofile FILE *file = fopen(path, "rbe");
    ASSERT(file != NULL);
    char bytes[65536];
    size_t size;
    do {
        size = fread(bytes, 1, sizeof bytes, file);
        ASSERT(buf_append(&content, bytes, size));
    } while (size == sizeof bytes);
    ASSERT(ferror(file) == 0);
    return content;
}

void rig_add(struct buf *stream, const void *bytes, size_t size)
{
    ASSERT(buf_append(stream, bytes, size));
}

void rig_add_xerial_header(struct buf *stream)
{
    rig_add(stream, "\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16);
}

/* The raw block of `plain`. */
static struct buf rig_compress(struct slice plain)
{
    struct buf block = BUF_INIT(FILE_SIZE_MAX);
    size_t size = snappy_max_compressed_length(plain.size);
    autofree char *bytes = xrealloc(NULL, size, 1);
    ASSERT(snappy_compress((const char *)plain.data, plain.size, bytes, &size) == SNAPPY_OK);
    rig_add(&block, bytes, size);
    return block;
}

void rig_add_xerial_block(struct buf *stream, struct slice plain)
{
    autobuf struct buf block = rig_compress(plain);
    const uint8_t length[] = {(uint8_t)(block.size >> 24), (uint8_t)(block.size >> 16),
                              (uint8_t)(block.size >> 8), (uint8_t)block.size};
    rig_add(stream, length, sizeof length);
    rig_add(stream, block.data, block.size);
}

void rig_add_framed_header(struct buf *stream)
{
    rig_add(stream, "\xff\6\0\0sNaPpY", 10);
}

void rig_add_framed_block(struct buf *stream, struct slice plain, bool compressed)
{
    autobuf struct buf block = BUF_INIT(FILE_SIZE_MAX);
    if (compressed) {
        block = rig_compress(plain);
    } else {
        rig_add(&block, plain.data, plain.size);
    }
    const uint32_t crc = (uint32_t)crc_update(CRC_32C, 0, plain);
    const uint32_t masked = (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8);
    const size_t size = block.size + sizeof masked;
    const uint8_t head[] = {compressed ? 0 : 1,      (uint8_t)size,          (uint8_t)(size >> 8),
                            (uint8_t)(size >> 16),   (uint8_t)masked,        (uint8_t)(masked >> 8),
                            (uint8_t)(masked >> 16), (uint8_t)(masked >> 24)};
    rig_add(stream, head, sizeof head);
    rig_add(stream, block.data, block.size);
}

struct buf rig_text(size_t size, uint64_t seed)
{
    struct random random = {.state = seed};
    struct buf text = BUF_INIT(FILE_SIZE_MAX);
    char word[16];
    for (size_t left = size; left > 0;) {
        const uint64_t bits = random_next(&random);
        memset(word, (int)(bits >> 56), sizeof word);
        memcpy(word, &bits, sizeof bits);
        const size_t take = left < sizeof word ? left : sizeof word;
        rig_add(&text, word, take);
        left -= take;
    }
    return text;
}
