/*
 * worker: one of the threads that decode, sum, check and write. Takes parts and objects off the
 * queue until that is closed.
 */
#ifndef PENATES_WORKER_H
#define PENATES_WORKER_H

#include "agent/run.h"

/* For thread_start(); arg is the struct run. Returns NULL. */
void *worker_main(void *arg);

#endif
