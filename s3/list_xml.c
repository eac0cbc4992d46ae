#include "s3/list_xml.h"

#include <string.h>

#include "agent/base/parse.h"
#include "s3/list_token.h"
#include "s3/uri.h"
#include "s3/xml.h"

enum {
    ENTRY_ETAG_MAX = 128,
    ENTRY_CLASS_MAX = 64,
};

/* What names the parts of the two documents. */
static const struct {
    const char *root, *object;
} NAMES[] = {
    [LIST_OBJECTS] = {"ListBucketResult", "Contents"},
    [LIST_VERSIONS] = {"ListVersionsResult", "Version"},
};

/* A page half read. One record is collected at a time. */
struct page_reader {
    enum list_kind kind;
    list_record_fn *fn;
    void *ctx;
    bool url; /* keys are encoded */
    bool url_told;
    bool is_listing;
    bool in_object, in_folder; /* inside an object or marker, inside <CommonPrefixes> */
    struct list_page page;
    struct buf next_key, next_version; /* as told, of versions */
    struct buf key;                    /* of the record, and of the last one at the end */
    bool has_key, has_size, has_checksum_type;
    char etag[ENTRY_ETAG_MAX];
    char storage_class[ENTRY_CLASS_MAX];
    char version_id[LIST_VERSION_MAX + 1];
    struct list_record record;
};

/* Without quotes; what does not fit counts as not told. */
static void copy_etag(struct page_reader *reader, const struct buf *text)
{
    const char *etag = buf_str(text);
    size_t size = text->size;
    if (size >= 2 && etag[0] == '"' && etag[size - 1] == '"') {
        etag++;
        size -= 2;
    }
    if (size >= sizeof(reader->etag)) {
        size = 0;
    }
    memcpy(reader->etag, etag, size);
    reader->etag[size] = '\0';
}

static enum s3_checksum_kind checksum_kind(const char *name)
{
    static const struct {
        const char *name;
        enum s3_checksum_kind kind;
    } KINDS[] = {
        {"CRC32", S3_CHECKSUM_CRC32},         {"CRC32C", S3_CHECKSUM_CRC32C},
        {"CRC64NVME", S3_CHECKSUM_CRC64NVME}, {"SHA1", S3_CHECKSUM_SHA1},
        {"SHA256", S3_CHECKSUM_SHA256},
    };
    for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++) {
        if (strcmp(name, KINDS[i].name) == 0) {
            return KINDS[i].kind;
        }
    }
    return S3_CHECKSUM_NONE;
}

static int take_key(struct page_reader *reader, const struct buf *text, struct err *e)
{
    buf_clear(&reader->key);
    const bool ok = reader->url ? uri_decode(buf_str(text), text->size, true, &reader->key)
                                : buf_append(&reader->key, buf_str(text), text->size);
    if (!ok || reader->key.size == 0) {
        return err_set(e, ERR_CORRUPT, "listing: key '%.200s' is empty, too long or badly encoded",
                       buf_str(text));
    }
    reader->has_key = true;
    return 0;
}

/* Of several checksums the first one that is known counts. */
static void take_algorithm(struct page_reader *reader, const struct buf *text)
{
    struct s3_entry *const entry = &reader->record.entry;
    if (entry->checksum == S3_CHECKSUM_NONE) {
        entry->checksum = checksum_kind(buf_str(text));
    }
}

static int take_size(struct page_reader *reader, const struct buf *text, struct err *e)
{
    if (!parse_u64(buf_str(text), text->size, &reader->record.entry.size)) {
        return err_set(e, ERR_CORRUPT, "listing: size '%.40s' is not a number", buf_str(text));
    }
    reader->has_size = true;
    return 0;
}

static int take_version_id(struct page_reader *reader, const struct buf *text, struct err *e)
{
    if (!list_token_is_version_id(text)) {
        return err_set(e, ERR_CORRUPT, "listing: the version id of '%.200s' is none",
                       buf_str(&reader->key));
    }
    memcpy(reader->version_id, buf_str(text), text->size + 1);
    return 0;
}

