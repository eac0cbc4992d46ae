#include "agent/manifest_read.h"

#include <string.h>

#include "agent/base/mem.h"
#include "agent/plan.h"
#include "agent/stored_read.h"

enum {
    KEY_SIZE_MAX = 1024, /* of S3 */
    /* The format allows 2 GiB blocks; Priam's releases write 32 KiB (priam spec 5.1). */
    BLOCK_SIZE_MAX = 64 * 1024 * 1024,
};

struct manifest_reading {
    const struct catalog_node *node;
    const struct source *source;
    manifest_file_fn *fn;
    void *ctx;
    struct buf whole; /* the entry's key in this source */
    struct manifest_parser *parser;
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

static int on_plain(void *ctx, struct slice plain, struct err *e)
{
    const struct manifest_reading *reading = (const struct manifest_reading *)ctx;
    return manifest_parser_push(reading->parser, plain, e);
}

int manifest_read(const struct config *config, struct source *source,
                  const struct catalog_node *node, const struct catalog_manifest *manifest,
                  manifest_file_fn *fn, void *ctx, char ret_rack[MANIFEST_RACK_SIZE], struct err *e)
{
    struct backup_key key;
    const char *why;
    if (!backup_key_parse(source->base, manifest->key, &key, &why)) {
        return err_set(e, ERR_REFUSED, "manifest '%s': %s", manifest->key, why);
    }
    struct manifest_reading reading = {
        .node = node, .source = source, .fn = fn, .ctx = ctx, .whole = BUF_INIT(KEY_SIZE_MAX)};
    reading.parser = manifest_parser_new(node->v2, on_entry, &reading);
    const struct stored_object object = {.key = manifest->key,
                                         .etag = manifest->etag,
                                         .version_id = manifest->version_id,
                                         .size = manifest->size,
                                         .claim = key.claim,
                                         .block_size_max = BLOCK_SIZE_MAX};
    int result = stored_read(config, source, &object, on_plain, &reading, e);
    if (result == 0) {
        result = manifest_parser_finish(reading.parser, e);
    }
    if (result < 0) {
        /* A manifest that is cut is as useless as one that is wrong: there is nothing to go on. */
        e->kind = e->kind == ERR_TRUNCATED ? ERR_CORRUPT : e->kind;
        result = err_wrap(e, "manifest '%s'", manifest->key);
    } else if (ret_rack != NULL) {
        (void)snprintf(ret_rack, MANIFEST_RACK_SIZE, "%s", manifest_parser_rack(reading.parser));
    }
    manifest_parser_free(reading.parser);
    buf_done(&reading.whole);
    return result;
}
