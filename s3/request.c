#include "s3/request.h"

#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "s3/compose.h"
#include "s3/handle.h"
#include "s3/proxy.h"
#include "s3/transport.h"

enum {
    HEAD_MAX = 256 * 1024,      /* all header lines of one answer; S3 allows 8 KiB of metadata */
    PATH_MAX_SIZE = 4096,       /* 1,024 bytes of key, each as %XX, and a prefix */
    QUERY_MAX_SIZE = 16384,     /* a prefix, a start and a token, encoded */
    LINES_MAX_SIZE = 32 * 1024, /* a session token of 8 KiB among them */
    ETAG_HEADER_MAX = 1024,
    /* A try that brought so much was worth it: the budget of retries begins anew. On a slow line a
     * part can take longer than the whole budget; and a body in crumbs must end some time. */
    PROGRESS_MIN = 64 * 1024,
};

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    struct request *request = ctx;
    const size_t bytes = size * count;
    request->window_bytes += bytes;
    *request->traffic += bytes;
    request->head_size += bytes;
    if (request->head_size > HEAD_MAX) {
        return 0;
    }
    http_headers_line(&request->headers, data, bytes);
    return bytes;
}

/* Which object it is, and when the store says that. */
static void take_version(struct request *request)
{
    struct s3_get *const get = request->get;
    memcpy(get->answer_etag, request->headers.etag, sizeof(get->answer_etag));
    get->modified_ms = request->headers.modified_ms;
    get->date_ms = request->headers.date_ms;
}

/* A resumed body starts in its middle: what its first head told about the whole stays. */
static void take_facts(struct request *request)
{
    struct s3_get *const get = request->get;
    const struct http_headers *const headers = &request->headers;
    get->has_local_size = headers->has_local_size;
    get->local_size = headers->local_size;
    get->parts_count = headers->parts_count;
    get->encryption = headers->encryption;
    get->sse_kms =
        headers->encryption == S3_ENCRYPTION_KMS || headers->encryption == S3_ENCRYPTION_CUSTOMER;
    if (get->head || get->whole) {
        get->content_length = headers->length;
    }
    if (get->head) {
        get->copy = headers->copy;
        get->copy_until_ms = headers->copy_until_ms;
        get->archive_tier = headers->archive_tier;
    }
    if (get->head || !request->want.ranged) {
        get->checksum = headers->checksum;
        get->checksum.composite = get->checksum.composite || headers->composite;
    }
}

/* Called with the first byte, or at the end of an answer without any. */
static void choose_sink(struct request *request)
{
    ASSERT(request->sink == SINK_UNDECIDED);
    const int status = request->headers.status;
    request->sink = SINK_ERROR;
    if (status < 200 || status >= 300) {
        return;
    }
    request->refused = answer_check(&request->want, &request->headers, &request->refusal);
    if (request->refused != VERDICT_DONE) {
        return;
    }
    struct s3_transfer *transfer = request->get->transfer;
    take_version(request);
    if (request->get->restore != NULL || request->get->put != NULL) {
        return; /* nothing is wanted; an <Error> may come with a 200 */
    }
    request->sink = transfer->page == NULL ? SINK_INTO : SINK_PAGE;
    if (request->get->etag == NULL && !request->get->whole) {
        memcpy(transfer->etag, request->headers.etag, sizeof(transfer->etag));
    }
    take_facts(request);
}

static bool take_into(struct request *request, const char *data, size_t size)
{
    const struct s3_get *const get = request->get;
    uint64_t *const received = &get->transfer->received;
    ASSERT(!get->head && *received <= get->size);
    if (size > get->size - *received) {
        return false; /* curl stops at the Content-Length that was checked: never seen */
    }
    memcpy(get->into + *received, data, size);
    *received += size;
    return true;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct request *request = ctx;
    const size_t bytes = size * count;
    request->window_bytes += bytes;
    *request->traffic += bytes;
    request->body_size += bytes;
    if (request->sink == SINK_UNDECIDED) {
        choose_sink(request);
    }
    bool taken = false;
    switch (request->sink) {
    case SINK_INTO:
        taken = take_into(request, data, bytes);
        break;
    case SINK_PAGE:
        taken = buf_append(request->get->transfer->page->body, data, bytes);
        break;
    case SINK_ERROR:
        /* What is longer is no error's text: not worth waiting for. */
        taken = buf_append(&request->error_body, data, bytes);
        break;
    case SINK_UNDECIDED:
        break;
    }
    return taken ? bytes : 0;
}

