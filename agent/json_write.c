#include "agent/json_write.h"

#include <inttypes.h>
#include <string.h>

#include "agent/base/err.h"
#include "agent/base/parse.h"

/* Two levels on lines of their own read well and diff well; a line for every member of every file
 * would double the size of a report. */
enum { PRETTY_DEPTH = 2 };

static void put(struct json *json, const char *text)
{
    (void)fputs(text, json->file); /* the FILE remembers a failure */
}

/* Size of the UTF-8 character at the start of `text`, 0: not one (RFC 3629: no surrogates, no
 * overlong forms, nothing past U+10FFFF). */
static size_t utf8_size(struct slice text)
{
    const uint8_t lead = text.data[0];
    const size_t size = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (size == 0 || lead > 0xf4 || size > text.size) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((text.data[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if (size < 3) {
        return size;
    }
    const uint8_t second = text.data[1];
    const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
    const bool outside = (lead == 0xed && second > 0x9f) || (lead == 0xf4 && second > 0x8f);
    return overlong || outside ? 0 : size;
}

static void put_escaped(struct json *json, uint8_t c)
{
    switch (c) {
    case '"':
        put(json, "\\\"");
        break;
    case '\\':
        put(json, "\\\\");
        break;
    case '\n':
        put(json, "\\n");
        break;
    case '\t':
        put(json, "\\t");
        break;
    default:
        (void)fprintf(json->file, "\\u%04x", c);
        break;
    }
}

static void put_text(struct json *json, struct slice text)
{
    while (text.size > 0) {
        const uint8_t c = text.data[0];
        size_t size = utf8_size(text);
        if (size == 0) {
            put(json, "\xef\xbf\xbd"); /* U+FFFD, the replacement character */
            size = 1;
        } else if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f) {
            put_escaped(json, c);
        } else {
            (void)fwrite(text.data, 1, size, json->file);
        }
        text = slice_of(text.data + size, text.size - size);
    }
}

static void put_quoted(struct json *json, struct slice text)
{
    put(json, "\"");
    put_text(json, text);
    put(json, "\"");
}

static void put_line(struct json *json, unsigned depth)
{
    if (!json->pretty || depth > PRETTY_DEPTH) {
        return;
    }
    put(json, "\n");
    for (unsigned i = 0; i < depth; i++) {
        put(json, "  ");
    }
}

/* Comma, line and name of the next value. */
static void put_lead(struct json *json, const char *name)
{
    const bool in_object = json->depth > 0 && json->close[json->depth - 1] == '}';
    ASSERT(in_object == (name != NULL));
    ASSERT(json->depth > 0 || !json->filled[0]);
    if (json->filled[json->depth]) {
        put(json, json->pretty && json->depth > PRETTY_DEPTH ? ", " : ",");
    }
    json->filled[json->depth] = true;
    if (json->depth > 0) {
        put_line(json, json->depth);
    }
    if (name != NULL) {
        put_quoted(json, slice_of(name, strlen(name)));
        put(json, json->pretty ? ": " : ":");
    }
}

static void open_level(struct json *json, const char *name, const char *open, char close)
{
    put_lead(json, name);
    ASSERT(json->depth < JSON_DEPTH_MAX);
    put(json, open);
    json->close[json->depth] = close;
    json->depth++;
    json->filled[json->depth] = false;
}

void json_open_object(struct json *json, const char *name)
{
    open_level(json, name, "{", '}');
}

void json_open_array(struct json *json, const char *name)
{
    open_level(json, name, "[", ']');
}

void json_close(struct json *json)
{
    ASSERT(json->depth > 0);
    const bool filled = json->filled[json->depth];
    json->depth--;
    if (filled && json->depth < PRETTY_DEPTH) {
        put_line(json, json->depth);
    }
    (void)fputc(json->close[json->depth], json->file);
}

void json_string(struct json *json, const char *name, const char *value)
{
    if (value == NULL) {
        json_null(json, name);
        return;
    }
    json_slice(json, name, slice_of(value, strlen(value)));
}

void json_slice(struct json *json, const char *name, struct slice value)
{
    put_lead(json, name);
    put_quoted(json, value);
}

void json_string_cut(struct json *json, const char *name, const char *value, size_t most)
{
    const size_t size = value == NULL ? 0 : strlen(value);
    if (size <= most) {
        json_string(json, name, value);
        return;
    }
    put_lead(json, name);
    put(json, "\"");
    put_text(json, slice_of(value, most));
    put(json, "...\"");
}

void json_u64(struct json *json, const char *name, uint64_t value)
{
    put_lead(json, name);
    (void)fprintf(json->file, "%" PRIu64, value);
}

void json_seconds(struct json *json, const char *name, uint64_t ms)
{
    put_lead(json, name);
    (void)fprintf(json->file, "%" PRIu64 ".%03" PRIu64, ms / 1000, ms % 1000);
}

void json_bool(struct json *json, const char *name, bool value)
{
    put_lead(json, name);
    put(json, value ? "true" : "false");
}

void json_null(struct json *json, const char *name)
{
    put_lead(json, name);
    put(json, "null");
}

void json_time(struct json *json, const char *name, int64_t ms)
{
    char text[TIME_TEXT_SIZE];
    json_string(json, name, format_time(ms, text));
}

void json_end(struct json *json)
{
    ASSERT(json->depth == 0);
    ASSERT(json->filled[0]);
    put(json, "\n");
}
