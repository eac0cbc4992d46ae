#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/thread.h"
#include "s3/client.h"
#include "s3/list_token.h"
#include "s3/list_versions.h"
#include "s3/request.h"

enum {
    EMPTY_PAGES_MAX = 10, /* in a row; a store may skip over deleted keys so, but not for ever */
    QUERY_PAIRS_MAX = 6,
};

/* One page on its way. Whoever is later frees it: the reader, or the net thread that finds the
 * reader gone. So a listing that needs no more pages does not wait for the one asked for ahead. */
struct fetch {
    /* set once */
    struct s3_get get;
    struct client_page page;
    struct sigv4_pair query[QUERY_PAIRS_MAX];
    char *prefix, *start_after, *token, *id_marker;

    /* net thread until done */
    struct buf body;

    /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done, orphaned;
};

/* One listing. Its state is where it stands in the store's answer. */
struct listing {
    struct s3_client *client;
    const struct s3_list *list;
    enum list_kind kind;
    s3_entry_fn *fn;
    void *ctx;
    struct list_versions versions; /* of LIST_VERSIONS: between the pages and fn */
    bool fn_failed;                /* the words are its own then */
    unsigned empty_pages;          /* in a row */
    uint64_t pages;
    /* A store that starts over with ever new tokens shows the same first record again. */
    struct buf first;
    bool at_first, starts_over;
    /* A repeated token, at any distance, without remembering them all (Brent): the marker is set
     * anew at each power of two of pages. */
    struct buf last, marker;
    uint64_t marker_at;
};

static void fetch_free(struct fetch *fetch)
{
    buf_done(&fetch->body);
    free(fetch->prefix);
    free(fetch->start_after);
    free(fetch->token);
    free(fetch->id_marker);
    cond_done(&fetch->cond);
    mutex_done(&fetch->lock);
    free(fetch);
}

static void on_done(struct s3_get *get)
{
    struct fetch *fetch = get->owner;
    mutex_lock(&fetch->lock);
    fetch->done = true;
    const bool orphaned = fetch->orphaned;
    cond_signal(&fetch->cond); /* under the lock: the reader frees once it sees done */
    mutex_unlock(&fetch->lock);
    if (orphaned) {
        fetch_free(fetch);
    }
}

/* Where the page begins. Returns the count of pairs. */
static size_t fill_start(struct fetch *fetch, enum list_kind kind, struct sigv4_pair *query)
{
    if (kind == LIST_OBJECTS) {
        query[0] = fetch->token != NULL ? (struct sigv4_pair){"continuation-token", fetch->token}
                                        : (struct sigv4_pair){"start-after", fetch->start_after};
        return query[0].value == NULL ? 0 : 1;
    }
    size_t count = 0;
    const char *const token = fetch->token;
    const char *const key_marker = token == NULL ? fetch->start_after : list_token_key(token);
    if (key_marker != NULL) {
        query[count++] = (struct sigv4_pair){"key-marker", key_marker};
    }
    if (token != NULL && token[0] != '\n') {
        fetch->id_marker = xstrndup(token, strcspn(token, "\n"));
        query[count++] = (struct sigv4_pair){"version-id-marker", fetch->id_marker};
    }
    return count;
}

static void fill_query(struct fetch *fetch, enum list_kind kind, bool by_folder)
{
    size_t count = 0;
    struct sigv4_pair *const query = fetch->query;
    query[count++] = kind == LIST_VERSIONS ? (struct sigv4_pair){"versions", ""}
                                           : (struct sigv4_pair){"list-type", "2"};
    query[count++] = (struct sigv4_pair){"encoding-type", "url"};
    /* Also when it is empty: a policy's condition on s3:prefix is not met by a request without. */
    query[count++] = (struct sigv4_pair){"prefix", fetch->prefix};
    if (by_folder) {
        query[count++] = (struct sigv4_pair){"delimiter", "/"};
    }
    count += fill_start(fetch, kind, query + count);
    ASSERT(count <= QUERY_PAIRS_MAX);
    fetch->page.query_count = count;
}