static int take_object(struct page_reader *reader, const char *name, const struct buf *text,
                       struct err *e)
{
    struct s3_entry *const entry = &reader->record.entry;
    if (strcmp(name, "Key") == 0) {
        return take_key(reader, text, e);
    }
    if (strcmp(name, "Size") == 0) {
        return take_size(reader, text, e);
    }
    if (strcmp(name, "VersionId") == 0) {
        return take_version_id(reader, text, e);
    }
    if (strcmp(name, "IsLatest") == 0) {
        reader->record.is_latest = strcmp(buf_str(text), "true") == 0;
    } else if (strcmp(name, "ETag") == 0) {
        copy_etag(reader, text);
    } else if (strcmp(name, "LastModified") == 0) {
        (void)parse_time_ms(buf_str(text), &entry->modified_ms); /* stays -1: unreadable */
    } else if (strcmp(name, "StorageClass") == 0 && text->size < sizeof(reader->storage_class)) {
        memcpy(reader->storage_class, buf_str(text), text->size + 1);
    } else if (strcmp(name, "ChecksumAlgorithm") == 0) {
        take_algorithm(reader, text);
    } else if (strcmp(name, "ChecksumType") == 0) {
        reader->has_checksum_type = true;
        entry->checksum_composite = strcmp(buf_str(text), "COMPOSITE") == 0;
    }
    return 0;
}

static int check_record(const struct page_reader *reader, bool is_folder, struct err *e)
{
    const char *missing = NULL;
    if (!reader->has_key) {
        missing = "a key";
    } else if (!is_folder && !reader->record.is_marker && !reader->has_size) {
        missing = "a size";
    } else if (!is_folder && reader->kind == LIST_VERSIONS && reader->version_id[0] == '\0') {
        missing = "a version id";
    }
    return missing == NULL ? 0 : err_set(e, ERR_CORRUPT, "listing: an entry without %s", missing);
}

static int give_record(struct page_reader *reader, bool is_folder, struct err *e)
{
    struct s3_entry *const entry = &reader->record.entry;
    if (check_record(reader, is_folder, e) != 0) {
        return -1;
    }
    entry->is_folder = is_folder;
    entry->key = buf_str(&reader->key);
    entry->etag = reader->etag;
    entry->storage_class = reader->storage_class;
    entry->version_id = reader->version_id;
    /* Stores that name no type make composite checksums of what was uploaded in parts, and such an
     * object's ETag ends in "-N". */
    if (!reader->has_checksum_type && entry->checksum != S3_CHECKSUM_NONE &&
        entry->checksum != S3_CHECKSUM_CRC64NVME && strchr(entry->etag, '-') != NULL) {
        entry->checksum_composite = true;
    }
    reader->page.entries++;
    const int outcome = reader->fn(reader->ctx, &reader->record, e);
    ASSERT(outcome >= -1 && outcome <= 1);
    reader->page.enough = outcome == 1;
    return outcome;
}

static int take_token(struct buf *token, const struct buf *text, struct err *e)
{
    buf_clear(token);
    return buf_append(token, buf_str(text), text->size)
               ? 0
               : err_set(e, ERR_LIMIT, "listing: continuation token of more than %d bytes",
                         (int)token->size_max);
}

static int take_page_fact(struct page_reader *reader, const char *name, const struct buf *text,
                          struct err *e)
{
    if (strcmp(name, "IsTruncated") == 0) {
        reader->page.truncated = strcmp(buf_str(text), "true") == 0;
    } else if (strcmp(name, "EncodingType") == 0) {
        reader->url_told = strcmp(buf_str(text), "url") == 0;
    } else if (reader->kind == LIST_OBJECTS && strcmp(name, "NextContinuationToken") == 0) {
        return take_token(&reader->page.token, text, e);
    } else if (reader->kind == LIST_VERSIONS && strcmp(name, "NextKeyMarker") == 0) {
        return take_token(&reader->next_key, text, e);
    } else if (reader->kind == LIST_VERSIONS && strcmp(name, "NextVersionIdMarker") == 0) {
        return take_token(&reader->next_version, text, e);
    }
    return 0;
}

