#include "agent/stored_read.h"

#include "agent/base/mem.h"

struct stored_reading {
    stored_read_fn *fn;
    void *ctx;
    const struct codec *codec; /* NULL before the first part */
    struct framer *framer;
    struct scratch scratch;
    struct err *e; /* of the caller, for the way through the codec */
};

static int on_plain(void *ctx, uint64_t offset, struct slice plain)
{
    (void)offset; /* one thread decodes in order */
    const struct stored_reading *reading = (const struct stored_reading *)ctx;
    return reading->fn(reading->ctx, plain, reading->e);
}

static int codec_failed(enum codec_status status, struct err *e)
{
    if (status == CODEC_STOPPED) {
        return -1; /* fn has said why */
    }
    return err_set(e, status == CODEC_LIMIT ? ERR_LIMIT : ERR_CORRUPT, "the stored stream %s",
                   codec_status_text(status));
}

static int choose_codec(struct stored_reading *reading, const struct stored_object *object,
                        struct slice first, struct err *e)
{
    const struct codec_limits limits = {.block_size_max = object->block_size_max};
    const size_t size = first.size < CODEC_DETECT_SIZE ? first.size : CODEC_DETECT_SIZE;
    reading->codec = codec_detect(object->claim, slice_of(first.data, size));
    if (reading->codec == NULL) {
        return err_set(e, ERR_CORRUPT, "its key says SNAPPY, its bytes do not");
    }
    reading->framer = reading->codec->framer_new(&limits);
    return 0;
}

static int push_part(struct stored_reading *reading, struct slice part, struct err *e)
{
    ASSERT(reading->framer != NULL && reading->fn != NULL);
    struct chunk chunk = {0};
    enum codec_status status = reading->codec->cut(reading->framer, part, &chunk);
    if (status == CODEC_OK) {
        status = reading->codec->decode(&chunk, &reading->scratch, on_plain, reading);
    }
    chunk_done(&chunk);
    return status == CODEC_OK ? 0 : codec_failed(status, e);
}

static int read_parts(struct stored_reading *reading, const struct config *config,
                      struct source *source, const struct stored_object *object, struct err *e)
{
    const uint64_t part_size = object->size < config->part_size ? object->size : config->part_size;
    ASSERT(part_size > 0 && part_size <= SIZE_MAX);
    autofree uint8_t *part = (uint8_t *)xcalloc((size_t)part_size, 1);
    for (uint64_t at = 0; at < object->size; at += part_size) {
        const uint64_t left = object->size - at;
        struct s3_get get = {.key = object->key,
                             .etag = object->etag,
                             .version_id = object->version_id,
                             .offset = at,
                             .size = left < part_size ? left : part_size,
                             .object_size = object->size,
                             .into = part};
        if (source_get_wait(source, &get, e) < 0) {
            return -1;
        }
        const struct slice bytes = slice_of(part, (size_t)get.size);
        if ((at == 0 && choose_codec(reading, object, bytes, e) < 0) ||
            push_part(reading, bytes, e) < 0) {
            return -1;
        }
    }
    const enum codec_status status = reading->codec->finish(reading->framer);
    return status == CODEC_OK ? 0 : codec_failed(status, e);
}

int stored_read(const struct config *config, struct source *source,
                const struct stored_object *object, stored_read_fn *fn, void *ctx, struct err *e)
{
    if (object->size == 0) {
        return err_set(e, ERR_CORRUPT, "is empty");
    }
    struct stored_reading reading = {.fn = fn, .ctx = ctx, .e = e};
    const int result = read_parts(&reading, config, source, object, e);
    if (reading.codec != NULL) {
        reading.codec->framer_free(reading.framer);
    }
    scratch_done(&reading.scratch);
    return result;
}
