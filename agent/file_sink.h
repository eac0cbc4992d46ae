/*
 * file_sink: one file under way. Written at offsets, in any order, from several threads at once for
 * disjoint ranges, into DIR/.penates/tmp/; it has no final name before commit.c gives it one.
 */
#ifndef PENATES_FILE_SINK_H
#define PENATES_FILE_SINK_H

#include "agent/target.h"

struct file_sink;

/* Creates the temporary file with the owner and mode of the config. `size_hint` plain bytes are
 * reserved on disk when it is not PLAN_SIZE_UNKNOWN. ERR_CREATE (no space, no right), ERR_DISK. */
int file_sink_open(struct target *target, const struct plan *plan, uint32_t file,
                   uint64_t size_hint, struct file_sink **ret, struct err *e) MUST_CHECK;

/* Writes all of it or fails (ERR_DISK; ERR_CREATE when the disk is full). */
int file_sink_write(struct file_sink *sink, uint64_t offset, struct slice plain,
                    struct err *e) MUST_CHECK;

/* Removes the temporary file and frees. NULL is fine. */
void file_sink_abandon(struct file_sink *sink);

#endif
