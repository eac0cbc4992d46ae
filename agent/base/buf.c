#include "agent/base/buf.h"

#include <stdarg.h>
#include <string.h>

#include "agent/base/err.h"
#include "agent/base/mem.h"

void buf_done(struct buf *buf)
{
    free(buf->data);
    *buf = BUF_INIT(buf->size_max);
}

void buf_wipe(struct buf *buf)
{
    if (buf->data != NULL) {
        explicit_bzero(buf->data, buf->capacity);
    }
    buf_done(buf);
}

struct buf buf_whole(size_t size_max)
{
    ASSERT(size_max > 0 && size_max < SIZE_MAX);
    return (struct buf){
        .data = (char *)xcalloc(size_max + 1, 1), .capacity = size_max + 1, .size_max = size_max};
}

void buf_clear(struct buf *buf)
{
    buf->size = 0;
    buf->overflowed = false;
    if (buf->data != NULL) {
        buf->data[0] = '\0';
    }
}

/* Room for `size` more bytes and the NUL; doubles, so that appends cost a constant on average. */
static bool reserve(struct buf *buf, size_t size)
{
    ASSERT(buf->size_max > 0 && buf->size <= buf->size_max);
    if (size > buf->size_max - buf->size) {
        buf->overflowed = true;
        return false;
    }
    const size_t need = buf->size + size + 1;
    if (need > buf->capacity) {
        size_t capacity = buf->capacity < 128 ? 256 : buf->capacity * 2;
        capacity = capacity > buf->size_max + 1 ? buf->size_max + 1 : capacity;
        capacity = capacity < need ? need : capacity;
        buf->data = (char *)xrealloc(buf->data, capacity, 1);
        buf->capacity = capacity;
    }
    return true;
}

bool buf_append(struct buf *buf, const void *data, size_t size)
{
    if (!reserve(buf, size)) {
        return false;
    }
    if (size > 0) {
        memcpy(buf->data + buf->size, data, size);
    }
    buf->size += size;
    buf->data[buf->size] = '\0';
    return true;
}

bool buf_append_str(struct buf *buf, const char *text)
{
    return buf_append(buf, text, strlen(text));
}

bool buf_append_char(struct buf *buf, char c)
{
    return buf_append(buf, &c, 1);
}

/* Printed in place; a second time when only the first has told how much room it takes. */
bool buf_appendf(struct buf *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    const size_t room = buf->capacity - buf->size;
    const int size = vsnprintf(room == 0 ? NULL : buf->data + buf->size, room, fmt, args);
    va_end(args);
    ASSERT(size >= 0);
    const bool fits = reserve(buf, (size_t)size);
    if (fits && (size_t)size >= room) {
        (void)vsnprintf(buf->data + buf->size, (size_t)size + 1, fmt, again);
    } else if (!fits && room > 0) {
        buf->data[buf->size] = '\0';
    }
    va_end(again);
    buf->size += fits ? (size_t)size : 0;
    return fits;
}

const char *buf_str(const struct buf *buf)
{
    return buf->data == NULL ? "" : buf->data;
}
