/* get_queue: gets in order, linked by get->next; a get is in one queue at a time. Not locked. */
#ifndef PENATES_S3_GET_QUEUE_H
#define PENATES_S3_GET_QUEUE_H

#include "s3/s3.h"

struct get_queue {
    struct s3_get *head, *tail;
};

void get_queue_push(struct get_queue *queue, struct s3_get *get);
void get_queue_push_front(struct get_queue *queue, struct s3_get *get);
struct s3_get *get_queue_pop(struct get_queue *queue); /* NULL: empty */
/* Moves all of `from` to the end. */
void get_queue_append(struct get_queue *queue, struct get_queue *from);

#endif
