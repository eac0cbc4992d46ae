#include "agent/safe_path.h"
#include "agent/base/mem.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

/* The next component of a path: its end; *path is moved to its start. NULL: there is none. */
static const char *next_component(const char **path)
{
    *path += strspn(*path, "/");
    return **path == '\0' ? NULL : *path + strcspn(*path, "/");
}

static int copy_component(const char *start, const char *end, char name[NAME_MAX + 1])
{
    const size_t size = (size_t)(end - start);
    if (size > NAME_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name, start, size);
    name[size] = '\0';
    if (strcmp(name, "..") == 0) {
        errno = EXDEV; /* what openat2 answers to a path that leaves its root */
        return -1;
    }
    return 0;
}

/* What openat2 does in one call, one component after the other. */
static int open_by_walk(int root, const char *path, int flags)
{
    autofd int folder = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    const char *end = next_component(&path);
    while (folder >= 0 && end != NULL) {
        char name[NAME_MAX + 1];
        if (copy_component(path, end, name) < 0) {
            return -1;
        }
        path = end;
        end = next_component(&path);
        if (end == NULL) {
            return openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC);
        }
        const int below = openat(folder, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        (void)close(folder); /* nothing was written through it */
        folder = below;
    }
    return folder < 0 ? -1 : openat(folder, ".", flags | O_CLOEXEC);
}

int safe_path_open(int root, const char *path, int flags)
{
    ASSERT(root >= 0);
    ASSERT((flags & O_CREAT) == 0);
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    path += strspn(path, "/"); /* to openat2 an absolute path leaves the root */
    const char *const name = *path == '\0' ? "." : path;
    const long fd = syscall(SYS_openat2, root, name, &how, sizeof how);
    /* Sandboxes that do not know the call answer EPERM. */
    if (fd < 0 && (errno == ENOSYS || errno == EPERM)) {
        return open_by_walk(root, path, flags);
    }
    return (int)fd;
}

/* Owner before mode: chown clears set-id bits, and the mode is what counts in the end. */
static int dress_folder(int fd, const struct config *config)
{
    if (config->set_owner && fchown(fd, config->owner, config->group) < 0) {
        return -1;
    }
    return config->set_dir_mode ? fchmod(fd, config->dir_mode) : 0;
}

/* Opens `name` in `folder`, made first when it is missing. */
static int make_component(int folder, const char *name, const struct config *config, bool *made)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    const int there = openat(folder, name, flags);
    if (there >= 0 || errno != ENOENT) {
        return there;
    }
    if (mkdirat(folder, name, config->dir_mode) < 0 && errno != EEXIST) {
        return -1;
    }
    autofd int fd = openat(folder, name, flags);
    if (fd < 0 || dress_folder(fd, config) < 0) {
        return -1;
    }
    *made = true;
    return take_fd(&fd);
}

int safe_path_make(int root, const char *path, const struct config *config, bool *made)
{
    ASSERT(root >= 0);
    ASSERT(config->dir_mode != 0);
    autofd int folder = safe_path_open(root, path, O_RDONLY | O_DIRECTORY);
    if (folder >= 0 || errno != ENOENT) {
        return take_fd(&folder);
    }
    folder = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    const char *end = next_component(&path);
    while (folder >= 0 && end != NULL) {
        char name[NAME_MAX + 1];
        if (copy_component(path, end, name) < 0) {
            return -1;
        }
        const int below = make_component(folder, name, config, made);
        const int why = errno;
        (void)close(folder); /* nothing was written through it */
        errno = why;
        folder = below;
        path = end;
        end = next_component(&path);
    }
    return take_fd(&folder);
}

/* Folders found so far; those before `next` have been visited. */
struct found_folders {
    char **paths;
    size_t count, capacity, next;
};

static void found_done(struct found_folders *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->paths[i]);
    }
    free(list->paths);
}

static int found_add(struct found_folders *list, const char *path, struct err *e)
{
    if (list->count == SAFE_PATH_FOLDERS_MAX) {
        return err_set(e, ERR_LIMIT, "'%s': more than %d directories", path, SAFE_PATH_FOLDERS_MAX);
    }
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 16 : 2 * list->capacity;
        list->paths = xrealloc(list->paths, list->capacity, sizeof *list->paths);
    }
    list->paths[list->count++] = xstrdup(path);
    return 0;
}

