/*
 * child: another program, started without a shell and in a process group of its own, so that a
 * signal to the group reaches what it starts too. Any thread.
 */
#ifndef PENATES_BASE_CHILD_H
#define PENATES_BASE_CHILD_H

#include <sys/types.h>

/*
 * Looks for the program along PATH, unless its name has a '/'. It reads nothing, writes to `output`
 * and to our standard error, inherits no other descriptor and no blocked signal. 0, or an errno;
 * the caller reaps the child.
 */
int child_start(const char *program, char *const *argv, int output, pid_t *ret_child);

#endif
