#include "s3/answer.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

enum {
    /* S3 refuses 15 minutes; a clock that is off by less than this was not the reason. */
    SKEW_MIN_MS = 5 * 60 * 1000,
    SNIFF_SIZE = 256, /* an <Error> comes right after the XML declaration */
};

static enum verdict check_body_head(const struct answer_want *want,
                                    const struct http_headers *headers, struct err *e)
{
    const uint64_t size = want->last - want->first + 1;
    if (headers->status != (want->ranged ? 206 : 200)) {
        err_set(e, ERR_CORRUPT, "status %d in answer to a request %s range", headers->status,
                want->ranged ? "with a" : "without");
        return VERDICT_RETRY;
    }
    if (want->ranged && (!headers->has_range || headers->first != want->first ||
                         headers->last != want->last || headers->total != want->total)) {
        err_set(e, ERR_CORRUPT,
                "Content-Range is not the one asked for (bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64
                ")",
                want->first, want->last, want->total);
        return VERDICT_RETRY;
    }
    if (want->whole && headers->has_length && headers->length <= size) {
        return VERDICT_DONE;
    }
    if (want->whole && headers->has_length) {
        err_set(e, ERR_LIMIT, "has %" PRIu64 " bytes, more than %" PRIu64, headers->length, size);
        return VERDICT_FAIL;
    }
    if (!headers->has_length || headers->length != size) {
        err_set(e, ERR_CORRUPT, "body of %" PRIu64 " bytes announced, %" PRIu64 " expected",
                headers->has_length ? headers->length : 0, size);
        return VERDICT_RETRY;
    }
    return VERDICT_DONE;
}

enum verdict answer_check(const struct answer_want *want, const struct http_headers *headers,
                          struct err *e)
{
    ASSERT(headers->status >= 200 && headers->status < 300);
    ASSERT(want->head || want->page || want->restore || want->put ||
           (want->first <= want->last && want->last < want->total));
    if (headers->contradictory) {
        err_set(e, ERR_CORRUPT, "contradictory Content-Length or Content-Range");
        return VERDICT_RETRY;
    }
    if (want->etag[0] != '\0' && headers->etag[0] != '\0' &&
        strcmp(want->etag, headers->etag) != 0) {
        err_set(e, ERR_CHANGED, "the object was replaced: ETag %s, planned with %s", headers->etag,
                want->etag);
        return VERDICT_FAIL;
    }
    if (want->restore || want->put) {
        return VERDICT_DONE;
    }
    if (want->page) {
        /* Without either, a body that was cut would look complete. */
        if (headers->status == 200 && (headers->has_length || headers->chunked)) {
            return VERDICT_DONE;
        }
        err_set(e, ERR_CORRUPT, "status %d, or a body of untold length", headers->status);
        return VERDICT_RETRY;
    }
    if (want->head) {
        if ((headers->status == 200 || headers->status == 206) && headers->has_length) {
            return VERDICT_DONE;
        }
        err_set(e, ERR_CORRUPT, "status %d, or no Content-Length", headers->status);
        return VERDICT_RETRY;
    }
    return check_body_head(want, headers, e);
}

bool answer_is_error(struct slice body)
{
    static const char ROOT[] = "<Error";
    const size_t size = body.size < SNIFF_SIZE ? body.size : SNIFF_SIZE;
    struct error_xml error;
    return body.size > 0 && body.size <= ERROR_XML_MAX &&
           memmem(body.data, size, ROOT, sizeof(ROOT) - 1) != NULL && error_xml_parse(body, &error);
}

static bool begins_with(struct slice text, const char *start)
{
    const size_t size = strlen(start);
    return text.size >= size && strncasecmp((const char *)text.data, start, size) == 0;
}

bool answer_is_html(struct slice body)
{
    while (body.size > 0 && strchr(" \t\r\n", body.data[0]) != NULL) {
        body = slice_of(body.data + 1, body.size - 1);
    }
    return begins_with(body, "<!doctype html") || begins_with(body, "<html");
}

