#include "s3/compose.h"

#include <inttypes.h>
#include <string.h>

#include "agent/base/clock.h"
#include "s3/uri.h"

static bool has_version(const struct s3_get *get)
{
    return get->version_id != NULL && get->version_id[0] != '\0';
}

enum { HEADERS_MAX = 6 + SSE_C_HEADERS }; /* range, ETag, checksum, type, payer, owner */

/* What a policy has to allow for this request. */
static const char *action_of(const struct request *request)
{
    const struct s3_get *const get = request->get;
    if (request->want.page) {
        return request->client->options.version_at_ms > 0 ? "s3:ListBucketVersions"
                                                          : "s3:ListBucket";
    }
    if (request->want.restore) {
        return "s3:RestoreObject";
    }
    if (request->want.put) {
        return "s3:PutObject";
    }
    /* Of HEAD, too. */
    return has_version(get) ? "s3:GetObjectVersion" : "s3:GetObject";
}

static void fill_asked(struct request *request)
{
    request->want.asked = (struct denial_asked){
        .action = action_of(request),
        .list = request->want.page,
        .bucket = request->client->options.bucket,
        .key = request->get->key,
        .region = request->get->transfer->endpoint->region,
        .caller = request->client->options.no_sign ? NULL : request->creds.source,
    };
}

static void fill_want(struct request *request)
{
    const struct s3_get *const get = request->get;
    const struct s3_transfer *const transfer = get->transfer;
    struct answer_want *const want = &request->want;
    *want = (struct answer_want){
        .head = get->head,
        .restore = get->restore != NULL,
        .put = get->put != NULL,
        .page = transfer->page != NULL,
        .whole = get->whole,
        .etag = get->restore != NULL || get->put != NULL ? ""
                : get->etag != NULL                      ? get->etag
                                                         : transfer->etag,
        .region = transfer->endpoint->region,
        .signed_at_ms = -1,
    };
    request->range[0] = '\0';
    if (want->head || want->restore || want->put || want->page) {
        return;
    }
    want->first = get->offset + transfer->received;
    want->last = get->offset + get->size - 1;
    want->total = get->whole ? get->size : get->object_size;
    ASSERT(want->first <= want->last && want->last < want->total);
    want->ranged = want->first > 0 || want->last < want->total - 1;
    if (want->ranged) {
        (void)snprintf(request->range, sizeof(request->range), "bytes=%" PRIu64 "-%" PRIu64,
                       want->first, want->last);
    }
}

/* The ETag in quotes. False when it does not fit: without it the request would not be pinned. */
static bool fill_if_match(struct request *request)
{
    struct buf *const text = &request->if_match;
    const struct s3_put *const put = request->get->put;
    const char *const etag =
        put != NULL && put->if_match != NULL ? put->if_match : request->want.etag;
    buf_clear(text);
    return etag[0] == '\0' ||
           (buf_append_char(text, '"') && buf_append_str(text, etag) && buf_append_char(text, '"'));
}

/* Headers of this try, without Host and what the signer adds. Borrowed from the request. */
static size_t fill_headers(const struct request *request, struct sigv4_pair *ret)
{
    const struct s3_options *const options = &request->client->options;
    size_t count = 0;
    if (request->range[0] != '\0') {
        ret[count++] = (struct sigv4_pair){"range", request->range};
    }
    if (request->if_match.size > 0) {
        ret[count++] = (struct sigv4_pair){"if-match", buf_str(&request->if_match)};
    }
    if (request->want.restore) {
        ret[count++] = (struct sigv4_pair){"content-type", "application/xml"};
    }
    if (request->want.put) {
        ret[count++] = (struct sigv4_pair){"content-type", request->get->put->content_type};
    }
    if (request->want.put && request->get->put->only_new) {
        ret[count++] = (struct sigv4_pair){"if-none-match", "*"};
    }
    if (request->get->want_checksum) {
        ret[count++] = (struct sigv4_pair){"x-amz-checksum-mode", "ENABLED"};
    }
    if (options->request_payer != NULL) {
        ret[count++] = (struct sigv4_pair){"x-amz-request-payer", options->request_payer};
    }
    if (options->expected_bucket_owner != NULL) {
        ret[count++] =
            (struct sigv4_pair){"x-amz-expected-bucket-owner", options->expected_bucket_owner};
    }
    if (!request->want.page && !request->want.restore && !request->want.put) {
        count += sse_c_headers(&request->client->sse_c, ret + count);
    }
    ASSERT(count <= HEADERS_MAX);
    return count;
}

static size_t fill_query(struct request *request, struct sigv4_pair *ret)
{
    const struct client_page *const page = request->get->transfer->page;
    if (page != NULL) {
        ASSERT(page->query_count <= SIGV4_PAIRS_MAX);
        memcpy(ret, page->query, page->query_count * sizeof(*ret));
        return page->query_count;
    }
    const struct s3_get *const get = request->get;
    size_t count = 0;
    if (request->want.restore) {
        ret[count++] = (struct sigv4_pair){"restore", ""};
    }
    if (get->part_number > 0) {
        buf_clear(&request->part_number);
        const bool fits = buf_appendf(&request->part_number, "%u", get->part_number);
        ASSERT(fits);
        ret[count++] = (struct sigv4_pair){"partNumber", buf_str(&request->part_number)};
    }
    if (has_version(get)) {
        ret[count++] = (struct sigv4_pair){"versionId", get->version_id};
    }
    return count;
}

