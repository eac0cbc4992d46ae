#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/safe_path.h"
#include "agent/target_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

/* Every file under way holds a descriptor, and a group commit holds hundreds; the soft limit is
 * 1024 on most systems for the sake of select(2), which nothing here uses. */
static void raise_open_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* commit.c measures its groups by what there is */
    }
}

static uint64_t time_field(int64_t ms)
{
    return ms < 0 ? 0 : (uint64_t)ms;
}

static void note_until(struct target *target, const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->node_count; i++) {
        const struct plan_node *const node = &plan->nodes[i];
        int64_t pinned;
        if (!target_pinned_until(target, node->token, &pinned)) {
            char until[JOURNAL_NUMBER_SIZE];
            journal_add(
                target->journal, JOURNAL_UNTIL,
                (const char *[]){node->token, journal_number(time_field(node->until_ms), until)});
        }
    }
}

void target_finished(const struct target *target, const struct plan *plan,
                     struct target_summary *ret)
{
    ASSERT(target->files != NULL && target->file_count == plan->file_count);
    ret->files_done = ret->stored_done = ret->plain_done = 0;
    for (uint32_t i = 0; i < target->file_count; i++) {
        if (target->files[i].state == FILE_DONE) {
            ret->files_done++;
            ret->stored_done += plan->files[i].size;
            ret->plain_done += target->files[i].plain_size;
        }
    }
}

uint8_t *target_unfinished(const struct target *target)
{
    ASSERT(target->files != NULL);
    uint8_t *unfinished = (uint8_t *)xcalloc(target->file_count, sizeof(*unfinished));
    for (uint32_t i = 0; i < target->file_count; i++) {
        unfinished[i] = target->files[i].state != FILE_DONE;
    }
    return unfinished;
}

static void note_run(struct target *target, const struct plan *plan, const char *now)
{
    struct target_summary before;
    target_finished(target, plan, &before);
    const uint64_t numbers[] = {plan->file_count,  plan->stored_bytes, plan->plain_bytes,
                                before.files_done, before.stored_done, before.plain_done};
    char text[ARRAY_SIZE(numbers)][JOURNAL_NUMBER_SIZE];
    const char *fields[2 + ARRAY_SIZE(numbers)] = {now, plan->id};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        fields[2 + i] = journal_number(numbers[i], text[i]);
    }
    journal_add(target->journal, JOURNAL_RUN, fields);
}

/* Opens the journal where its valid part ends and notes that a run begins. */
static int begin_journal(struct target *target, const struct plan *plan, struct err *e)
{
    const struct target_dir *const dir = &target->dirs[0];
    const int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
    autofd int fd = openat(dir->home, "journal", flags, target->config->mode);
    if (fd < 0 || target_dress_file(fd, target->config) < 0) {
        return target_disk_err(e, errno, "opening '%s/" TARGET_HOME "/journal'", dir->path);
    }
    if (journal_open(take_fd(&fd), target->journal_size, &target->journal, e) < 0) {
        return -1;
    }
    char now[JOURNAL_NUMBER_SIZE], number[JOURNAL_NUMBER_SIZE];
    (void)journal_number(time_field(clock_wall_ms()), now);
    if (target->state == TARGET_NEW) {
        journal_add(target->journal, JOURNAL_BEGIN,
                    (const char *[]){journal_number(TARGET_FORMAT, number), target->identity, now});
    }
    for (unsigned i = 0; i < target->dir_count; i++) {
        journal_add(target->journal, JOURNAL_DIR,
                    (const char *[]){journal_number(i, number), target->dirs[i].path});
    }
    note_until(target, plan);
    note_run(target, plan, now);
    if (journal_flush(target->journal, e) < 0) {
        /* Nothing may be noted in a journal that has no beginning. */
        journal_free(TAKE_PTR(target->journal));
        return -1;
    }
    return fsync(dir->home) < 0
               ? target_disk_err(e, errno, "syncing '%s/" TARGET_HOME "'", dir->path)
               : 0;
}

