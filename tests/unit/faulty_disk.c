#include "tests/unit/faulty_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "agent/base/thread.h"
#include "tests/unit/unit.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* Held over a call and its event, so that the events come in the order of their effects. */
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static disk_watch_fn *watcher; /* under order */
static void *watcher_ctx;      /* under order */

/* under mutex */
static struct {
    const char *fail_call;
    unsigned fail_nth, fail_seen;
    int fail_errno;
    bool failed;
    unsigned write_at_most;
    long magic;
    unsigned kill_at, calls;
    const char *pause_call;
    bool paused;
    bool recording;
    pthread_t not_this;
    const char *last;
    unsigned repeats;
    char record[4096];
} disk;

static void flush_record_locked(void)
{
    if (disk.last != NULL) {
        const size_t used = strlen(disk.record);
        char times[16] = "";
        if (disk.repeats > 1) {
            (void)snprintf(times, sizeof times, "*%u", disk.repeats);
        }
        (void)snprintf(disk.record + used, sizeof disk.record - used, "%s%s ", disk.last, times);
    }
    disk.last = NULL;
    disk.repeats = 0;
}

static void record_locked(const char *call)
{
    if (!disk.recording || pthread_equal(pthread_self(), disk.not_this)) {
        return;
    }
    if (disk.last == NULL || strcmp(disk.last, call) != 0) {
        flush_record_locked();
        disk.last = call;
    }
    disk.repeats++;
}

/* True: the call fails, errno is set. */
static bool meddle(const char *call)
{
    bool fails = false;
    mutex_lock(&mutex);
    if (++disk.calls == disk.kill_at) {
        (void)kill(getpid(), SIGKILL);
    }
    record_locked(call);
    if (disk.pause_call != NULL && strcmp(disk.pause_call, call) == 0) {
        disk.paused = true;
        cond_broadcast(&changed);
        while (disk.pause_call != NULL) {
            cond_wait(&changed, &mutex);
        }
        disk.paused = false;
    }
    if (disk.fail_call != NULL && strcmp(disk.fail_call, call) == 0) {
        fails = ++disk.fail_seen == disk.fail_nth || disk.fail_nth == 0;
        disk.failed = disk.failed || fails;
    }
    const int sys = disk.fail_errno;
    mutex_unlock(&mutex);
    if (fails) {
        errno = sys;
    }
    return fails;
}

void disk_fail(const char *call, unsigned nth, int sys)
{
    mutex_lock(&mutex);
    disk.fail_call = call;
    disk.fail_nth = nth;
    disk.fail_seen = 0;
    disk.fail_errno = sys;
    disk.failed = false;
    mutex_unlock(&mutex);
}

bool disk_failed(void)
{
    mutex_lock(&mutex);
    const bool failed = disk.failed;
    mutex_unlock(&mutex);
    return failed;
}

void disk_write_at_most(unsigned bytes)
{
    mutex_lock(&mutex);
    disk.write_at_most = bytes;
    mutex_unlock(&mutex);
}

void disk_pretend(long magic)
{
    mutex_lock(&mutex);
    disk.magic = magic;
    mutex_unlock(&mutex);
}

void disk_kill_at(unsigned nth)
{
    mutex_lock(&mutex);
    disk.kill_at = nth;
    disk.calls = 0;
    mutex_unlock(&mutex);
}

void disk_pause_at(const char *call)
{
    mutex_lock(&mutex);
    disk.pause_call = call;
    mutex_unlock(&mutex);
}

void disk_wait_until_paused(void)
{
    mutex_lock(&mutex);
    while (!disk.paused) {
        cond_wait(&changed, &mutex);
    }
    mutex_unlock(&mutex);
}

void disk_resume(void)
{
    mutex_lock(&mutex);
    disk.pause_call = NULL;
    cond_broadcast(&changed);
    mutex_unlock(&mutex);
}

void disk_record(void)
{
    mutex_lock(&mutex);
    disk.recording = true;
    disk.not_this = pthread_self();
    disk.record[0] = '\0';
    mutex_unlock(&mutex);
}

char *disk_recorded(void)
{
    mutex_lock(&mutex);
    flush_record_locked();
    disk.recording = false;
    char *const text = xstrdup(disk.record);
    mutex_unlock(&mutex);
    return text;
}

void disk_heal(void)
{
    mutex_lock(&mutex);
    disk.fail_call = NULL;
    disk.failed = false;
    disk.write_at_most = 0;
    disk.magic = 0;
    disk.kill_at = 0;
    mutex_unlock(&mutex);
}

void disk_watch(disk_watch_fn *fn, void *ctx)
{
    mutex_lock(&order);
    watcher = fn;
    watcher_ctx = ctx;
    mutex_unlock(&order);
}

/* What the linker calls in place of each call. */

/* Between the two stands a call that is watched. */
static bool begin(const char *call)
{
    if (meddle(call)) {
        return false;
    }
    mutex_lock(&order);
    return true;
}

static int end(int result, const struct disk_event *event)
{
    const int sys = errno;
    if (result >= 0 && watcher != NULL) {
        watcher(watcher_ctx, event);
    }
    mutex_unlock(&order);
    errno = sys;
    return result;
}

