/*
 * buf: bytes that grow, up to a maximum fixed at birth. slice: bytes that are borrowed and do not
 * outlive the call they are passed to.
 */
#ifndef PENATES_BASE_BUF_H
#define PENATES_BASE_BUF_H

#include <string.h>

#include "agent/base/cleanup.h"

struct slice {
    const uint8_t *data;
    size_t size;
};

static inline struct slice slice_of(const void *data, size_t size)
{
    return (struct slice){.data = (const uint8_t *)data, .size = size};
}

static inline bool slice_is(struct slice slice, const char *text)
{
    return slice.size == strlen(text) &&
           (slice.size == 0 || memcmp(slice.data, text, slice.size) == 0);
}

struct buf {
    char *data;      /* NUL-terminated at data[size] whenever not NULL */
    size_t size;     /* bytes used, without the NUL */
    size_t capacity; /* bytes allocated */
    size_t size_max; /* never grows past this */
    bool overflowed; /* an append did not fit; the content is what fitted before it */
};

#define BUF_INIT(max) ((struct buf){.size_max = (max)})

void buf_done(struct buf *buf);  /* frees; the buf can be used again */
void buf_wipe(struct buf *buf);  /* the same, for secrets: overwrites first */
void buf_clear(struct buf *buf); /* size 0, memory kept, overflow forgotten */

/* All its room at once: it never moves, so no copy of a secret in it is left behind. */
struct buf buf_whole(size_t size_max);

/* Each appends whole or not at all: false when the maximum would be passed. */
bool buf_append(struct buf *buf, const void *data, size_t size);
bool buf_append_str(struct buf *buf, const char *text);
bool buf_append_char(struct buf *buf, char c);
bool buf_appendf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The text so far; "" when empty, never NULL. Borrowed until the next append. */
const char *buf_str(const struct buf *buf);

#define autobuf __attribute__((cleanup(buf_done)))

#endif
