#include "agent/base/interrupt.h"

#include <stdatomic.h>

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
