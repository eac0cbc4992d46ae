#include "agent/base/mem.h"

#include <stdarg.h>
#include <string.h>

#include "agent/base/err.h"

void *xcalloc(size_t count, size_t size)
{
    void *p = calloc(count == 0 ? 1 : count, size == 0 ? 1 : size);
    ASSERT(p != NULL);
    return p;
}

void *xrealloc(void *old, size_t count, size_t size)
{
    ASSERT(size > 0 && count <= SIZE_MAX / size);
    void *p = realloc(old, count == 0 ? 1 : count * size);
    ASSERT(p != NULL);
    return p;
}

char *xstrdup(const char *text)
{
    return xstrndup(text, strlen(text));
}

char *xstrndup(const char *text, size_t size_max)
{
    ASSERT(text != NULL);
    const size_t size = strnlen(text, size_max);
    char *copy = (char *)xcalloc(size + 1, 1);
    memcpy(copy, text, size);
    return copy;
}

char *xasprintf(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = NULL;
    const int size = vasprintf(&text, fmt, args);
    va_end(args);
    ASSERT(size >= 0 && text != NULL);
    return text;
}

/* Strings are packed into blocks; a block is freed only with the arena. */
enum { ARENA_BLOCK_SIZE = 256 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    char bytes[];
};

struct arena {
    struct arena_block *blocks; /* newest first: the one that is filled */
    size_t bytes;
    /* Interned strings: open addressing, power of two, at most three quarters full. */
    const char **slots;
    size_t slot_count, interned;
};

struct arena *arena_new(void)
{
    return (struct arena *)xcalloc(1, sizeof(struct arena));
}

void arena_free(struct arena *arena)
{
    if (arena == NULL) {
        return;
    }
    while (arena->blocks != NULL) {
        struct arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
    free(arena->slots);
    free(arena);
}

static struct arena_block *block_with_room(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->blocks;
    if (block != NULL && block->size - block->used >= size) {
        return block;
    }
    const size_t room = size > ARENA_BLOCK_SIZE ? size : ARENA_BLOCK_SIZE;
    block = (struct arena_block *)xcalloc(1, sizeof(*block) + room);
    block->size = room;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->bytes += sizeof(*block) + room;
    return block;
}

const char *arena_add(struct arena *arena, const char *text, size_t size)
{
    ASSERT(size < SIZE_MAX / 2);
    struct arena_block *block = block_with_room(arena, size + 1);
    char *copy = block->bytes + block->used;
    memcpy(copy, text, size);
    copy[size] = '\0';
    block->used += size + 1;
    return copy;
}

/* FNV-1a: names are short and come from our own listings, capped in number by the plan's limit. */
static uint64_t hash_text(const char *text, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    }
    return hash ^ (hash >> 32);
}

static size_t slot_of(const struct arena *arena, const char *text, size_t size)
{
    const size_t mask = arena->slot_count - 1;
    size_t at = (size_t)hash_text(text, size) & mask;
    while (arena->slots[at] != NULL &&
           (strncmp(arena->slots[at], text, size) != 0 || arena->slots[at][size] != '\0')) {
        at = (at + 1) & mask;
    }
    return at;
}

static void grow_slots(struct arena *arena)
{
    const char **old = arena->slots;
    const size_t old_count = arena->slot_count;
    arena->slot_count = old_count == 0 ? 1024 : old_count * 2;
    arena->slots = (const char **)xcalloc(arena->slot_count, sizeof(*arena->slots));
    arena->bytes += (arena->slot_count - old_count) * sizeof(*arena->slots);
    for (size_t i = 0; i < old_count; i++) {
        if (old[i] != NULL) {
            arena->slots[slot_of(arena, old[i], strlen(old[i]))] = old[i];
        }
    }
    free(old);
}

const char *arena_intern(struct arena *arena, const char *text, size_t size)
{
    ASSERT(memchr(text, '\0', size) == NULL);
    if (arena->interned >= arena->slot_count / 4 * 3) {
        grow_slots(arena);
    }
    const size_t at = slot_of(arena, text, size);
    if (arena->slots[at] == NULL) {
        arena->slots[at] = arena_add(arena, text, size);
        arena->interned++;
    }
    return arena->slots[at];
}

size_t arena_bytes(const struct arena *arena)
{
    return arena->bytes;
}

FILE *mem_file_open(struct mem_file *mem)
{
    *mem = (struct mem_file){0};
    mem->file = open_memstream(&mem->text, &mem->size);
    ASSERT(mem->file != NULL);
    return mem->file;
}

char *mem_file_close(struct mem_file *mem)
{
    const int failed = fclose(mem->file);
    mem->file = NULL;
    ASSERT(failed == 0 && mem->text != NULL); /* short of memory */
    return TAKE_PTR(mem->text);
}
