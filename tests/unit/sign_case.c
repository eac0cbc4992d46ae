#include "tests/unit/sign_case.h"

#include <string.h>

#include "agent/base/parse.h"
#include "s3/uri.h"

static void decode(const char *text, size_t size, struct buf *ret)
{
    *ret = BUF_INIT(SIGN_TEXT_MAX);
    const bool good = uri_decode(text, size, false, ret);
    ASSERT(good);
}

void sign_field_read(char **line, struct buf *ret)
{
    const char *field = strsep(line, "\t\n");
    ASSERT(field != NULL);
    decode(field, strlen(field), ret);
}

static void read_pairs(struct buf *field, struct sign_pairs *ret)
{
    for (const char *at = buf_str(field); *at != '\0';) {
        ASSERT(ret->count < SIGV4_PAIRS_MAX);
        struct buf *const texts = &ret->texts[2 * ret->count];
        const size_t name_size = strcspn(at, "=");
        const size_t size = strcspn(at, "&");
        ASSERT(name_size < size);
        decode(at, name_size, &texts[0]);
        decode(at + name_size + 1, size - name_size - 1, &texts[1]);
        ret->pairs[ret->count++] = (struct sigv4_pair){buf_str(&texts[0]), buf_str(&texts[1])};
        at += size + (at[size] == '&');
    }
}

static void copy_field(struct sign_case *sign, enum sign_field field, char *ret, size_t size)
{
    ASSERT(sign->fields[field].size < size);
    memcpy(ret, buf_str(&sign->fields[field]), sign->fields[field].size + 1);
}

void sign_case_read(struct sign_case *sign, char **line)
{
    *sign = (struct sign_case){.path = BUF_INIT(SIGN_TEXT_MAX)};
    struct buf *const fields = sign->fields;
    for (size_t i = 0; i < SIGN_FIELDS; i++) {
        sign_field_read(line, &fields[i]);
    }
    copy_field(sign, SIGN_ID, sign->creds.id, sizeof(sign->creds.id));
    copy_field(sign, SIGN_SECRET, sign->creds.secret, sizeof(sign->creds.secret));
    copy_field(sign, SIGN_TOKEN, sign->creds.token, sizeof(sign->creds.token));
    const bool fits = buf_append_char(&sign->path, '/') &&
                      uri_encode_path(buf_str(&fields[SIGN_KEY]), &sign->path);
    ASSERT(fits);
    read_pairs(&fields[SIGN_QUERY], &sign->query);
    read_pairs(&fields[SIGN_HEADERS], &sign->headers);
    sign->request = (struct sigv4_request){
        .method = buf_str(&fields[SIGN_METHOD]),
        .host = buf_str(&fields[SIGN_HOST]),
        .path = buf_str(&sign->path),
        .query = sign->query.pairs,
        .query_count = sign->query.count,
        .headers = sign->headers.pairs,
        .header_count = sign->headers.count,
        .body = slice_of(buf_str(&fields[SIGN_BODY]), fields[SIGN_BODY].size),
        .region = buf_str(&fields[SIGN_REGION]),
        .service = buf_str(&fields[SIGN_SERVICE]),
        .creds = &sign->creds,
    };
    const bool number =
        parse_i64(buf_str(&fields[SIGN_NOW]), fields[SIGN_NOW].size, &sign->request.now_ms);
    ASSERT(number);
}

static void free_pairs(struct sign_pairs *pairs)
{
    for (size_t i = 0; i < 2 * pairs->count; i++) {
        buf_done(&pairs->texts[i]);
    }
}

void sign_case_done(struct sign_case *sign)
{
    for (size_t i = 0; i < SIGN_FIELDS; i++) {
        buf_done(&sign->fields[i]);
    }
    buf_done(&sign->path);
    free_pairs(&sign->query);
    free_pairs(&sign->headers);
}
