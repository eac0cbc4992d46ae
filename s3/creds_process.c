#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "agent/base/child.h"
#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/base/words.h"
#include "s3/creds_json.h"
#include "s3/creds_provider.h"

/*
 * What the program writes to standard error goes to ours, past us: it is for the operator, and in
 * an error of our own it could put a secret into a log. The AWS CLI holds it back and shows it when
 * the program fails.
 */

enum {
    /* Programs ask an identity provider over the network: seconds. One that waits for a person
       waits in vain, for nobody sits at a restore. */
    RUN_MS = 60 * 1000,
    GRACE_MS = 2000, /* between SIGTERM and SIGKILL */
    POLL_MS = 20,
    OUTPUT_MAX = 64 * 1024,
};

struct run {
    const char *name; /* "profile 'dr': credential_process 'helper'": for messages */
    pid_t child;
    int pipe; /* -1: it has ended */
    size_t size;
    char output[OUTPUT_MAX + 2]; /* one for too much, one for the NUL; fixed, for it is a secret */
};

static void free_run(struct run **run)
{
    if ((*run)->pipe >= 0) {
        (void)close((*run)->pipe); /* it was read from */
    }
    OPENSSL_cleanse(*run, sizeof(**run));
    free(*run);
}

#define auto_run __attribute__((cleanup(free_run)))

/* Where our parent made us ignore SIGCHLD, an ended child is no child any more. */
static bool has_ended(const struct run *run)
{
    siginfo_t info = {.si_pid = 0};
    const int rc = waitid(P_PID, (id_t)run->child, &info, WEXITED | WNOHANG | WNOWAIT);
    return rc != 0 ? errno == ECHILD : info.si_pid != 0;
}

static void read_some(struct run *run)
{
    const ssize_t n = read(run->pipe, run->output + run->size, OUTPUT_MAX + 1 - run->size);
    if (n > 0) {
        run->size += (size_t)n;
    } else if (n == 0 || errno != EINTR) {
        (void)close(run->pipe); /* it was read from */
        run->pipe = -1;
    }
}

/* Until the program has ended and all that it wrote is here. What it left running may hold the pipe
 * open and is not waited for. */
static int listen_to(struct run *run, uint64_t limit_ms, struct err *e)
{
    const uint64_t end_ms = clock_mono_ms() + limit_ms;
    for (;;) {
        const bool ended = has_ended(run);
        struct pollfd wait = {.fd = run->pipe, .events = POLLIN};
        const int ready = poll(&wait, 1, ended ? 0 : POLL_MS);
        if (ready > 0) {
            read_some(run);
        } else if (ended) {
            return 0;
        }
        if (run->size > OUTPUT_MAX) {
            return err_set(e, ERR_AUTH, "%s prints more than %d bytes", run->name, OUTPUT_MAX);
        }
        if (clock_mono_ms() >= end_ms) {
            (void)err_set(e, ERR_AUTH, "%s has not ended within %llu s", run->name,
                          (unsigned long long)limit_ms / 1000);
            return err_hint(e, "it must not ask anybody anything; run it by hand to see");
        }
    }
}

/* The group too, which may have outlived its leader; that one is not reaped yet, so its number
 * cannot be another's. */
static void stop(const struct run *run)
{
    const uint64_t end_ms = clock_mono_ms() + GRACE_MS;
    (void)kill(-run->child, SIGTERM);
    while (!has_ended(run) && clock_mono_ms() < end_ms) {
        clock_sleep_ms(POLL_MS);
    }
    (void)kill(-run->child, SIGKILL);
}

static int judge(const struct run *run, int status, struct err *e)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return 0;
    }
    if (WIFEXITED(status)) {
        (void)err_set(e, ERR_AUTH, "%s failed: exit status %d", run->name, WEXITSTATUS(status));
    } else {
        (void)err_set(e, ERR_AUTH, "%s was ended by signal %d", run->name, WTERMSIG(status));
    }
    return err_hint(e, "see what it said on standard error, or run it by hand");
}

