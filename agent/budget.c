#include "agent/budget.h"

#include <malloc.h>

#include "agent/base/err.h"
#include "agent/base/mem.h"
#include "agent/base/thread.h"

enum {
    MMAP_MIN = 256 << 10, /* malloc maps and unmaps blocks of this size one by one */
    LEVELS = 8,           /* from 64 MiB, the largest part, down to 2 * MMAP_MIN */
};

/* A free slab is the link to the next one: its memory is ours already. */
struct idle_slab {
    struct idle_slab *next;
};

struct budget {
    /* set once */
    uint64_t limit;
    size_t slab_size;

    /* under lock */
    pthread_mutex_t lock;
    uint64_t used; /* charged, idle slabs not included */
    uint64_t peak;
    struct idle_slab *idle[LEVELS]; /* of slab_size >> level bytes */
    uint64_t idle_bytes;
};

/*
 * Freed memory has to leave the process, or the resident size would tell of the past: blocks above
 * 256 KiB are mapped and unmapped one by one (without this glibc raises the threshold to 32 MiB as
 * soon as one is freed), and four arenas keep what many threads leave behind small.
 */
static void make_malloc_honest(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, MMAP_MIN); /* refused only by another malloc, which is fine */
    (void)mallopt(M_ARENA_MAX, 4);
}

struct budget *budget_new(uint64_t bytes, size_t slab_size)
{
    ASSERT(slab_size >= sizeof(struct idle_slab));
    ASSERT(bytes >= slab_size);
    make_malloc_honest();
    struct budget *budget = xcalloc(1, sizeof(*budget));
    budget->limit = bytes;
    budget->slab_size = slab_size;
    mutex_init(&budget->lock);
    return budget;
}

/* The level of the slab for so many bytes, LEVELS when it is none. At most half of it is wasted,
 * which is address space: pages that nobody touches are not there. */
static unsigned level_of(const struct budget *budget, size_t size)
{
    unsigned level = 0;
    while (level < LEVELS && size <= (budget->slab_size >> level) / 2) {
        level++;
    }
    /* The full size is always one, however small it is. */
    const bool is_slab =
        level == 0 || (level < LEVELS && budget->slab_size >> level >= 2 * MMAP_MIN);
    return is_slab ? level : LEVELS;
}

static void push_idle_locked(struct budget *budget, struct idle_slab *slab, size_t size)
{
    const unsigned level = level_of(budget, size);
    ASSERT(level < LEVELS && budget->slab_size >> level == size);
    slab->next = budget->idle[level];
    budget->idle[level] = slab;
    budget->idle_bytes += size;
}

/* NULL when there is none. */
static struct idle_slab *pop_idle_locked(struct budget *budget, unsigned level)
{
    struct idle_slab *slab = budget->idle[level];
    if (slab != NULL) {
        ASSERT(budget->idle_bytes >= budget->slab_size >> level);
        budget->idle[level] = slab->next;
        budget->idle_bytes -= budget->slab_size >> level;
    }
    return slab;
}

static struct idle_slab *pop_largest_locked(struct budget *budget)
{
    struct idle_slab *slab = NULL;
    for (unsigned level = 0; level < LEVELS && slab == NULL; level++) {
        slab = pop_idle_locked(budget, level);
    }
    return slab;
}

void budget_free(struct budget *budget)
{
    if (budget == NULL) {
        return;
    }
    ASSERT(budget->used == 0);
    while (budget->idle_bytes > 0) {
        free(pop_largest_locked(budget));
    }
    mutex_done(&budget->lock);
    free(budget);
}

/* Charges `bytes`, and makes room for them by letting idle slabs go, whose list is *ret_freed. */
static bool charge_locked(struct budget *budget, uint64_t bytes, struct idle_slab **ret_freed)
{
    ASSERT(budget->used <= budget->limit);
    if (bytes > budget->limit - budget->used) {
        return false;
    }
    budget->used += bytes;
    struct idle_slab *freed = NULL;
    while (budget->used + budget->idle_bytes > budget->limit) {
        struct idle_slab *slab = pop_largest_locked(budget);
        ASSERT(slab != NULL);
        slab->next = freed;
        freed = slab;
    }
    const uint64_t now = budget->used + budget->idle_bytes;
    budget->peak = now > budget->peak ? now : budget->peak;
    *ret_freed = freed;
    return true;
}

static void free_slabs(struct idle_slab *slab)
{
    while (slab != NULL) {
        struct idle_slab *next = slab->next;
        free(slab);
        slab = next;
    }
}

bool budget_take(struct budget *budget, size_t size, size_t overhead, struct budget_block *ret)
{
    ASSERT(size > 0 && size <= budget->slab_size);
    const unsigned level = level_of(budget, size);
    const size_t slab_size = level < LEVELS ? budget->slab_size >> level : 0;
    const uint64_t charged = (uint64_t)(slab_size > 0 ? slab_size : size) + overhead;
    struct idle_slab *recycled = NULL;
    struct idle_slab *freed = NULL;
    mutex_lock(&budget->lock);
    if (slab_size > 0) {
        recycled = pop_idle_locked(budget, level);
    }
    const bool fits = charge_locked(budget, charged, &freed);
    if (!fits && recycled != NULL) {
        push_idle_locked(budget, recycled, slab_size);
    }
    mutex_unlock(&budget->lock);
    free_slabs(freed);
    if (!fits) {
        return false;
    }
    uint8_t *data = (uint8_t *)recycled;
    if (data == NULL) {
        /* A slab comes from the kernel, zeroed already: xcalloc costs nothing for it. */
        data = slab_size > 0 ? xcalloc(1, slab_size) : xrealloc(NULL, size, 1);
    }
    *ret = (struct budget_block){.data = data, .charged = charged, .slab_size = slab_size};
    return true;
}

void budget_give(struct budget *budget, struct budget_block *block)
{
    const struct budget_block given = *block;
    *block = (struct budget_block){.data = NULL};
    if (given.data == NULL) {
        return;
    }
    if (given.slab_size == 0) {
        free(given.data);
    }
    mutex_lock(&budget->lock);
    ASSERT(budget->used >= given.charged);
    budget->used -= given.charged;
    if (given.slab_size > 0) {
        push_idle_locked(budget, (struct idle_slab *)(void *)given.data, given.slab_size);
    }
    mutex_unlock(&budget->lock);
}

bool budget_reserve(struct budget *budget, uint64_t bytes)
{
    struct idle_slab *freed = NULL;
    mutex_lock(&budget->lock);
    const bool fits = charge_locked(budget, bytes, &freed);
    mutex_unlock(&budget->lock);
    free_slabs(freed);
    return fits;
}

void budget_release(struct budget *budget, uint64_t bytes)
{
    mutex_lock(&budget->lock);
    ASSERT(budget->used >= bytes);
    budget->used -= bytes;
    mutex_unlock(&budget->lock);
}

uint64_t budget_peak(struct budget *budget)
{
    mutex_lock(&budget->lock);
    const uint64_t peak = budget->peak;
    mutex_unlock(&budget->lock);
    return peak;
}
