#include "agent/queue.h"

#include "agent/base/err.h"
#include "agent/base/mem.h"
#include "agent/base/thread.h"

/* Nothing beside decoding a part of 8 MiB (10 ms); time for a dozen small objects to gather. */
enum { NAP_MS = 1 };

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    /* under lock */
    struct queue_item *first;
    struct queue_item **end;
    unsigned waiting;
    bool closed;
};

struct queue *queue_new(void)
{
    struct queue *queue = xcalloc(1, sizeof(*queue));
    mutex_init(&queue->lock);
    cond_init(&queue->filled);
    queue->end = &queue->first;
    return queue;
}

void queue_free(struct queue *queue)
{
    if (queue == NULL) {
        return;
    }
    ASSERT(queue->first == NULL);
    ASSERT(queue->waiting == 0);
    cond_done(&queue->filled);
    mutex_done(&queue->lock);
    free(queue);
}

void queue_push(struct queue *queue, struct queue_item *item)
{
    item->next = NULL;
    mutex_lock(&queue->lock);
    *queue->end = item;
    queue->end = &item->next;
    const bool wake = queue->waiting > 0;
    mutex_unlock(&queue->lock);
    if (wake) {
        cond_signal(&queue->filled);
    }
}

static void wait_locked(struct queue *queue)
{
    /* First a nap that nobody is asked to end: with small objects each would come alone. */
    (void)cond_wait_ms(&queue->filled, &queue->lock, NAP_MS);
    while (queue->first == NULL && !queue->closed) {
        queue->waiting++;
        cond_wait(&queue->filled, &queue->lock);
        queue->waiting--;
    }
}

struct queue_item *queue_pop(struct queue *queue)
{
    mutex_lock(&queue->lock);
    if (queue->first == NULL && !queue->closed) {
        wait_locked(queue);
    }
    struct queue_item *item = queue->first;
    if (item != NULL) {
        queue->first = item->next;
        if (queue->first == NULL) {
            queue->end = &queue->first;
        }
        item->next = NULL;
    }
    mutex_unlock(&queue->lock);
    return item;
}

void queue_close(struct queue *queue)
{
    mutex_lock(&queue->lock);
    ASSERT(!queue->closed);
    queue->closed = true;
    mutex_unlock(&queue->lock);
    cond_broadcast(&queue->filled);
}