/* token: NULL for the first page. */
static struct fetch *fetch_start(const struct listing *listing, const char *token)
{
    const struct s3_list *const list = listing->list;
    struct fetch *fetch = xcalloc(1, sizeof(*fetch));
    mutex_init(&fetch->lock);
    cond_init(&fetch->cond);
    fetch->prefix = xstrdup(list->prefix);
    fetch->start_after = list->start_after == NULL ? NULL : xstrdup(list->start_after);
    fetch->token = token == NULL ? NULL : xstrdup(token);
    fetch->body = BUF_INIT(REQUEST_PAGE_MAX);
    fill_query(fetch, listing->kind, list->by_folder);
    fetch->page.query = fetch->query;
    fetch->page.body = &fetch->body;
    fetch->get.key = fetch->prefix;
    fetch->get.done = on_done;
    fetch->get.owner = fetch;
    client_submit(listing->client, &fetch->get, &fetch->page);
    return fetch;
}

static void fetch_drop(struct fetch *fetch)
{
    if (fetch == NULL) {
        return;
    }
    mutex_lock(&fetch->lock);
    const bool done = fetch->done;
    fetch->orphaned = true;
    mutex_unlock(&fetch->lock);
    if (done) {
        fetch_free(fetch);
    }
}

static int fetch_wait(struct fetch *fetch, struct err *e)
{
    mutex_lock(&fetch->lock);
    while (!fetch->done) {
        cond_wait(&fetch->cond, &fetch->lock);
    }
    mutex_unlock(&fetch->lock);
    if (fetch->get.err.kind != ERR_NONE) {
        *e = fetch->get.err;
        return -1;
    }
    return 0;
}

static int endless(struct err *e, const char *why)
{
    err_set(e, ERR_CORRUPT, "listing does not end: %s", why);
    return err_hint(e, "check --endpoint: the store answers against the protocol");
}

static void remember(struct buf *buf, const struct buf *token)
{
    buf_clear(buf);
    const bool fits = buf_append(buf, buf_str(token), token->size);
    ASSERT(fits);
}

static int check_progress(struct listing *listing, const struct list_page *page, struct err *e)
{
    const char *const token = buf_str(&page->token);
    if (strcmp(token, buf_str(&listing->last)) == 0 ||
        strcmp(token, buf_str(&listing->marker)) == 0) {
        return endless(e, "a continuation token came twice");
    }
    listing->empty_pages = page->entries == 0 ? listing->empty_pages + 1 : 0;
    if (listing->empty_pages == EMPTY_PAGES_MAX) {
        return endless(e, "10 empty pages in a row");
    }
    remember(&listing->last, &page->token);
    listing->pages++;
    if (listing->pages == listing->marker_at) {
        remember(&listing->marker, &page->token);
        listing->marker_at *= 2;
    }
    return 0;
}

static int pass_entry(void *ctx, const struct s3_entry *entry, struct err *e)
{
    struct listing *listing = ctx;
    const int outcome = listing->fn(listing->ctx, entry, e);
    listing->fn_failed = outcome < 0;
    return outcome;
}

static void note_first(struct listing *listing, const struct s3_entry *entry)
{
    autobuf struct buf name = BUF_INIT(LIST_TOKEN_MAX);
    const bool fits = buf_append_str(&name, entry->key) && buf_append_char(&name, '\n') &&
                      buf_append_str(&name, entry->version_id);
    ASSERT(fits); /* both have their limits */
    listing->starts_over = strcmp(buf_str(&listing->first), buf_str(&name)) == 0;
    remember(&listing->first, &name);
    listing->at_first = false;
}