/* Makes every directory; the ones after the first name it. */
static int make_dirs(struct target *target, struct err *e)
{
    for (unsigned i = 0; i < target->dir_count; i++) {
        struct target_dir *const dir = &target->dirs[i];
        if (target_dir_make(dir, target->config, e) < 0) {
            return -1;
        }
        if (i > 0 && target_dir_write(dir, "first", target->dirs[0].path, target->config, e) < 0) {
            return -1;
        }
        /* Without a journal nothing says what staged files are. */
        if (target->state == TARGET_NEW && safe_path_remove(dir->home, "stage", e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int pass_line(void *ctx, const struct journal_line *line, struct err *e)
{
    (void)ctx;
    (void)line;
    (void)e;
    return 0;
}

/* Another run may have come and gone between target_open and our lock; it has left more lines than
 * there were. (No lock file and a journal all the same: a power cut can leave that.) */
static int check_unused(const struct target *target, struct err *e)
{
    const struct target_dir *const dir = &target->dirs[0];
    autofd int fd = safe_path_open(dir->home, "journal", O_RDONLY);
    uint64_t size = 0;
    if (fd < 0 && errno != ENOENT) {
        return target_disk_err(e, errno, "reading '%s/" TARGET_HOME "/journal'", dir->path);
    }
    if (fd >= 0 && journal_read(fd, pass_line, NULL, &size, e) < 0) {
        return -1;
    }
    if (size != target->journal_size) {
        (void)err_set(e, ERR_REFUSED, "target '%s': another restore used it just now", dir->path);
        e->sys = EBUSY;
        return err_hint(e, "run again to see where that one stands");
    }
    return 0;
}

int target_begin(struct target *target, const struct plan *plan, struct err *e)
{
    ASSERT(target->state != TARGET_DONE);
    ASSERT(target->files != NULL && target->journal == NULL);
    const bool was_locked = target->dirs[0].lock >= 0;
    if (make_dirs(target, e) < 0) {
        return -1;
    }
    if (target->earlier_stamp != NULL ? earlier_put_away(target, e) < 0
                                      : !was_locked && check_unused(target, e) < 0) {
        return -1;
    }
    raise_open_files();
    return begin_journal(target, plan, e);
}

/* The stamp says that all is there: it must not rest on a caller's word. */
static int check_finished(struct target *target, const struct plan *plan, struct err *e)
{
    ASSERT(target->file_count == plan->file_count);
    for (uint32_t i = 0; i < target->file_count; i++) {
        if (target->files[i].state != FILE_DONE) {
            return err_set(e, ERR_BUG, "target '%s': '%s/%s' is not in place", target->dirs[0].path,
                           plan->files[i].target_folder, plan->files[i].target_name);
        }
    }
    /* A restore takes hours: somebody may have started Cassandra on what is there so far. */
    return target_check_running(target, target->only_adds, e);
}

int target_put_in_place(struct target *target, const struct plan *plan, struct err *e)
{
    ASSERT(target->journal != NULL);
    if (check_finished(target, plan, e) < 0 || adding_settle(target, plan, e) < 0 ||
        replace_swap(target, plan, e) < 0 || adding_move(target, plan, e) < 0) {
        return -1;
    }
    target->in_place = true;
    return 0;
}

int target_finish(struct target *target, const struct plan *plan, const char *report_json,
                  struct err *e)
{
    ASSERT(target->journal != NULL && target->in_place);
    for (unsigned i = 0; i < target->dir_count; i++) {
        struct target_dir *const dir = &target->dirs[i];
        (void)close(take_fd(&dir->tmp)); /* a directory */
        if (safe_path_remove(dir->home, "tmp", e) < 0 ||
            safe_path_remove(dir->home, "stage", e) < 0) {
            return -1;
        }
        if (fsync(dir->home) < 0) {
            return target_disk_err(e, errno, "syncing '%s/" TARGET_HOME "'", dir->path);
        }
    }
    const struct target_dir *const first = &target->dirs[0];
    if (target_dir_write(first, "report.json", report_json, target->config, e) < 0) {
        return -1;
    }
    return stamp_write(target, plan, e);
}

void target_record_failure(struct target *target, const char *text)
{
    if (target->journal == NULL) {
        return;
    }
    char now[JOURNAL_NUMBER_SIZE];
    struct err ignored;
    autofree char *bounded = xstrndup(text, sizeof((struct target_summary *)NULL)->error - 1);
    journal_add(target->journal, JOURNAL_FAIL,
                (const char *[]){journal_number(time_field(clock_wall_ms()), now), bounded});
    if (journal_flush(target->journal, &ignored) < 0) {
        return; /* the failure itself has been told; on a full disk this one is likely */
    }
}
