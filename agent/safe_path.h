/*
 * safe_path: directories below a pinned one. Names come from a backup, so nothing here follows a
 * symlink or leaves the pinned directory: openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, and
 * a walk with O_NOFOLLOW where the kernel (before 5.6) or a sandbox has no openat2. Paths are
 * relative; "" is the pinned directory itself. Any thread.
 */
#ifndef PENATES_SAFE_PATH_H
#define PENATES_SAFE_PATH_H

#include "agent/config.h"
#include <sys/stat.h>

/* As openat(2), with O_CLOEXEC: a descriptor, or -1 and errno. ELOOP or ENOTDIR: something that is
 * no directory lies in the way. Creates nothing. */
int safe_path_open(int root, const char *path, int flags);

/* Opens a directory, making what is missing of it with the config's owner and mode. Sets *made when
 * it made any, else leaves it. A descriptor, or -1 and errno. */
int safe_path_make(int root, const char *path, const struct config *config, bool *made);

/* One entry on the way of a scan; borrowed. */
struct safe_entry {
    int folder;       /* the directory that it lies in */
    const char *path; /* below the pinned directory */
    const char *name; /* the last component of path */
    mode_t type;      /* S_IFREG, S_IFDIR, ...: of the entry, not of what a symlink points to */
};

/* 0: go on, into it when it is a directory. 1: do not go into it. -1: stop, *e is set. */
typedef int safe_path_visit_fn(void *ctx, const struct safe_entry *entry, struct err *e);

enum { SAFE_PATH_FOLDERS_MAX = 1 << 20 }; /* a target has a few per table; this is a runaway */

/* Visits all below `path`, folder by folder, parents first; nothing at all when it is missing.
 * ERR_DISK when a directory cannot be read, ERR_LIMIT past SAFE_PATH_FOLDERS_MAX. */
int safe_path_scan(int root, const char *path, safe_path_visit_fn *visit, void *ctx,
                   struct err *e) MUST_CHECK;

/* True when two names, each in its directory, are of one file; false also when one is missing. */
bool safe_path_same(int folder_a, const char *a, int folder_b, const char *b);

/* Removes `path` and all below it; fine when it is missing. ERR_DISK. */
int safe_path_remove(int root, const char *path, struct err *e) MUST_CHECK;

#endif
