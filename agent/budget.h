/*
 * budget: memory for data in flight, and the only back pressure. A GET is sent after its memory was
 * taken from here, so what is in flight never exceeds the budget. Nothing in here waits: one thread
 * takes (the dispatcher, in issue order), any thread gives back.
 *
 * Parts live in slabs that are used again, which spares the kernel zeroing a page for every page
 * fetched: of full size, a half, a quarter and so on. What is too small for the smallest is
 * allocated exactly. Slabs kept for later count.
 */
#ifndef PENATES_BUDGET_H
#define PENATES_BUDGET_H

#include "agent/base/cleanup.h"

struct budget;

/* One piece of memory, owned by whoever holds it. data is NULL when nothing is held. */
struct budget_block {
    uint8_t *data;
    uint64_t charged;
    size_t slab_size; /* 0: no slab */
};

/* `bytes` in all, at least slab_size. Also sets malloc up for an honest resident size. */
struct budget *budget_new(uint64_t bytes, size_t slab_size);
/* All must have been given back. NULL is fine. */
void budget_free(struct budget *budget);

/* Memory for `size` bytes, at most a slab, and a charge of `overhead` bytes for what is kept beside
 * it. False: not now, nothing taken. */
bool budget_take(struct budget *budget, size_t size, size_t overhead, struct budget_block *ret);
/* Gives back and clears the block; nothing happens to an empty one. */
void budget_give(struct budget *budget, struct budget_block *block);

/* A charge without memory, for what others allocate. False: not now. */
bool budget_reserve(struct budget *budget, uint64_t bytes);
void budget_release(struct budget *budget, uint64_t bytes);

/* Most bytes charged at once so far, slabs kept for later included. */
uint64_t budget_peak(struct budget *budget);

#endif
