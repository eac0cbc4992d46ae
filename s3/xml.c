#include "s3/xml.h"

#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <pthread.h>

#include "agent/base/mem.h"

/* libxml2's push parser looks back at most 10 MB without XML_PARSE_HUGE: it gets pieces. */
enum { PIECE_SIZE = 64 * 1024 };

struct walk {
    const struct xml_events *events;
    void *ctx;
    xmlParserCtxt *parser;
    unsigned depth; /* elements open */
    struct buf text;
    int outcome; /* of the last event: 0 as long as the walk goes on */
    struct err *e;
};

static void stop(struct walk *walk, int outcome)
{
    walk->outcome = outcome;
    xmlStopParser(walk->parser);
}

static void on_begin(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                     int namespace_count, const xmlChar **namespaces, int attribute_count,
                     int defaulted_count, const xmlChar **attributes)
{
    (void)prefix;
    (void)uri;
    (void)namespace_count;
    (void)namespaces;
    (void)attribute_count;
    (void)defaulted_count;
    (void)attributes;
    struct walk *walk = ctx;
    if (walk->outcome != 0) {
        return;
    }
    if (walk->depth == XML_DEPTH_MAX) {
        stop(walk, err_set(walk->e, ERR_LIMIT, "XML: elements nest deeper than %d", XML_DEPTH_MAX));
        return;
    }
    buf_clear(&walk->text);
    if (walk->events->begin != NULL) {
        walk->events->begin(walk->ctx, (const char *)name, walk->depth);
    }
    walk->depth++;
}

static void on_end(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    (void)prefix;
    (void)uri;
    struct walk *walk = ctx;
    if (walk->outcome != 0) {
        return;
    }
    ASSERT(walk->depth > 0);
    walk->depth--;
    const int outcome =
        walk->events->end(walk->ctx, (const char *)name, walk->depth, &walk->text, walk->e);
    buf_clear(&walk->text);
    if (outcome != 0) {
        stop(walk, outcome);
    }
}

static void on_text(void *ctx, const xmlChar *text, int size)
{
    struct walk *walk = ctx;
    ASSERT(size >= 0);
    if (walk->outcome == 0 && !buf_append(&walk->text, text, (size_t)size)) {
        stop(walk, err_set(walk->e, ERR_LIMIT, "XML: text of more than %d bytes", XML_TEXT_MAX));
    }
}

static void on_doctype(void *ctx, const xmlChar *name, const xmlChar *id, const xmlChar *system)
{
    (void)name;
    (void)id;
    (void)system;
    struct walk *walk = ctx;
    if (walk->outcome == 0) {
        stop(walk, err_set(walk->e, ERR_CORRUPT, "XML: a document type is not accepted"));
    }
}

static xmlSAXHandler make_handler(void)
{
    return (xmlSAXHandler){
        .initialized = XML_SAX2_MAGIC,
        .startElementNs = on_begin,
        .endElementNs = on_end,
        .characters = on_text,
        .ignorableWhitespace = on_text, /* a key may be a blank */
        .cdataBlock = on_text,
        .internalSubset = on_doctype,
    };
}

static int feed(struct walk *walk, struct slice document)
{
    int status = 0;
    for (size_t at = 0; at < document.size && status == 0 && walk->outcome == 0;) {
        const size_t left = document.size - at;
        const size_t size = left < PIECE_SIZE ? left : PIECE_SIZE;
        status = xmlParseChunk(walk->parser, (const char *)document.data + at, (int)size, 0);
        at += size;
    }
    if (status == 0 && walk->outcome == 0) {
        status = xmlParseChunk(walk->parser, NULL, 0, 1);
    }
    if (walk->outcome != 0) {
        return walk->outcome > 0 ? 0 : -1;
    }
    if (status != 0) {
        const xmlError *const why = xmlCtxtGetLastError(walk->parser);
        return err_set(walk->e, ERR_CORRUPT, "XML: not well-formed (line %d, libxml2 error %d)",
                       why == NULL ? 0 : why->line, status);
    }
    return 0;
}

static void wipe_and_free(void *memory)
{
    if (memory != NULL) {
        OPENSSL_cleanse(memory, malloc_usable_size(memory));
    }
    free(memory);
}

static void *move(void *old, size_t size)
{
    void *fresh = xcalloc(size, 1);
    if (old != NULL) {
        const size_t old_size = malloc_usable_size(old);
        memcpy(fresh, old, old_size < size ? old_size : size);
        wipe_and_free(old);
    }
    return fresh;
}

/* STS's answers are secrets, and libxml2 copies what it reads. It can only be told for the whole
 * process how to free; what it had before comes from malloc, too. */
static void set_memory(void)
{
    const int failed = xmlMemSetup(wipe_and_free, malloc, move, strdup);
    ASSERT(failed == 0); /* it wants all four, no more */
}

int xml_walk(struct slice document, const struct xml_events *events, void *ctx, struct err *e)
{
    ASSERT(events->end != NULL);
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const int failed = pthread_once(&once, set_memory);
    ASSERT(failed == 0); /* it fails for a control that is none */
    xmlSAXHandler handler = make_handler();
    struct walk walk = {.events = events, .ctx = ctx, .text = buf_whole(XML_TEXT_MAX), .e = e};
    walk.parser = xmlCreatePushParserCtxt(&handler, &walk, NULL, 0, NULL);
    ASSERT(walk.parser != NULL); /* fails only without memory */
    (void)xmlCtxtUseOptions(walk.parser, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    const int outcome = feed(&walk, document);
    xmlFreeParserCtxt(walk.parser);
    buf_wipe(&walk.text);
    return outcome;
}
