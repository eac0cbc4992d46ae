/* small_plan: a plan of two SSTables and a side file, as plan_build would make it. Constant. */
#ifndef PENATES_TESTS_SMALL_PLAN_H
#define PENATES_TESTS_SMALL_PLAN_H

#include "agent/plan.h"

enum { SMALL_PLAN_FILES = 5 };

/* Files 0 and 1 are SSTable 0, file 2 is a side file, 3 and 4 are SSTable 1. */
extern const struct plan small_plan;

#endif
