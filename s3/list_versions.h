/*
 * list_versions: pages of ListObjectVersions to the objects that were there at one time.
 *
 *     list_xml ── versions, delete markers ──▶ list_versions ── what was newest of each key ──▶ fn
 *
 * S3 lists what happened to a key newest first; versitygw lists the markers of a page apart from
 * its versions. So a key is decided at the end of the page that it ends on. What came after the
 * time does not count. Of the rest the first version in the listing stands against the first marker
 * in it, since several can have the same second: the later one wins, then the one that IsLatest,
 * then the one listed first. Keys come in the listing's order. Holds a page's worth of entries and,
 * however many versions a key has, two of the key that goes on. One thread.
 */
#ifndef PENATES_S3_LIST_VERSIONS_H
#define PENATES_S3_LIST_VERSIONS_H

#include "s3/list_xml.h"

struct list_versions {
    int64_t at_ms;
    s3_entry_fn *fn;
    void *ctx;

    struct version **items; /* of the page, after those of the key that goes on */
    size_t count, capacity;
};

#define LIST_VERSIONS_INIT(at, entry_fn, entry_ctx)                                                \
    ((struct list_versions){.at_ms = (at), .fn = (entry_fn), .ctx = (entry_ctx)})

void list_versions_done(struct list_versions *versions);

/* Takes a page's next record; a folder goes on at once, whose outcome is returned. ERR_CORRUPT: one
 * without a readable time. */
int list_versions_take(struct list_versions *versions, const struct list_record *record,
                       struct err *e) MUST_CHECK;

/* The page is done: gives what is decided to fn, and returns its outcome. open: the key that may go
 * on with the next page, "" when none does. */
int list_versions_end_page(struct list_versions *versions, const char *open,
                           struct err *e) MUST_CHECK;

#endif
