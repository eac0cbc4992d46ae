#include "agent/base/mem.h"
#include "agent/safe_path.h"
#include "agent/target_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

/* The plan's files by where they go, to look up what is found there. */
struct preflight {
    struct target *target;
    const struct plan *plan;
    uint32_t *by_place;           /* file indexes, sorted by folder and name */
    const struct target_dir *dir; /* the one being scanned */
    unsigned dir_index;
    const char *table_folder; /* with --replace, the one being scanned; else NULL */
};

static int refuse_foreign(const struct target_dir *dir, const char *path, struct err *e)
{
    (void)err_set(e, ERR_REFUSED, "target '%s': not empty: '%s' is not of this restore", dir->path,
                  path);
    return err_hint(e, "choose an empty directory, or move that away; nothing was touched");
}

static int compare_place(const char *folder_a, const char *name_a, const char *folder_b,
                         const char *name_b)
{
    const int order = strcmp(folder_a, folder_b);
    return order != 0 ? order : strcmp(name_a, name_b);
}

static int compare_index(const void *a, const void *b, void *ctx)
{
    const struct plan_file *const files = ctx;
    const struct plan_file *const x = &files[*(const uint32_t *)a];
    const struct plan_file *const y = &files[*(const uint32_t *)b];
    return compare_place(x->target_folder, x->target_name, y->target_folder, y->target_name);
}

static void index_plan(struct preflight *pre)
{
    const uint32_t count = pre->plan->file_count;
    pre->by_place = xcalloc(count + 1, sizeof *pre->by_place);
    for (uint32_t i = 0; i < count; i++) {
        pre->by_place[i] = i;
    }
    qsort_r(pre->by_place, count, sizeof *pre->by_place, compare_index, pre->plan->files);
}

