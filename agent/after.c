#include "agent/after.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "agent/base/buf.h"
#include "agent/base/child.h"
#include "agent/base/clock.h"
#include "agent/base/interrupt.h"
#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/base/words.h"
#include "agent/hash.h"
#include "agent/signals.h"

enum { MARKS_SIZE_MAX = 1024 * 1024 }; /* 10,000 commands */

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
           faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

/* The file that a name means, by PATH unless it has a '/'; NULL: none. The caller frees. */
static char *find_program(const char *name)
{
    if (strchr(name, '/') != NULL) {
        return is_program(name) ? xstrdup(name) : NULL;
    }
    const char *path = getenv("PATH");
    path = path == NULL ? "/usr/bin:/bin" : path;
    for (;;) {
        const size_t size = strcspn(path, ":");
        /* An empty folder is the one that we are in. */
        autofree char *file =
            size == 0 ? xasprintf("./%s", name) : xasprintf("%.*s/%s", (int)size, path, name);
        if (is_program(file)) {
            return TAKE_PTR(file);
        }
        if (path[size] == '\0') {
            return NULL;
        }
        path += size + 1;
    }
}

/* "NAME=VALUE program" is for a shell to understand; the value may be a password. */
static int no_variable(const char *word, struct err *e)
{
    (void)err_set(e, ERR_CONFIG, "--after: '%.*s=...' is not a program: no shell sets a variable",
                  (int)strcspn(word, "="), word);
    return err_hint(e, "write 'env NAME=VALUE PROGRAM', or set it for penates");
}

static int no_program(const char *name, struct err *e)
{
    if (name[strcspn(name, "/=")] == '=') {
        return no_variable(name, e);
    }
    (void)err_set(e, ERR_CONFIG, "--after: '%.200s' is not a program that can be run", name);
    return err_hint(e, "%s",
                    strchr(name, '/') != NULL ? "check its path and its permissions"
                                              : "give its path, or check PATH");
}

static void split(const char *command, struct words *ret)
{
    const char *why;
    const bool good = words_split(command, ret, &why);
    ASSERT(good); /* config has tried */
}

int after_check(const struct config *config, struct err *e)
{
    for (size_t i = 0; i < config->after.count; i++) {
        struct words words __attribute__((cleanup(words_done))) = {0};
        split(config->after.names[i], &words);
        autofree char *program = find_program(words.items[0]);
        if (program == NULL) {
            return no_program(words.items[0], e);
        }
    }
    return 0;
}

/* What a mark knows of a command: the SHA-256 of its words. */
enum { MARK_SIZE = 2 * HASH_SIZE_MAX + 1 };
static void make_mark(const struct words *words, char ret[MARK_SIZE])
{
    struct hash *hash = hash_new(HASH_SHA256);
    ASSERT(hash != NULL);
    for (size_t i = 0; i < words->count; i++) {
        /* With its NUL, so that the borders count. */
        hash_update(hash, slice_of(words->items[i], strlen(words->items[i]) + 1));
    }
    const struct hash_value value = hash_finish(hash);
    hash_free(hash);
    ASSERT(value.size * 2 + 1 == MARK_SIZE);
    format_hex(value.bytes, value.size, ret);
}

/* 0, or an errno. From here on signals go to the child; those that came before are the caller's. */
static int start(const char *program, char **argv, pid_t *ret_child)
{
    const int failed = child_start(program, argv, STDERR_FILENO, ret_child);
    if (failed == 0) {
        signals_forward(*ret_child);
    }
    return failed;
}

/* Waits for the end of the child. It is reaped only once no signal can be meant for it, for its
 * number may be another's afterwards. */
static int reap(pid_t child)
{
    siginfo_t info;
    int result;
    do {
        result = waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
    } while (result != 0 && errno == EINTR);
    ASSERT(result == 0); /* it is our child, and SIGCHLD is not ignored */
    signals_forward(0);
    return child_reap(child);
}

static int judge(const char *name, int status, struct err *e)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return 0;
    }
    if (WIFEXITED(status)) {
        (void)err_set(e, ERR_COMMAND, "--after: '%.200s' failed: exit status %d", name,
                      WEXITSTATUS(status));
    } else {
        ASSERT(WIFSIGNALED(status));
        (void)err_set(e, ERR_COMMAND, "--after: '%.200s' was ended by signal %d (%s)", name,
                      WTERMSIG(status), strsignal(WTERMSIG(status)));
    }
    return -1;
}

static int run(const struct words *words, struct err *e)
{
    const char *name = words->items[0];
    autofree char *program = find_program(name);
    if (program == NULL) {
        return no_program(name, e); /* it was there when we looked */
    }
    sigset_t before;
    signals_block(&before);
    const bool interrupted = interrupt_asked();
    pid_t child = 0;
    const int failed = interrupted ? 0 : start(program, words->items, &child);
    signals_restore(&before);
    if (interrupted) {
        return err_set(e, ERR_CANCELLED, "--after: '%.200s': interrupted before it was run", name);
    }
    if (failed != 0) {
        return err_set_sys(e, ERR_COMMAND, failed, "--after: '%.200s' cannot be run", name);
    }
    return judge(name, reap(child), e);
}

static int note(const struct target *target, const char *mark, struct buf *marks, struct err *e)
{
    char now[TIME_TEXT_SIZE];
    if (!buf_appendf(marks, "%s %s\n", mark, format_time(clock_wall_ms(), now))) {
        return err_set(e, ERR_LIMIT, "--after: more commands than are remembered");
    }
    return target_after_write(target, buf_str(marks), e);
}

int after_run(const struct config *config, const struct target *target, enum after_outcome *ret,
              struct err *e)
{
    *ret = config->after.count == 0 ? AFTER_NONE : AFTER_EARLIER;
    autobuf struct buf marks = BUF_INIT(MARKS_SIZE_MAX);
    if (config->after.count > 0 && target_after_read(target, &marks, e) != 0) {
        *ret = AFTER_NOT_RUN;
        return -1;
    }
    for (size_t i = 0; i < config->after.count; i++) {
        struct words words __attribute__((cleanup(words_done))) = {0};
        char mark[MARK_SIZE];
        split(config->after.names[i], &words);
        make_mark(&words, mark);
        if (strstr(buf_str(&marks), mark) != NULL) {
            log_info("--after: '%s' has succeeded before: not run again", words.items[0]);
            continue;
        }
        log_info("--after: running '%s'", words.items[0]);
        *ret = AFTER_FAILED;
        if (run(&words, e) != 0 || note(target, mark, &marks, e) != 0) {
            return -1;
        }
        *ret = AFTER_DONE;
    }
    return 0;
}
