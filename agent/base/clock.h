/* clock: the two clocks, and sleeping. Pure modules take the time as an argument instead. */
#ifndef PENATES_BASE_CLOCK_H
#define PENATES_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_wall_ms(void);  /* milliseconds since 1970, can jump */
uint64_t clock_mono_ms(void); /* never goes back; for deadlines and rates */
void clock_sleep_ms(uint64_t ms);

#endif