static int start(struct run *run, const struct words *words, struct err *e)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return err_set_sys(e, ERR_AUTH, errno, "%s: a pipe", run->name);
    }
    run->pipe = ends[0];
    const int failed = child_start(words->items[0], words->items, ends[1], &run->child);
    (void)close(ends[1]); /* nothing was written */
    return failed == 0 ? 0 : err_set_sys(e, ERR_CONFIG, failed, "%s cannot be run", run->name);
}

int creds_process_parse(char *text, size_t size, int64_t now_ms, struct creds_value *ret,
                        struct err *e)
{
    enum { VERSION, ID, SECRET, TOKEN, EXPIRATION, FIELDS };
    struct creds_json_field fields[FIELDS] = {
        [VERSION] = {.name = "Version", .is_number = true},
        [ID] = {.name = "AccessKeyId"},
        [SECRET] = {.name = "SecretAccessKey"},
        [TOKEN] = {.name = "SessionToken"},
        [EXPIRATION] = {.name = "Expiration"},
    };
    if (creds_json_read(text, size, fields, FIELDS, e) != 0) {
        return -1;
    }
    if (fields[VERSION].value == NULL || fields[VERSION].size != 1 ||
        fields[VERSION].value[0] != '1') {
        return err_set(e, ERR_CORRUPT, "it has no \"Version\": 1");
    }
    const char *expiration = fields[EXPIRATION].value;
    int64_t expires_ms = 0;
    if (fields[ID].value == NULL || fields[SECRET].value == NULL) {
        return err_set(e, ERR_CORRUPT, "it has no %s",
                       fields[fields[ID].value == NULL ? ID : SECRET].name);
    }
    if (expiration != NULL && (!parse_time_ms(expiration, &expires_ms) || expires_ms <= 0)) {
        return err_set(e, ERR_CORRUPT, "its Expiration is no time");
    }
    if (expires_ms != 0 && expires_ms <= now_ms) {
        char when[TIME_TEXT_SIZE];
        return err_set(e, ERR_AUTH, "its credentials have expired at %s",
                       format_time(expires_ms, when));
    }
    return creds_value_set(ret, "credential_process", fields[ID].value, fields[SECRET].value,
                           fields[TOKEN].value, expires_ms, e);
}

static int ask(const struct creds_system *system, struct run *run, const struct words *words,
               struct creds_value *ret, struct err *e)
{
    const uint64_t limit_ms = system->process_ms > 0 ? (uint64_t)system->process_ms : RUN_MS;
    if (start(run, words, e) != 0) {
        return -1;
    }
    const int rc = listen_to(run, limit_ms, e);
    if (rc != 0) {
        stop(run);
    }
    const int status = child_reap(run->child);
    if (rc != 0 || judge(run, status, e) != 0) {
        return -1;
    }
    run->output[run->size] = '\0';
    if (creds_process_parse(run->output, run->size, system->now_ms(system->ctx), ret, e) != 0) {
        (void)err_wrap(e, "%s: what it prints", run->name);
        return err_hint(e, "run it by hand to see");
    }
    return 0;
}

int creds_process_read(const struct creds_system *system, const char *command, const char *source,
                       struct creds_value *ret, struct err *e)
{
    ASSERT(system != NULL && command != NULL && source != NULL && ret != NULL);
    struct words words __attribute__((cleanup(words_done))) = {0};
    const char *why;
    if (!words_split(command, &words, &why)) {
        return err_set(e, ERR_CONFIG, "%s: credential_process %s", source, why);
    }
    /* Of the command only the program: its arguments may be secrets. */
    autofree char *name = xasprintf("%s: credential_process '%.100s'", source, words.items[0]);
    auto_run struct run *run = xcalloc(1, sizeof(*run));
    run->name = name;
    run->pipe = -1;
    if (ask(system, run, &words, ret, e) != 0) {
        return -1;
    }
    (void)snprintf(ret->source, sizeof(ret->source), "%s", source); /* cut: it is for reading */
    return 0;
}
