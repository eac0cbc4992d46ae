#include "agent/base/child.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>

#include "agent/base/err.h"

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

int child_start(const char *program, char *const *argv, int output, pid_t *ret_child)
{
    ASSERT(program != NULL && argv[0] != NULL);
    ASSERT(output > STDIN_FILENO);
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;
    set_attributes(&attributes);
    set_files(&files, output);
    const int failed = posix_spawnp(ret_child, program, &files, &attributes, argv, environ);
    (void)posix_spawn_file_actions_destroy(&files);
    (void)posix_spawnattr_destroy(&attributes);
    return failed;
}
