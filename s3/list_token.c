#include "s3/list_token.h"

#include <string.h>

#include "s3/uri.h"

bool list_token_is_version_id(const struct buf *text)
{
    for (size_t i = 0; i < text->size; i++) {
        if (text->data[i] <= ' ' || text->data[i] > '~') {
            return false;
        }
    }
    return text->size <= LIST_VERSION_MAX;
}

bool list_token_join(const struct buf *version, const struct buf *key, struct buf *ret)
{
    buf_clear(ret);
    return buf_append(ret, buf_str(version), version->size) && buf_append_char(ret, '\n') &&
           buf_append(ret, buf_str(key), key->size);
}

const char *list_token_key(const char *token)
{
    const char *const end = strchr(token, '\n');
    return end == NULL ? "" : end + 1;
}

bool list_token_sees(struct slice text, const char *word)
{
    return text.size > 0 && memmem(text.data, text.size, word, strlen(word)) != NULL;
}

/* The five entities of XML and decimal references, which is all that a token needs. */
static bool unescape(const char *text, size_t size, struct buf *ret)
{
    static const struct {
        const char *entity;
        char c;
    } ENTITIES[] = {{"&amp;", '&'},   {"&lt;", '<'},  {"&gt;", '>'},   {"&quot;", '"'},
                    {"&apos;", '\''}, {"&#34;", '"'}, {"&#39;", '\''}, {"&#43;", '+'}};
    for (size_t at = 0; at < size;) {
        size_t taken = 1;
        char c = text[at];
        if (c == '<') {
            return false;
        }
        if (c == '&') {
            taken = 0;
            for (size_t i = 0; i < ARRAY_SIZE(ENTITIES) && taken == 0; i++) {
                const size_t entity = strlen(ENTITIES[i].entity);
                if (size - at >= entity && memcmp(text + at, ENTITIES[i].entity, entity) == 0) {
                    taken = entity;
                    c = ENTITIES[i].c;
                }
            }
        }
        if (taken == 0 || !buf_append_char(ret, c)) {
            return false;
        }
        at += taken;
    }
    return ret->size > 0;
}

/* The text of the first element of this name, which has no attributes. */
static bool find_text(struct slice body, const char *name, struct buf *ret)
{
    char open[64], close[64];
    const int open_size = snprintf(open, sizeof(open), "<%s>", name);
    const int close_size = snprintf(close, sizeof(close), "</%s>", name);
    ASSERT(open_size > 0 && close_size > open_size && (size_t)close_size < sizeof(close));
    const char *const text = (const char *)body.data;
    const char *begin = memmem(text, body.size, open, (size_t)open_size);
    if (begin == NULL) {
        return false;
    }
    begin += open_size;
    const char *const end =
        memmem(begin, (size_t)(text + body.size - begin), close, (size_t)close_size);
    return end != NULL && unescape(begin, (size_t)(end - begin), ret);
}

static bool find_markers(struct slice body, struct buf *ret)
{
    autobuf struct buf told = BUF_INIT(3 * LIST_KEY_MAX);
    autobuf struct buf key = BUF_INIT(LIST_KEY_MAX);
    autobuf struct buf version = BUF_INIT(LIST_VERSION_MAX);
    const bool url = list_token_sees(body, LIST_URL_TOLD);
    return find_text(body, "NextKeyMarker", &told) &&
           (url ? uri_decode(buf_str(&told), told.size, true, &key)
                : buf_append(&key, buf_str(&told), told.size)) &&
           find_text(body, "NextVersionIdMarker", &version) && list_token_is_version_id(&version) &&
           list_token_join(&version, &key, ret);
}

bool list_token_find(struct slice body, enum list_kind kind, struct buf *ret_token)
{
    buf_clear(ret_token);
    const bool found =
        list_token_sees(body, "<IsTruncated>true</IsTruncated>") &&
        (kind == LIST_VERSIONS ? find_markers(body, ret_token)
                               : find_text(body, "NextContinuationToken", ret_token));
    if (!found) {
        buf_clear(ret_token);
    }
    return found;
}
