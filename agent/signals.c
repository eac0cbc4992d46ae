#include "agent/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "agent/base/err.h"
#include "agent/transfer.h"

static volatile sig_atomic_t deferred;

static void on_signal(int number)
{
    static const char LINE[] =
        "penates: error: interrupted: stopped at once; run the same command again to go on\n";
    const int saved = errno;
    (void)number;
    if (deferred && !transfer_interrupted()) {
        transfer_interrupt();
        errno = saved;
        return;
    }
    (void)!write(STDERR_FILENO, LINE, strlen(LINE)); /* nothing is left to tell it to */
    _exit(err_exit_code(ERR_CANCELLED));
}

void signals_install(void)
{
    /* Without SA_RESTART: a decode that waits for its input has to notice. */
    struct sigaction action = {.sa_handler = on_signal};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigemptyset(&action.sa_mask); /* cannot fail */
    const bool installed = sigaction(SIGINT, &action, NULL) == 0 &&
                           sigaction(SIGTERM, &action, NULL) == 0 &&
                           sigaction(SIGPIPE, &ignore, NULL) == 0;
    ASSERT(installed); /* fails for numbers that are no signals only */
}

void signals_defer(void)
{
    deferred = 1;
}
