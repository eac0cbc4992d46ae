#include "agent/stale.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/cassandra_yaml.h"

/* Beside the data directory both in packages (/var/lib/cassandra/) and in the tarball (data/). */
static const struct {
    const char *key, *name;
} KINDS[] = {
    {"commitlog_directory", "commitlog"},
    {"hints_directory", "hints"},
    {"saved_caches_directory", "saved_caches"},
};

enum { ASIDE_SIZE = 64 };

static void close_stream(DIR **stream)
{
    if (*stream != NULL) {
        (void)closedir(*stream); /* only read from */
    }
}

/* Called for each file that counts. -1: stop, *e is set. */
typedef int visit_fn(void *ctx, int folder, const char *name, const struct stat *status,
                     struct err *e);

static int cannot_look(const char *path, struct err *e)
{
    (void)err_set_sys(e, ERR_CREATE, errno, "cannot look into '%s'", path);
    return err_hint(e, "run as root or as Cassandra's user: what is in it decides");
}

/* 1: a file that counts, 0: not one, or not any more, -1: that cannot be told. */
static int look_at(int folder, const char *name, struct stat *ret)
{
    if (name[0] == '.') {
        return 0;
    }
    if (fstatat(folder, name, ret, AT_SYMLINK_NOFOLLOW) < 0) {
        return errno == ENOENT ? 0 : -1;
    }
    return S_ISREG(ret->st_mode) ? 1 : 0;
}

/* Takes the descriptor. */
static int visit_files(int folder, const char *path, visit_fn *visit, void *ctx, struct err *e)
{
    DIR *stream __attribute__((cleanup(close_stream))) = fdopendir(folder);
    if (stream == NULL) {
        (void)close(folder); /* only read from */
        return err_set_sys(e, ERR_DISK, errno, "reading '%s'", path);
    }
    errno = 0;
    for (const struct dirent *found = readdir(stream); found != NULL; found = readdir(stream)) {
        struct stat status;
        const int file = look_at(folder, found->d_name, &status);
        if (file < 0) {
            return cannot_look(path, e);
        }
        if (file > 0 && visit(ctx, folder, found->d_name, &status, e) < 0) {
            return -1;
        }
        errno = 0;
    }
    return errno == 0 ? 0 : err_set_sys(e, ERR_DISK, errno, "reading '%s'", path);
}

static int count_file(void *ctx, int folder, const char *name, const struct stat *status,
                      struct err *e)
{
    struct stale_folder *counts = ctx;
    (void)folder;
    (void)name;
    (void)e;
    counts->files++;
    counts->bytes += (uint64_t)status->st_size;
    return 0;
}

static bool is_known(const struct stale *stale, const char *path)
{
    bool known = false;
    for (size_t i = 0; i < stale->count; i++) {
        known = known || strcmp(stale->folders[i].path, path) == 0;
    }
    return known;
}

/* The operator's own symlinks on the way to a folder are followed, as Cassandra follows them. */
static int look(struct stale *stale, const char *given, struct err *e)
{
    autofree char *path = realpath(given, NULL);
    if (path == NULL) {
        return errno == ENOENT || errno == ENOTDIR
                   ? 0
                   : err_set_sys(e, ERR_CREATE, errno, "looking for '%s'", given);
    }
    if (is_known(stale, path)) {
        return 0;
    }
    const int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return cannot_look(path, e);
    }
    struct stale_folder counts = {0};
    if (visit_files(folder, path, count_file, &counts, e) < 0) {
        return -1;
    }
    if (counts.files > 0) {
        counts.path = TAKE_PTR(path);
        stale->folders = xrealloc(stale->folders, stale->count + 1, sizeof(*stale->folders));
        stale->folders[stale->count++] = counts;
    }
    return 0;
}

static int look_beside(struct stale *stale, const char *dir, const char *name, struct err *e)
{
    autofree char *as_given = xasprintf("%s/../%s", dir, name);
    autofree char *trimmed = xstrdup(dir);
    size_t size = strlen(trimmed);
    while (size > 1 && trimmed[size - 1] == '/') {
        trimmed[--size] = '\0';
    }
    char *slash = strrchr(trimmed, '/');
    autofree char *by_words =
        slash == NULL ? xstrdup(name) : xasprintf("%.*s/%s", (int)(slash - trimmed), trimmed, name);
    /* "DIR/.." is beside where DIR really is; by its words it may be a symlink beside the others.
     */
    return look(stale, as_given, e) < 0 ? -1 : look(stale, by_words, e);
}

static int look_for(struct stale *stale, size_t kind, const char *const *dirs, size_t count,
                    const struct buf *yaml, struct err *e)
{
    autofree char *told = NULL;
    if (yaml != NULL &&
        cassandra_yaml_value(slice_of(yaml->data, yaml->size), KINDS[kind].key, &told, e) < 0) {
        return -1;
    }
    if (told != NULL && told[0] == '/') {
        return look(stale, told, e);
    }
    for (size_t i = 0; i < count; i++) {
        if (look_beside(stale, dirs[i], KINDS[kind].name, e) < 0) {
            return -1;
        }
    }
    return 0;
}