static int on_record(void *ctx, const struct list_record *record, struct err *e)
{
    struct listing *listing = ctx;
    if (listing->at_first) {
        note_first(listing, &record->entry);
    }
    if (listing->starts_over) {
        return endless(e, "a page begins as the one before it");
    }
    return listing->kind == LIST_VERSIONS ? list_versions_take(&listing->versions, record, e)
                                          : pass_entry(listing, &record->entry, e);
}

static int parse_page(struct listing *listing, struct slice body, struct list_page *ret,
                      struct err *e)
{
    listing->at_first = true;
    if (list_xml_parse(body, listing->kind, on_record, listing, ret, e) != 0) {
        return -1;
    }
    if (listing->kind == LIST_OBJECTS || ret->enough) {
        return 0;
    }
    const char *const open = ret->truncated ? list_token_key(buf_str(&ret->token)) : "";
    const int outcome = list_versions_end_page(&listing->versions, open, e);
    ret->enough = outcome == 1;
    return outcome < 0 ? -1 : 0;
}

/* One page, already received. *ret_next is the fetch of the following one, NULL at the end. */
static int read_page(struct listing *listing, const struct fetch *fetch, struct fetch **ret_next,
                     struct err *e)
{
    const struct slice body = slice_of(fetch->body.data, fetch->body.size);
    __attribute__((cleanup(list_page_done))) struct list_page page = LIST_PAGE_INIT;
    autobuf struct buf ahead = BUF_INIT(LIST_TOKEN_MAX);
    struct fetch *next = NULL;
    if (list_token_find(body, listing->kind, &ahead)) {
        next = fetch_start(listing, buf_str(&ahead));
    }
    if (parse_page(listing, body, &page, e) != 0) {
        fetch_drop(next);
        return -1;
    }
    if (page.enough || !page.truncated) {
        fetch_drop(next);
        return 0;
    }
    if (check_progress(listing, &page, e) != 0) {
        fetch_drop(next);
        return -1;
    }
    if (next != NULL && strcmp(buf_str(&ahead), buf_str(&page.token)) != 0) {
        fetch_drop(TAKE_PTR(next)); /* the quick look was fooled: the parser is right */
    }
    *ret_next = next != NULL ? next : fetch_start(listing, buf_str(&page.token));
    return 0;
}

static int read_pages(struct listing *listing, struct err *e)
{
    struct fetch *fetch = fetch_start(listing, NULL);
    int outcome = 0;
    while (outcome == 0 && fetch != NULL) {
        struct fetch *next = NULL;
        outcome = fetch_wait(fetch, e);
        if (outcome == 0) {
            outcome = read_page(listing, fetch, &next, e);
            if (outcome != 0 && !listing->fn_failed) {
                err_wrap(e, "list s3://%s/%s", listing->client->options.bucket,
                         listing->list->prefix);
                if (e->hint[0] == '\0') {
                    err_hint(e, "check --endpoint: the answer is no listing of S3's");
                }
            }
        }
        fetch_free(fetch);
        fetch = next;
    }
    ASSERT(fetch == NULL);
    return outcome;
}

int s3_list(struct s3_client *client, const struct s3_list *list, s3_entry_fn *fn, void *ctx,
            struct err *e)
{
    ASSERT(list->prefix != NULL && fn != NULL && client->options.version_at_ms >= 0);
    struct listing listing = {
        .client = client,
        .list = list,
        .kind = client->options.version_at_ms > 0 ? LIST_VERSIONS : LIST_OBJECTS,
        .fn = fn,
        .ctx = ctx,
        .last = BUF_INIT(LIST_TOKEN_MAX),
        .marker = BUF_INIT(LIST_TOKEN_MAX),
        .marker_at = 1,
        .first = BUF_INIT(LIST_TOKEN_MAX),
    };
    listing.versions = LIST_VERSIONS_INIT(client->options.version_at_ms, pass_entry, &listing);
    const int outcome = read_pages(&listing, e);
    list_versions_done(&listing.versions);
    buf_done(&listing.last);
    buf_done(&listing.marker);
    buf_done(&listing.first);
    return outcome;
}
