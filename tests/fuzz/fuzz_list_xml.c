/* Any bytes as a listing's page: parsing ends, entries are within their limits, and the quick look
 * for the token never finds one of forbidden length. */
#include <string.h>

#include "agent/base/err.h"
#include "s3/list_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_entry(void *ctx, const struct s3_entry *entry, struct err *e)
{
    (void)e;
    unsigned *count = ctx;
    const size_t key = strlen(entry->key);
    ASSERT(key > 0 && key <= LIST_KEY_MAX);
    ASSERT(entry->is_folder || (entry->etag != NULL && entry->storage_class != NULL));
    (*count)++;
    return *count == 1000 ? 1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned count = 0;
    struct err e = ERR_INIT;
    struct list_page page = LIST_PAGE_INIT;
    const int outcome = list_xml_parse(slice_of(data, size), on_entry, &count, &page, &e);
    ASSERT((outcome == 0) == (e.kind == ERR_NONE));
    ASSERT(outcome != 0 || page.entries == count);
    list_page_done(&page);
    autobuf struct buf token = BUF_INIT(LIST_TOKEN_MAX);
    const bool found = list_xml_find_token(slice_of(data, size), &token);
    ASSERT(found == (token.size > 0));
    return 0;
}
