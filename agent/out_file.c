#include "agent/out_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/mem.h"

enum { OUT_FILE_MODE = 0644 }; /* node_exporter reads metrics as another user */

static bool is_special(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

static int refuse(const char *path, int sys, struct err *e)
{
    (void)err_set_sys(e, ERR_CREATE, sys, "%s", path);
    return err_hint(e, "name a file in a directory that you may write to");
}

int out_file_check(const char *path, struct err *e)
{
    ASSERT(path[0] != '\0');
    struct stat st;
    const bool there = stat(path, &st) == 0;
    if (there && S_ISDIR(st.st_mode)) {
        return refuse(path, EISDIR, e);
    }
    if (there && !S_ISREG(st.st_mode)) {
        return access(path, W_OK) == 0 ? 0 : refuse(path, errno, e);
    }
    const char *slash = strrchr(path, '/');
    autofree char *folder =
        slash == NULL ? xstrdup(".") : xstrndup(path, (size_t)(slash - path + 1));
    return access(folder, W_OK | X_OK) == 0 ? 0 : refuse(path, errno, e);
}

int out_file_open(struct out_file *out, const char *path, struct err *e)
{
    ASSERT(path[0] != '\0');
    *out = (struct out_file){.path = xstrdup(path)};
    int flags = O_WRONLY | O_CLOEXEC;
    if (!is_special(path)) {
        out->temp = xasprintf("%s.%ld.tmp", path, (long)getpid());
        flags |= O_CREAT | O_TRUNC | O_NOFOLLOW;
    }
    autofd int fd = open(out->temp == NULL ? path : out->temp, flags, OUT_FILE_MODE);
    if (fd < 0) {
        const int sys = errno;
        free(TAKE_PTR(out->temp)); /* nothing to remove */
        return refuse(path, sys, e);
    }
    out->file = fdopen(fd, "w");
    if (out->file == NULL) {
        return err_set_sys(e, ERR_CREATE, errno, "%s", path);
    }
    (void)take_fd(&fd); /* the FILE owns it now */
    return 0;
}

int out_file_close(struct out_file *out, struct err *e)
{
    ASSERT(out->file != NULL);
    bool good = fflush(out->file) == 0 && ferror(out->file) == 0;
    if (good && out->temp != NULL) {
        good = fsync(fileno(out->file)) == 0;
    }
    const int sys = errno;
    if (fclose(TAKE_PTR(out->file)) != 0 || !good) {
        return err_set_sys(e, ERR_DISK, good ? errno : sys, "%s", out->path);
    }
    if (out->temp != NULL && rename(out->temp, out->path) != 0) {
        return err_set_sys(e, ERR_CREATE, errno, "%s", out->path);
    }
    free(TAKE_PTR(out->temp)); /* it has its name: nothing to remove */
    return 0;
}

void out_file_done(struct out_file *out)
{
    if (out->file != NULL) {
        (void)fclose(out->file); /* abandoned: what it holds does not matter */
    }
    if (out->temp != NULL) {
        (void)unlink(out->temp); /* best effort: it has a name of its own */
    }
    free(out->temp);
    free(out->path);
    *out = (struct out_file){0};
}

int out_file_write(const char *path, const char *text, size_t size, struct err *e)
{
    struct out_file out __attribute__((cleanup(out_file_done))) = {0};
    if (out_file_open(&out, path, e) != 0) {
        return -1;
    }
    (void)fwrite(text, 1, size, out.file); /* out_file_close tells */
    return out_file_close(&out, e);
}

int out_file_flush_stdout(struct err *e)
{
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        return err_set_sys(e, ERR_DISK, errno, "standard output");
    }
    return 0;
}
