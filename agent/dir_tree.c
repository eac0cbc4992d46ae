#include "agent/dir_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>

#include "agent/base/log.h"
#include "agent/base/mem.h"

enum {
    KEY_SIZE_MAX = 1024,     /* S3's own limit for keys */
    DEPTH_MAX = 32,          /* the deepest key of Priam has ten components after its base */
    DIR_NAMES_MAX = 4000000, /* of one directory; about 200 bytes of memory each */
    NAMES_CAPACITY_FIRST = 64,
};

/* One open directory on the way to where the walk is. */
struct level {
    DIR *dir;
    char **names; /* sorted; those of directories end in '/', for so they sort in keys */
    size_t count, capacity, next;
    size_t key_size; /* of walk->key up to and with this directory's '/' */
};

struct walk {
    const struct s3_list *list;
    s3_entry_fn *fn;
    void *ctx;
    struct buf key;
    struct level levels[DEPTH_MAX];
    size_t depth;
};

void dir_tree_etag(const struct stat *status, char ret_etag[DIR_TREE_ETAG_SIZE])
{
    const uint64_t modified_ns =
        (uint64_t)status->st_mtim.tv_sec * UINT64_C(1000000000) + (uint64_t)status->st_mtim.tv_nsec;
    (void)snprintf(ret_etag, DIR_TREE_ETAG_SIZE, "mtime-%" PRIx64 "-%" PRIx64, modified_ns,
                   (uint64_t)status->st_size);
}

/* Opens dir/sub/name one component at a time, so that a symlink anywhere on the way is seen. */
static int open_beneath(int root, const char *path, int flags)
{
    autofd int dir = -1;
    for (const char *at = path;;) {
        const size_t size = strcspn(at, "/");
        const struct slice part = slice_of(at, size);
        char name[NAME_MAX + 1];
        if (size == 0 || size >= sizeof(name) || slice_is(part, ".") || slice_is(part, "..")) {
            errno = ENOENT;
            return -1;
        }
        memcpy(name, at, size);
        name[size] = '\0';
        const bool last = at[size] == '\0';
        const int fd = openat(dir >= 0 ? dir : root, name,
                              (last ? flags : O_PATH | O_DIRECTORY) | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && (errno == ELOOP || errno == ENOTDIR)) {
            errno = ENOENT;
        }
        if (last || fd < 0) {
            return fd;
        }
        cleanup_fd(&dir);
        dir = fd;
        at += size + 1;
    }
}

int dir_tree_open(int root, const char *key)
{
    /* O_NONBLOCK: opening a named pipe would wait for its other end. */
    autofd int fd = open_beneath(root, key, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return -1;
    }
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return -1;
    }
    if (!S_ISREG(status.st_mode)) {
        errno = ENOENT;
        return -1;
    }
    return take_fd(&fd);
}

static int set_dir_error(const struct walk *walk, int sys, struct err *e)
{
    const bool denied = sys == EACCES || sys == EPERM;
    (void)err_set_sys(e, denied ? ERR_AUTH : ERR_DISK, sys, "directory '%s' of the source",
                      buf_str(&walk->key));
    return denied ? err_hint(e, "let this user read the source") : -1;
}

static void level_done(struct level *level)
{
    for (size_t i = 0; i < level->count; i++) {
        free(level->names[i]);
    }
    free(level->names);
    if (level->dir != NULL) {
        (void)closedir(level->dir); /* only read */
    }
    *level = (struct level){0};
}

