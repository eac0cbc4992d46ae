/*
 * transfer_limits: how --memory is shared out. Pure. Everything that grows with the data is bounded
 * here before the first byte moves:
 *
 *     memory = plan + workers * block_size_max (scratch) + budget
 *     budget = parts in flight + carry_size for each object of several parts that is under way
 *
 * carry_size covers the blocks that straddle two parts of one object: the one that the framer keeps
 * open, the one of the chunk just cut, and 1 MiB of chunks that still wait for a worker.
 */
#ifndef PENATES_TRANSFER_LIMITS_H
#define PENATES_TRANSFER_LIMITS_H

#include "agent/base/err.h"

struct transfer_limits {
    uint64_t budget;       /* bytes for parts and carried blocks */
    size_t part_size;      /* of one ranged GET; objects up to this size are one plain GET */
    size_t block_size_max; /* of one Snappy block, stored or plain */
    uint64_t carry_size;   /* reserved by each object of several parts */
    unsigned workers;
    unsigned parts_max; /* of objects of several parts, asked for and not decoded yet */
    unsigned open_max;  /* objects of several parts under way at once: half the budget at most is
                           spent on carry_size, so that parts never starve */
};

enum {
    PART_SIZE_MIN = 1 << 20,
    /* 4 MiB of plain bytes, the largest block that a snappy-java release writes by itself, take up
     * to 32 + n + n/6 stored bytes. */
    BLOCK_SIZE_LEAST = 5 << 20,
    BLOCK_SIZE_MOST = 64 << 20,
    OPEN_MAX = 64,              /* more objects at once would only fragment the disk */
    CARRY_QUEUED_MAX = 1 << 20, /* 32 chunks that carry a block of the usual 32 KiB */
    /* S3 gives a connection 50 to 90 MB/s, a core decodes 400 to 700: this many keep one busy. More
     * only make memory cold (measured: without a bound a fifth more CPU). */
    PARTS_PER_WORKER = 8,
};

/* ERR_LIMIT when `memory` less the plan is too little for two parts. */
int transfer_limits_derive(uint64_t memory, uint64_t plan_bytes, uint64_t part_size,
                           unsigned threads, struct transfer_limits *ret, struct err *e) MUST_CHECK;

#endif
