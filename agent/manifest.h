/*
 * manifest: meta.json (v1: an array of keys) and meta_v2_*.json (v2: tables, SSTables, components),
 * read as a stream: bytes of any split are pushed in, one call per component comes out, and nothing
 * is kept but the value at hand, so 250,000 components cost no more memory than one. Bounded:
 * depth, string length, total size. Format: priam spec 2.4 and 3.1.
 */
#ifndef PENATES_MANIFEST_H
#define PENATES_MANIFEST_H

#include "agent/base/buf.h"
#include "agent/base/err.h"

/* Borrowed, valid during the call. */
struct manifest_entry {
    const char *key; /* v1: the string; v2: backupPath */
    bool has_size;
    uint64_t plain_size; /* v2: fileSizeOnDisk */
};

/* 0: go on, -1: failed, with *e set. */
typedef int manifest_entry_fn(void *ctx, const struct manifest_entry *entry, struct err *e);

struct manifest_parser;

struct manifest_parser *manifest_parser_new(bool v2, manifest_entry_fn *fn, void *ctx);
/* ERR_CORRUPT: not JSON, or not a manifest; ERR_LIMIT; or what fn set. */
int manifest_parser_push(struct manifest_parser *parser, struct slice bytes,
                         struct err *e) MUST_CHECK;
/* After the last byte: ERR_TRUNCATED when the document is open or absent. */
int manifest_parser_finish(struct manifest_parser *parser, struct err *e) MUST_CHECK;
/* info.rack of v2, as far as it was read: Priam's name of the node's rack, which is an availability
 * zone; "" when it is not told, or is no word. Borrowed. */
enum { MANIFEST_RACK_SIZE = 64 };
const char *manifest_parser_rack(const struct manifest_parser *parser);
void manifest_parser_free(struct manifest_parser *parser);

#endif