struct request *request_new(struct s3_client *client, uint64_t *traffic)
{
    struct request *request = xcalloc(1, sizeof(*request));
    request->client = client;
    request->traffic = traffic;
    request->if_match = BUF_INIT(ETAG_HEADER_MAX);
    request->part_number = BUF_INIT(32);
    request->path = BUF_INIT(PATH_MAX_SIZE);
    request->query = BUF_INIT(QUERY_MAX_SIZE);
    request->url = BUF_INIT(PATH_MAX_SIZE + QUERY_MAX_SIZE + 512);
    request->lines = BUF_INIT(LINES_MAX_SIZE);
    request->error_body = BUF_INIT(ERROR_XML_MAX);
    request->easy = handle_new(&client->options);
    handle_set(curl_easy_setopt(request->easy, CURLOPT_HEADERFUNCTION, on_header));
    handle_set(curl_easy_setopt(request->easy, CURLOPT_HEADERDATA, request));
    handle_set(curl_easy_setopt(request->easy, CURLOPT_WRITEFUNCTION, on_body));
    handle_set(curl_easy_setopt(request->easy, CURLOPT_WRITEDATA, request));
    handle_set(curl_easy_setopt(request->easy, CURLOPT_ERRORBUFFER, request->curl_error));
    handle_set(curl_easy_setopt(request->easy, CURLOPT_PRIVATE, request));
    return request;
}

void request_free(struct request *request)
{
    if (request == NULL) {
        return;
    }
    ASSERT(request->get == NULL);
    curl_easy_cleanup(request->easy);
    struct buf *const bufs[] = {&request->if_match,  &request->part_number, &request->path,
                                &request->query,     &request->url,         &request->lines,
                                &request->error_body};
    for (size_t i = 0; i < ARRAY_SIZE(bufs); i++) {
        buf_done(bufs[i]);
    }
    free(request);
}

static void set_body(CURL *easy, struct slice body)
{
    handle_set(curl_easy_setopt(easy, CURLOPT_POST, 1L));
    handle_set(curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.size));
    handle_set(curl_easy_setopt(easy, CURLOPT_POSTFIELDS, (const char *)body.data));
}

static void set_method(struct request *request)
{
    CURL *const easy = request->easy;
    const struct s3_get *const get = request->get;
    handle_set(curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, get->put != NULL ? "PUT" : NULL));
    if (get->head) {
        handle_set(curl_easy_setopt(easy, CURLOPT_NOBODY, 1L));
    } else if (get->restore != NULL) {
        set_body(easy, slice_of(get->restore, strlen(get->restore)));
    } else if (get->put != NULL) {
        set_body(easy, get->put->body);
    } else {
        handle_set(curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L));
    }
}

int request_begin(struct request *request, struct s3_get *get, struct sigv4_key_cache *cache,
                  struct err *e)
{
    ASSERT(request->get == NULL && get->transfer->endpoint != NULL);
    request->get = get;
    if (compose_request(request, cache, e) != 0) {
        get->tries += e->kind == ERR_RETRY ? 1 : 0; /* the others can never be made */
        request_end(request);
        return -1;
    }
    request->headers = (struct http_headers){.date_ms = -1, .modified_ms = -1};
    request->head_size = 0;
    request->sink = SINK_UNDECIDED;
    request->refused = VERDICT_DONE;
    request->refusal = ERR_INIT;
    buf_clear(&request->error_body);
    request->error.code[0] = '\0';
    request->error.region[0] = '\0';
    request->body_size = 0;
    request->window_bytes = 0;
    request->curl_error[0] = '\0';
    if (get->transfer->page != NULL) {
        buf_clear(get->transfer->page->body);
    }
    if (get->whole) {
        get->transfer->received = 0; /* of another length, maybe */
    }
    get->tries++;
    handle_set_buffer(request->easy, &request->client->options,
                      get->transfer->page != NULL ? REQUEST_PAGE_MAX : get->size);
    handle_set(curl_easy_setopt(request->easy, CURLOPT_URL, buf_str(&request->url)));
    handle_set(curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, &request->nodes[0]));
    set_method(request);
    return 0;
}

void request_end(struct request *request)
{
    ASSERT(request->get != NULL);
    if (request->lines.data != NULL) {
        explicit_bzero(request->lines.data, request->lines.size);
    }
    creds_value_wipe(&request->creds);
    request->get = NULL;
}

static enum verdict judge_error(struct request *request, struct slice body, struct err *e)
{
    const enum verdict verdict =
        answer_error(&request->want, &request->headers, body, &request->error, e);
    const bool tls = strncmp(request->get->transfer->endpoint->base, "https:", 6) == 0;
    if (request->error.code[0] == '\0' && !tls) {
        proxy_doubt(request->headers.status, e);
    }
    return verdict;
}

static struct slice slice_of_buf(const struct buf *buf)
{
    return slice_of(buf->data, buf->size);
}

/* What was asked for is under way, or done, when others have asked for it before (API Reference,
 * RestoreObject). */
