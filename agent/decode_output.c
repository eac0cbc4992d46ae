#include "agent/decode_output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/mem.h"

/* A temporary file of a dead process may have our number; of so many, one name is free. */
enum { TEMP_NAMES_MAX = 100 };

static int fail_create(const struct decode_output *out, int sys, struct err *e)
{
    return err_set_sys(e, ERR_CREATE, sys, "'%s'", out->path);
}

static int open_directory(struct decode_output *out, struct err *e)
{
    const char *slash = strrchr(out->path, '/');
    out->name = slash == NULL ? out->path : slash + 1;
    if (out->name[0] == '\0') {
        (void)err_set(e, ERR_CONFIG, "'%s': names a directory", out->path);
        return err_hint(e, "name a file with -o");
    }
    /* "/file" lies in "/": keep the slash. */
    autofree char *dir =
        slash == NULL ? xstrdup(".")
                      : xstrndup(out->path, slash == out->path ? 1 : (size_t)(slash - out->path));
    out->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return out->dir < 0 ? fail_create(out, errno, e) : 0;
}

/* A rename would put a file in the place of a device, a pipe or a link. */
static int refuse_special(const struct decode_output *out, struct err *e)
{
    struct stat there;
    if (fstatat(out->dir, out->name, &there, AT_SYMLINK_NOFOLLOW) < 0) {
        return errno == ENOENT ? 0 : fail_create(out, errno, e);
    }
    if (!S_ISREG(there.st_mode)) {
        (void)err_set(e, ERR_REFUSED, "'%s': is there and is not a regular file", out->path);
        return err_hint(e, "name another file with -o, or write to stdout");
    }
    return 0;
}

static int open_temp(struct decode_output *out, struct err *e)
{
    for (unsigned i = 0; i < TEMP_NAMES_MAX; i++) {
        const int size =
            snprintf(out->temp, sizeof out->temp, ".penates-decode-%ld-%u", (long)getpid(), i);
        ASSERT(size > 0 && (size_t)size < sizeof out->temp);
        out->fd =
            openat(out->dir, out->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (out->fd >= 0) {
            return 0;
        }
        const int sys = errno;
        out->temp[0] = '\0'; /* not ours to remove */
        if (sys != EEXIST) {
            return fail_create(out, sys, e);
        }
    }
    return fail_create(out, EEXIST, e);
}

int decode_output_open(struct decode_output *out, const char *path, struct err *e)
{
    ASSERT(out->fd == -1 && out->dir == -1);
    if (path == NULL || strcmp(path, "-") == 0) {
        out->path = "stdout";
        out->fd = STDOUT_FILENO;
        return 0;
    }
    out->path = path;
    if (open_directory(out, e) < 0 || refuse_special(out, e) < 0) {
        return -1;
    }
    return open_temp(out, e);
}

static int fail_write(const struct decode_output *out, int sys, struct err *e)
{
    const bool full = sys == ENOSPC || sys == EDQUOT || sys == EFBIG;
    return err_set_sys(e, full ? ERR_CREATE : ERR_DISK, sys, "'%s'", out->path);
}

int decode_output_write(struct decode_output *out, struct slice bytes, struct err *e)
{
    ASSERT(out->fd >= 0);
    while (bytes.size > 0) {
        const ssize_t written = write(out->fd, bytes.data, bytes.size);
        if (written < 0 && errno != EINTR) {
            return fail_write(out, errno, e);
        }
        const size_t size = written < 0 ? 0 : (size_t)written;
        bytes = slice_of(bytes.data + size, bytes.size - size);
    }
    return 0;
}

int decode_output_commit(struct decode_output *out, struct err *e)
{
    ASSERT(out->fd >= 0);
    if (out->name == NULL) {
        return 0; /* stdout: its reader sees every byte as it is written */
    }
    if (fsync(out->fd) < 0) {
        return fail_write(out, errno, e);
    }
    if (close(take_fd(&out->fd)) < 0) {
        return fail_write(out, errno, e);
    }
    if (renameat(out->dir, out->temp, out->dir, out->name) < 0) {
        return fail_write(out, errno, e);
    }
    out->temp[0] = '\0';
    return fsync(out->dir) < 0 ? fail_write(out, errno, e) : 0;
}

void decode_output_done(struct decode_output *out)
{
    if (out->name != NULL && out->fd >= 0) {
        (void)close(out->fd); /* abandoned */
    }
    if (out->temp[0] != '\0') {
        (void)unlinkat(out->dir, out->temp, 0); /* the failure that led here is the one to tell */
    }
    if (out->dir >= 0) {
        (void)close(out->dir); /* was only read */
    }
    *out = DECODE_OUTPUT_INIT;
}
