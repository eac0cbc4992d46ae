#include "agent/base/clock.h"

#include <errno.h>
#include <time.h>

#include "agent/base/err.h"

static uint64_t read_ms(clockid_t id)
{
    struct timespec now;
    const int failed = clock_gettime(id, &now);
    ASSERT(failed == 0 && now.tv_sec >= 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int64_t clock_wall_ms(void)
{
    return (int64_t)read_ms(CLOCK_REALTIME);
}

uint64_t clock_mono_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

void clock_sleep_ms(uint64_t ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}