static bool is_restored_already(const char *code)
{
    return strcmp(code, "RestoreAlreadyInProgress") == 0 ||
           strcmp(code, "ObjectAlreadyInActiveTierError") == 0;
}

/* Of a POST ?restore or a PUT, whatever its status. */
static enum verdict judge_write(struct request *request, struct err *e)
{
    const struct slice body = slice_of_buf(&request->error_body);
    const int status = request->headers.status;
    if (status >= 200 && status < 300 && answer_is_html(body)) {
        (void)answer_html(e); /* asked again, as in judge_refused */
        return VERDICT_RETRY;
    }
    if (status >= 200 && status < 300 && !answer_is_error(body)) {
        return VERDICT_DONE;
    }
    const enum verdict verdict = judge_error(request, body, e);
    if (is_restored_already(request->error.code)) {
        *e = ERR_INIT;
        return VERDICT_DONE;
    }
    return verdict;
}

static enum verdict judge_object(struct request *request, struct err *e)
{
    const struct s3_get *const get = request->get;
    struct s3_transfer *const transfer = get->transfer;
    if (get->head) {
        return VERDICT_DONE;
    }
    if (transfer->received != (get->whole ? get->content_length : get->size)) {
        err_set(e, ERR_CORRUPT, "the body ended early");
        return VERDICT_RETRY;
    }
    /* Objects have an ETag; an error of the same length by chance has none. */
    const struct slice body = slice_of(get->into, (size_t)transfer->received);
    if (request->headers.etag[0] == '\0' && answer_is_error(body)) {
        transfer->received = 0;
        return judge_error(request, body, e);
    }
    return VERDICT_DONE;
}

static enum verdict judge_page(struct request *request, struct err *e)
{
    const struct slice body = slice_of_buf(request->get->transfer->page->body);
    if (answer_is_html(body)) {
        return answer_html(e);
    }
    return answer_is_error(body) ? judge_error(request, body, e) : VERDICT_DONE;
}

/* Bytes in place can be gone on with only when the same object can be asked for. */
static void forget_unpinned(struct s3_get *get)
{
    if (get->etag == NULL && get->transfer->etag[0] == '\0') {
        get->transfer->received = 0;
    }
}

bool request_progressed(const struct request *request)
{
    return request->sink == SINK_INTO && request->body_size >= PROGRESS_MIN;
}

/* Nothing has reached the store, or its answer is a refusal: anything else may hide a success. */
static bool is_undone(int status, CURLcode code)
{
    const bool unsent = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
                        code == CURLE_COULDNT_RESOLVE_PROXY;
    return status == 0 ? unsent : status >= 300 && status < 500;
}

static void note_for_retries(const struct request *request, CURLcode code)
{
    struct s3_transfer *const transfer = request->get->transfer;
    const bool put = request->get->put != NULL;
    transfer->unsure = transfer->unsure || (put && !is_undone(request->headers.status, code));
    transfer->answered = transfer->answered || request->headers.status != 0;
    transfer->retry_after_ms = request->headers.retry_after_ms;
    if (request_progressed(request)) {
        transfer->budget_from_ms = clock_mono_ms();
    }
}

/* A 2xx that answer_check refused, whose body may tell more. */
static enum verdict judge_refused(struct request *request, struct err *e)
{
    const struct slice body = slice_of_buf(&request->error_body);
    if (answer_is_error(body)) {
        return judge_error(request, body, e);
    }
    *e = request->refusal;
    if (request->refused == VERDICT_RETRY && answer_is_html(body)) {
        (void)answer_html(e); /* but asked again: a portal in the middle of a run may go away */
    }
    return request->refused;
}

enum verdict request_judge(struct request *request, CURLcode code, struct err *e)
{
    note_for_retries(request, code);
    struct s3_get *const get = request->get;
    const struct client_page *const page = get->transfer->page;
    const int status = request->headers.status;
    ASSERT(get->tries > 0);
    if (request->sink == SINK_UNDECIDED && (code == CURLE_OK || status >= 300)) {
        choose_sink(request);
    }
    if (status != 0 && (get->restore != NULL || get->put != NULL)) {
        return judge_write(request, e);
    }
    if (status != 0 && (status < 200 || status >= 300)) {
        return judge_error(request, slice_of_buf(&request->error_body), e);
    }
    if (request->refused != VERDICT_DONE) {
        return judge_refused(request, e);
    }
    if (page != NULL && page->body->overflowed) {
        err_set(e, ERR_LIMIT, "a page of more than %d bytes", REQUEST_PAGE_MAX);
        return VERDICT_FAIL;
    }
    if (code != CURLE_OK) {
        forget_unpinned(get);
        return transport_judge(request->easy, code, request->curl_error, e);
    }
    return page != NULL ? judge_page(request, e) : judge_object(request, e);
}
