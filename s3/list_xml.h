/*
 * list_xml: one page of ListObjectsV2 or ListObjectVersions to records, in the order of the page.
 * Pure.
 *
 * Stores differ: keys are decoded only where the page says <EncodingType>url (some ignore the wish
 * and send raw keys), a blank may come as '+' or "%20", and '/' as "%2F".
 */
#ifndef PENATES_S3_LIST_XML_H
#define PENATES_S3_LIST_XML_H

#include "agent/base/buf.h"
#include "s3/s3.h"

enum {
    LIST_KEY_MAX = 1024,     /* S3 User Guide, "Object key names" */
    LIST_VERSION_MAX = 1024, /* S3 User Guide, "Version IDs" */
    LIST_TOKEN_MAX = 4096,   /* S3's have some 100 bytes; others base64 a whole key */
};

enum list_kind { LIST_OBJECTS, LIST_VERSIONS };

/* One line of a page; borrowed, valid during the call. */
struct list_record {
    struct s3_entry entry;     /* of a delete marker only the key, the id and the time */
    bool is_marker, is_latest; /* of a listing of versions */
};

/* 0: go on, 1: enough, -1: failed, with *e set. */
typedef int list_record_fn(void *ctx, const struct list_record *record, struct err *e);

struct list_page {
    bool truncated;   /* another page follows */
    bool enough;      /* fn said so */
    size_t entries;   /* records given to fn */
    struct buf token; /* where the next page begins, when truncated: see list_token.h */
};

#define LIST_PAGE_INIT ((struct list_page){.token = BUF_INIT(LIST_TOKEN_MAX)})

void list_page_done(struct list_page *page);

/* ERR_CORRUPT: not a listing, cut short, or senseless. ERR_LIMIT. Else what fn failed with. */
int list_xml_parse(struct slice body, enum list_kind kind, list_record_fn *fn, void *ctx,
                   struct list_page *ret, struct err *e) MUST_CHECK;

#endif
