/*
 * faulty_disk: the system calls that change a target, wrapped by the linker (FAULTY_DISK_CALLS of
 * target.cmake): counted, recorded, failed, cut short, paused, or the process killed before one.
 * Syncs are not passed on: a killed process loses nothing that is in the page cache, and thousands
 * of them would wait for everybody's data. "create" is an openat that makes a file; the rest have
 * the names of their calls.
 */
#ifndef PENATES_TESTS_FAULTY_DISK_H
#define PENATES_TESTS_FAULTY_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The nth call of a kind from now on fails with this errno, once; 0: every one does. */
void disk_fail(const char *call, unsigned nth, int sys);
bool disk_failed(void);

/* pwrite takes this many bytes at a time. */
void disk_write_at_most(unsigned bytes);

/* What fstatfs says the file system is, by magic number; 0: what it is. */
void disk_pretend(long magic);

/* The process dies, as by kill -9, in place of its nth call of any kind. 0: never. */
void disk_kill_at(unsigned nth);

/* The next call of a kind waits until disk_resume(). */
void disk_pause_at(const char *call);
void disk_wait_until_paused(void);
void disk_resume(void);

/* Notes the calls of all threads but this one, e.g. "fsync renameat2*3 ". */
void disk_record(void);
char *disk_recorded(void); /* freed by the caller; ends the recording */

/* A call that succeeded. Borrowed. */
struct disk_event {
    const char *call;
    int fd;           /* the folder of `name`, else the file or folder itself */
    const char *name; /* NULL: none */
    int to_fd;        /* renames and links */
    const char *to_name;
    bool existed; /* create: there was such a file, and it was emptied if it says so */
    bool emptied;
    const void *data; /* writes */
    uint64_t offset;  /* writes; of a truncation the new size */
    size_t size;
};
typedef void disk_watch_fn(void *ctx, const struct disk_event *event);

/* `fn` is told of each call of any thread right after it and before the next. NULL: nobody is. */
void disk_watch(disk_watch_fn *fn, void *ctx);

/* All calls do what they should again. */
void disk_heal(void);

#endif
