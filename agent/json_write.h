/*
 * json_write: JSON as a stream, always well-formed: commas, nesting and escapes are kept here, so a
 * file name with any bytes in it cannot break the document. Bytes that are not UTF-8 become U+FFFD.
 * The sink is a FILE: open_memstream() for text in memory. Write errors stay in the FILE: ferror().
 */
#ifndef PENATES_JSON_WRITE_H
#define PENATES_JSON_WRITE_H

#include "agent/base/buf.h"

/* Plans and reports nest four deep; the stack of open brackets is this array. */
enum { JSON_DEPTH_MAX = 8 };

struct json {
    FILE *file;
    bool pretty; /* a line for each member of the two outer levels */
    unsigned depth;
    char close[JSON_DEPTH_MAX];      /* the bracket that ends each open level */
    bool filled[JSON_DEPTH_MAX + 1]; /* the level has a member already */
};

#define JSON_INIT(sink, lines) ((struct json){.file = (sink), .pretty = (lines)})

/* `name` is the member's name inside an object, NULL inside an array and for the outermost value.
 */
void json_open_object(struct json *json, const char *name);
void json_open_array(struct json *json, const char *name);
void json_close(struct json *json);

void json_string(struct json *json, const char *name, const char *value); /* NULL: null */
void json_slice(struct json *json, const char *name, struct slice value);
/* At most `most` bytes of it; what is cut off ends in "...". */
void json_string_cut(struct json *json, const char *name, const char *value, size_t most);
void json_u64(struct json *json, const char *name, uint64_t value);
void json_seconds(struct json *json, const char *name, uint64_t ms); /* 12.345 */
void json_bool(struct json *json, const char *name, bool value);
void json_null(struct json *json, const char *name);
void json_time(struct json *json, const char *name, int64_t ms); /* RFC 3339 */

/* Ends the document with a line feed; every level must be closed. */
void json_end(struct json *json);

#endif
