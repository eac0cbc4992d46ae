/*
 * list_xml: one page of ListObjectsV2 to entries, in the order of the page. Pure.
 *
 * Stores differ: keys are decoded only where the page says <EncodingType>url (some ignore the wish
 * and send raw keys), a blank may come as '+' or "%20", and '/' as "%2F".
 */
#ifndef PENATES_S3_LIST_XML_H
#define PENATES_S3_LIST_XML_H

#include "agent/base/buf.h"
#include "s3/s3.h"

enum {
    LIST_KEY_MAX = 1024,   /* S3 User Guide, "Object key names" */
    LIST_TOKEN_MAX = 4096, /* S3's have some 100 bytes; others base64 a whole key */
};

struct list_page {
    bool truncated;   /* another page follows */
    bool enough;      /* fn said so */
    size_t entries;   /* given to fn */
    struct buf token; /* where the next page begins; when truncated */
};

#define LIST_PAGE_INIT ((struct list_page){.token = BUF_INIT(LIST_TOKEN_MAX)})

void list_page_done(struct list_page *page);

/* ERR_CORRUPT: not a listing, cut short, or senseless. ERR_LIMIT. Else what fn failed with. */
int list_xml_parse(struct slice body, s3_entry_fn *fn, void *ctx, struct list_page *ret,
                   struct err *e) MUST_CHECK;

/* A quick look ahead for the continuation token, so that the next page can be asked for before this
 * one is parsed. False when there is none or it is not plain to see. */
bool list_xml_find_token(struct slice body, struct buf *ret_token);

#endif
