/*
 * target_dir: one --into directory: where it really is, its .penates/, its lock. The directory is
 * resolved once, so that a symlink that the operator gave is followed, and pinned by descriptors
 * from then on. One thread.
 */
#ifndef PENATES_TARGET_DIR_H
#define PENATES_TARGET_DIR_H

#include "agent/base/buf.h"
#include "agent/config.h"

#define TARGET_HOME ".penates"

struct target_dir {
    char *path;    /* absolute, without symlinks as far as it exists */
    size_t exists; /* bytes of `path` that name the nearest directory that exists */
    int root;      /* the directory itself, -1: it does not exist yet */
    int home;      /* .penates/ in it, -1: does not exist yet */
    int lock;      /* the lock file, locked by us, or -1 */
    int tmp;       /* .penates/tmp/, -1 before target_dir_make() */
};

#define TARGET_DIR_INIT ((struct target_dir){.root = -1, .home = -1, .lock = -1, .tmp = -1})

/* Resolves and opens what exists, makes nothing. ERR_CREATE: not a directory, or no right to read
 * it; ERR_CONFIG: a path that cannot be made. */
int target_dir_open(struct target_dir *dir, const char *given, struct err *e) MUST_CHECK;

/* Takes the lock if its file exists, or makes that first. ERR_REFUSED names the process that holds
 * it. A lock file that may not be written is left alone: the preflight says why. */
int target_dir_lock(struct target_dir *dir, bool make, struct err *e) MUST_CHECK;

/* Makes the directory and .penates/ and empties .penates/tmp/, with the lock held. ERR_CREATE,
 * ERR_REFUSED. */
int target_dir_make(struct target_dir *dir, const struct config *config, struct err *e) MUST_CHECK;

/* Closes and frees; the lock ends with its descriptor. */
void target_dir_done(struct target_dir *dir);

/* True while a process holds the lock; asks without taking it. *ret_pid: 0 when it is not known. */
bool target_dir_locked(const struct target_dir *dir, uint64_t *ret_pid);

/*
 * True when one syncfs of its file system is as good as an fsync of every file: data and metadata
 * are written, the disk's cache is flushed, and a write error stays with the open file, where
 * sync_file_range finds it. So on ext4, XFS and Btrfs (and in memory there is nothing to lose).
 * Not where another file system is below: overlayfs keeps the errors of a file's pages elsewhere,
 * and FUSE passes a syncfs on to virtiofs only.
 */
bool target_dir_syncs_whole(const struct target_dir *dir);

/* Reads a small file of .penates/ whole into `out` (cleared first). 1: it is there, 0: it is not.
 */
int target_dir_read(const struct target_dir *dir, const char *name, struct buf *out,
                    struct err *e) MUST_CHECK;

/* Writes a small file into an open folder: aside, fsync, rename, fsync of the folder. -1 and errno.
 */
int target_dir_put(int folder, const char *name, const char *text, const struct config *config);

/* Writes a small file of .penates/ or of a folder in it: aside, fsync, rename, fsync of the folder.
 * ERR_CREATE, ERR_DISK. */
int target_dir_write(const struct target_dir *dir, const char *name, const char *text,
                     const struct config *config, struct err *e) MUST_CHECK;

#endif
