#include "agent/transfer_limits.h"

#include <inttypes.h>

#include "agent/base/parse.h"

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
    return value < least ? least : value > most ? most : value;
}

int transfer_limits_derive(uint64_t memory, uint64_t plan_bytes, uint64_t part_size,
                           unsigned threads, struct transfer_limits *ret, struct err *e)
{
    ASSERT(threads > 0);
    ASSERT(part_size >= PART_SIZE_MIN);
    const uint64_t data = memory > plan_bytes ? memory - plan_bytes : 0;
    struct transfer_limits limits = {
        /* A sixteenth leaves room for eight parts beside scratch and carried blocks. */
        .part_size = (size_t)clamp(data / 16, PART_SIZE_MIN, part_size),
        .block_size_max = (size_t)clamp(data / 256, BLOCK_SIZE_LEAST, BLOCK_SIZE_MOST),
    };
    /* Scratch takes a quarter at most; fewer workers than asked for only when memory is tight. */
    limits.workers = (unsigned)clamp(data / 4 / limits.block_size_max, 1, threads);
    limits.parts_max = PARTS_PER_WORKER * limits.workers;
    limits.carry_size = 2 * (uint64_t)limits.block_size_max + CARRY_QUEUED_MAX;
    const uint64_t scratch = (uint64_t)limits.workers * limits.block_size_max;
    const uint64_t least = scratch + limits.carry_size + 2 * (uint64_t)limits.part_size;
    if (data < least) {
        char need[BYTES_TEXT_SIZE];
        (void)err_set(e, ERR_LIMIT, "--memory: too little for this backup: %s are needed",
                      format_bytes(plan_bytes + least, need));
        return err_hint(e, "give more --memory, or restore fewer tables at once");
    }
    limits.budget = data - scratch;
    limits.open_max = (unsigned)clamp(limits.budget / 2 / limits.carry_size, 1, OPEN_MAX);
    ASSERT(limits.carry_size + limits.part_size <= limits.budget);
    *ret = limits;
    return 0;
}
