#include "agent/base/interrupt.h"

#include <stdatomic.h>

#include "agent/base/clock.h"

enum { NAP_MS = 200 }; /* how soon it is seen */

static atomic_bool asked;
_Static_assert(ATOMIC_BOOL_LOCK_FREE == 2, "a signal handler may store to it");

void interrupt_ask(void)
{
    atomic_store(&asked, true);
}

bool interrupt_asked(void)
{
    return atomic_load(&asked);
}

bool interrupt_sleep_ms(uint64_t ms)
{
    const uint64_t end_ms = clock_mono_ms() + ms;
    for (uint64_t now_ms = clock_mono_ms(); now_ms < end_ms; now_ms = clock_mono_ms()) {
        if (interrupt_asked()) {
            return false;
        }
        clock_sleep_ms(end_ms - now_ms < NAP_MS ? end_ms - now_ms : NAP_MS);
    }
    return !interrupt_asked();
}
