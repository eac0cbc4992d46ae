/*
 * signals: SIGINT and SIGTERM. As long as nothing is under way that deserves an orderly end, the
 * process leaves at once; later the first signal stops the transfer and the second leaves at once.
 * Either way the exit code is 75 and a rerun goes on. SIGPIPE is ignored: writes tell.
 */
#ifndef PENATES_SIGNALS_H
#define PENATES_SIGNALS_H

/* Once, before any thread is started. */
void signals_install(void);

/* From now on the first signal asks the transfer to stop. */
void signals_defer(void);

#endif