int __real_openat64(int folder, const char *path, int flags, ...);
int __wrap_openat64(int folder, const char *path, int flags, ...);
int __wrap_openat64(int folder, const char *path, int flags, ...)
{
    if ((flags & O_CREAT) == 0) {
        return __real_openat64(folder, path, flags);
    }
    va_list args;
    va_start(args, flags);
    const mode_t mode = va_arg(args, mode_t);
    va_end(args);
    if (!begin("create")) {
        return -1;
    }
    const struct disk_event event = {.call = "create",
                                     .fd = folder,
                                     .name = path,
                                     .existed = faccessat(folder, path, F_OK, 0) == 0,
                                     .emptied = (flags & O_TRUNC) != 0};
    return end(__real_openat64(folder, path, flags, mode), &event);
}

ssize_t __real_pwrite64(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t size, off_t offset)
{
    mutex_lock(&mutex);
    const size_t most = disk.write_at_most == 0 ? SIZE_MAX : disk.write_at_most;
    mutex_unlock(&mutex);
    if (!begin("pwrite")) {
        return -1;
    }
    const ssize_t written = __real_pwrite64(fd, data, size < most ? size : most, offset);
    const struct disk_event event = {.call = "pwrite",
                                     .fd = fd,
                                     .data = data,
                                     .offset = (uint64_t)offset,
                                     .size = written < 0 ? 0 : (size_t)written};
    return end((int)written, &event);
}

ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    if (!begin("write")) {
        return -1;
    }
    const off_t offset = lseek(fd, 0, SEEK_CUR);
    const ssize_t written = __real_write(fd, data, size);
    const struct disk_event event = {.call = "write",
                                     .fd = fd,
                                     .data = data,
                                     .offset = (uint64_t)offset,
                                     .size = written < 0 ? 0 : (size_t)written};
    return end((int)written, &event);
}

/* Not passed on: see the header. */
static int sync_call(const char *call, int fd)
{
    const struct disk_event event = {.call = call, .fd = fd};
    return begin(call) ? end(0, &event) : -1;
}

int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    return sync_call("fsync", fd);
}

int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    return sync_call("fdatasync", fd);
}

int __wrap_syncfs(int fd);
int __wrap_syncfs(int fd)
{
    return sync_call("syncfs", fd);
}

int __wrap_sync_file_range(int fd, off_t from, off_t size, unsigned flags);
int __wrap_sync_file_range(int fd, off_t from, off_t size, unsigned flags)
{
    (void)from;
    (void)size;
    (void)flags;
    return sync_call("sync_file_range", fd);
}

int __real_ftruncate64(int fd, off_t size);
int __wrap_ftruncate64(int fd, off_t size);
int __wrap_ftruncate64(int fd, off_t size)
{
    const struct disk_event event = {.call = "ftruncate", .fd = fd, .offset = (uint64_t)size};
    return begin(event.call) ? end(__real_ftruncate64(fd, size), &event) : -1;
}

int __real_fallocate64(int fd, int mode, off_t from, off_t size);
int __wrap_fallocate64(int fd, int mode, off_t from, off_t size);
int __wrap_fallocate64(int fd, int mode, off_t from, off_t size)
{
    const struct disk_event event = {.call = "fallocate", .fd = fd};
    return begin(event.call) ? end(__real_fallocate64(fd, mode, from, size), &event) : -1;
}

int __real_renameat(int from, const char *a, int to, const char *b);
int __wrap_renameat(int from, const char *a, int to, const char *b);
int __wrap_renameat(int from, const char *a, int to, const char *b)
{
    const struct disk_event event = {
        .call = "renameat", .fd = from, .name = a, .to_fd = to, .to_name = b};
    return begin(event.call) ? end(__real_renameat(from, a, to, b), &event) : -1;
}

int __real_renameat2(int from, const char *a, int to, const char *b, unsigned flags);
int __wrap_renameat2(int from, const char *a, int to, const char *b, unsigned flags);
int __wrap_renameat2(int from, const char *a, int to, const char *b, unsigned flags)
{
    const struct disk_event event = {
        .call = "renameat2", .fd = from, .name = a, .to_fd = to, .to_name = b};
    return begin(event.call) ? end(__real_renameat2(from, a, to, b, flags), &event) : -1;
}

int __real_linkat(int from, const char *a, int to, const char *b, int flags);
int __wrap_linkat(int from, const char *a, int to, const char *b, int flags);
int __wrap_linkat(int from, const char *a, int to, const char *b, int flags)
{
    const struct disk_event event = {
        .call = "linkat", .fd = from, .name = a, .to_fd = to, .to_name = b};
    return begin(event.call) ? end(__real_linkat(from, a, to, b, flags), &event) : -1;
}

int __real_mkdirat(int folder, const char *path, mode_t mode);
int __wrap_mkdirat(int folder, const char *path, mode_t mode);
int __wrap_mkdirat(int folder, const char *path, mode_t mode)
{
    const struct disk_event event = {.call = "mkdirat", .fd = folder, .name = path};
    return begin(event.call) ? end(__real_mkdirat(folder, path, mode), &event) : -1;
}

int __real_unlinkat(int folder, const char *path, int flags);
int __wrap_unlinkat(int folder, const char *path, int flags);
int __wrap_unlinkat(int folder, const char *path, int flags)
{
    const struct disk_event event = {.call = "unlinkat", .fd = folder, .name = path};
    return begin(event.call) ? end(__real_unlinkat(folder, path, flags), &event) : -1;
}

int __real_fstatfs64(int fd, struct statfs *ret);
int __wrap_fstatfs64(int fd, struct statfs *ret);
int __wrap_fstatfs64(int fd, struct statfs *ret)
{
    const int result = __real_fstatfs64(fd, ret);
    mutex_lock(&mutex);
    if (disk.magic != 0) {
        ret->f_type = disk.magic;
    }
    mutex_unlock(&mutex);
    return result;
}
