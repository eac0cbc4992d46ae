/*
 * schedule: which part is asked for next.
 *
 *     objects of several parts ("large")  largest first, at most open_max at a time, each with a
 *                                         window; just before a Data.db its digest and TOC
 *     objects of one part ("small")       fill the gaps that windows leave; SSTables with the
 *                                         largest Data.db first, within one the digest first
 *
 * The window keeps one object from taking all memory: half the budget, or all of it once nothing
 * else is left to ask for. All large objects together have parts_max parts under way, so that a
 * fast network does not run ahead of the decoders into memory that is not in any cache.
 * schedule_next() belongs to the dispatcher; the other calls may come from any thread.
 */
#ifndef PENATES_SCHEDULE_H
#define PENATES_SCHEDULE_H

#include "agent/plan.h"
#include "agent/transfer_limits.h"

/* What is needed of each file of the plan. */
enum need {
    NEED_NOTHING,
    NEED_FILE,
    NEED_BYTES_ONLY, /* a digest that was restored before, of a Data.db that was not */
};

struct schedule;

/* plan and need (one a file) are borrowed. */
struct schedule *schedule_new(const struct plan *plan, const uint8_t *need,
                              const struct transfer_limits *limits);
void schedule_free(struct schedule *schedule); /* NULL is fine */

enum { SCHEDULE_NO_LANE = UINT32_MAX };

struct schedule_part {
    uint32_t file;
    uint32_t part;       /* 0 opens the object */
    uint32_t part_count; /* 0: an empty object, nothing to ask for */
    uint32_t lane;       /* of a large object, below open_max; SCHEDULE_NO_LANE for a small one */
};

enum schedule_answer {
    SCHEDULE_PART, /* *ret is set */
    SCHEDULE_WAIT, /* until a part or an object of a lane is released */
    SCHEDULE_END,  /* everything has been handed out */
};
enum schedule_answer schedule_next(struct schedule *schedule, struct schedule_part *ret);

/* A part of a large object gave its memory back. */
void schedule_release_part(struct schedule *schedule, uint32_t lane, uint64_t bytes);
/* A large object ended: its lane takes the next one. */
void schedule_release_lane(struct schedule *schedule, uint32_t lane);

/* Bytes of one part of an object of `size` bytes. */
size_t schedule_part_size(uint64_t size, uint32_t part, size_t part_size);

#endif
