#include "agent/apply_yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "agent/base/mem.h"

#define KEPT ".before-penates"
#define NEW ".penates-new"

/* One file and the folder that it really lies in. */
struct yaml_file {
    char *path;       /* resolved */
    const char *name; /* its last component */
    int folder;
    int fd;
    struct stat status;
    struct buf text;
};

static void yaml_file_done(struct yaml_file *file)
{
    cleanup_fd(&file->folder);
    cleanup_fd(&file->fd);
    buf_done(&file->text);
    free(file->path);
}

#define yaml_file_owner __attribute__((cleanup(yaml_file_done)))
#define YAML_FILE_INIT ((struct yaml_file){.folder = -1, .fd = -1, .text = BUF_INIT(YAML_TEXT_MAX)})

void apply_yaml_settings(const char *token, struct yaml_setting ret[APPLY_YAML_SETTINGS])
{
    ret[0] = (struct yaml_setting){"initial_token", token};
    ret[1] = (struct yaml_setting){"num_tokens", "1"};
    ret[2] = (struct yaml_setting){"auto_bootstrap", "false"};
}

static int refuse(struct err *e, const char *path, const char *why)
{
    (void)err_set(e, ERR_CONFIG, "'%s': %s", path, why);
    return err_hint(e, "name the cassandra.yaml of the node that is restored");
}

static int read_text(struct yaml_file *file, struct err *e)
{
    char part[8192];
    ssize_t size = read(file->fd, part, sizeof(part));
    while (size > 0) {
        if (!buf_append(&file->text, part, (size_t)size)) {
            return refuse(e, file->path, "longer than a cassandra.yaml");
        }
        size = read(file->fd, part, sizeof(part));
    }
    return size == 0 ? 0 : err_set_sys(e, ERR_DISK, errno, "reading '%s'", file->path);
}

static int open_file(const char *path, struct yaml_file *file, struct err *e)
{
    file->path = realpath(path, NULL);
    if (file->path == NULL) {
        (void)err_set_sys(e, ERR_CONFIG, errno, "'%s'", path);
        return err_hint(e, "name the cassandra.yaml of the node that is restored");
    }
    char *slash = strrchr(file->path, '/');
    ASSERT(slash != NULL);
    file->name = slash + 1;
    autofree char *above =
        xstrndup(file->path, slash == file->path ? 1 : (size_t)(slash - file->path));
    file->folder = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    file->fd = file->folder < 0 ? -1
                                : openat(file->folder, file->name,
                                         O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file->fd < 0 || fstat(file->fd, &file->status) < 0) {
        return err_set_sys(e, ERR_CONFIG, errno, "opening '%s'", file->path);
    }
    return S_ISREG(file->status.st_mode) ? read_text(file, e)
                                         : refuse(e, file->path, "not a regular file");
}

static int edit(const struct yaml_file *file, const char *token, struct buf *ret, bool *ret_changed,
                struct err *e)
{
    struct yaml_setting settings[APPLY_YAML_SETTINGS];
    apply_yaml_settings(token, settings);
    const struct slice text = slice_of(file->text.data, file->text.size);
    if (cassandra_yaml_edit(text, settings, APPLY_YAML_SETTINGS, ret, ret_changed, e) < 0) {
        return err_wrap(e, "%s", file->path);
    }
    return 0;
}

static bool may_keep_owner(const struct stat *status)
{
    return geteuid() == 0 || (status->st_uid == geteuid() &&
                              (status->st_gid == getegid() || group_member(status->st_gid) != 0));
}

/* What no rename replaces, and no mode shows: chattr +i or +a, and a file that is a mount of its
 * own, as containers get theirs. (Linux before 5.8 does not tell of mounts.) */
static int check_replaceable(const struct yaml_file *file, struct err *e)
{
    struct statx status;
    if (statx(file->fd, "", AT_EMPTY_PATH, 0, &status) < 0) {
        return 0; /* the rename will tell */
    }
    if ((status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0) {
        (void)err_set(e, ERR_CREATE, "'%s': is a mount of its own, which no new file can replace",
                      file->path);
        return err_hint(e, "mount its folder instead, or leave out --apply-yaml");
    }
    if ((status.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)) != 0) {
        (void)err_set(e, ERR_CREATE, "'%s': immutable or append-only", file->path);
        return err_hint(e, "let chattr take that off, or leave out --apply-yaml");
    }
    return 0;
}

static int check_rights(const struct yaml_file *file, struct err *e)
{
    if (faccessat(file->folder, ".", W_OK | X_OK, AT_EACCESS) < 0) {
        (void)err_set_sys(e, ERR_CREATE, errno, "cannot write beside '%s'", file->path);
        return err_hint(e, "run as a user who may, or leave out --apply-yaml");
    }
    if (!may_keep_owner(&file->status)) {
        (void)err_set(e, ERR_CREATE,
                      "'%s': belongs to another user or group, and would not any more", file->path);
        return err_hint(e, "run as root or as its owner, or leave out --apply-yaml");
    }
    return check_replaceable(file, e);
}

