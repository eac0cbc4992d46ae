#include "agent/running.h"
#include "agent/base/buf.h"
#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    COMMAND_LINE_MAX = 4 * 1024 * 1024
}; /* class paths are long; the kernel's own limit is 6 MiB */

static const char MAIN_CLASS[] = "org.apache.cassandra.service.CassandraDaemon";
static const char STORAGE_DIR[] = "-Dcassandra.storagedir=";

/* True when `path` is `dir` or lies below it. */
static bool within(const char *path, const char *dir)
{
    const size_t size = strlen(dir);
    return strncmp(path, dir, size) == 0 &&
           (path[size] == '\0' || path[size] == '/' || dir[size - 1] == '/');
}

enum answer { ANSWER_NO, ANSWER_YES, ANSWER_HIDDEN };

/* What a failed look at another process means: one that has ended holds nothing. */
static enum answer answer_of(int sys)
{
    return sys == EACCES || sys == EPERM ? ANSWER_HIDDEN : ANSWER_NO;
}

static enum answer link_within(int folder, const char *name, const char *dir)
{
    char path[PATH_MAX];
    const ssize_t size = readlinkat(folder, name, path, sizeof path - 1);
    if (size < 0) {
        return answer_of(errno);
    }
    path[size] = '\0';
    return within(path, dir) ? ANSWER_YES : ANSWER_NO;
}

static enum answer holds_open(int process, const char *dir)
{
    const int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return answer_of(errno);
    }
    DIR *const stream = fdopendir(fd);
    if (stream == NULL) {
        (void)close(fd); /* only read from */
        return ANSWER_HIDDEN;
    }
    enum answer answer = ANSWER_NO;
    const struct dirent *found = readdir(stream);
    while (found != NULL && answer == ANSWER_NO) {
        answer = link_within(fd, found->d_name, dir);
        found = readdir(stream);
    }
    (void)closedir(stream); /* only read from */
    return answer;
}

/* Mapped files count too: Java closes the descriptor of some of them. */
static bool holds_mapped(int process, const char *dir)
{
    autofd int fd = openat(process, "maps", O_RDONLY | O_CLOEXEC);
    autofile FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    if (file == NULL) {
        return false;
    }
    (void)take_fd(&fd); /* the stream's now */
    autofree char *line = NULL;
    size_t capacity = 0;
    for (ssize_t size = getline(&line, &capacity, file); size > 0;
         size = getline(&line, &capacity, file)) {
        line[strcspn(line, "\n")] = '\0';
        const char *const path = strchr(line, '/'); /* no column before it has one */
        if (path != NULL && within(path, dir)) {
            return true;
        }
    }
    return false;
}

/* Without data_file_directories in its configuration Cassandra has its data in data/ of the storage
 * directory. What else lies in there, as a folder to import from, is not its own. */
static bool in_storage(const char *dir, const char *storage)
{
    autofree char *data = xasprintf("%s/data", storage);
    return within(storage, dir) || within(dir, data);
}

/* The arguments are NUL-terminated texts in a row. */
static bool arguments_name(const struct buf *arguments, const char *dir)
{
    const char *const end = arguments->data + arguments->size;
    for (const char *text = arguments->data; text < end; text += strlen(text) + 1) {
        const char *const found = strstr(text, dir);
        if (found != NULL && within(found, dir)) {
            return true;
        }
        if (strncmp(text, STORAGE_DIR, sizeof STORAGE_DIR - 1) == 0 &&
            in_storage(dir, text + sizeof STORAGE_DIR - 1)) {
            return true;
        }
    }
    return false;
}

static bool is_java(const struct buf *arguments)
{
    const char *const program = buf_str(arguments);
    const char *const slash = strrchr(program, '/');
    return strcmp(slash == NULL ? program : slash + 1, "java") == 0;
}

/* Cassandra's own keyspaces: system since ever, system_schema since 3.0. */
static bool looks_used(const char *dir)
{
    autofd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;
    return fd >= 0 && (fstatat(fd, "system", &st, AT_SYMLINK_NOFOLLOW) == 0 ||
                       fstatat(fd, "system_schema", &st, AT_SYMLINK_NOFOLLOW) == 0);
}

static void read_arguments(int process, struct buf *out)
{
    buf_clear(out);
    autofd int fd = openat(process, "cmdline", O_RDONLY | O_CLOEXEC);
    char part[4096];
    ssize_t size = fd < 0 ? 0 : read(fd, part, sizeof part);
    while (size > 0 && buf_append(out, part, (size_t)size)) {
        size = read(fd, part, sizeof part);
    }
}

/* True when the process is at work on `dir`. */
static bool at_work(int process, const char *dir, struct buf *arguments)
{
    read_arguments(process, arguments);
    if (arguments->size == 0) {
        return false; /* a kernel thread, or gone */
    }
    const bool cassandra =
        memmem(arguments->data, arguments->size, MAIN_CLASS, sizeof MAIN_CLASS - 1) != NULL;
    if (!cassandra && !is_java(arguments)) {
        return false;
    }
    const enum answer open = holds_open(process, dir);
    if (open == ANSWER_YES || link_within(process, "cwd", dir) == ANSWER_YES ||
        holds_mapped(process, dir)) {
        return true;
    }
    return cassandra &&
           (arguments_name(arguments, dir) || (open == ANSWER_HIDDEN && looks_used(dir)));
}

int running_check(const char *proc, const char *dir, struct err *e)
{
    ASSERT(dir[0] == '/');
    DIR *const stream = opendir(proc);
    if (stream == NULL) {
        (void)err_set_sys(e, ERR_REFUSED, errno, "looking for a running Cassandra in '%s'", proc);
        return err_hint(e, "mount it: without it nothing tells whether Cassandra is at work");
    }
    struct buf arguments = BUF_INIT(COMMAND_LINE_MAX);
    int result = 0;
    for (const struct dirent *found = readdir(stream); found != NULL && result == 0;
         found = readdir(stream)) {
        uint64_t pid;
        if (!parse_u64(found->d_name, strlen(found->d_name), &pid)) {
            continue;
        }
        autofd int process =
            openat(dirfd(stream), found->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (process >= 0 && at_work(process, dir, &arguments)) {
            (void)err_set(e, ERR_REFUSED,
                          "target '%s': in use by process %s, Cassandra or another Java program",
                          dir, found->d_name);
            result = err_hint(e, "stop Cassandra first, or choose another directory");
        }
    }
    buf_done(&arguments);
    (void)closedir(stream); /* only read from */
    return result;
}
