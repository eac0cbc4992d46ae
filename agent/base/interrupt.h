/*
 * interrupt: whoever knows that nothing comes of this run any more, a signal handler or a lease
 * that is lost, asks it to stop; what takes its time looks here now and then. Any thread.
 */
#ifndef PENATES_BASE_INTERRUPT_H
#define PENATES_BASE_INTERRUPT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/cleanup.h"

/* Async-signal-safe. There is no way back. */
void interrupt_ask(void);
bool interrupt_asked(void);

/* Sleeps, at most until then. False: it was cut short. */
bool interrupt_sleep_ms(uint64_t ms) MUST_CHECK;

#endif
