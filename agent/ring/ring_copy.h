/*
 * ring_copy: the plan that a node was restored by, on its root volume beside the stamp:
 * HISTORY/ring-ID.json. A plan never changes, and its name in S3 says what its text has to be; so
 * the copy is as good as the object, and no later boot of the node depends on the state bucket.
 */
#ifndef PENATES_RING_RING_COPY_H
#define PENATES_RING_RING_COPY_H

#include "agent/ring/ring_plan.h"

/* The id in s3://.../plans/ID.json; false: the plan has been given another name. */
bool ring_copy_id(const char *ring, char ret[RING_ID_SIZE]);

/* The text of the copy that this machine has. False, and nothing in `ret`: it has none, or what it
 * has is not that plan any more. */
bool ring_copy_read(const struct config *config, const char *ring, struct buf *ret);

/* The slot that this machine has claimed and restored of this ring: HISTORY/ring-ID.slot. */
bool ring_copy_slot(const struct config *config, const struct ring_plan *ring, size_t *ret);

/* Keeps the plan that config->chosen came from, and its slot if that was claimed, if the plan came
 * from S3 under its id and there is --history. ERR_CREATE and ERR_DISK. */
int ring_copy_keep(const struct config *config, struct err *e) MUST_CHECK;

#endif