static bool fill_path(struct request *request)
{
    const struct endpoint *const endpoint = request->get->transfer->endpoint;
    buf_clear(&request->path);
    if (!buf_append_str(&request->path, endpoint->path)) {
        return false;
    }
    if (request->want.page) {
        return request->path.size > 0 || buf_append_char(&request->path, '/');
    }
    return buf_append_char(&request->path, '/') &&
           uri_encode_path(request->get->key, &request->path);
}

/* Without a signature the order of the query is as free as its absence. */
static bool fill_plain_query(struct request *request, const struct sigv4_pair *query, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if ((i > 0 && !buf_append_char(&request->query, '&')) ||
            !uri_encode_query(query[i].name, &request->query) ||
            !buf_append_char(&request->query, '=') ||
            !uri_encode_query(query[i].value, &request->query)) {
            return false;
        }
    }
    return true;
}

static int sign(struct request *request, const struct sigv4_request *unsigned_request,
                struct sigv4_key_cache *cache, struct err *e)
{
    if (creds_get(request->client->options.creds, &request->creds, e) != 0) {
        return -1;
    }
    struct sigv4_request signing = *unsigned_request;
    signing.creds = &request->creds;
    signing.now_ms = clock_wall_ms() + request->get->transfer->skew_ms;
    request->want.signed_at_ms = signing.now_ms;
    return sigv4_sign(&signing, cache, &request->query, &request->lines, e);
}

/* Lines end in '\n' up to here: now each becomes a string of its own, and a link of curl's list. */
static void link_lines(struct request *request)
{
    size_t count = 0;
    char *at = request->lines.data;
    char *const end = at + request->lines.size;
    while (at < end) {
        char *const line_end = memchr(at, '\n', (size_t)(end - at));
        ASSERT(line_end != NULL && count < REQUEST_LINES_MAX);
        *line_end = '\0';
        request->nodes[count] = (struct curl_slist){.data = at};
        if (count > 0) {
            request->nodes[count - 1].next = &request->nodes[count];
        }
        count++;
        at = line_end + 1;
    }
    ASSERT(count > 0);
}

/* Piece by piece: formatted output would cost more than the rest of a small request's set-up. */
static bool append_line(struct buf *lines, const char *name, const char *value)
{
    /* The signer refuses control characters; an ETag from a listing could bring them here. */
    return strpbrk(value, "\r\n") == NULL && buf_append_str(lines, name) &&
           buf_append(lines, ": ", 2) && buf_append_str(lines, value) &&
           buf_append_char(lines, '\n');
}

static bool fill_lines(struct request *request, const struct sigv4_pair *headers, size_t count)
{
    bool ok = append_line(&request->lines, "Host", request->get->transfer->endpoint->host);
    for (size_t i = 0; i < count && ok; i++) {
        ok = append_line(&request->lines, headers[i].name, headers[i].value);
    }
    return ok;
}

static bool fill_url(struct request *request)
{
    struct buf *const url = &request->url;
    buf_clear(url);
    return buf_append_str(url, request->get->transfer->endpoint->base) &&
           buf_append(url, request->path.data, request->path.size) &&
           (request->query.size == 0 ||
            (buf_append_char(url, '?') &&
             buf_append(url, request->query.data, request->query.size)));
}

static struct slice body_of(const struct s3_get *get)
{
    if (get->put != NULL) {
        return get->put->body;
    }
    return get->restore == NULL ? slice_of("", 0) : slice_of(get->restore, strlen(get->restore));
}

static const char *method_of(const struct answer_want *want)
{
    return want->head ? "HEAD" : want->restore ? "POST" : want->put ? "PUT" : "GET";
}

int compose_request(struct request *request, struct sigv4_key_cache *cache, struct err *e)
{
    struct sigv4_pair headers[HEADERS_MAX];
    struct sigv4_pair query[SIGV4_PAIRS_MAX];
    const struct endpoint *const endpoint = request->get->transfer->endpoint;
    fill_want(request);
    fill_asked(request);
    const bool pinned = fill_if_match(request);
    const size_t header_count = fill_headers(request, headers);
    const size_t query_count = fill_query(request, query);
    buf_clear(&request->query);
    buf_clear(&request->lines);
    bool fits = pinned && fill_path(request) && fill_lines(request, headers, header_count);
    if (fits && request->client->options.no_sign) {
        fits = fill_plain_query(request, query, query_count);
    } else if (fits) {
        const struct sigv4_request unsigned_request = {
            .method = method_of(&request->want),
            .host = endpoint->host,
            .path = buf_str(&request->path),
            .query = query,
            .query_count = query_count,
            .headers = headers,
            .header_count = header_count,
            .body = body_of(request->get),
            .region = endpoint->region,
            .service = "s3",
        };
        if (sign(request, &unsigned_request, cache, e) != 0) {
            return -1;
        }
    }
    if (!fits || !fill_url(request)) {
        return err_set(e, ERR_LIMIT, "key, prefix or ETag is too long or not fit to be sent");
    }
    link_lines(request);
    return 0;
}
