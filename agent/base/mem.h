/*
 * mem: control-plane memory. Running out aborts with exit code 70: the journal makes a restart
 * cheap, and no caller could do better. Large or input-sized memory never comes from here
 * without a named limit checked first; part buffers come from budget.c.
 */
#ifndef PENATES_BASE_MEM_H
#define PENATES_BASE_MEM_H

#include "agent/base/cleanup.h"

/* All of these return memory that the caller frees with free(); none returns NULL. */
void *xcalloc(size_t count, size_t size); /* zeroed; an overflowing product aborts */
void *xrealloc(void *old, size_t count, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t size_max);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* a + b and a * b, or false when the result does not fit; *ret_sum is untouched then. */
static inline bool add_u64(uint64_t a, uint64_t b, uint64_t *ret_sum)
{
    uint64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) {
        return false;
    }
    *ret_sum = sum;
    return true;
}

/* A FILE that writes to memory: nothing is lost, so its calls need no check. */
struct mem_file {
    FILE *file;
    char *text;
    size_t size; /* of the text, once closed */
};
FILE *mem_file_open(struct mem_file *mem);
/* The text, which the caller frees. */
char *mem_file_close(struct mem_file *mem);

/*
 * Strings that live as long as the arena, equal ones stored once when asked for. One owner, one
 * thread at a time while it grows; readers need no lock afterwards.
 */
struct arena;
struct arena *arena_new(void);
void arena_free(struct arena *arena);
const char *arena_add(struct arena *arena, const char *text, size_t size);
const char *arena_intern(struct arena *arena, const char *text, size_t size);
/* Bytes taken from the system so far: the plan's share of --memory. */
size_t arena_bytes(const struct arena *arena);

#endif