static void on_begin(void *ctx, const char *name, unsigned depth)
{
    struct page_reader *reader = ctx;
    if (depth == 0) {
        reader->is_listing = strcmp(name, NAMES[reader->kind].root) == 0;
    } else if (depth == 1) {
        reader->record = (struct list_record){
            .entry.modified_ms = -1,
            .is_marker = reader->kind == LIST_VERSIONS && strcmp(name, "DeleteMarker") == 0,
        };
        reader->has_key = false;
        reader->has_size = false;
        reader->has_checksum_type = false;
        reader->etag[0] = '\0';
        reader->storage_class[0] = '\0';
        reader->version_id[0] = '\0';
        reader->in_object =
            reader->record.is_marker || strcmp(name, NAMES[reader->kind].object) == 0;
        reader->in_folder = strcmp(name, "CommonPrefixes") == 0;
    }
}

static int on_end(void *ctx, const char *name, unsigned depth, const struct buf *text,
                  struct err *e)
{
    struct page_reader *reader = ctx;
    if (!reader->is_listing) {
        return err_set(e, ERR_CORRUPT, "listing: the answer is another document ('%.40s')", name);
    }
    if (depth == 2 && reader->in_object) {
        return take_object(reader, name, text, e);
    }
    if (depth == 2 && reader->in_folder && strcmp(name, "Prefix") == 0) {
        return take_key(reader, text, e);
    }
    if (depth == 1 && (reader->in_object || reader->in_folder)) {
        return give_record(reader, reader->in_folder, e);
    }
    return depth == 1 ? take_page_fact(reader, name, text, e) : 0;
}

/* Swift encodes keys, but not the marker; it then is the last key as it stands. */
static int make_token(struct page_reader *reader, struct err *e)
{
    const struct buf *next = &reader->next_key;
    autobuf struct buf decoded = BUF_INIT(LIST_KEY_MAX);
    if (reader->url && strcmp(buf_str(next), buf_str(&reader->key)) != 0 &&
        uri_decode(buf_str(next), next->size, true, &decoded)) {
        next = &decoded;
    }
    if (!list_token_is_version_id(&reader->next_version) ||
        !list_token_join(&reader->next_version, next, &reader->page.token)) {
        return err_set(e, ERR_CORRUPT, "listing: senseless markers of the next page");
    }
    return 0;
}

static int check_page(struct page_reader *reader, struct err *e)
{
    if (reader->page.enough) {
        return 0;
    }
    if (reader->url_told != reader->url) {
        return err_set(e, ERR_CORRUPT, "listing: the page contradicts itself about its encoding");
    }
    if (reader->next_key.size > 0 && make_token(reader, e) != 0) {
        return -1;
    }
    if (reader->page.truncated && reader->page.token.size == 0) {
        return err_set(e, ERR_CORRUPT, "listing: more pages, but no token to ask for them");
    }
    return 0;
}

void list_page_done(struct list_page *page)
{
    buf_done(&page->token);
}

int list_xml_parse(struct slice body, enum list_kind kind, list_record_fn *fn, void *ctx,
                   struct list_page *ret, struct err *e)
{
    static const struct xml_events EVENTS = {.begin = on_begin, .end = on_end};
    ASSERT(fn != NULL && (size_t)kind < ARRAY_SIZE(NAMES));
    struct page_reader reader = {
        .kind = kind,
        .fn = fn,
        .ctx = ctx,
        /* Looked for ahead, because some stores (MinIO) say it after the last entry. Within the
         * text of a key it could not stand like this: '<' is escaped there. */
        .url = list_token_sees(body, LIST_URL_TOLD),
        .page = LIST_PAGE_INIT,
        .key = BUF_INIT(LIST_KEY_MAX),
        .next_key = BUF_INIT(3 * LIST_KEY_MAX), /* each byte as %XX */
        .next_version = BUF_INIT(LIST_VERSION_MAX),
    };
    int outcome = xml_walk(body, &EVENTS, &reader, e);
    outcome = outcome == 0 ? check_page(&reader, e) : outcome;
    buf_done(&reader.key);
    buf_done(&reader.next_key);
    buf_done(&reader.next_version);
    if (outcome != 0) {
        list_page_done(&reader.page);
        return -1;
    }
    list_page_done(ret);
    *ret = reader.page;
    return 0;
}
