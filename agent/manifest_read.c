#include "agent/manifest_read.h"

#include <string.h>

#include "agent/base/mem.h"
#include "agent/manifest.h"
#include "agent/plan.h"

enum {
    /* The format allows 2 GiB blocks; Priam's releases write 32 KiB (priam spec 5.1). */
    BLOCK_SIZE_MAX = 64 * 1024 * 1024,
    KEY_SIZE_MAX = 1024, /* of S3 */
};

struct manifest_reading {
    const struct catalog_node *node;
    const struct source *source;
    manifest_file_fn *fn;
    void *ctx;
    struct buf whole; /* the entry's key in this source */
    struct manifest_parser *parser;
    const struct codec *codec; /* NULL before the first part */
    struct framer *framer;
    struct scratch scratch;
    struct err *e; /* of the caller, for the way through the codec */
};

/* A manifest names data files of its own dialect, and nothing else. */
static bool is_data_file(const struct catalog_node *node, enum key_kind kind)
{
    return node->v2 ? kind == KEY_SST_V2 || kind == KEY_SECONDARY_INDEX_V2 : kind == KEY_SNAP;
}

static int on_entry(void *ctx, const struct manifest_entry *entry, struct err *e)
{
    struct manifest_reading *reading = (struct manifest_reading *)ctx;
    if (!catalog_rebase_key(reading->node, entry->key, &reading->whole)) {
        return err_set(e, ERR_REFUSED, "it names '%.300s': outside the backup of token %s",
                       entry->key, reading->node->token);
    }
    struct manifest_file file = {.whole = buf_str(&reading->whole),
                                 .plain_size =
                                     entry->has_size ? entry->plain_size : PLAN_SIZE_UNKNOWN};
    const char *why;
    if (!backup_key_parse(reading->source->base, file.whole, &file.key, &why)) {
        return err_set(e, ERR_REFUSED, "it names '%.300s': %s", entry->key, why);
    }
    if (!is_data_file(reading->node, file.key.kind)) {
        return err_set(e, ERR_REFUSED, "it names '%.300s': not a data file of a snapshot",
                       entry->key);
    }
    return reading->fn(reading->ctx, &file, e);
}

static int on_plain(void *ctx, uint64_t offset, struct slice plain)
{
    (void)offset; /* one thread decodes in order */
    const struct manifest_reading *reading = (const struct manifest_reading *)ctx;
    return manifest_parser_push(reading->parser, plain, reading->e);
}

static int codec_failed(enum codec_status status, struct err *e)
{
    if (status == CODEC_STOPPED) {
        return -1; /* the parser has said why */
    }
    return err_set(e, status == CODEC_LIMIT ? ERR_LIMIT : ERR_CORRUPT, "the stored stream %s",
                   codec_status_text(status));
}

static int choose_codec(struct manifest_reading *reading, enum codec_claim claim,
                        struct slice first, struct err *e)
{
    static const struct codec_limits LIMITS = {.block_size_max = BLOCK_SIZE_MAX};
    const size_t size = first.size < CODEC_DETECT_SIZE ? first.size : CODEC_DETECT_SIZE;
    reading->codec = codec_detect(claim, slice_of(first.data, size));
    if (reading->codec == NULL) {
        return err_set(e, ERR_CORRUPT, "its key says SNAPPY, its bytes do not");
    }
    reading->framer = reading->codec->framer_new(&LIMITS);
    return 0;
}

static int push_part(struct manifest_reading *reading, struct slice part, struct err *e)
{
    ASSERT(reading->framer != NULL && reading->parser != NULL);
    struct chunk chunk = {0};
    enum codec_status status = reading->codec->cut(reading->framer, part, &chunk);
    if (status == CODEC_OK) {
        status = reading->codec->decode(&chunk, &reading->scratch, on_plain, reading);
    }
    chunk_done(&chunk);
    return status == CODEC_OK ? 0 : codec_failed(status, e);
}

static int read_parts(struct manifest_reading *reading, const struct config *config,
                      struct source *source, const struct catalog_manifest *manifest,
                      enum codec_claim claim, struct err *e)
{
    const uint64_t part_size =
        manifest->size < config->part_size ? manifest->size : config->part_size;
    ASSERT(part_size > 0 && part_size <= SIZE_MAX);
    autofree uint8_t *part = (uint8_t *)xcalloc((size_t)part_size, 1);
    for (uint64_t at = 0; at < manifest->size; at += part_size) {
        const uint64_t left = manifest->size - at;
        struct s3_get get = {.key = manifest->key,
                             .etag = manifest->etag[0] == '\0' ? NULL : manifest->etag,
                             .offset = at,
                             .size = left < part_size ? left : part_size,
                             .object_size = manifest->size,
                             .into = part};
        if (source_get_wait(source, &get, e) < 0) {
            return -1;
        }
        const struct slice bytes = slice_of(part, (size_t)get.size);
        if ((at == 0 && choose_codec(reading, claim, bytes, e) < 0) ||
            push_part(reading, bytes, e) < 0) {
            return -1;
        }
    }
    const enum codec_status status = reading->codec->finish(reading->framer);
    return status == CODEC_OK ? manifest_parser_finish(reading->parser, e)
                              : codec_failed(status, e);
}

int manifest_read(const struct config *config, struct source *source,
                  const struct catalog_node *node, const struct catalog_manifest *manifest,
                  manifest_file_fn *fn, void *ctx, struct err *e)
{
    struct backup_key key;
    const char *why;
    if (!backup_key_parse(source->base, manifest->key, &key, &why)) {
        return err_set(e, ERR_REFUSED, "manifest '%s': %s", manifest->key, why);
    }
    if (manifest->size == 0) {
        return err_set(e, ERR_CORRUPT, "manifest '%s': is empty", manifest->key);
    }
    struct manifest_reading reading = {.node = node,
                                       .source = source,
                                       .fn = fn,
                                       .ctx = ctx,
                                       .whole = BUF_INIT(KEY_SIZE_MAX),
                                       .e = e};
    reading.parser = manifest_parser_new(node->v2, on_entry, &reading);
    int result = read_parts(&reading, config, source, manifest, key.claim, e);
    if (result < 0) {
        /* A manifest that is cut is as useless as one that is wrong: there is nothing to go on. */
        e->kind = e->kind == ERR_TRUNCATED ? ERR_CORRUPT : e->kind;
        result = err_wrap(e, "manifest '%s'", manifest->key);
    }
    if (reading.codec != NULL) {
        reading.codec->framer_free(reading.framer);
    }
    scratch_done(&reading.scratch);
    manifest_parser_free(reading.parser);
    buf_done(&reading.whole);
    return result;
}
