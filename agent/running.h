/*
 * running: is Cassandra at work on a directory? Looks at /proc; a process that the system hides
 * (ProtectProc= of systemd, another pid namespace) is not seen. Any thread.
 */
#ifndef PENATES_RUNNING_H
#define PENATES_RUNNING_H

#include "agent/base/err.h"

/*
 * `dir` is absolute and resolved; `proc` is "/proc" but in tests. ERR_REFUSED names the process:
 * a Java process that has `dir` or a file below it open or mapped, or works in it; or Cassandra
 * whose command line names it, or has it as data/ of the storage directory. Where another user's
 * Cassandra may not be looked into, a directory with Cassandra's own tables in it is taken for its.
 */
int running_check(const char *proc, const char *dir, struct err *e) MUST_CHECK;

#endif
