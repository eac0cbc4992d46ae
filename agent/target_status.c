#include "agent/base/mem.h"
#include "agent/target_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

static int status_line(void *ctx, const struct journal_line *line, struct err *e)
{
    struct target_summary *const sum = ctx;
    switch (line->kind) {
    case JOURNAL_BEGIN:
        if (line->numbers[0] != TARGET_FORMAT) {
            return err_set(e, ERR_REFUSED, "journal: of a format that this version does not know");
        }
        sum->phase = PHASE_INTERRUPTED;
        sum->started_ms = (int64_t)line->numbers[2];
        return 0;
    case JOURNAL_RUN:
        sum->phase = PHASE_INTERRUPTED; /* what failed before is being tried again */
        sum->error[0] = '\0';
        sum->run_ms = (int64_t)line->numbers[0];
        sum->files = line->numbers[2];
        sum->stored_bytes = line->numbers[3];
        sum->plain_bytes = line->numbers[4];
        sum->files_done = line->numbers[5];
        sum->stored_done = sum->stored_kept = line->numbers[6];
        sum->plain_done = line->numbers[7];
        return 0;
    case JOURNAL_FILE:
        sum->files_done++;
        sum->stored_done += line->numbers[3];
        sum->plain_done += line->numbers[4];
        return 0;
    case JOURNAL_FAIL:
        sum->phase = PHASE_FAILED;
        (void)snprintf(sum->error, sizeof sum->error, "%s", line->fields[1]); /* cut if longer */
        return 0;
    case JOURNAL_UNTIL:
        if ((int64_t)line->numbers[1] > sum->until_ms) {
            sum->until_ms = (int64_t)line->numbers[1];
        }
        return 0;
    case JOURNAL_DIR:
    case JOURNAL_CLEARED:
    case JOURNAL_NUMBER:
    case JOURNAL_ADDING:
    case JOURNAL_ADDED:
        return 0;
    }
    return 0;
}

static int64_t time_of(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
}

static int read_journal(const struct target_dir *dir, struct target_summary *sum, struct err *e)
{
    autofd int fd = safe_path_open(dir->home, "journal", O_RDONLY);
    if (fd < 0) {
        return errno == ENOENT
                   ? 0
                   : target_disk_err(e, errno, "reading '%s/" TARGET_HOME "/journal'", dir->path);
    }
    struct stat st;
    if (fstat(fd, &st) < 0) {
        return err_set_sys(e, ERR_DISK, errno, "reading '%s/" TARGET_HOME "/journal'", dir->path);
    }
    sum->last_ms = time_of(&st);
    uint64_t size;
    if (journal_read(fd, status_line, sum, &size, e) < 0) {
        return err_wrap(e, "target '%s'", dir->path);
    }
    return 0;
}

static int read_dir(const struct target_dir *dir, struct target_summary *sum, struct err *e)
{
    if (dir->home < 0) {
        return 0;
    }
    autobuf struct buf first = BUF_INIT(2 * TARGET_PATH_MAX);
    const int part = target_dir_read(dir, "first", &first, e);
    if (part < 0) {
        return -1;
    }
    if (part == 1) {
        (void)err_set(e, ERR_CONFIG, "target '%s': part of the restore that is kept in '%s'",
                      dir->path, buf_str(&first));
        return err_hint(e, "ask for the status of that directory");
    }
    if (read_journal(dir, sum, e) < 0) {
        return -1;
    }
    struct stat stamp;
    if (fstatat(dir->home, "restored", &stamp, AT_SYMLINK_NOFOLLOW) == 0) {
        sum->phase = PHASE_DONE;
        sum->last_ms = time_of(&stamp);
    } else if (target_dir_locked(dir, &sum->pid)) {
        sum->phase = PHASE_RUNNING;
    }
    return 0;
}

int target_status(const char *path, struct target_summary *ret, struct err *e)
{
    struct target_dir dir = TARGET_DIR_INIT;
    struct target_summary sum = {.phase = PHASE_NEW};
    const int result = target_dir_open(&dir, path, e) < 0 ? -1 : read_dir(&dir, &sum, e);
    target_dir_done(&dir);
    if (result == 0) {
        /* Sizes that only the end of a file tells make the plan's sum too small. */
        sum.plain_bytes = sum.plain_done > sum.plain_bytes ? sum.plain_done : sum.plain_bytes;
        *ret = sum;
    }
    return result;
}
