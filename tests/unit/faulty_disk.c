#include "tests/unit/faulty_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "agent/base/thread.h"
#include "tests/unit/unit.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* under mutex */
static struct {
    const char *fail_call;
    unsigned fail_nth, fail_seen;
    int fail_errno;
    bool failed;
    unsigned write_at_most;
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
    disk.kill_at = 0;
    mutex_unlock(&mutex);
}

/* What the linker calls in place of each call. */

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
    return meddle("create") ? -1 : __real_openat64(folder, path, flags, mode);
}

ssize_t __real_pwrite64(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t size, off_t offset)
{
    mutex_lock(&mutex);
    const size_t most = disk.write_at_most == 0 ? SIZE_MAX : disk.write_at_most;
    mutex_unlock(&mutex);
    return meddle("pwrite") ? -1 : __real_pwrite64(fd, data, size < most ? size : most, offset);
}

ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    return meddle("write") ? -1 : __real_write(fd, data, size);
}

int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    (void)fd; /* see the header */
    return meddle("fsync") ? -1 : 0;
}

int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    (void)fd; /* see the header */
    return meddle("fdatasync") ? -1 : 0;
}

int __wrap_syncfs(int fd);
int __wrap_syncfs(int fd)
{
    (void)fd; /* see the header */
    return meddle("syncfs") ? -1 : 0;
}

int __wrap_sync_file_range(int fd, off_t from, off_t size, unsigned flags);
int __wrap_sync_file_range(int fd, off_t from, off_t size, unsigned flags)
{
    (void)fd;
    (void)from;
    (void)size;
    (void)flags;
    return meddle("sync_file_range") ? -1 : 0;
}

int __real_ftruncate64(int fd, off_t size);
int __wrap_ftruncate64(int fd, off_t size);
int __wrap_ftruncate64(int fd, off_t size)
{
    return meddle("ftruncate") ? -1 : __real_ftruncate64(fd, size);
}

int __real_fallocate64(int fd, int mode, off_t from, off_t size);
int __wrap_fallocate64(int fd, int mode, off_t from, off_t size);
int __wrap_fallocate64(int fd, int mode, off_t from, off_t size)
{
    return meddle("fallocate") ? -1 : __real_fallocate64(fd, mode, from, size);
}

int __real_renameat(int from, const char *a, int to, const char *b);
int __wrap_renameat(int from, const char *a, int to, const char *b);
int __wrap_renameat(int from, const char *a, int to, const char *b)
{
    return meddle("renameat") ? -1 : __real_renameat(from, a, to, b);
}

int __real_renameat2(int from, const char *a, int to, const char *b, unsigned flags);
int __wrap_renameat2(int from, const char *a, int to, const char *b, unsigned flags);
int __wrap_renameat2(int from, const char *a, int to, const char *b, unsigned flags)
{
    return meddle("renameat2") ? -1 : __real_renameat2(from, a, to, b, flags);
}

int __real_linkat(int from, const char *a, int to, const char *b, int flags);
int __wrap_linkat(int from, const char *a, int to, const char *b, int flags);
int __wrap_linkat(int from, const char *a, int to, const char *b, int flags)
{
    return meddle("linkat") ? -1 : __real_linkat(from, a, to, b, flags);
}

int __real_mkdirat(int folder, const char *path, mode_t mode);
int __wrap_mkdirat(int folder, const char *path, mode_t mode);
int __wrap_mkdirat(int folder, const char *path, mode_t mode)
{
    return meddle("mkdirat") ? -1 : __real_mkdirat(folder, path, mode);
}

int __real_unlinkat(int folder, const char *path, int flags);
int __wrap_unlinkat(int folder, const char *path, int flags);
int __wrap_unlinkat(int folder, const char *path, int flags)
{
    return meddle("unlinkat") ? -1 : __real_unlinkat(folder, path, flags);
}
