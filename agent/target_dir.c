#include "agent/target_dir.h"
#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/safe_path.h"
#include "agent/target_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

static bool climbs(const char *path)
{
    for (const char *name = path; *name != '\0'; name += strspn(name, "/")) {
        const size_t size = strcspn(name, "/");
        if (size == 2 && name[0] == '.' && name[1] == '.') {
            return true;
        }
        name += size;
    }
    return false;
}

/* Where `given` is, or will be: the part that exists is resolved, the rest is taken as it stands.
 */
static int resolve(struct target_dir *dir, const char *given, struct err *e)
{
    autofree char *part = xstrdup(given);
    size_t size = strlen(part);
    autofree char *real = NULL;
    for (;;) {
        real = realpath(size == 0 ? (*given == '/' ? "/" : ".") : part, NULL);
        if (real != NULL || errno != ENOENT || size == 0) {
            break;
        }
        while (size > 0 && part[size - 1] == '/') {
            size--;
        }
        while (size > 0 && part[size - 1] != '/') {
            size--;
        }
        part[size] = '\0';
    }
    if (real == NULL) {
        return err_set_sys(e, ERR_CREATE, errno, "target directory '%s'", given);
    }
    const char *const rest = given + size + strspn(given + size, "/");
    if (climbs(rest)) {
        return err_set(e, ERR_CONFIG, "target directory '%s': does not exist and has '..' in it",
                       given);
    }
    const bool top = strcmp(real, "/") == 0;
    dir->exists = top ? 1 : strlen(real);
    dir->path = *rest == '\0' ? TAKE_PTR(real) : xasprintf("%s/%s", top ? "" : real, rest);
    for (size_t end = strlen(dir->path); end > 1 && dir->path[end - 1] == '/'; end--) {
        dir->path[end - 1] = '\0';
    }
    return 0;
}

static int open_home(struct target_dir *dir, struct err *e)
{
    dir->home = safe_path_open(dir->root, TARGET_HOME, O_RDONLY | O_DIRECTORY);
    if (dir->home < 0 && errno != ENOENT) {
        return err_set_sys(e, errno == ELOOP || errno == ENOTDIR ? ERR_REFUSED : ERR_CREATE, errno,
                           "'%s/" TARGET_HOME "'", dir->path);
    }
    return 0;
}

int target_dir_open(struct target_dir *dir, const char *given, struct err *e)
{
    ASSERT(dir->root < 0);
    if (*given == '\0') {
        return err_set(e, ERR_CONFIG, "target directory: its name is empty");
    }
    if (resolve(dir, given, e) < 0) {
        return -1;
    }
    dir->root = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir->root < 0) {
        const int why = errno;
        if (why == ENOENT) {
            return 0;
        }
        (void)err_set_sys(e, ERR_CREATE, why, "target directory '%s'", given);
        return why == ENOTDIR ? err_hint(e, "name a directory") : -1;
    }
    return open_home(dir, e);
}

void target_dir_done(struct target_dir *dir)
{
    const int fds[] = {dir->tmp, dir->lock, dir->home, dir->root};
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]); /* directories, and a lock whose text is only a help */
        }
    }
    free(dir->path);
    *dir = TARGET_DIR_INIT;
}

bool target_dir_syncs_whole(const struct target_dir *dir)
{
    static const unsigned long GOOD[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
                                         TMPFS_MAGIC};
    ASSERT(dir->root >= 0);
    struct statfs fs;
    bool good = false;
    if (fstatfs(dir->root, &fs) == 0) {
        for (size_t i = 0; i < ARRAY_SIZE(GOOD) && !good; i++) {
            good = (unsigned long)fs.f_type == GOOD[i];
        }
    }
    return good;
}

int target_dir_read(const struct target_dir *dir, const char *name, struct buf *out, struct err *e)
{
    ASSERT(out->size_max > 0);
    buf_clear(out);
    autofd int fd = dir->home < 0 ? -1 : safe_path_open(dir->home, name, O_RDONLY);
    if (fd < 0) {
        return dir->home < 0 || errno == ENOENT
                   ? 0
                   : err_set_sys(e, ERR_CREATE, errno, "reading '%s/%s/%s'", dir->path, TARGET_HOME,
                                 name);
    }
    char part[4096];
    ssize_t size = read(fd, part, sizeof part);
    while (size > 0 && buf_append(out, part, (size_t)size)) {
        size = read(fd, part, sizeof part);
    }
    return size < 0
               ? err_set_sys(e, ERR_DISK, errno, "reading '%s/%s/%s'", dir->path, TARGET_HOME, name)
               : 1;
}

static int write_file(int fd, const char *text)
{
    const size_t size = strlen(text);
    for (size_t done = 0; done < size;) {
        const ssize_t written = pwrite(fd, text + done, size - done, (off_t)done);
        if (written < 0 && errno != EINTR) {
            return -1;
        }
        done += written < 0 ? 0 : (size_t)written;
    }
    return fsync(fd);
}

int target_dir_put(int folder, const char *name, const char *text, const struct config *config)
{
    ASSERT(folder >= 0);
    ASSERT(strchr(name, '/') == NULL);
    autofree char *aside = xasprintf("%s.new", name);
    const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
    autofd int fd = openat(folder, aside, flags, config->mode);
    bool good = fd >= 0 && target_dress_file(fd, config) == 0 && write_file(fd, text) == 0;
    good = good && close(take_fd(&fd)) == 0;
    good = good && renameat(folder, aside, folder, name) == 0 && fsync(folder) == 0;
    return good ? 0 : -1;
}