static int hint_html(struct err *e)
{
    return err_hint(e, "check --endpoint and the proxy: something other than S3 answers");
}

enum verdict answer_html(struct err *e)
{
    err_set(e, ERR_CONFIG, "200: a page of HTML");
    hint_html(e);
    return VERDICT_FAIL;
}

/* A refusal of whatever kind that tells of another region: there the answer may be another one. */
static bool is_elsewhere(const struct answer_want *want, const struct http_headers *headers)
{
    return (headers->status == 400 || headers->status == 403) &&
           headers->bucket_region[0] != '\0' && strcmp(headers->bucket_region, want->region) != 0;
}

/* HEAD answers have no body: the headers must do where a code is missing. */
static enum verdict verdict_without_code(const struct answer_want *want,
                                         const struct http_headers *headers, enum verdict by_status)
{
    if (is_elsewhere(want, headers)) {
        return VERDICT_REGION;
    }
    if (headers->status == 403 && want->signed_at_ms >= 0 && headers->date_ms >= 0) {
        const int64_t skew_ms = headers->date_ms - want->signed_at_ms;
        if (skew_ms > SKEW_MIN_MS || skew_ms < -SKEW_MIN_MS) {
            return VERDICT_SKEW;
        }
    }
    return by_status;
}

static const char *status_words(int status)
{
    switch (status) {
    case 301:
    case 302:
    case 307:
    case 308:
        return "redirected";
    case 400:
        return "bad request";
    case 401:
    case 403:
        return "denied";
    case 404:
        return "not found";
    case 407:
        return "the proxy asks who this is";
    case 412:
        return "the object was replaced since it was listed";
    case 416:
        return "the object is shorter than it was listed";
    case 429:
    case 503:
        return "the store asks for fewer requests";
    case 511:
        return "the network asks for a login";
    default:
        return "the store gives no reason";
    }
}

/* A listing has no precondition that could fail: Swift says 412 to one that is not signed. */
static int meant_status(const struct answer_want *want, int status)
{
    return want->page && status == 412 ? 400 : status;
}

static void word(const struct answer_want *want, const struct error_rule *rule, int status,
                 const struct error_xml *error, struct err *e)
{
    char what[sizeof(error->code) + 16];
    (void)snprintf(what, sizeof(what), "%d%s%s", status, error->code[0] == '\0' ? "" : " ",
                   error->code);
    /* "At least one of the pre-conditions did not hold" says less than we know. */
    const bool ours = error->message[0] == '\0' || rule->kind == ERR_CHANGED;
    if (rule->denial) {
        denial_word(&want->asked, what, error->message, e);
    } else {
        err_set(e, rule->kind, "%s: %s", what,
                ours ? status_words(meant_status(want, status)) : error->message);
    }
    if (rule->hint != NULL && e->hint[0] == '\0') {
        err_hint(e, "%s", rule->hint);
    }
    e->http = status;
}

enum verdict answer_error(const struct answer_want *want, const struct http_headers *headers,
                          struct slice body, struct error_xml *ret_error, struct err *e)
{
    struct error_xml error = {.code = ""};
    const bool told = body.size <= ERROR_XML_MAX && error_xml_parse(body, &error);
    const struct error_rule *const rule =
        error_map_find(meant_status(want, headers->status), error.code, error.message);
    if (!told && answer_is_html(body)) {
        err_set(e, rule->kind, "%d: %s, in a page of HTML", headers->status,
                status_words(headers->status));
        hint_html(e);
        e->http = headers->status;
    } else {
        word(want, rule, headers->status, &error, e);
    }
    *ret_error = error;
    if (!told) {
        return verdict_without_code(want, headers, rule->verdict);
    }
    return rule->verdict == VERDICT_FAIL && is_elsewhere(want, headers) ? VERDICT_REGION
                                                                        : rule->verdict;
}