/* The file that goes to a path below a directory; PLAN_NONE: none does. */
static uint32_t find_file(const struct preflight *pre, const char *path)
{
    const char *const slash = strrchr(path, '/');
    autofree char *folder = slash == NULL ? xstrdup("") : xstrndup(path, (size_t)(slash - path));
    const char *const name = slash == NULL ? path : slash + 1;
    uint32_t low = 0, high = pre->plan->file_count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const struct plan_file *const file = &pre->plan->files[pre->by_place[middle]];
        const int order = compare_place(file->target_folder, file->target_name, folder, name);
        if (order == 0) {
            return pre->by_place[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return PLAN_NONE;
}

static bool same_key(const struct plan_file *file, const char *key)
{
    const size_t size = strlen(file->key_folder);
    return strncmp(key, file->key_folder, size) == 0 && strcmp(key + size, file->key_name) == 0;
}

/* A file that an earlier run finished: counts when the plan still wants the same object there. */
static int match_file(const struct preflight *pre, const struct journal_line *line, struct err *e)
{
    struct target *const target = pre->target;
    const uint32_t index = find_file(pre, line->fields[0]);
    if (index == PLAN_NONE) {
        (void)err_set(e, ERR_REFUSED,
                      "target '%s': an earlier run restored '%s', which is no longer "
                      "in the backup",
                      target->dirs[0].path, line->fields[0]);
        return err_hint(e,
                        "choose another directory, or move '%.150s/" TARGET_HOME
                        "' and what was restored away",
                        target->dirs[0].path);
    }
    const struct plan_file *const file = &pre->plan->files[index];
    const bool same = same_key(file, line->fields[1]) && strcmp(file->etag, line->fields[2]) == 0 &&
                      file->size == line->numbers[3] && line->numbers[6] < target->dir_count &&
                      (line->numbers[7] != 0) == target_is_staged(pre->plan, index);
    target->files[index] = (struct target_file){
        .plain_size = line->numbers[4],
        .checks = (uint16_t)line->numbers[5],
        .dir = (uint8_t)(line->numbers[6] < target->dir_count ? line->numbers[6] : 0),
        .state = same ? FILE_DONE : FILE_TO_COME,
    };
    return 0;
}

static void match_cleared(const struct preflight *pre, const struct journal_line *line)
{
    for (uint32_t i = 0; i < pre->plan->table_count; i++) {
        if (pre->plan->tables[i].replace &&
            strcmp(pre->plan->tables[i].target_folder, line->fields[0]) == 0) {
            pre->target->tables[i].cleared = true;
        }
    }
}

static void match_number(const struct preflight *pre, const struct journal_line *line)
{
    const uint32_t index = find_file(pre, line->fields[0]);
    if (index != PLAN_NONE && pre->plan->files[index].sstable != PLAN_NONE) {
        pre->target->sstables[pre->plan->files[index].sstable].number = (uint32_t)line->numbers[1];
    }
}

static void match_added(const struct preflight *pre, const struct journal_line *line)
{
    for (uint32_t i = 0; i < pre->plan->table_count; i++) {
        if (pre->plan->tables[i].added &&
            strcmp(pre->plan->tables[i].target_folder, line->fields[0]) == 0) {
            pre->target->tables[i].added = true;
        }
    }
}

static void match_adding(const struct preflight *pre, const struct journal_line *line)
{
    for (uint32_t i = 0; i < pre->plan->table_count; i++) {
        struct target_table *const table = &pre->target->tables[i];
        if (pre->plan->tables[i].added && table->folder == NULL &&
            strcmp(pre->plan->tables[i].target_folder, line->fields[0]) == 0) {
            table->folder = xstrdup(line->fields[1]);
            table->sealed = true;
        }
    }
}

static void count_renumbered(const struct preflight *pre)
{
    for (uint32_t i = 0; i < pre->plan->sstable_count; i++) {
        const uint32_t table = pre->plan->files[pre->plan->sstables[i].first].table;
        pre->target->tables[table].renumbered += pre->target->sstables[i].number != 0 ? 1 : 0;
    }
}

static int match_line(void *ctx, const struct journal_line *line, struct err *e)
{
    const struct preflight *const pre = ctx;
    if (line->kind == JOURNAL_FILE) {
        return match_file(pre, line, e);
    }
    if (line->kind == JOURNAL_CLEARED) {
        match_cleared(pre, line);
    } else if (line->kind == JOURNAL_NUMBER) {
        match_number(pre, line);
    } else if (line->kind == JOURNAL_ADDING) {
        match_adding(pre, line);
    } else if (line->kind == JOURNAL_ADDED) {
        match_added(pre, line);
    }
    return 0;
}

/* True when a regular file of that size is there. */
static bool is_there(int root, const char *folder, const char *name, uint64_t size)
{
    struct stat st;
    autofd int fd = safe_path_open(root, folder, O_PATH | O_DIRECTORY);
    return fd >= 0 && fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
           (uint64_t)st.st_size == size;
}

/* The swap of its table may have moved a staged file in already. One that is added stays staged
 * until its whole table is in. */
static bool was_moved_in(const struct target *target, const struct plan *plan, uint32_t index)
{
    const struct target_file *const file = &target->files[index];
    const struct plan_file *const planned = &plan->files[index];
    const struct target_table *const table = &target->tables[planned->table];
    return table->added ||
           (table->cleared && is_there(target->dirs[file->dir].root, planned->target_folder,
                                       planned->target_name, file->plain_size));
}

/* The journal's word is checked against the directory: somebody may have tidied up. */
static void confirm_done(const struct preflight *pre)
{
    autobuf struct buf folder = BUF_INIT(TARGET_PATH_MAX);
    for (uint32_t i = 0; i < pre->plan->file_count; i++) {
        struct target_file *const file = &pre->target->files[i];
        if (file->state != FILE_DONE) {
            continue;
        }
        const struct plan_file *const planned = &pre->plan->files[i];
        const int root = pre->target->dirs[file->dir].root;
        target_commit_folder(pre->plan, i, &folder);
        if (root < 0 ||
            (!is_there(root, buf_str(&folder), planned->target_name, file->plain_size) &&
             !was_moved_in(pre->target, pre->plan, i))) {
            file->state = FILE_TO_COME;
        }
    }
}

/* Of a table that was added, what is in is out of our hands. An SSTable that the backup has more or
 * other files of than that run is to be added as a new one. */
static void confirm_added(const struct preflight *pre)
{
    autobuf struct buf folder = BUF_INIT(TARGET_PATH_MAX);
    struct target *const target = pre->target;
    for (uint32_t i = 0; i < pre->plan->sstable_count; i++) {
        const struct plan_sstable *const sstable = &pre->plan->sstables[i];
        const uint32_t end = sstable->first + sstable->count;
        bool placed = target->tables[pre->plan->files[sstable->first].table].added;
        if (!placed) {
            continue;
        }
        for (uint32_t k = sstable->first; k < end; k++) {
            placed = placed && target->files[k].state == FILE_DONE;
        }
        target->sstables[i].placed = placed;
        for (uint32_t k = sstable->first; k < end && !placed; k++) {
            const int root = target->dirs[target->files[k].dir].root;
            target_commit_folder(pre->plan, k, &folder);
            if (root < 0 || !is_there(root, buf_str(&folder), pre->plan->files[k].target_name,
                                      target->files[k].plain_size)) {
                target->files[k].state = FILE_TO_COME;
            }
        }
    }
}

static int match_journal(struct preflight *pre, struct err *e)
{
    const struct target_dir *const dir = &pre->target->dirs[0];
    autofd int fd = safe_path_open(dir->home, "journal", O_RDONLY);
    uint64_t size;
    if (fd < 0) {
        return target_disk_err(e, errno, "reading '%s/" TARGET_HOME "/journal'", dir->path);
    }
    if (journal_read(fd, match_line, pre, &size, e) < 0) {
        return -1;
    }
    count_renumbered(pre);
    confirm_done(pre);
    confirm_added(pre);
    return 0;
}

/* What the target may hold beside the restore: our own, and what mkfs makes. */
static bool is_ours(const struct safe_entry *entry)
{
    return S_ISDIR(entry->type) &&
           (strcmp(entry->path, TARGET_HOME) == 0 || strcmp(entry->path, "lost+found") == 0);
}

/* Empty directories are in nobody's way: packages and mkdir -p leave them. */
static int refuse_entry(void *ctx, const struct safe_entry *entry, struct err *e)
{
    if (is_ours(entry)) {
        return 1;
    }
    const struct preflight *const pre = ctx;
    return S_ISDIR(entry->type) ? 0 : refuse_foreign(pre->dir, entry->path, e);
}

int preflight_empty(const struct target_dir *dir, struct err *e)
{
    struct preflight pre = {.dir = dir};
    return dir->root < 0 ? 0 : safe_path_scan(dir->root, "", refuse_entry, &pre, e);
}

/*
 * After an interrupted run: files of the plan that the journal does not know are what the crash
 * left between rename and journal (a group commit, at most). They were empty places when that run
 * began.
 */
static int sort_out_entry(void *ctx, const struct safe_entry *entry, struct err *e)
{
    const struct preflight *const pre = ctx;
    if (is_ours(entry)) {
        return 1;
    }
    if (S_ISDIR(entry->type)) {
        return pre->table_folder != NULL && replace_keeps(pre->table_folder, entry) ? 1 : 0;
    }
    const bool resumed = pre->target->state == TARGET_INTERRUPTED && S_ISREG(entry->type);
    const uint32_t index = resumed ? find_file(pre, entry->path) : PLAN_NONE;
    if (index == PLAN_NONE) {
        return refuse_foreign(pre->dir, entry->path, e);
    }
    struct target_file *const file = &pre->target->files[index];
    if (file->state != FILE_TO_COME) {
        return file->dir == pre->dir_index ? 0 : refuse_foreign(pre->dir, entry->path, e);
    }
    *file = (struct target_file){.dir = (uint8_t)pre->dir_index, .state = FILE_LEFTOVER};
    return 0;
}

/* With staged tables only the plan's others matter: nothing may be in their way. */
static int sort_out_tables(struct preflight *pre, struct err *e)
{
    for (uint32_t i = 0; i < pre->plan->table_count; i++) {
        const struct plan_table *const table = &pre->plan->tables[i];
        if (plan_is_staged(table)) {
            continue;
        }
        pre->table_folder = table->target_folder;
        if (safe_path_scan(pre->dir->root, table->target_folder, sort_out_entry, pre, e) < 0) {
            return e->kind == ERR_REFUSED
                       ? err_hint(e,
                                  "add '--replace %.80s.%.80s' to swap it for the restored one, "
                                  "or --exclude it",
                                  table->keyspace, table->table)
                       : -1;
        }
    }
    return 0;
}

static int sort_out(struct preflight *pre, struct err *e)
{
    struct target *const target = pre->target;
    const bool staging = target_may_stage(target->config);
    for (unsigned i = 0; i < target->dir_count; i++) {
        pre->dir = &target->dirs[i];
        pre->dir_index = i;
        if (pre->dir->root < 0) {
            continue;
        }
        if (staging ? sort_out_tables(pre, e) < 0
                    : safe_path_scan(pre->dir->root, "", sort_out_entry, pre, e) < 0) {
            return -1;
        }
    }
    for (uint32_t i = 0; staging && i < pre->plan->table_count; i++) {
        if (pre->plan->tables[i].replace && replace_survey(target, pre->plan, i, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int check_name(const struct target_dir *dir, const char *target_folder,
                      const char *target_name, long name_max, struct err *e)
{
    const size_t folder = strlen(target_folder), name = strlen(target_name);
    bool fits = name <= (size_t)name_max;
    for (const char *part = target_folder; *part != '\0' && fits; part += strspn(part, "/")) {
        const size_t size = strcspn(part, "/");
        fits = size <= (size_t)name_max;
        part += size;
    }
    /* Cassandra opens its files by absolute path. */
    if (fits && strlen(dir->path) + folder + name + 3 <= PATH_MAX) {
        return 0;
    }
    return err_set(e, ERR_REFUSED, "target '%s': name too long for its file system: '%s/%s'",
                   dir->path, target_folder, target_name);
}

int preflight_reach(const struct target_dir *dir, const char *folder, struct err *e)
{
    ASSERT(dir->root >= 0);
    autofd int fd = safe_path_open(dir->root, folder, O_PATH | O_DIRECTORY);
    if (fd >= 0 || errno == ENOENT) {
        return 0;
    }
    if (errno == ELOOP || errno == ENOTDIR) {
        (void)err_set(e, ERR_REFUSED, "target '%s': '%s' leads over a symlink or a file", dir->path,
                      folder);
        return err_hint(e, "move that away; symlinks below a target are never followed");
    }
    return err_set_sys(e, ERR_CREATE, errno, "cannot open '%s/%s'", dir->path, folder);
}

/* Directories that exist already must be directories all the way, and writable. */
static int check_folder(const struct target_dir *dir, const char *folder, struct err *e)
{
    if (dir->root < 0) {
        return 0;
    }
    if (preflight_reach(dir, folder, e) < 0) {
        return -1;
    }
    autofd int fd = safe_path_open(dir->root, folder, O_PATH | O_DIRECTORY);
    return fd < 0 || faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == 0
               ? 0
               : err_set_sys(e, ERR_CREATE, errno, "cannot write to '%s/%s'", dir->path, folder);
}

static int check_names(const struct target *target, const struct plan *plan, struct err *e)
{
    for (unsigned i = 0; i < target->dir_count; i++) {
        const struct target_dir *const dir = &target->dirs[i];
        autofree char *above = xstrndup(dir->path, dir->exists);
        const long limit = pathconf(above, _PC_NAME_MAX);
        const long name_max = limit > 0 && limit < NAME_MAX ? limit : NAME_MAX;
        const char *last = NULL;
        for (uint32_t k = 0; k < plan->file_count; k++) {
            const struct plan_file *const file = &plan->files[k];
            const char *const folder = plan->tables[file->table].added
                                           ? adding_folder(target, plan, file->table)
                                           : file->target_folder;
            if (check_name(dir, folder, file->target_name, name_max, e) < 0) {
                return -1;
            }
            if (last == NULL || strcmp(last, folder) != 0) {
                last = folder;
                if (check_folder(dir, last, e) < 0) {
                    return -1;
                }
            }
        }
    }
    return 0;
}

int target_check_rights(const struct target *target, struct err *e)
{
    const struct config *const config = target->config;
    for (unsigned i = 0; i < target->dir_count; i++) {
        const struct target_dir *const dir = &target->dirs[i];
        autofree char *above = xstrndup(dir->path, dir->exists);
        const bool good =
            faccessat(AT_FDCWD, above, W_OK | X_OK, AT_EACCESS) == 0 &&
            (dir->home < 0 || faccessat(dir->home, ".", W_OK | X_OK, AT_EACCESS) == 0);
        if (!good) {
            (void)err_set_sys(e, ERR_CREATE, errno, "cannot write to '%s'", dir->path);
            return err_hint(e, "run as the user that owns it, or choose another directory");
        }
    }
    const uid_t user = geteuid();
    if (config->set_owner && user != 0 && (config->owner != user || !group_member(config->group))) {
        (void)err_set(e, ERR_CREATE, "--owner: only root can give files to another user or group");
        return err_hint(e, "run as root, or as that user without --owner");
    }
    return 0;
}

/* A name that is written wrong would leave the table in the way, and the check for foreign files
 * is another with --replace. */
static int check_replace(const struct config *config, const struct plan *plan, struct err *e)
{
    for (size_t i = 0; i < config->replace.count; i++) {
        const char *const entry = config->replace.names[i];
        bool found = false;
        for (uint32_t k = 0; k < plan->table_count && !found; k++) {
            found =
                selection_entry_matches(entry, plan->tables[k].keyspace, plan->tables[k].table_dir);
        }
        if (!found) {
            (void)err_set(e, ERR_CONFIG, "--replace %s: no table of this restore has that name",
                          entry);
            return err_hint(e, "'penates plan' shows the names; KS.* means all of a keyspace");
        }
    }
    return 0;
}

/* What was let pass when the plan was not known: a finished restore, and Cassandra at work. */
static int check_staged(struct target *target, const struct plan *plan, struct err *e)
{
    bool staged = true;
    target->only_adds = plan->table_count > 0;
    for (uint32_t i = 0; i < plan->table_count; i++) {
        staged = staged && plan_is_staged(&plan->tables[i]);
        target->only_adds = target->only_adds && plan->tables[i].added;
    }
    if (target->earlier_stamp != NULL && !staged) {
        *e = target->earlier_err;
        return -1;
    }
    if (target->running && !target->only_adds) {
        *e = target->running_err;
        return -1;
    }
    return 0;
}

int target_check(struct target *target, const struct plan *plan, struct err *e)
{
    ASSERT(target->state != TARGET_DONE && target->journal == NULL);
    target_forget_plan(target);
    target->sstables = xcalloc((size_t)plan->sstable_count + 1, sizeof *target->sstables);
    target->files = xcalloc((size_t)plan->file_count + 1, sizeof *target->files);
    target->tables = xcalloc((size_t)plan->table_count + 1, sizeof *target->tables);
    target->file_count = plan->file_count;
    target->table_count = plan->table_count;
    if (check_replace(target->config, plan, e) < 0 || check_staged(target, plan, e) < 0 ||
        target_check_rights(target, e) < 0) {
        return -1;
    }
    struct preflight pre = {.target = target, .plan = plan};
    index_plan(&pre);
    const bool failed = (target->state == TARGET_INTERRUPTED && match_journal(&pre, e) < 0) ||
                        adding_resolve(target, plan, e) < 0 || check_names(target, plan, e) < 0 ||
                        sort_out(&pre, e) < 0 || adding_preview(target, plan, e) < 0;
    free(pre.by_place);
    return failed ? -1 : placement_choose(target, plan, e);
}
