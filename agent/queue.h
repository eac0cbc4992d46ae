/*
 * queue: work on its way to the workers, first in, first out. It needs no bound of its own: every
 * item holds memory of the budget or stands for one object under way. Any thread.
 */
#ifndef PENATES_QUEUE_H
#define PENATES_QUEUE_H

#include "agent/base/cleanup.h"

/* Embedded in what is queued; at most once in a queue at a time. `kind` is the owner's: it tells
 * the worker what the item is embedded in. */
struct queue_item {
    struct queue_item *next;
    int kind;
};

struct queue;

struct queue *queue_new(void);
/* Must be empty. NULL is fine. */
void queue_free(struct queue *queue);

void queue_push(struct queue *queue, struct queue_item *item);
/* Waits for an item; NULL once the queue is closed and empty. */
struct queue_item *queue_pop(struct queue *queue);
/* No more comes from outside: afterwards only those push who pop again themselves. */
void queue_close(struct queue *queue);

#endif
