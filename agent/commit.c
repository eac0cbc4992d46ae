#include "agent/commit.h"
#include "agent/base/mem.h"
#include "agent/base/thread.h"
#include "agent/target_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

enum {
    GROUP_MAX = 512, /* files in one group: 20,000 small ones take 40 rounds of syncs */
    GROUP_MIN = 8,
    GATHER_MS = 20, /* at 5,000 small files a second a hundred gather */
    /* Descriptors that are not a group's: connections (512 at most), files under way, libraries. */
    DESCRIPTORS_KEPT = 768,
    /*
     * Up to here each file, or folder, is synced by itself; above, one syncfs does it. Measured on
     * ext4, 20,000 files of 2 KiB, groups of 512: fsync each 4 to 5.5 s, syncfs and a look for
     * errors 0.3 s.
     */
    SYNC_EACH_MAX = 8,
};

struct commit_item {
    struct file_sink *sink;
    struct commit_record record;
};

struct commit {
    /* set once */
    struct target *target;
    const struct plan *plan;
    commit_done_fn *done;
    void *ctx;
    size_t group_max;
    bool syncs_whole; /* one syncfs does for a crowd, in every directory */
    pthread_t thread;

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* under mutex */
    struct commit_item *waiting; /* group_max long, as is `group` */
    size_t waiting_count;
    bool stopping, failed;
    struct err err; /* when failed */

    /* commit thread */
    struct commit_item *group;
    size_t group_count;
};

static const struct plan_file *planned(const struct commit *commit, const struct commit_item *item)
{
    return &commit->plan->files[item->record.file];
}

static const struct target_file *placed(const struct commit *commit, const struct commit_item *item)
{
    return &commit->target->files[item->record.file];
}

static int item_err(const struct commit *commit, const struct commit_item *item, int sys,
                    const char *doing, struct err *e)
{
    const struct plan_file *const file = planned(commit, item);
    return target_disk_err(e, sys, "%s '%s/%s/%s'", doing,
                           commit->target->dirs[placed(commit, item)->dir].path,
                           file->target_folder, file->target_name);
}

/* By directory and folder, so that each folder is opened and synced once. */
static int compare_items(const void *a, const void *b, void *ctx)
{
    const struct commit *const commit = ctx;
    const struct commit_item *const x = a, *const y = b;
    const unsigned dir_x = placed(commit, x)->dir, dir_y = placed(commit, y)->dir;
    if (dir_x != dir_y) {
        return dir_x < dir_y ? -1 : 1;
    }
    return strcmp(planned(commit, x)->target_folder, planned(commit, y)->target_folder);
}

/* Every --into directory that the group touches, sorted as it is, with one call each. */
static int sync_file_systems(const struct commit *commit, struct err *e)
{
    unsigned last = CONFIG_TARGETS_MAX;
    for (size_t i = 0; i < commit->group_count; i++) {
        const unsigned dir = placed(commit, &commit->group[i])->dir;
        if (dir != last && syncfs(commit->target->dirs[dir].root) < 0) {
            return item_err(commit, &commit->group[i], errno, "syncing", e);
        }
        last = dir;
    }
    return 0;
}

/*
 * Brings one file to disk. After a syncfs there is nothing left to write, and an fsync would only
 * cost another flush of the disk's cache; what is wanted is the write error of this very file,
 * which syncfs does not tell before Linux 5.8, and this call does (its man page; errseq
 * since 4.13). An error of the metadata, which syncfs tells since 5.17 only, ends the journal of
 * ext4 and shuts XFS down: the renames that follow, or the sync of our journal, fail.
 */
static int sync_item(const struct commit *commit, const struct commit_item *item, bool synced,
                     struct err *e)
{
    const unsigned all =
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    const int fd = item->sink->fd;
    if ((synced ? sync_file_range(fd, 0, 0, all) : fsync(fd)) < 0) {
        return item_err(commit, item, errno, "syncing", e);
    }
    if (close(take_fd(&item->sink->fd)) < 0) {
        return item_err(commit, item, errno, "closing", e);
    }
    return 0;
}

