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

/* The nth call of a kind from now on fails with this errno, once; 0: every one does. */
void disk_fail(const char *call, unsigned nth, int sys);
bool disk_failed(void);

/* pwrite takes this many bytes at a time. */
void disk_write_at_most(unsigned bytes);

/* The process dies, as by kill -9, in place of its nth call of any kind. 0: never. */
void disk_kill_at(unsigned nth);

/* The next call of a kind waits until disk_resume(). */
void disk_pause_at(const char *call);
void disk_wait_until_paused(void);
void disk_resume(void);

/* Notes the calls of all threads but this one, e.g. "fsync renameat2*3 ". */
void disk_record(void);
char *disk_recorded(void); /* freed by the caller; ends the recording */

/* All calls do what they should again. */
void disk_heal(void);

#endif