int stale_find(const char *const *dirs, size_t count, const struct buf *yaml, struct stale *ret,
               struct err *e)
{
    ASSERT(count > 0);
    struct stale stale = {0};
    for (size_t kind = 0; kind < ARRAY_SIZE(KINDS); kind++) {
        if (look_for(&stale, kind, dirs, count, yaml, e) < 0) {
            stale_done(&stale);
            return -1;
        }
    }
    *ret = stale;
    return 0;
}

void stale_done(struct stale *stale)
{
    for (size_t i = 0; i < stale->count; i++) {
        free(stale->folders[i].path);
        free(stale->folders[i].aside);
    }
    free(stale->folders);
    *stale = (struct stale){0};
}

const char *stale_text(const struct stale *stale, char text[STALE_TEXT_SIZE])
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < stale->count && used < STALE_TEXT_SIZE; i++) {
        const struct stale_folder *folder = &stale->folders[i];
        char bytes[BYTES_TEXT_SIZE];
        const int size =
            snprintf(text + used, STALE_TEXT_SIZE - used, "%s%" PRIu64 " file%s (%s) in '%s'",
                     i == 0 ? "" : ", ", folder->files, folder->files == 1 ? "" : "s",
                     format_bytes(folder->bytes, bytes), folder->path);
        used += size < 0 ? 0 : (size_t)size; /* cut at the end: the first ones say enough */
    }
    return text;
}

struct moving {
    const char *path;
    int aside;
    uint64_t moved;
};

static int fail(const char *what, const char *path, struct err *e)
{
    const int sys = errno;
    const bool right = sys == EACCES || sys == EPERM || sys == EROFS || sys == ENOSPC;
    return err_set_sys(e, right ? ERR_CREATE : ERR_DISK, sys, "%s '%s'", what, path);
}

static int move_file(void *ctx, int folder, const char *name, const struct stat *status,
                     struct err *e)
{
    struct moving *moving = ctx;
    (void)status;
    if (renameat2(folder, name, moving->aside, name, RENAME_NOREPLACE) < 0) {
        autofree char *path = xasprintf("%s/%s", moving->path, name);
        return fail("setting aside", path, e);
    }
    moving->moved++;
    return 0;
}

/* "penates-set-aside-20261123T080000Z" of "2026-11-23T08:00:00.123Z". */
static void name_aside(int64_t now_ms, char ret[ASIDE_SIZE])
{
    char time[TIME_TEXT_SIZE];
    size_t size = (size_t)snprintf(ret, ASIDE_SIZE, "%s", STALE_ASIDE);
    for (const char *c = format_time(now_ms - now_ms % 1000, time); *c != '\0'; c++) {
        if (*c != '-' && *c != ':') {
            ASSERT(size + 1 < ASIDE_SIZE);
            ret[size++] = *c;
        }
    }
    ret[size] = '\0';
}

/* Opens a new folder in `folder`, with its owner and mode. -1 and errno. */
static int make_aside(int folder, const char *name)
{
    struct stat status;
    if (fstat(folder, &status) < 0 || (mkdirat(folder, name, 0700) < 0 && errno != EEXIST)) {
        return -1;
    }
    autofd int aside = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (aside < 0 || (geteuid() == 0 && fchown(aside, status.st_uid, status.st_gid) < 0) ||
        fchmod(aside, status.st_mode & 0777) < 0) {
        return -1;
    }
    return take_fd(&aside);
}

static int set_aside(struct stale_folder *stale, const char *name, struct err *e)
{
    autofd int folder = open(stale->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    autofd int aside = folder < 0 ? -1 : make_aside(folder, name);
    if (aside < 0) {
        return fail("making a folder in", stale->path, e);
    }
    struct moving moving = {.path = stale->path, .aside = aside};
    uint64_t before;
    do { /* a file system may pass over entries while others go */
        before = moving.moved;
        const int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (again < 0) {
            return fail("reading", stale->path, e);
        }
        if (visit_files(again, stale->path, move_file, &moving, e) < 0) {
            return -1;
        }
    } while (moving.moved > before);
    if (fsync(aside) < 0 || fsync(folder) < 0) {
        return fail("syncing", stale->path, e);
    }
    stale->files = moving.moved;
    stale->aside = xasprintf("%s/%s", stale->path, name);
    return 0;
}

int stale_set_aside(struct stale *stale, int64_t now_ms, struct err *e)
{
    ASSERT(now_ms >= 0);
    char name[ASIDE_SIZE];
    name_aside(now_ms, name);
    for (size_t i = 0; i < stale->count; i++) {
        if (set_aside(&stale->folders[i], name, e) < 0) {
            return -1;
        }
    }
    return 0;
}