static int sync_data(const struct commit *commit, struct err *e)
{
    const bool crowd = commit->syncs_whole && commit->group_count > SYNC_EACH_MAX;
    if (crowd && sync_file_systems(commit, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < commit->group_count; i++) {
        if (sync_item(commit, &commit->group[i], crowd, e) < 0) {
            return -1;
        }
    }
    return 0;
}

/*
 * Gives a file its name without taking anybody else's: RENAME_NOREPLACE, and a link where the file
 * system has no such thing (some network ones). A leftover of our own is renamed over.
 */
static int rename_item(const struct commit *commit, const struct commit_item *item, int folder)
{
    char name[FILE_SINK_NAME_SIZE];
    file_sink_name(item->sink, name);
    const struct target_file *const file = placed(commit, item);
    const int tmp = commit->target->dirs[file->dir].tmp;
    const char *const final = planned(commit, item)->target_name;
    if (file->state == FILE_LEFTOVER || target_is_staged(commit->plan, item->record.file)) {
        return renameat(tmp, name, folder, final);
    }
    if (renameat2(tmp, name, folder, final, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return -1;
    }
    return linkat(tmp, name, folder, final, 0) < 0 ? -1 : unlinkat(tmp, name, 0);
}

static int rename_err(const struct commit *commit, const struct commit_item *item, struct err *e)
{
    if (errno != EEXIST) {
        return item_err(commit, item, errno, "renaming to", e);
    }
    const struct plan_file *const file = planned(commit, item);
    (void)err_set(e, ERR_REFUSED, "target '%s': '%s/%s' has appeared there meanwhile",
                  commit->target->dirs[placed(commit, item)->dir].path, file->target_folder,
                  file->target_name);
    return err_hint(e, "find out who writes there, move that file away and run again");
}

static bool same_folder(const struct commit *commit, size_t a, size_t b)
{
    return compare_items(&commit->group[a], &commit->group[b], (void *)(uintptr_t)commit) == 0;
}

/* What of the group goes to one folder: [first .. end). With `sync` the folder is synced. */
static int place_row(const struct commit *commit, size_t first, size_t end, bool sync, bool *made,
                     struct err *e)
{
    const struct commit_item *const item = &commit->group[first];
    autobuf struct buf path = BUF_INIT(TARGET_PATH_MAX);
    target_commit_folder(commit->plan, item->record.file, &path);
    const int root = commit->target->dirs[placed(commit, item)->dir].root;
    autofd int folder = safe_path_make(root, buf_str(&path), commit->target->config, made);
    if (folder < 0) {
        return item_err(commit, item, errno, "making the directory of", e);
    }
    for (size_t i = first; i < end; i++) {
        if (rename_item(commit, &commit->group[i], folder) < 0) {
            return rename_err(commit, &commit->group[i], e);
        }
    }
    return sync && fsync(folder) < 0 ? item_err(commit, item, errno, "syncing the directory of", e)
                                     : 0;
}

static int place_all(const struct commit *commit, struct err *e)
{
    size_t folders = 1;
    for (size_t i = 1; i < commit->group_count; i++) {
        folders += same_folder(commit, i - 1, i) ? 0 : 1;
    }
    const bool each = !commit->syncs_whole || folders <= SYNC_EACH_MAX;
    bool made = false;
    size_t end = 0;
    for (size_t first = 0; first < commit->group_count; first = end) {
        end = first + 1;
        while (end < commit->group_count && same_folder(commit, first, end)) {
            end++;
        }
        if (place_row(commit, first, end, each, &made, e) < 0) {
            return -1;
        }
    }
    /* A new folder is an entry of the one above it, which needs a sync as well. */
    return each && !made ? 0 : sync_file_systems(commit, e);
}

static void journal_item(const struct commit *commit, const struct commit_item *item,
                         struct buf *target_path, struct buf *key)
{
    const struct plan_file *const file = planned(commit, item);
    char size[JOURNAL_NUMBER_SIZE], plain[JOURNAL_NUMBER_SIZE], checks[JOURNAL_NUMBER_SIZE],
        dir[JOURNAL_NUMBER_SIZE];
    buf_clear(target_path);
    buf_clear(key);
    const bool fits = buf_appendf(target_path, "%s/%s", file->target_folder, file->target_name) &&
                      buf_appendf(key, "%s%s", file->key_folder, file->key_name);
    ASSERT(fits); /* target_check has refused longer ones */
    journal_add(commit->target->journal, JOURNAL_FILE,
                (const char *[]){buf_str(target_path), buf_str(key), file->etag,
                                 journal_number(file->size, size),
                                 journal_number(item->record.plain_size, plain),
                                 journal_number(item->record.checks, checks),
                                 journal_number(placed(commit, item)->dir, dir),
                                 target_is_staged(commit->plan, item->record.file) ? "1" : "0"});
}

static int journal_group(const struct commit *commit, struct err *e)
{
    autobuf struct buf path = BUF_INIT(TARGET_PATH_MAX), key = BUF_INIT(TARGET_PATH_MAX);
    for (size_t i = 0; i < commit->group_count; i++) {
        journal_item(commit, &commit->group[i], &path, &key);
    }
    return journal_flush(commit->target->journal, e);
}

static void finish_item(struct commit *commit, const struct commit_item *item)
{
    struct target_file *const file = &commit->target->files[item->record.file];
    file->plain_size = item->record.plain_size;
    file->checks = (uint16_t)item->record.checks;
    file->state = FILE_DONE;
    file_sink_free(item->sink);
    commit->done(commit->ctx, &item->record);
}

/* Data before name, name before journal. */
static void commit_group(struct commit *commit)
{
    struct err e = ERR_INIT;
    qsort_r(commit->group, commit->group_count, sizeof *commit->group, compare_items, commit);
    const bool good =
        sync_data(commit, &e) == 0 && place_all(commit, &e) == 0 && journal_group(commit, &e) == 0;
    if (!good) {
        mutex_lock(&commit->mutex);
        ASSERT(!commit->failed);
        commit->failed = true;
        commit->err = e;
        mutex_unlock(&commit->mutex);
    }
    for (size_t i = 0; i < commit->group_count; i++) {
        if (good) {
            finish_item(commit, &commit->group[i]);
        } else {
            file_sink_abandon(commit->group[i].sink);
        }
    }
}

/* Takes all that waits as the next group; false when there will be no more. */
static bool take_group_locked(struct commit *commit)
{
    while (commit->waiting_count == 0 && !commit->stopping) {
        cond_wait(&commit->changed, &commit->mutex);
    }
    /* Few at a time would cost a round of syncs for each few; nobody waits for a name meanwhile. */
    if (commit->waiting_count < commit->group_max && !commit->stopping) {
        (void)cond_wait_ms(&commit->changed, &commit->mutex, GATHER_MS);
    }
    struct commit_item *const taken = commit->waiting;
    commit->waiting = commit->group;
    commit->group = taken;
    commit->group_count = commit->waiting_count;
    commit->waiting_count = 0;
    cond_broadcast(&commit->changed);
    return commit->group_count > 0;
}

static void *run(void *arg)
{
    struct commit *const commit = arg;
    for (;;) {
        mutex_lock(&commit->mutex);
        const bool more = take_group_locked(commit);
        mutex_unlock(&commit->mutex);
        if (!more) {
            return NULL;
        }
        commit_group(commit);
    }
}

/* One group waits while another is on its way, and both hold their files open. */
static size_t group_size(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY) {
        return GROUP_MAX;
    }
    const rlim_t spare = limit.rlim_cur > DESCRIPTORS_KEPT ? limit.rlim_cur - DESCRIPTORS_KEPT : 0;
    const rlim_t half = spare / 2;
    return half < GROUP_MIN ? GROUP_MIN : half > GROUP_MAX ? GROUP_MAX : (size_t)half;
}

struct commit *commit_start(struct target *target, const struct plan *plan, commit_done_fn *done,
                            void *ctx)
{
    ASSERT(target->journal != NULL && target->file_count == plan->file_count);
    struct commit *const commit = xcalloc(1, sizeof *commit);
    commit->target = target;
    commit->plan = plan;
    commit->done = done;
    commit->ctx = ctx;
    commit->group_max = group_size();
    commit->syncs_whole = true;
    for (unsigned i = 0; i < target->dir_count; i++) {
        commit->syncs_whole = commit->syncs_whole && target_dir_syncs_whole(&target->dirs[i]);
    }
    commit->waiting = xcalloc(commit->group_max, sizeof *commit->waiting);
    commit->group = xcalloc(commit->group_max, sizeof *commit->group);
    mutex_init(&commit->mutex);
    cond_init(&commit->changed);
    commit->thread = thread_start(run, commit, "commit");
    return commit;
}

void commit_file(struct commit *commit, struct file_sink *sink, const struct commit_record *record)
{
    ASSERT(sink->file == record->file);
    mutex_lock(&commit->mutex);
    ASSERT(!commit->stopping);
    while (commit->waiting_count == commit->group_max && !commit->failed) {
        cond_wait(&commit->changed, &commit->mutex);
    }
    const bool failed = commit->failed;
    if (!failed) {
        commit->waiting[commit->waiting_count++] =
            (struct commit_item){.sink = sink, .record = *record};
        if (commit->waiting_count == 1 || commit->waiting_count == commit->group_max) {
            cond_broadcast(&commit->changed);
        }
    }
    mutex_unlock(&commit->mutex);
    if (failed) {
        file_sink_abandon(sink);
    }
}

bool commit_failed(struct commit *commit)
{
    mutex_lock(&commit->mutex);
    const bool failed = commit->failed;
    mutex_unlock(&commit->mutex);
    return failed;
}

int commit_stop(struct commit *commit, struct err *e)
{
    mutex_lock(&commit->mutex);
    commit->stopping = true;
    cond_broadcast(&commit->changed);
    mutex_unlock(&commit->mutex);
    thread_join(commit->thread);
    ASSERT(commit->waiting_count == 0);
    const bool failed = commit->failed;
    if (failed) {
        *e = commit->err;
    }
    cond_done(&commit->changed);
    mutex_done(&commit->mutex);
    free(commit->waiting);
    free(commit->group);
    free(commit);
    return failed ? -1 : 0;
}

bool commit_done_before(const struct target *target, const struct plan *plan, uint32_t file,
                        struct commit_record *ret)
{
    ASSERT(target->file_count == plan->file_count && file < target->file_count);
    const struct target_file *const known = &target->files[file];
    if (known->state != FILE_DONE) {
        return false;
    }
    *ret = (struct commit_record){
        .file = file, .plain_size = known->plain_size, .checks = known->checks};
    return true;
}
