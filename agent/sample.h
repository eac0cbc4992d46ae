/* sample: which files a drill looks at. Pure. */
#ifndef PENATES_SAMPLE_H
#define PENATES_SAMPLE_H

#include "agent/plan.h"

/*
 * One flag a file: 1 for the chosen. SSTables are chosen whole, for their components check each
 * other; a side file counts as one of its own. At least one is chosen of any; equal seeds choose
 * the same of equal plans. `share` is in (0, 1]. Caller frees.
 */
uint8_t *sample_pick(const struct plan *plan, double share, uint64_t seed);

#endif