/* The type of a directory entry: DT_DIR, DT_REG, or anything else for what no key can be. */
static unsigned char entry_type(const struct level *level, const struct dirent *entry)
{
    if (entry->d_type != DT_UNKNOWN) {
        return entry->d_type;
    }
    struct stat status;
    if (fstatat(dirfd(level->dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return DT_UNKNOWN;
    }
    return S_ISDIR(status.st_mode) ? DT_DIR : S_ISREG(status.st_mode) ? DT_REG : DT_UNKNOWN;
}

static void level_add(struct level *level, const char *name, bool is_folder)
{
    if (level->count == level->capacity) {
        level->capacity = level->capacity == 0 ? NAMES_CAPACITY_FIRST : level->capacity * 2;
        level->names = xrealloc(level->names, level->capacity, sizeof(*level->names));
    }
    level->names[level->count++] = xasprintf("%s%s", name, is_folder ? "/" : "");
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Takes in the names that begin with `wanted`. */
static int level_read(struct walk *walk, struct level *level, const char *wanted, struct err *e)
{
    ASSERT(level->dir != NULL && level->count == 0);
    const size_t wanted_size = strlen(wanted);
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(level->dir);
        if (entry == NULL) {
            break;
        }
        const struct slice name = slice_of(entry->d_name, strlen(entry->d_name));
        if (slice_is(name, ".") || slice_is(name, "..") ||
            strncmp(entry->d_name, wanted, wanted_size) != 0) {
            continue;
        }
        const unsigned char type = entry_type(level, entry);
        if (type != DT_DIR && type != DT_REG) {
            continue;
        }
        if (level->count == DIR_NAMES_MAX) {
            return err_set(e, ERR_LIMIT, "directory '%s' of the source: has more than %d names",
                           buf_str(&walk->key), (int)DIR_NAMES_MAX);
        }
        level_add(level, entry->d_name, type == DT_DIR);
    }
    if (errno != 0) {
        return set_dir_error(walk, errno, e);
    }
    if (level->count > 1) {
        qsort(level->names, level->count, sizeof(*level->names), compare_names);
    }
    return 0;
}

/* Goes down into the directory that walk->key names; `fd` is it, owned. */
static int walk_push(struct walk *walk, int fd, const char *wanted, struct err *e)
{
    ASSERT(walk->depth < DEPTH_MAX && fd >= 0);
    struct level *level = &walk->levels[walk->depth++];
    *level = (struct level){.dir = fdopendir(fd), .key_size = walk->key.size};
    if (level->dir == NULL) {
        const int sys = errno;
        (void)close(fd); /* only read */
        return set_dir_error(walk, sys, e);
    }
    return level_read(walk, level, wanted, e);
}

static bool is_before_start(const struct s3_list *list, const char *key, bool is_folder)
{
    if (list->start_after == NULL || strcmp(key, list->start_after) > 0) {
        return false;
    }
    /* A folder on the way to start_after may hold keys behind it. */
    return !is_folder || strncmp(list->start_after, key, strlen(key)) != 0;
}

static int visit_file(const struct walk *walk, const struct level *level, const char *name,
                      struct err *e)
{
    struct stat status;
    if (fstatat(dirfd(level->dir), name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? 0 : set_dir_error(walk, errno, e);
    }
    if (!S_ISREG(status.st_mode)) {
        return 0;
    }
    char etag[DIR_TREE_ETAG_SIZE];
    dir_tree_etag(&status, etag);
    const struct s3_entry entry = {
        .key = buf_str(&walk->key),
        .size = (uint64_t)status.st_size,
        .etag = etag,
        .modified_ms = (int64_t)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000,
        .storage_class = "",
        .version_id = "",
    };
    return walk->fn(walk->ctx, &entry, e);
}

static int visit_folder(struct walk *walk, const struct level *level, char *name, struct err *e)
{
    if (walk->list->by_folder) {
        const struct s3_entry entry = {.key = buf_str(&walk->key), .is_folder = true};
        return walk->fn(walk->ctx, &entry, e);
    }
    if (walk->depth == DEPTH_MAX) {
        log_debug("directory '%s' of the source: too deep for a backup", buf_str(&walk->key));
        return 0;
    }
    /* With its '/' the name of a symlink would be followed despite O_NOFOLLOW. */
    name[strlen(name) - 1] = '\0';
    const int fd = openat(dirfd(level->dir), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        const bool gone = errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
        return gone ? 0 : set_dir_error(walk, errno, e);
    }
    return walk_push(walk, fd, "", e);
}

static void key_cut(struct buf *key, size_t size)
{
    ASSERT(size <= key->size);
    if (size < key->size) {
        key->size = size;
        key->data[size] = '\0';
    }
}

/* The next name of the deepest directory. 0: go on, 1: enough, -1: failed. */
static int walk_step(struct walk *walk, struct err *e)
{
    ASSERT(walk->depth > 0);
    struct level *level = &walk->levels[walk->depth - 1];
    if (level->next == level->count) {
        level_done(level);
        walk->depth--;
        return 0;
    }
    char *name = level->names[level->next++];
    const bool is_folder = name[strlen(name) - 1] == '/';
    key_cut(&walk->key, level->key_size);
    if (!buf_append_str(&walk->key, name)) {
        log_debug("'%s' below '%s' of the source: too long for a key", name, buf_str(&walk->key));
        return 0;
    }
    if (is_before_start(walk->list, buf_str(&walk->key), is_folder)) {
        return 0;
    }
    return is_folder ? visit_folder(walk, level, name, e) : visit_file(walk, level, name, e);
}

/* Opens the directory that the prefix lies in and puts its key into walk->key; the rest of the
 * prefix is what names in it must begin with. -1 and errno: ENOENT when there is nothing to list.
 */
static int open_start(struct walk *walk, int root, const char **ret_wanted)
{
    const char *prefix = walk->list->prefix;
    const char *slash = strrchr(prefix, '/');
    *ret_wanted = slash == NULL ? prefix : slash + 1;
    if (slash == NULL) {
        return openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (!buf_append(&walk->key, prefix, (size_t)(*ret_wanted - prefix))) {
        errno = ENOENT;
        return -1;
    }
    autofree char *path = xstrndup(prefix, (size_t)(slash - prefix));
    return open_beneath(root, path, O_RDONLY | O_DIRECTORY);
}

int dir_tree_list(int root, const struct s3_list *list, s3_entry_fn *fn, void *ctx, struct err *e)
{
    ASSERT(root >= 0 && list->prefix != NULL && fn != NULL);
    struct walk walk = {.list = list, .fn = fn, .ctx = ctx, .key = BUF_INIT(KEY_SIZE_MAX)};
    const char *wanted;
    int result = 0;
    const int fd = open_start(&walk, root, &wanted);
    if (fd >= 0) {
        result = walk_push(&walk, fd, wanted, e);
    } else if (errno != ENOENT) {
        result = set_dir_error(&walk, errno, e);
    }
    while (result == 0 && walk.depth > 0) {
        result = walk_step(&walk, e);
    }
    while (walk.depth > 0) {
        level_done(&walk.levels[--walk.depth]);
    }
    buf_done(&walk.key);
    return result < 0 ? -1 : 0;
}
