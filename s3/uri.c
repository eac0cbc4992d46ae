#include "s3/uri.h"

#include "agent/base/err.h"
#include "agent/base/parse.h"

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static void cut_back(struct buf *out, size_t size)
{
    ASSERT(size <= out->size);
    if (out->size > size) {
        out->size = size;
        out->data[size] = '\0';
    }
}

static bool append_encoded(char c, struct buf *out)
{
    static const char digits[] = "0123456789ABCDEF"; /* the signature needs upper case */
    const uint8_t byte = (uint8_t)c;
    const char escape[3] = {'%', digits[byte >> 4], digits[byte & 0x0f]};
    return buf_append(out, escape, sizeof(escape));
}

static bool encode(const char *text, bool keep_slash, struct buf *out)
{
    ASSERT(text != NULL && out != NULL);
    const size_t size_before = out->size;
    for (const char *at = text; *at != '\0'; at++) {
        const bool plain = is_unreserved(*at) || (keep_slash && *at == '/');
        if (!(plain ? buf_append_char(out, *at) : append_encoded(*at, out))) {
            cut_back(out, size_before);
            return false;
        }
    }
    return true;
}

bool uri_encode_path(const char *key, struct buf *out)
{
    return encode(key, true, out);
}

bool uri_encode_query(const char *text, struct buf *out)
{
    return encode(text, false, out);
}

/* One byte, escaped or not; returns how much text it took, 0 when it cannot be. */
static size_t decode_one(const char *text, size_t size, bool plus_is_space, char *ret)
{
    ASSERT(size > 0);
    if (*text == '%') {
        uint8_t byte = 0;
        if (size < 3 || !parse_hex(text + 1, 2, &byte, 1)) {
            return 0;
        }
        *ret = (char)byte;
        return byte == 0 ? 0 : 3;
    }
    *ret = *text;
    if (plus_is_space && *text == '+') {
        *ret = ' ';
    }
    return *text == '\0' ? 0 : 1;
}

bool uri_decode(const char *text, size_t size, bool plus_is_space, struct buf *out)
{
    ASSERT((text != NULL || size == 0) && out != NULL);
    const size_t size_before = out->size;
    size_t at = 0;
    while (at < size) {
        char byte = '\0';
        const size_t taken = decode_one(text + at, size - at, plus_is_space, &byte);
        if (taken == 0 || !buf_append_char(out, byte)) {
            cut_back(out, size_before);
            return false;
        }
        at += taken;
    }
    return true;
}
