/*
 * adding_move: how the verified files of an added table come to its directory, Data.db last:
 * Cassandra takes components without a Data.db for the remains of a compaction, and does not start
 * on a Data.db without, say, its CompressionInfo.db. See target_internal.h.
 */
#include "agent/base/mem.h"
#include "agent/sstable_name.h"
#include "agent/target_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* A table's directory below one --into directory, and where its files wait. */
struct move {
    const struct target *target;
    const struct plan *plan;
    const struct target_dir *dir;
    unsigned dir_index;
    const char *folder_path;
    int stage; /* -1: nothing waits any more */
    int folder;
    bool give; /* files to the owner of what was there before */
    uid_t owner;
    gid_t group;
};

static int move_err(const struct move *move, const char *name, int sys, struct err *e)
{
    if (sys != EEXIST) {
        return target_disk_err(e, sys, "moving '%s/%s/%s' to its place", move->dir->path,
                               move->folder_path, name);
    }
    (void)err_set(e, ERR_REFUSED, "target '%s': '%s/%s' has appeared there meanwhile",
                  move->dir->path, move->folder_path, name);
    return err_hint(e, "find out who writes there, move that file away and run again");
}

static bool same_inode(const struct move *move, const char *from, const char *to)
{
    struct stat a, b;
    return fstatat(move->stage, from, &a, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstatat(move->folder, to, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* As commit.c does: never over somebody else's file, also where renameat2 cannot promise that. */
static int rename_new(const struct move *move, const char *from, const char *to)
{
    if (renameat2(move->stage, from, move->folder, to, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno == EINVAL || errno == ENOSYS) {
        if (linkat(move->stage, from, move->folder, to, 0) < 0 && errno != EEXIST) {
            return -1;
        }
        errno = EEXIST;
    }
    if (errno != EEXIST || !same_inode(move, from, to)) {
        return -1;
    }
    return unlinkat(move->stage, from, 0);
}

static int move_file(const struct move *move, uint32_t file, struct err *e)
{
    const char *const from = move->plan->files[file].target_name;
    char to[ADDING_NAME_SIZE];
    adding_name(move->target, move->plan, file, to);
    /* What was moved before the run was cut short: the preflight has seen its size. */
    if (move->stage < 0 || faccessat(move->stage, from, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
        return faccessat(move->folder, to, F_OK, AT_SYMLINK_NOFOLLOW) < 0
                   ? move_err(move, to, errno, e)
                   : 0;
    }
    if (move->give &&
        fchownat(move->stage, from, move->owner, move->group, AT_SYMLINK_NOFOLLOW) < 0) {
        return target_disk_err(e, errno, "owner of '%s/%s/%s'", move->dir->path, move->folder_path,
                               to);
    }
    return rename_new(move, from, to) < 0 ? move_err(move, to, errno, e) : 0;
}

/* Those that are Data.db, or those that are not; then their directory is synced, so that no loss
 * of power keeps the one and loses the other. */
static int move_kind(const struct move *move, uint32_t table, bool data, struct err *e)
{
    uint32_t first, end;
    adding_files(move->plan, table, &first, &end);
    for (uint32_t i = first; i < end; i++) {
        const bool is_data = move->plan->files[i].component == COMPONENT_DATA;
        if (move->target->files[i].dir == move->dir_index && is_data == data &&
            move_file(move, i, e) < 0) {
            return -1;
        }
    }
    return fsync(move->folder) < 0
               ? target_disk_err(e, errno, "syncing '%s/%s'", move->dir->path, move->folder_path)
               : 0;
}

/* Root leaves nothing that Cassandra may not read: without --owner, files get the owner of the
 * table's directory, or of the one above it that was there. */
static int find_owner(struct move *move, const char *keyspace)
{
    move->give = !move->target->config->set_owner && geteuid() == 0;
    const char *const places[] = {move->folder_path, keyspace, ""};
    for (size_t i = 0; i < ARRAY_SIZE(places) && move->give; i++) {
        struct stat st;
        autofd int fd = places[i][0] == '\0'
                            ? fcntl(move->dir->root, F_DUPFD_CLOEXEC, 0)
                            : safe_path_open(move->dir->root, places[i], O_RDONLY | O_DIRECTORY);
        if (fd >= 0 && fstat(fd, &st) == 0) {
            move->owner = st.st_uid;
            move->group = st.st_gid;
            return 0;
        }
        if (errno != ENOENT) {
            return -1;
        }
    }
    return 0;
}

static int make_folder(const struct move *move, const char *path, int *ret_fd)
{
    bool made = false;
    autofd int fd = safe_path_make(move->dir->root, path, move->target->config, &made);
    if (fd < 0 || (made && move->give && fchown(fd, move->owner, move->group) < 0) ||
        (made && syncfs(move->dir->root) < 0)) {
        return -1;
    }
    *ret_fd = take_fd(&fd);
    return 0;
}

static int open_move(struct move *move, const struct plan_table *table, struct err *e)
{
    autofree char *staged = xasprintf(TARGET_STAGE "/%s", table->target_folder);
    move->stage = safe_path_open(move->dir->root, staged, O_RDONLY | O_DIRECTORY);
    autofd int keyspace = -1;
    if ((move->stage < 0 && errno != ENOENT) || find_owner(move, table->as_keyspace) < 0 ||
        make_folder(move, table->as_keyspace, &keyspace) < 0 ||
        make_folder(move, move->folder_path, &move->folder) < 0) {
        return target_disk_err(e, errno, "opening '%s/%s'", move->dir->path, move->folder_path);
    }
    return 0;
}

static int move_table(const struct target *target, const struct plan *plan, uint32_t table,
                      unsigned dir, struct err *e)
{
    struct move move = {.target = target,
                        .plan = plan,
                        .dir = &target->dirs[dir],
                        .dir_index = dir,
                        .folder_path = target->tables[table].folder,
                        .stage = -1,
                        .folder = -1};
    int result = open_move(&move, &plan->tables[table], e);
    if (result == 0) {
        result = move_kind(&move, table, false, e);
    }
    if (result == 0) {
        result = move_kind(&move, table, true, e);
    }
    const int fds[] = {move.stage, move.folder};
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]); /* directories */
        }
    }
    return result;
}

static bool has_files_in(const struct target *target, const struct plan *plan, uint32_t table,
                         unsigned dir)
{
    uint32_t first, end;
    adding_files(plan, table, &first, &end);
    while (first < end && target->files[first].dir != dir) {
        first++;
    }
    return first < end;
}

int adding_move(const struct target *target, const struct plan *plan, struct err *e)
{
    for (uint32_t i = 0; i < plan->table_count; i++) {
        if (!plan->tables[i].added) {
            continue;
        }
        ASSERT(target->tables[i].sealed);
        for (unsigned k = 0; k < target->dir_count; k++) {
            if (has_files_in(target, plan, i, k) && move_table(target, plan, i, k, e) < 0) {
                return -1;
            }
        }
    }
    return 0;
}
