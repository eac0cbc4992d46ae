/*
 * adding_move: how the verified files of an added table come to its directory, Data.db last:
 * Cassandra takes components without a Data.db for the remains of a compaction, and does not start
 * on a Data.db without, say, its CompressionInfo.db. They are linked there and stay staged until
 * all is done, so that after a crash each is known for ours, whatever Cassandra did meanwhile. (It
 * needs links itself, for snapshots.) See target_internal.h.
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
    int stage, folder;
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
    return err_hint(e, "find out who writes there, leave that file alone and run again: other "
                       "numbers are chosen then");
}

static int move_file(const struct move *move, uint32_t file, struct err *e)
{
    const char *const from = move->plan->files[file].target_name;
    char to[ADDING_NAME_SIZE];
    adding_name(move->target, move->plan, file, to);
    if (move->give &&
        fchownat(move->stage, from, move->owner, move->group, AT_SYMLINK_NOFOLLOW) < 0) {
        return target_disk_err(e, errno, "owner of '%s/%s/%s'", move->dir->path, move->folder_path,
                               to);
    }
    return linkat(move->stage, from, move->folder, to, 0) < 0 ? move_err(move, to, errno, e) : 0;
}

static int sync_folder(const struct move *move, struct err *e)
{
    return fsync(move->folder) < 0
               ? target_disk_err(e, errno, "syncing '%s/%s'", move->dir->path, move->folder_path)
               : 0;
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
            !adding_is_placed(move->target, move->plan, i) && move_file(move, i, e) < 0) {
            return -1;
        }
    }
    return sync_folder(move, e);
}

/* Root leaves nothing that Cassandra may not read: without --owner, files get the owner of the
 * table's directory, or of the one above it that was there. */
static int find_owner(struct move *move, const char *keyspace)
{
    move->give = !move->target->config->owner_given && geteuid() == 0;
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
    if (move->stage < 0 || find_owner(move, table->as_keyspace) < 0 ||
        make_folder(move, table->as_keyspace, &keyspace) < 0 ||
        make_folder(move, move->folder_path, &move->folder) < 0) {
        return target_disk_err(e, errno, "opening '%s/%s'", move->dir->path, move->folder_path);
    }
    return 0;
}

static void close_move(const struct move *move)
{
    const int fds[] = {move->stage, move->folder};
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]); /* directories */
        }
    }
}

static int move_all(const struct move *move, uint32_t table, struct err *e)
{
    return move_kind(move, table, false, e) < 0 ? -1 : move_kind(move, table, true, e);
}

/* An SSTable whose Data.db is in was placed whole. Where there is none, the names of the other
 * components are taken back; beside another one they are no longer ours to take. */
static int withdraw_sstable(const struct move *move, uint32_t sstable, struct err *e)
{
    const struct plan_sstable *const planned = &move->plan->sstables[sstable];
    char to[ADDING_NAME_SIZE];
    if (planned->data != PLAN_NONE) {
        adding_name(move->target, move->plan, planned->data, to);
        if (faccessat(move->folder, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
            move->target->sstables[sstable].placed = safe_path_same(
                move->stage, move->plan->files[planned->data].target_name, move->folder, to);
            return 0;
        }
    }
    for (uint32_t i = planned->first; i < planned->first + planned->count; i++) {
        adding_name(move->target, move->plan, i, to);
        if (safe_path_same(move->stage, move->plan->files[i].target_name, move->folder, to) &&
            unlinkat(move->folder, to, 0) < 0) {
            return target_disk_err(e, errno, "taking '%s/%s/%s' back", move->dir->path,
                                   move->folder_path, to);
        }
    }
    return 0;
}

/* Their numbers are forgotten next, so no loss of power may bring the names back. */
static int withdraw_all(const struct move *move, uint32_t table, struct err *e)
{
    uint32_t first, end;
    adding_files(move->plan, table, &first, &end);
    for (uint32_t i = first; i < end; i++) {
        const uint32_t sstable = move->plan->files[i].sstable;
        if (move->target->files[i].dir == move->dir_index && sstable != PLAN_NONE &&
            move->plan->sstables[sstable].first == i &&
            !adding_is_placed(move->target, move->plan, i) &&
            withdraw_sstable(move, sstable, e) < 0) {
            return -1;
        }
    }
    return sync_folder(move, e);
}

static bool has_files_in(const struct target *target, const struct plan *plan, uint32_t table,
                         unsigned dir)
{
    uint32_t first, end;
    adding_files(plan, table, &first, &end);
    while (first < end &&
           (target->files[first].dir != dir || adding_is_placed(target, plan, first))) {
        first++;
    }
    return first < end;
}

typedef int move_step_fn(const struct move *move, uint32_t table, struct err *e);

/* A step for each directory that has files of the table to come. */
static int in_each_dir(const struct target *target, const struct plan *plan, uint32_t table,
                       move_step_fn *step, struct err *e)
{
    ASSERT(target->tables[table].sealed);
    int result = 0;
    for (unsigned i = 0; i < target->dir_count && result == 0; i++) {
        struct move move = {.target = target,
                            .plan = plan,
                            .dir = &target->dirs[i],
                            .dir_index = i,
                            .folder_path = target->tables[table].folder,
                            .stage = -1,
                            .folder = -1};
        if (has_files_in(target, plan, table, i)) {
            result = open_move(&move, &plan->tables[table], e) < 0 ? -1 : step(&move, table, e);
            close_move(&move);
        }
    }
    return result;
}

int adding_withdraw(const struct target *target, const struct plan *plan, uint32_t table,
                    struct err *e)
{
    return in_each_dir(target, plan, table, withdraw_all, e);
}

int adding_move(struct target *target, const struct plan *plan, struct err *e)
{
    for (uint32_t i = 0; i < plan->table_count; i++) {
        if (!plan->tables[i].added || adding_is_done(target, plan, i)) {
            continue;
        }
        if (in_each_dir(target, plan, i, move_all, e) < 0) {
            return -1;
        }
        journal_add(target->journal, JOURNAL_ADDED, &plan->tables[i].target_folder);
        if (journal_flush(target->journal, e) < 0) {
            return -1;
        }
        target->tables[i].added = true;
    }
    return 0;
}
