/* Any split of a manifest tells the same entries and ends the same way. The first byte, a brace or
 * not, chooses the dialect, the last one the size of the pieces. */
#include <inttypes.h>
#include <string.h>

#include "agent/base/err.h"
#include "agent/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINES_SIZE_MAX = 1 << 24 };

static int tell(void *ctx, const struct manifest_entry *entry, struct err *e)
{
    (void)e;
    struct buf *lines = ctx;
    ASSERT(strlen(entry->key) > 0);
    ASSERT(buf_appendf(lines, "%s %d %" PRIu64 "\n", entry->key, entry->has_size,
                       entry->has_size ? entry->plain_size : 0));
    return 0;
}

static enum err_kind parse(bool v2, struct slice text, size_t split, struct buf *lines)
{
    struct manifest_parser *parser = manifest_parser_new(v2, tell, lines);
    struct err e = ERR_INIT;
    int result = 0;
    for (size_t at = 0; at < text.size && result == 0; at += split) {
        const size_t left = text.size - at;
        result =
            manifest_parser_push(parser, slice_of(text.data + at, left < split ? left : split), &e);
    }
    if (result == 0) {
        result = manifest_parser_finish(parser, &e);
    }
    manifest_parser_free(parser);
    ASSERT((result == 0) == (e.kind == ERR_NONE));
    return e.kind;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    const bool v2 = data[0] == '{';
    const size_t split = (size_t)data[size - 1] % 16 + 1;
    const struct slice text = slice_of(data, size - 1);
    autobuf struct buf whole = BUF_INIT(LINES_SIZE_MAX);
    autobuf struct buf pieces = BUF_INIT(LINES_SIZE_MAX);
    const enum err_kind kind = parse(v2, text, text.size, &whole);
    ASSERT(parse(v2, text, split, &pieces) == kind);
    ASSERT(strcmp(buf_str(&whole), buf_str(&pieces)) == 0);
    return 0;
}
