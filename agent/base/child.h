/*
 * child: another program, started without a shell and in a process group of its own, so that a
 * signal to the group reaches what it starts too. Where we leave at once, it is ended. Any thread.
 */
#ifndef PENATES_BASE_CHILD_H
#define PENATES_BASE_CHILD_H

#include <sys/types.h>

/*
 * Looks for the program along PATH, unless its name has a '/'. It reads nothing, writes to `output`
 * and to our standard error, inherits no other descriptor and no blocked signal. 0, or an errno
 * (EAGAIN: CHILDREN_MAX are under way); the caller reaps the child.
 */
enum { CHILDREN_MAX = 4 };
int child_start(const char *program, char *const *argv, int output, pid_t *ret_child);

/* Waits for its end; the status is that of waitpid, 0 where SIGCHLD is ignored. From here on no
 * signal is meant for it: its number may be another's afterwards. */
int child_reap(pid_t child);

/* For a signal handler that leaves: none is begun any more, and all groups that are under way get
 * SIGTERM. */
void child_end_all(void);

#endif
