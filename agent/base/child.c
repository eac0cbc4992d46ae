#include "agent/base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "agent/base/err.h"

/*
 * What a signal handler can know: a slot for each child that is under way. Whoever starts one takes
 * a slot first and looks at is_leaving then; the handler does it the other way round: so one of the
 * two sees the other. The handler may interrupt nobody between the two, or it would wait for
 * itself.
 */
enum { NOBODY = 0, STARTING = -1 };
static atomic_int slots[CHILDREN_MAX];
static atomic_bool is_leaving;
_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_BOOL_LOCK_FREE == 2, "fit for a handler");
_Static_assert(sizeof(int) >= sizeof(pid_t), "a process fits");

/* The signals that we treat in a way of our own. */
static void set_defaults(sigset_t *set)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGPIPE, SIGCHLD};
    bool good = sigemptyset(set) == 0;
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        good = good && sigaddset(set, numbers[i]) == 0;
    }
    ASSERT(good); /* it fails for numbers that are no signals */
}

static void set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t defaults, none;
    set_defaults(&defaults);
    const bool good =
        sigemptyset(&none) == 0 && posix_spawnattr_init(attributes) == 0 &&
        posix_spawnattr_setsigdefault(attributes, &defaults) == 0 &&
        posix_spawnattr_setsigmask(attributes, &none) == 0 &&
        posix_spawnattr_setpgroup(attributes, 0) == 0 &&
        posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                                 POSIX_SPAWN_SETPGROUP) == 0;
    ASSERT(good); /* these fail for flags that are none */
}

static void set_files(posix_spawn_file_actions_t *files, int output)
{
    const bool good =
        posix_spawn_file_actions_init(files) == 0 &&
        posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0) == 0 &&
        posix_spawn_file_actions_adddup2(files, output, STDOUT_FILENO) == 0 &&
        posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1) == 0;
    ASSERT(good); /* short of memory for three entries */
}

static int spawn(const char *program, char *const *argv, int output, pid_t *ret_child)
{
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;
    set_attributes(&attributes);
    set_files(&files, output);
    const int failed = posix_spawnp(ret_child, program, &files, &attributes, argv, environ);
    (void)posix_spawn_file_actions_destroy(&files);
    (void)posix_spawnattr_destroy(&attributes);
    return failed;
}

static atomic_int *take_slot(void)
{
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        int expected = NOBODY;
        if (atomic_compare_exchange_strong(&slots[i], &expected, STARTING)) {
            return &slots[i];
        }
    }
    return NULL;
}

static int start_in(atomic_int *slot, const char *program, char *const *argv, int output,
                    pid_t *ret_child)
{
    pid_t child = NOBODY;
    const int failed = atomic_load(&is_leaving) ? ECANCELED : spawn(program, argv, output, &child);
    atomic_store(slot, failed == 0 ? child : NOBODY);
    if (failed == 0) {
        *ret_child = child;
    }
    return failed;
}

int child_start(const char *program, char *const *argv, int output, pid_t *ret_child)
{
    ASSERT(program != NULL && argv[0] != NULL);
    ASSERT(output > STDIN_FILENO);
    sigset_t all, before;
    const bool blocked = sigfillset(&all) == 0 && pthread_sigmask(SIG_BLOCK, &all, &before) == 0;
    ASSERT(blocked);
    atomic_int *slot = take_slot();
    const int failed = slot == NULL ? EAGAIN : start_in(slot, program, argv, output, ret_child);
    const int left = pthread_sigmask(SIG_SETMASK, &before, NULL);
    ASSERT(left == 0);
    return failed;
}

int child_reap(pid_t child)
{
    ASSERT(child > 0);
    siginfo_t info;
    while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
    }
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        int expected = child;
        (void)atomic_compare_exchange_strong(&slots[i], &expected, NOBODY); /* one is its */
    }
    int status = 0;
    pid_t result;
    do {
        result = waitpid(child, &status, 0);
    } while (result < 0 && errno == EINTR);
    ASSERT(result == child || errno == ECHILD); /* SIGCHLD is ignored */
    return status;
}

void child_end_all(void)
{
    enum { PAUSE_MS = 10, PAUSES_MAX = 100 }; /* a program on a disk that hangs may never start */
    atomic_store(&is_leaving, true);
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        int child = atomic_load(&slots[i]);
        for (unsigned n = 0; child == STARTING && n < PAUSES_MAX; n++) {
            (void)poll(NULL, 0, PAUSE_MS);
            child = atomic_load(&slots[i]);
        }
        if (child > 0) {
            (void)kill(-child, SIGTERM); /* it may have ended */
        }
    }
}