int apply_yaml_check(const char *path, const char *token, struct err *e)
{
    yaml_file_owner struct yaml_file file = YAML_FILE_INIT;
    autobuf struct buf text = BUF_INIT(YAML_TEXT_MAX);
    bool changed;
    if (open_file(path, &file, e) < 0 || edit(&file, token, &text, &changed, e) < 0) {
        return -1;
    }
    return changed ? check_rights(&file, e) : 0;
}

int apply_yaml_read(const char *path, struct buf *ret, struct err *e)
{
    yaml_file_owner struct yaml_file file = YAML_FILE_INIT;
    if (open_file(path, &file, e) < 0) {
        return -1;
    }
    buf_done(ret);
    *ret = file.text;
    file.text = BUF_INIT(YAML_TEXT_MAX);
    return 0;
}

/* Access lists and labels go along where the system lets them: what may not be set here (a label
 * without the right to it) is what any new file in this folder gets. */
static void copy_attributes(int from, int to)
{
    char names[4096], value[4096];
    const ssize_t size = flistxattr(from, names, sizeof(names));
    for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1) {
        const ssize_t bytes = fgetxattr(from, names + at, value, sizeof(value));
        if (bytes >= 0) {
            (void)fsetxattr(to, names + at, value, (size_t)bytes, 0); /* see above */
        }
    }
}

static int write_all(int fd, const struct buf *text)
{
    size_t at = 0;
    while (at < text->size) {
        const ssize_t size = write(fd, text->data + at, text->size - at);
        if (size < 0) {
            return -1;
        }
        at += (size_t)size;
    }
    return fsync(fd);
}

/* The new file under its temporary name. One that a crash left there is ours. -1 and errno. */
static int make_new(const struct yaml_file *file, const char *name, const struct buf *text)
{
    if (unlinkat(file->folder, name, 0) < 0 && errno != ENOENT) {
        return -1;
    }
    autofd int fd =
        openat(file->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    /* Owner before mode: chown clears set-id bits. */
    if (fd < 0 || fchown(fd, file->status.st_uid, file->status.st_gid) < 0 ||
        fchmod(fd, file->status.st_mode & 07777) < 0) {
        return -1;
    }
    copy_attributes(file->fd, fd);
    return write_all(fd, text) < 0 ? -1 : close(take_fd(&fd));
}

/* A second name for the original, which loses its own to the new file: owner, mode and times are
 * kept without a copy. An earlier one stays: it is the original of before the first change. */
static int keep_original(const struct yaml_file *file, const char *kept)
{
    const int linked = linkat(file->folder, file->name, file->folder, kept, 0);
    return linked < 0 && errno == EEXIST ? 0 : linked;
}

static int fail(const struct yaml_file *file, const char *what, struct err *e)
{
    const int sys = errno;
    const bool right =
        sys == EACCES || sys == EPERM || sys == EROFS || sys == ENOSPC || sys == EDQUOT;
    return err_set_sys(e, right ? ERR_CREATE : ERR_DISK, sys, "%s '%s'", what, file->path);
}

static int replace(const struct yaml_file *file, const char *name, const struct buf *text,
                   struct err *e)
{
    autofree char *kept = xasprintf("%s" KEPT, file->name);
    if (make_new(file, name, text) < 0) {
        return fail(file, "writing a new", e);
    }
    if (keep_original(file, kept) < 0) {
        return fail(file, "keeping the original of", e);
    }
    return renameat(file->folder, name, file->folder, file->name) < 0 ? fail(file, "replacing", e)
                                                                      : 0;
}

static int swap(const struct yaml_file *file, const struct buf *text, struct err *e)
{
    autofree char *name = xasprintf(".%s" NEW, file->name);
    if (replace(file, name, text, e) < 0) {
        (void)unlinkat(file->folder, name, 0); /* ours; the next run would remove it as well */
        return -1;
    }
    return fsync(file->folder) < 0 ? fail(file, "syncing the folder of", e) : 0;
}

int apply_yaml_write(const char *path, const char *token, struct apply_yaml *ret, struct err *e)
{
    yaml_file_owner struct yaml_file file = YAML_FILE_INIT;
    autobuf struct buf text = BUF_INIT(YAML_TEXT_MAX);
    bool changed;
    if (open_file(path, &file, e) < 0 || edit(&file, token, &text, &changed, e) < 0 ||
        (changed && (check_rights(&file, e) < 0 || swap(&file, &text, e) < 0))) {
        return -1;
    }
    autofree char *kept = xasprintf("%s" KEPT, file.path);
    const bool has_kept = access(kept, F_OK) == 0;
    *ret = (struct apply_yaml){.changed = changed};
    ret->before = has_kept ? TAKE_PTR(kept) : NULL;
    ret->file = TAKE_PTR(file.path);
    return 0;
}

void apply_yaml_done(struct apply_yaml *applied)
{
    free(applied->file);
    free(applied->before);
    *applied = (struct apply_yaml){0};
}
