#include "s3/get_queue.h"

void get_queue_push(struct get_queue *queue, struct s3_get *get)
{
    get->next = NULL;
    if (queue->tail == NULL) {
        queue->head = get;
    } else {
        queue->tail->next = get;
    }
    queue->tail = get;
}

struct s3_get *get_queue_pop(struct get_queue *queue)
{
    struct s3_get *get = queue->head;
    if (get != NULL) {
        queue->head = get->next;
        queue->tail = queue->head == NULL ? NULL : queue->tail;
        get->next = NULL;
    }
    return get;
}

void get_queue_push_front(struct get_queue *queue, struct s3_get *get)
{
    get->next = queue->head;
    queue->head = get;
    queue->tail = queue->tail == NULL ? get : queue->tail;
}

void get_queue_append(struct get_queue *queue, struct get_queue *from)
{
    for (struct s3_get *get = get_queue_pop(from); get != NULL; get = get_queue_pop(from)) {
        get_queue_push(queue, get);
    }
}
