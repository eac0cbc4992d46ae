/*
 * signals: SIGINT and SIGTERM. As long as nothing is under way that deserves an orderly end, the
 * process leaves at once; later the first signal stops the transfer and the second leaves at once.
 * Either way the exit code is 75 and a rerun goes on. SIGPIPE is ignored: writes tell.
 */
#ifndef PENATES_SIGNALS_H
#define PENATES_SIGNALS_H

#include <signal.h>
#include <sys/types.h>

/* Once, before any thread is started. */
void signals_install(void);

/* From now on the first signal asks the transfer to stop. */
void signals_defer(void);

/* From now on signals go to this process group, and ask for no further one to be begun; 0: no
 * longer. After signals_defer(). */
void signals_forward(pid_t group);

/* Holds signals back, and lets them through again. Main thread: no other one takes any. */
void signals_block(sigset_t *ret_before);
void signals_restore(const sigset_t *before);

#endif
