/*
 * power_cut: what a disk holds after the power fails. Records what a run does below a directory
 * (through faulty_disk's events), then rebuilds that directory as it may be found after any number
 * of those calls: what a sync has covered is there; of the rest, any part.
 *
 *     fsync, fdatasync of a file     the bytes and size of it, not its name
 *     fsync of a directory           the names in it: made, removed, renamed in or out
 *     syncfs                         everything so far
 *     sync_file_range                nothing: it is no promise about metadata or the disk's cache
 *
 * That is less than a journaling file system keeps, which has an order in
 * what it loses. One rename is never half done. Made by the thread of the test.
 */
#ifndef PENATES_TESTS_POWER_CUT_H
#define PENATES_TESTS_POWER_CUT_H

#include <stddef.h>
#include <stdint.h>

/* What becomes of the calls that no sync has covered. */
enum power_loss {
    LOSS_ALL,    /* none of them took place */
    LOSS_DATA,   /* names are there, bytes are not: the classic empty file */
    LOSS_NAMES,  /* bytes are there, names are not */
    LOSS_RANDOM, /* any of them, writes also by half */
};

struct power_cut;

/* From now on until power_cut_stop() what happens below `root` is recorded; what is there already
 * is on disk. */
struct power_cut *power_cut_start(const char *root);
void power_cut_stop(void);
void power_cut_free(struct power_cut *cut);

/* Calls recorded. */
size_t power_cut_calls(const struct power_cut *cut);

/* Empties `root` and fills it with what may be there when the power fails after `calls` calls. */
void power_cut_rebuild(const struct power_cut *cut, size_t calls, enum power_loss loss,
                       uint64_t seed);

#endif
