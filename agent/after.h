/*
 * after: the commands of --after, run one by one when all is in place. A command is an argv: no
 * shell reads it. It gets our environment as it is, /dev/null to read, our stderr to write to, no
 * other descriptor, SIGINT, SIGTERM, SIGPIPE and SIGCHLD as they are by default, and a process
 * group of its own, to which SIGINT and SIGTERM are passed on, so that each gets there once. Of its
 * words only the first is ever printed, and of NAME=VALUE only the name: there may be a password
 * among them.
 *
 * What has succeeded is noted in DIR/.penates/after and not run again. The commands do not bind the
 * restore: a rerun with a corrected one runs that, and fetches nothing. Main thread.
 */
#ifndef PENATES_AFTER_H
#define PENATES_AFTER_H

#include "agent/target.h"

enum after_outcome {
    AFTER_NONE,    /* there is no --after */
    AFTER_NOT_RUN, /* the restore did not get there */
    AFTER_FAILED,
    AFTER_EARLIER, /* all have succeeded before this run */
    AFTER_DONE,
};

/* Before anything is done: each command's program is there and may be run. ERR_CONFIG. */
int after_check(const struct config *config, struct err *e) MUST_CHECK;

/* Runs what has not succeeded yet; the first failure ends it. ERR_COMMAND: it failed; ERR_CONFIG:
 * its program has gone meanwhile; ERR_CANCELLED: a signal came before the next one; ERR_DISK,
 * ERR_CREATE: its success could not be noted. *ret is set in any case. */
int after_run(const struct config *config, const struct target *target, enum after_outcome *ret,
              struct err *e) MUST_CHECK;

#endif
