#include "agent/java_properties.h"

#include <string.h>

#include "agent/base/err.h"
#include "agent/base/parse.h"

struct reader {
    struct slice rest;
    unsigned line; /* of rest.data[0], from 1 */
    uint32_t high; /* a UTF-16 high surrogate that waits for its other half, 0: none */
};

static bool at_end(const struct reader *r)
{
    return r->rest.size == 0;
}

static uint8_t peek(const struct reader *r)
{
    ASSERT(r->rest.size > 0);
    return r->rest.data[0];
}

static void skip(struct reader *r)
{
    ASSERT(r->rest.size > 0);
    const uint8_t c = r->rest.data[0];
    const uint8_t next = r->rest.size > 1 ? r->rest.data[1] : 0;
    if (c == '\n' || (c == '\r' && next != '\n')) {
        r->line++; /* CR, LF and CR LF each end a line */
    }
    r->rest = slice_of(r->rest.data + 1, r->rest.size - 1);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static bool is_line_end(uint8_t c)
{
    return c == '\n' || c == '\r';
}

static void skip_blanks(struct reader *r)
{
    while (!at_end(r) && is_blank(peek(r))) {
        skip(r);
    }
}

static void skip_line(struct reader *r)
{
    while (!at_end(r) && !is_line_end(peek(r))) {
        skip(r);
    }
}

static void append_utf8(struct buf *out, uint32_t c)
{
    uint8_t bytes[4];
    size_t size;
    if (c < 0x80) {
        bytes[0] = (uint8_t)c;
        size = 1;
    } else if (c < 0x800) {
        bytes[0] = (uint8_t)(0xc0 | c >> 6);
        bytes[1] = (uint8_t)(0x80 | (c & 0x3f));
        size = 2;
    } else if (c < 0x10000) {
        bytes[0] = (uint8_t)(0xe0 | c >> 12);
        bytes[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        bytes[2] = (uint8_t)(0x80 | (c & 0x3f));
        size = 3;
    } else {
        bytes[0] = (uint8_t)(0xf0 | c >> 18);
        bytes[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
        bytes[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        bytes[3] = (uint8_t)(0x80 | (c & 0x3f));
        size = 4;
    }
    const bool fits = buf_append(out, bytes, size);
    ASSERT(fits); /* the maximum is three times the input, and no input byte makes more than two */
}

/* One UTF-16 unit as Java's char; pairs of surrogates become one character. */
static void append_unit(struct reader *r, struct buf *out, uint32_t unit)
{
    if (r->high != 0 && unit >= 0xdc00 && unit <= 0xdfff) {
        append_utf8(out, 0x10000 + ((r->high - 0xd800) << 10) + (unit - 0xdc00));
        r->high = 0;
        return;
    }
    if (r->high != 0) {
        append_utf8(out, 0xfffd); /* half a pair is no character */
        r->high = 0;
    }
    if (unit >= 0xd800 && unit <= 0xdbff) {
        r->high = unit;
    } else {
        append_utf8(out, unit >= 0xdc00 && unit <= 0xdfff ? 0xfffd : unit);
    }
}

/* What follows a backslash. */
static bool append_escape(struct reader *r, struct buf *out)
{
    static const char NAMES[] = "tnfr";
    static const char VALUES[] = "\t\n\f\r";
    if (at_end(r)) {
        return true; /* a backslash at the very end goes on with nothing */
    }
    const uint8_t c = peek(r);
    if (is_line_end(c)) {
        skip(r);
        if (c == '\r' && !at_end(r) && peek(r) == '\n') {
            skip(r);
        }
        skip_blanks(r);
        return true;
    }
    if (c == 'u') {
        uint8_t bytes[2];
        if (r->rest.size < 5 || !parse_hex((const char *)r->rest.data + 1, 4, bytes, 2)) {
            return false;
        }
        for (unsigned i = 0; i < 5; i++) {
            skip(r);
        }
        append_unit(r, out, (uint32_t)bytes[0] << 8 | bytes[1]);
        return true;
    }
    const char *name = c == '\0' ? NULL : strchr(NAMES, c);
    skip(r);
    append_unit(r, out, name == NULL ? c : (uint8_t)VALUES[name - NAMES]);
    return true;
}

/* Up to an unescaped line end or, for a name, an unescaped separator. */
static bool read_text(struct reader *r, struct buf *out, bool is_name)
{
    buf_clear(out);
    while (!at_end(r)) {
        const uint8_t c = peek(r);
        if (is_line_end(c) || (is_name && (is_blank(c) || c == '=' || c == ':'))) {
            break;
        }
        skip(r);
        if (c != '\\') {
            append_unit(r, out, c);
        } else if (!append_escape(r, out)) {
            return false;
        }
    }
    if (r->high != 0) {
        append_utf8(out, 0xfffd);
        r->high = 0;
    }
    return true;
}

bool java_properties_parse(struct slice text, java_property_fn *fn, void *ctx, unsigned *ret_line)
{
    struct reader r = {.rest = text, .line = 1};
    autobuf struct buf name = BUF_INIT(text.size * 3 + 4);
    autobuf struct buf value = BUF_INIT(text.size * 3 + 4);
    while (!at_end(&r)) {
        skip_blanks(&r);
        if (at_end(&r)) {
            break;
        }
        if (is_line_end(peek(&r))) {
            skip(&r);
            continue;
        }
        if (peek(&r) == '#' || peek(&r) == '!') {
            skip_line(&r);
            continue;
        }
        bool valid = read_text(&r, &name, true);
        skip_blanks(&r);
        if (valid && !at_end(&r) && (peek(&r) == '=' || peek(&r) == ':')) {
            skip(&r);
            skip_blanks(&r);
        }
        valid = valid && read_text(&r, &value, false);
        if (!valid) {
            *ret_line = r.line;
            return false;
        }
        fn(ctx, buf_str(&name), buf_str(&value));
    }
    return true;
}
