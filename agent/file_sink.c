#include "agent/file_sink.h"
#include "agent/base/mem.h"
#include "agent/target_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

enum {
    /* Below this, reserving costs more than it tells: small files fit into what the preflight saw.
     */
    RESERVE_MIN = 1024 * 1024,
    /* Write-back is started this often, so that dirty pages stay bounded and the fsync at the end
     * has little left to do (architecture, section 3). */
    WRITE_BACK_EVERY = 16 * 1024 * 1024,
};

void file_sink_name(const struct file_sink *sink, char name[FILE_SINK_NAME_SIZE])
{
    (void)snprintf(name, FILE_SINK_NAME_SIZE, "%" PRIu32 ".part", sink->file); /* 15 at most */
}

static int sink_err(const struct file_sink *sink, int sys, const char *doing, struct err *e)
{
    return target_disk_err(e, sys, "%s '%s/%s/%s'", doing,
                           sink->target->dirs[sink->target->files[sink->file].dir].path,
                           sink->target_folder, sink->target_name);
}

/* Finds out about a full disk before the bytes are fetched. A file system that cannot reserve just
 * finds out later. */
static int reserve(const struct file_sink *sink, uint64_t size_hint)
{
    if (size_hint == PLAN_SIZE_UNKNOWN || size_hint < RESERVE_MIN || size_hint > INT64_MAX) {
        return 0;
    }
    int result;
    do {
        result = fallocate(sink->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size_hint);
    } while (result < 0 && errno == EINTR);
    return result < 0 && (errno == ENOSPC || errno == EDQUOT) ? -1 : 0;
}

int file_sink_open(struct target *target, const struct plan *plan, uint32_t file,
                   uint64_t size_hint, struct file_sink **ret, struct err *e)
{
    ASSERT(target->journal != NULL);
    ASSERT(file < target->file_count && target->files[file].state != FILE_DONE);
    struct file_sink *const sink = xcalloc(1, sizeof *sink);
    *sink = (struct file_sink){.target = target,
                               .fd = -1,
                               .file = file,
                               .target_folder = plan->files[file].target_folder,
                               .target_name = plan->files[file].target_name};
    char name[FILE_SINK_NAME_SIZE];
    file_sink_name(sink, name);
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    sink->fd = openat(target->dirs[target->files[file].dir].tmp, name, flags, target->config->mode);
    if (sink->fd < 0 || target_dress_file(sink->fd, target->config) < 0 ||
        reserve(sink, size_hint) < 0) {
        const int result = sink_err(sink, errno, "creating", e);
        file_sink_abandon(sink);
        return result;
    }
    *ret = sink;
    return 0;
}

/*
 * Starts writing back what lies behind a border that this write passed, and the stretch before it
 * once more: threads write out of order, and pages that are clean by now cost nothing. Only a
 * start: what fails is reported by the fsync.
 */
static void write_back(const struct file_sink *sink, uint64_t offset, uint64_t end)
{
    const uint64_t border = end / WRITE_BACK_EVERY * WRITE_BACK_EVERY;
    if (offset < border) {
        const uint64_t start =
            border > 2 * (uint64_t)WRITE_BACK_EVERY ? border - 2 * (uint64_t)WRITE_BACK_EVERY : 0;
        (void)sync_file_range(sink->fd, (off_t)start, (off_t)(border - start),
                              SYNC_FILE_RANGE_WRITE);
    }
}

int file_sink_write(struct file_sink *sink, uint64_t offset, struct slice plain, struct err *e)
{
    ASSERT(sink->fd >= 0);
    ASSERT(offset <= INT64_MAX && plain.size <= INT64_MAX - offset);
    size_t done = 0;
    while (done < plain.size) {
        const ssize_t written =
            pwrite(sink->fd, plain.data + done, plain.size - done, (off_t)(offset + done));
        if (written < 0 && errno != EINTR) {
            return sink_err(sink, errno, "writing", e);
        }
        done += written < 0 ? 0 : (size_t)written;
    }
    write_back(sink, offset, offset + plain.size);
    return 0;
}

void file_sink_free(struct file_sink *sink)
{
    if (sink->fd >= 0) {
        (void)close(sink->fd); /* abandoned: what counts was closed by commit.c, and checked */
    }
    free(sink);
}

void file_sink_abandon(struct file_sink *sink)
{
    if (sink != NULL) {
        char name[FILE_SINK_NAME_SIZE];
        file_sink_name(sink, name);
        const struct target *const target = sink->target;
        /* Nothing counts in tmp/: what stays there is removed by the next run. */
        (void)unlinkat(target->dirs[target->files[sink->file].dir].tmp, name, 0);
        file_sink_free(sink);
    }
}
