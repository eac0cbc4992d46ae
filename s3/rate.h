/*
 * rate: a limit of bytes per second that several threads share. Pure: the time comes in, the caller
 * holds its own lock. (libcurl 7.88's own limit does not hold with receive buffers of 64 KiB and
 * more, nor at the start of a transfer.)
 */
#ifndef PENATES_S3_RATE_H
#define PENATES_S3_RATE_H

#include "agent/base/cleanup.h"

struct rate {
    uint64_t bytes_per_s; /* 0: no limit */
    uint64_t due_us;      /* when all that was taken is paid for */
};

/* So many bytes have arrived. Returns how long to read nothing more, in milliseconds. What was not
 * used in the past is not saved up. */
uint64_t rate_take(struct rate *rate, uint64_t bytes, uint64_t now_ms);

#endif
