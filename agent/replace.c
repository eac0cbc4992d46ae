#include "agent/base/mem.h"
#include "agent/target_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Tables of several nodes can share a folder; it is swapped once, for the first of them. */
static bool first_of_folder(const struct plan *plan, uint32_t table)
{
    for (uint32_t i = 0; i < table; i++) {
        if (plan->tables[i].replace &&
            strcmp(plan->tables[i].target_folder, plan->tables[table].target_folder) == 0) {
            return false;
        }
    }
    return true;
}

bool replace_keeps(const char *table_folder, const struct safe_entry *entry)
{
    return S_ISDIR(entry->type) &&
           strlen(entry->path) == strlen(table_folder) + 1 + strlen(entry->name) &&
           (strcmp(entry->name, "snapshots") == 0 || strcmp(entry->name, "backups") == 0);
}

struct survey {
    const char *table_folder; /* NULL: all counts */
    const char *dir_path;
    struct target_table *table;
};

static int survey_entry(void *ctx, const struct safe_entry *entry, struct err *e)
{
    const struct survey *const survey = ctx;
    if (S_ISDIR(entry->type)) {
        return survey->table_folder != NULL && replace_keeps(survey->table_folder, entry) ? 1 : 0;
    }
    struct stat st;
    if (!S_ISREG(entry->type) ||
        fstatat(entry->folder, entry->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        (void)err_set(e, ERR_REFUSED, "target '%s': '%s' is no regular file", survey->dir_path,
                      entry->path);
        return err_hint(e, "move it away; --replace moves files and directories only");
    }
    survey->table->replaced_files++;
    survey->table->replaced_bytes += (uint64_t)st.st_size;
    return 0;
}

int replace_survey(struct target *target, const struct plan *plan, uint32_t table, struct err *e)
{
    ASSERT(plan->tables[table].replace);
    struct target_table *const found = &target->tables[table];
    const char *const folder = plan->tables[table].target_folder;
    autofree char *replaced = xasprintf(TARGET_REPLACED "/%s", folder);
    for (unsigned i = 0; i < target->dir_count && first_of_folder(plan, table); i++) {
        const struct target_dir *const dir = &target->dirs[i];
        struct survey survey = {.dir_path = dir->path, .table = found};
        if (dir->root >= 0 && safe_path_scan(dir->root, replaced, survey_entry, &survey, e) < 0) {
            return -1;
        }
        survey.table_folder = folder;
        if (dir->root >= 0 && !found->cleared &&
            safe_path_scan(dir->root, folder, survey_entry, &survey, e) < 0) {
            return -1;
        }
    }
    return 0;
}

struct clearing {
    const char *table_folder, *dir_path;
    int to;
};

/* Index directories go as a whole. */
static int clear_entry(void *ctx, const struct safe_entry *entry, struct err *e)
{
    const struct clearing *const clearing = ctx;
    if (replace_keeps(clearing->table_folder, entry)) {
        return 1;
    }
    if (renameat2(entry->folder, entry->name, clearing->to, entry->name, RENAME_NOREPLACE) < 0) {
        return target_disk_err(e, errno, "moving '%s/%s' to " TARGET_REPLACED, clearing->dir_path,
                               entry->path);
    }
    return 1;
}

/* Moves what a table's folder holds in one directory to .penates/replaced/. */
static int clear_dir(const struct target *target, const struct target_dir *dir, const char *folder,
                     struct err *e)
{
    autofd int from = safe_path_open(dir->root, folder, O_RDONLY | O_DIRECTORY);
    if (from < 0 && errno == ENOENT) {
        return 0;
    }
    autofree char *replaced = xasprintf(TARGET_REPLACED "/%s", folder);
    bool made = false;
    autofd int to = from < 0 ? -1 : safe_path_make(dir->root, replaced, target->config, &made);
    if (to < 0) {
        return target_disk_err(e, errno, "making '%s/%s'", dir->path, replaced);
    }
    /* Before anything moves there: a power cut must not take the new folders and keep the moves. */
    if (made && syncfs(dir->root) < 0) {
        return target_disk_err(e, errno, "syncing '%s/%s'", dir->path, replaced);
    }
    struct clearing clearing = {.table_folder = folder, .dir_path = dir->path, .to = to};
    if (safe_path_scan(dir->root, folder, clear_entry, &clearing, e) < 0) {
        return -1;
    }
    if (fsync(to) < 0 || fsync(from) < 0) {
        return target_disk_err(e, errno, "syncing '%s/%s'", dir->path, folder);
    }
    return 0;
}

static int refuse_written(const struct target_dir *dir, const struct plan_file *file, struct err *e)
{
    (void)err_set(e, ERR_REFUSED,
                  "target '%s': '%s/%s' has appeared there before the swap of its table was done",
                  dir->path, file->target_folder, file->target_name);
    return err_hint(e, "if Cassandra was started since and wrote it, move that SSTable aside, all "
                       "its files, and run again");
}

/* Links one verified file from .penates/stage/ to its place; it stays staged until all is done, so
 * that it is known for ours. What else is there since the folder was cleared is not. */
static int move_in(const struct target_dir *dir, int stage, int folder,
                   const struct plan_file *file, struct err *e)
{
    const char *const name = file->target_name;
    if (stage >= 0 && linkat(stage, name, folder, name, 0) == 0) {
        return 0;
    }
    const int why = stage >= 0 ? errno : ENOENT;
    if (why == EEXIST) {
        return safe_path_same(stage, name, folder, name) ? 0 : refuse_written(dir, file, e);
    }
    if (why == ENOENT && faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        return 0; /* the end of the run was cut short; target_check has seen its size */
    }
    return target_disk_err(e, why, "moving '%s/" TARGET_STAGE "/%s/%s' to its place", dir->path,
                           file->target_folder, name);
}

/* Those that are Data.db, or those that are not, as adding_move.c does. */
static int move_in_kind(const struct target_dir *dir, int stage, int folder,
                        const struct plan *plan, uint32_t first, uint32_t end, bool data,
                        struct err *e)
{
    for (uint32_t i = first; i < end; i++) {
        if ((plan->files[i].component == COMPONENT_DATA) == data &&
            move_in(dir, stage, folder, &plan->files[i], e) < 0) {
            return -1;
        }
    }
    return fsync(folder) < 0 ? target_disk_err(e, errno, "syncing '%s/%s'", dir->path,
                                               plan->files[first].target_folder)
                             : 0;
}

/* Files of one folder in one directory, a row of the plan: files[first .. end). */
static int move_in_row(const struct target *target, const struct plan *plan, uint32_t first,
                       uint32_t end, struct err *e)
{
    const struct target_dir *const dir = &target->dirs[target->files[first].dir];
    const char *const name = plan->files[first].target_folder;
    autobuf struct buf staged = BUF_INIT(TARGET_PATH_MAX);
    target_commit_folder(plan, first, &staged);
    bool made = false;
    autofd int folder = safe_path_make(dir->root, name, target->config, &made);
    autofd int stage = safe_path_open(dir->root, buf_str(&staged), O_RDONLY | O_DIRECTORY);
    if (folder < 0 || (stage < 0 && errno != ENOENT)) {
        return target_disk_err(e, errno, "opening '%s/%s'", dir->path, name);
    }
    if (made && syncfs(dir->root) < 0) {
        return target_disk_err(e, errno, "syncing '%s/%s'", dir->path, name);
    }
    return move_in_kind(dir, stage, folder, plan, first, end, false, e) < 0
               ? -1
               : move_in_kind(dir, stage, folder, plan, first, end, true, e);
}

static bool same_row(const struct target *target, const struct plan *plan, uint32_t a, uint32_t b)
{
    return plan->files[a].table == plan->files[b].table &&
           target->files[a].dir == target->files[b].dir &&
           strcmp(plan->files[a].target_folder, plan->files[b].target_folder) == 0;
}

static int move_in_all(const struct target *target, const struct plan *plan, struct err *e)
{
    uint32_t end = 0;
    for (uint32_t first = 0; first < plan->file_count; first = end) {
        end = first + 1;
        while (end < plan->file_count && same_row(target, plan, first, end)) {
            end++;
        }
        if (plan->tables[plan->files[first].table].replace &&
            move_in_row(target, plan, first, end, e) < 0) {
            return -1;
        }
    }
    return 0;
}

int replace_swap(struct target *target, const struct plan *plan, struct err *e)
{
    ASSERT(target->journal != NULL && target->table_count == plan->table_count);
    for (uint32_t i = 0; i < plan->table_count; i++) {
        const char *const folder = plan->tables[i].target_folder;
        if (!plan->tables[i].replace || target->tables[i].cleared || !first_of_folder(plan, i)) {
            continue;
        }
        for (unsigned k = 0; k < target->dir_count; k++) {
            if (clear_dir(target, &target->dirs[k], folder, e) < 0) {
                return -1;
            }
        }
        journal_add(target->journal, JOURNAL_CLEARED, &folder);
        if (journal_flush(target->journal, e) < 0) {
            return -1;
        }
    }
    return move_in_all(target, plan, e);
}
