/*
 * xml: a document of bounded depth, as a walk over its elements. What S3 sends is flat: text lies
 * in leaves only. A document type, and with it every entity of the document's own, is refused;
 * nothing is fetched. Namespaces are ignored. No copy of the document is left in memory. Any
 * thread.
 */
#ifndef PENATES_S3_XML_H
#define PENATES_S3_XML_H

#include "agent/base/buf.h"
#include "agent/base/err.h"

enum {
    XML_DEPTH_MAX = 8,        /* a listing has 4 */
    XML_TEXT_MAX = 64 * 1024, /* of one element; keys have 3 KiB at most, encoded */
};

/* depth 0 is the root. Text is that directly inside the element, NUL-terminated. Return 0 to go on,
 * 1 to stop here with success, -1 to fail with *e set. begin may be NULL. */
struct xml_events {
    void (*begin)(void *ctx, const char *name, unsigned depth);
    int (*end)(void *ctx, const char *name, unsigned depth, const struct buf *text, struct err *e);
};

/* Fails with ERR_CORRUPT (not well-formed, or cut short) and ERR_LIMIT. */
int xml_walk(struct slice document, const struct xml_events *events, void *ctx,
             struct err *e) MUST_CHECK;

#endif