/* File systems that keep no type in their directories answer DT_UNKNOWN. */
static mode_t entry_type(int folder, const struct dirent *found)
{
    if (found->d_type != DT_UNKNOWN) {
        return (mode_t)DTTOIF(found->d_type);
    }
    struct stat st;
    const bool known = fstatat(folder, found->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    return known ? st.st_mode & S_IFMT : 0;
}

struct scan {
    struct found_folders folders;
    safe_path_visit_fn *visit;
    void *ctx;
};

static int scan_entry(struct scan *scan, int folder, const char *path, const struct dirent *found,
                      struct err *e)
{
    autofree char *full =
        *path == '\0' ? xstrdup(found->d_name) : xasprintf("%s/%s", path, found->d_name);
    const struct safe_entry entry = {.folder = folder,
                                     .path = full,
                                     .name = full + strlen(full) - strlen(found->d_name),
                                     .type = entry_type(folder, found)};
    const int verdict = scan->visit(scan->ctx, &entry, e);
    if (verdict == 0 && S_ISDIR(entry.type)) {
        return found_add(&scan->folders, full, e);
    }
    return verdict < 0 ? -1 : 0;
}

static int scan_folder(struct scan *scan, int root, const char *path, struct err *e)
{
    autofd int fd = safe_path_open(root, path, O_RDONLY | O_DIRECTORY);
    if (fd < 0 && errno == ENOENT) {
        return 0;
    }
    DIR *const stream = fd < 0 ? NULL : fdopendir(fd);
    if (stream == NULL) {
        return err_set_sys(e, ERR_DISK, errno, "reading directory '%s'", path);
    }
    (void)take_fd(&fd); /* the stream's now */
    int result = 0;
    for (;;) {
        errno = 0;
        const struct dirent *const found = readdir(stream);
        if (found == NULL) {
            if (errno != 0) {
                result = err_set_sys(e, ERR_DISK, errno, "reading directory '%s'", path);
            }
            break;
        }
        if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0) {
            continue;
        }
        result = scan_entry(scan, dirfd(stream), path, found, e);
        if (result < 0) {
            break;
        }
    }
    (void)closedir(stream); /* only read from */
    return result;
}

static int scan_all(struct scan *scan, int root, const char *path, struct err *e)
{
    int result = found_add(&scan->folders, path, e);
    while (result == 0 && scan->folders.next < scan->folders.count) {
        result = scan_folder(scan, root, scan->folders.paths[scan->folders.next++], e);
    }
    return result;
}

int safe_path_scan(int root, const char *path, safe_path_visit_fn *visit, void *ctx, struct err *e)
{
    struct scan scan = {.visit = visit, .ctx = ctx};
    const int result = scan_all(&scan, root, path, e);
    found_done(&scan.folders);
    return result;
}

bool safe_path_same(int folder_a, const char *a, int folder_b, const char *b)
{
    struct stat x, y;
    return fstatat(folder_a, a, &x, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstatat(folder_b, b, &y, AT_SYMLINK_NOFOLLOW) == 0 && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

static int remove_entry(void *ctx, const struct safe_entry *entry, struct err *e)
{
    (void)ctx; /* nothing to remember */
    if (S_ISDIR(entry->type) || unlinkat(entry->folder, entry->name, 0) == 0) {
        return 0;
    }
    return err_set_sys(e, ERR_DISK, errno, "removing '%s'", entry->path);
}

int safe_path_remove(int root, const char *path, struct err *e)
{
    ASSERT(*path != '\0');
    struct scan scan = {.visit = remove_entry};
    int result = scan_all(&scan, root, path, e);
    for (size_t i = scan.folders.count; result == 0 && i > 0; i--) { /* children before parents */
        const char *const folder = scan.folders.paths[i - 1];
        if (unlinkat(root, folder, AT_REMOVEDIR) < 0 && errno != ENOENT) {
            result = err_set_sys(e, ERR_DISK, errno, "removing '%s'", folder);
        }
    }
    found_done(&scan.folders);
    return result;
}
