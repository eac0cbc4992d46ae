/*
 * cleanup: scope-bound ownership, and the compiler attributes that the house style leans on.
 * A local that owns says so: `autofree char *path = NULL;`. TAKE_PTR hands ownership on.
 */
#ifndef PENATES_BASE_CLEANUP_H
#define PENATES_BASE_CLEANUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define MUST_CHECK __attribute__((warn_unused_result))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline void cleanup_free(void *p)
{
    free(*(void **)p);
}

static inline void cleanup_fd(const int *fd)
{
    if (*fd >= 0) {
        (void)close(
            *fd); /* only abandoned descriptors end here; kept ones are closed and checked */
    }
}

static inline void cleanup_file(FILE **file)
{
    if (*file != NULL) {
        (void)fclose(*file); /* as above */
    }
}

#define autofree __attribute__((cleanup(cleanup_free)))
#define autofd __attribute__((cleanup(cleanup_fd)))
#define autofile __attribute__((cleanup(cleanup_file)))

#define TAKE_PTR(p)                                                                                \
    ({                                                                                             \
        __typeof__(p) take_ptr_ = (p);                                                             \
        (p) = NULL;                                                                                \
        take_ptr_;                                                                                 \
    })

static inline int take_fd(int *fd)
{
    const int taken = *fd;
    *fd = -1;
    return taken;
}

#endif
