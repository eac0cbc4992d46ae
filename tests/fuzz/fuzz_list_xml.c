/* Any bytes as a listing's page, of objects and of versions: parsing ends, entries are within their
 * limits, the quick look for the token never finds one of forbidden length, and of the versions
 * each key comes once at most. */
#include <string.h>

#include "agent/base/err.h"
#include "s3/list_token.h"
#include "s3/list_versions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct list_versions versions; /* of LIST_VERSIONS */
    unsigned count;
};

static int on_record(void *ctx, const struct list_record *record, struct err *e)
{
    struct seen *seen = ctx;
    const struct s3_entry *const entry = &record->entry;
    const size_t key = strlen(entry->key);
    ASSERT(key > 0 && key <= LIST_KEY_MAX && strlen(entry->version_id) <= LIST_VERSION_MAX);
    ASSERT(entry->is_folder || (entry->etag != NULL && entry->storage_class != NULL));
    seen->count++;
    if (seen->count == 1000) {
        return 1;
    }
    return seen->versions.fn == NULL ? 0 : list_versions_take(&seen->versions, record, e);
}

/* No key comes twice in a row, for those of one page are merged wherever they stand. */
static int on_entry(void *ctx, const struct s3_entry *entry, struct err *e)
{
    (void)e;
    struct buf *last = ctx;
    if (entry->is_folder) {
        return 0;
    }
    ASSERT(strcmp(buf_str(last), entry->key) != 0);
    buf_clear(last);
    ASSERT(buf_append_str(last, entry->key));
    return 0;
}

static void parse(struct slice body, enum list_kind kind, struct seen *seen)
{
    struct err e = ERR_INIT;
    struct list_page page = LIST_PAGE_INIT;
    const int outcome = list_xml_parse(body, kind, on_record, seen, &page, &e);
    ASSERT((outcome == 0) == (e.kind == ERR_NONE));
    ASSERT(outcome != 0 || page.entries == seen->count);
    const char *const id_end = strchr(buf_str(&page.token), '\n');
    ASSERT(kind == LIST_OBJECTS || outcome != 0 || page.token.size == 0 || id_end != NULL);
    list_page_done(&page);
    autobuf struct buf token = BUF_INIT(LIST_TOKEN_MAX);
    const bool found = list_token_find(body, kind, &token);
    ASSERT(found == (token.size > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slice body = slice_of(data, size);
    struct seen objects = {.count = 0};
    parse(body, LIST_OBJECTS, &objects);
    autobuf struct buf last = BUF_INIT(LIST_KEY_MAX);
    struct seen versions = {.versions = LIST_VERSIONS_INIT(1795420800000, on_entry, &last)};
    parse(body, LIST_VERSIONS, &versions);
    struct err e = ERR_INIT;
    const int outcome = list_versions_end_page(&versions.versions, "", &e);
    ASSERT(outcome == 0);
    list_versions_done(&versions.versions);
    return 0;
}