int target_dir_write(const struct target_dir *dir, const char *name, const char *text,
                     const struct config *config, struct err *e)
{
    const char *const slash = strrchr(name, '/');
    const char *const last = slash == NULL ? name : slash + 1;
    autofree char *path = xstrndup(name, slash == NULL ? 0 : (size_t)(slash - name));
    autofd int folder = safe_path_open(dir->home, path, O_RDONLY | O_DIRECTORY);
    if (folder < 0 || target_dir_put(folder, last, text, config) < 0) {
        return target_disk_err(e, errno, "writing '%s/%s/%s'", dir->path, TARGET_HOME, name);
    }
    return 0;
}

/* Open file description locks, not flock: they can be asked about without being taken, so `status`
 * never stands in a restore's way. */
static struct flock whole_file(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

static uint64_t lock_pid(const struct target_dir *dir)
{
    struct buf text = BUF_INIT(64);
    struct err ignored;
    uint64_t pid = 0;
    if (target_dir_read(dir, "lock", &text, &ignored) == 1) {
        (void)parse_u64(buf_str(&text), strcspn(buf_str(&text), "\n"), &pid); /* 0: not known */
    }
    buf_done(&text);
    return pid;
}

bool target_dir_locked(const struct target_dir *dir, uint64_t *ret_pid)
{
    autofd int fd = dir->home < 0 ? -1 : safe_path_open(dir->home, "lock", O_RDONLY);
    struct flock lock = whole_file();
    if (fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type == F_UNLCK) {
        return false;
    }
    *ret_pid = lock_pid(dir);
    return true;
}

static int refuse_locked(const struct target_dir *dir, struct err *e)
{
    const uint64_t pid = lock_pid(dir);
    if (pid == 0) {
        (void)err_set(e, ERR_REFUSED, "target '%s': another restore is running on it", dir->path);
    } else {
        (void)err_set(e, ERR_REFUSED,
                      "target '%s': another restore is running on it, process %" PRIu64, dir->path,
                      pid);
    }
    e->sys = EBUSY;
    return err_hint(e, "wait for it to end ('penates status %.180s' shows it) or stop it",
                    dir->path);
}

int target_dir_lock(struct target_dir *dir, bool make, struct err *e)
{
    ASSERT(dir->lock < 0);
    if (dir->home < 0) {
        return 0;
    }
    const int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC | (make ? O_CREAT : 0);
    autofd int fd = openat(dir->home, "lock", flags, 0644);
    if (fd < 0) {
        return make ? target_disk_err(e, errno, "opening '%s/" TARGET_HOME "/lock'", dir->path) : 0;
    }
    struct flock lock = whole_file();
    if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
        return errno == EAGAIN || errno == EACCES
                   ? refuse_locked(dir, e)
                   : err_set_sys(e, ERR_DISK, errno, "locking '%s/" TARGET_HOME "/lock'",
                                 dir->path);
    }
    /* Only a help for whoever is refused: no failure here is worth one of the restore. */
    char text[32];
    const int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) == 0) {
        (void)!pwrite(fd, text, (size_t)size, 0);
    }
    dir->lock = take_fd(&fd);
    return 0;
}

/* Makes what is missing of the directory's own path and pins it. */
static int make_root(struct target_dir *dir, const struct config *config, struct err *e)
{
    autofree char *above = xstrndup(dir->path, dir->exists);
    autofd int base = open(above, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool made = false;
    const char *const rest = dir->path + dir->exists + strspn(dir->path + dir->exists, "/");
    const int root = base < 0 ? -1 : safe_path_make(base, rest, config, &made);
    if (root < 0) {
        return target_disk_err(e, errno, "making target directory '%s'", dir->path);
    }
    dir->root = root;
    /* Every level of it, with one call. */
    return made && syncfs(root) < 0
               ? target_disk_err(e, errno, "making target directory '%s'", dir->path)
               : 0;
}

int target_dir_make(struct target_dir *dir, const struct config *config, struct err *e)
{
    if (dir->root < 0 && make_root(dir, config, e) < 0) {
        return -1;
    }
    bool made = false;
    if (dir->home < 0) {
        dir->home = safe_path_make(dir->root, TARGET_HOME, config, &made);
    }
    if (dir->home < 0 || fsync(dir->root) < 0) {
        return target_disk_err(e, errno, "making '%s/" TARGET_HOME "'", dir->path);
    }
    if (dir->lock < 0 && target_dir_lock(dir, true, e) < 0) {
        return -1;
    }
    if (target_dress_file(dir->lock, config) < 0) {
        return target_disk_err(e, errno, "owner of '%s/" TARGET_HOME "/lock'", dir->path);
    }
    if (safe_path_remove(dir->home, "tmp", e) < 0) {
        return -1;
    }
    dir->tmp = safe_path_make(dir->home, "tmp", config, &made);
    if (dir->tmp < 0) {
        return target_disk_err(e, errno, "making '%s/" TARGET_HOME "/tmp'", dir->path);
    }
    return 0;
}
