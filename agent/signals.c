#include "agent/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "agent/base/child.h"
#include "agent/base/err.h"
#include "agent/base/interrupt.h"

static volatile sig_atomic_t deferred;
static volatile sig_atomic_t forward_to; /* a process group; 0: none */

_Static_assert(sizeof(sig_atomic_t) >= sizeof(pid_t), "a process group fits");

static void on_signal(int number)
{
    static const char LINE[] =
        "penates: error: interrupted: stopped at once; run the same command again to go on\n";
    const int saved = errno;
    if (forward_to != 0) {
        interrupt_ask();
        (void)kill(-forward_to, number); /* it may have ended */
        errno = saved;
        return;
    }
    if (deferred && !interrupt_asked()) {
        interrupt_ask();
        errno = saved;
        return;
    }
    child_end_all();
    (void)!write(STDERR_FILENO, LINE, strlen(LINE)); /* nothing is left to tell it to */
    _exit(err_exit_code(ERR_CANCELLED));
}

void signals_install(void)
{
    /* Without SA_RESTART: a decode that waits for its input has to notice. */
    struct sigaction action = {.sa_handler = on_signal};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction standard = {.sa_handler = SIG_DFL};
    (void)sigemptyset(&action.sa_mask); /* cannot fail */
    const bool installed = sigaction(SIGINT, &action, NULL) == 0 &&
                           sigaction(SIGTERM, &action, NULL) == 0 &&
                           sigaction(SIGPIPE, &ignore, NULL) == 0 &&
                           /* Where a parent ignored it, the exit status of a child is lost. */
                           sigaction(SIGCHLD, &standard, NULL) == 0;
    ASSERT(installed); /* fails for numbers that are no signals only */
}

void signals_defer(void)
{
    deferred = 1;
}

void signals_forward(pid_t group)
{
    ASSERT(deferred && group >= 0);
    forward_to = group;
}

void signals_block(sigset_t *ret_before)
{
    sigset_t both;
    const bool blocked = sigemptyset(&both) == 0 && sigaddset(&both, SIGINT) == 0 &&
                         sigaddset(&both, SIGTERM) == 0 &&
                         pthread_sigmask(SIG_BLOCK, &both, ret_before) == 0;
    ASSERT(blocked);
}

void signals_restore(const sigset_t *before)
{
    const int failed = pthread_sigmask(SIG_SETMASK, before, NULL);
    ASSERT(failed == 0);
}
