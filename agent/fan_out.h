/*
 * fan_out: one small blocking job for many items, sixteen at a time. Listings wait for the network
 * (some 30 ms each), and a backup can need thousands of them.
 */
#ifndef PENATES_FAN_OUT_H
#define PENATES_FAN_OUT_H

#include "agent/base/err.h"

/* 0 or -1 with *e set. Called from several threads at once, once per index. */
typedef int fan_out_fn(void *ctx, size_t index, struct err *e);

/* Calls fn for 0 .. count - 1 and waits. After a failure no further item is begun; of several
 * failures the one of the lowest index is returned. */
int fan_out(size_t count, fan_out_fn *fn, void *ctx, struct err *e) MUST_CHECK;

#endif
