#include "agent/source_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#include "agent/base/mem.h"
#include "agent/base/thread.h"
#include "agent/dir_tree.h"

/* Four reads at a time keep a disk busy; more would only share out its time. */
enum { READERS = 4 };

struct source_dir {
    struct source face; /* first, for the cast in dir_of */

    /* set once */
    int root;
    pthread_t threads[READERS];

    /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct s3_get *first, *last; /* waiting; linked by `next` */
    bool cancelled;              /* everything ends with ERR_CANCELLED */
    bool closing;                /* and the threads end when nothing waits */
    struct s3_stats stats;
};

static struct source_dir *dir_of(struct source *source)
{
    return (struct source_dir *)source;
}

static int set_read_error(struct err *e, const char *key, int sys)
{
    if (sys == ENOENT) {
        return err_set(e, ERR_NOT_FOUND, "'%s': is not in the source directory", key);
    }
    const bool denied = sys == EACCES || sys == EPERM;
    (void)err_set_sys(e, denied ? ERR_AUTH : ERR_DISK, sys, "'%s': cannot be read", key);
    return denied ? err_hint(e, "let this user read the source") : -1;
}

static int read_all(int fd, const struct s3_get *get, struct err *e)
{
    for (uint64_t done = 0; done < get->size;) {
        const ssize_t got =
            pread(fd, get->into + done, get->size - done, (off_t)(get->offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return set_read_error(e, get->key, errno);
        }
        if (got == 0) {
            return err_set(e, ERR_CORRUPT, "'%s': ends at byte %" PRIu64 ", before byte %" PRIu64,
                           get->key, get->offset + done, get->offset + get->size);
        }
        done += (uint64_t)got;
    }
    return 0;
}

static int perform(int root, struct s3_get *get, struct err *e)
{
    autofd const int fd = dir_tree_open(root, get->key);
    if (fd < 0) {
        return set_read_error(e, get->key, errno);
    }
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return set_read_error(e, get->key, errno);
    }
    char etag[DIR_TREE_ETAG_SIZE];
    dir_tree_etag(&status, etag);
    if (get->etag != NULL && get->etag[0] != '\0' && strcmp(get->etag, etag) != 0) {
        return err_set(e, ERR_CHANGED, "'%s': has changed since it was listed", get->key);
    }
    get->content_length = (uint64_t)status.st_size;
    uint64_t end;
    if (get->head) {
        return 0;
    }
    if (!add_u64(get->offset, get->size, &end) || end > INT64_MAX) {
        return err_set(e, ERR_LIMIT, "'%s': range ends past any file's end", get->key);
    }
    return read_all(fd, get, e);
}

/* Waits for work; NULL: there will be none. */
static struct s3_get *take(struct source_dir *dir, bool *ret_cancelled)
{
    mutex_lock(&dir->lock);
    while (dir->first == NULL && !dir->closing) {
        cond_wait(&dir->work, &dir->lock);
    }
    struct s3_get *get = dir->first;
    if (get != NULL) {
        dir->first = get->next;
        dir->last = dir->first == NULL ? NULL : dir->last;
        get->next = NULL;
    }
    *ret_cancelled = dir->cancelled;
    mutex_unlock(&dir->lock);
    return get;
}

static void count(struct source_dir *dir, uint64_t bytes)
{
    mutex_lock(&dir->lock);
    dir->stats.requests++;
    dir->stats.bytes += bytes;
    mutex_unlock(&dir->lock);
}

static void *reader_run(void *arg)
{
    struct source_dir *dir = (struct source_dir *)arg;
    for (;;) {
        bool cancelled;
        struct s3_get *get = take(dir, &cancelled);
        if (get == NULL) {
            return NULL;
        }
        get->err = ERR_INIT;
        get->checksum = (struct s3_checksum){.kind = S3_CHECKSUM_NONE};
        get->has_local_size = false;
        get->parts_count = 0;
        get->tries = 1;
        if (cancelled) {
            (void)err_set(&get->err, ERR_CANCELLED, "'%s': interrupted", get->key);
        } else {
            /* The outcome is in get->err, and done() hands it on. */
            const int failed = perform(dir->root, get, &get->err);
            count(dir, failed != 0 || get->head ? 0 : get->size);
        }
        get->done(get);
    }
}

static void get(struct source *source, struct s3_get *what)
{
    struct source_dir *dir = dir_of(source);
    ASSERT(what->key != NULL && what->done != NULL);
    ASSERT(what->head || (what->size > 0 && what->into != NULL));
    what->next = NULL;
    mutex_lock(&dir->lock);
    if (dir->last == NULL) {
        dir->first = what;
    } else {
        dir->last->next = what;
    }
    dir->last = what;
    cond_signal(&dir->work);
    mutex_unlock(&dir->lock);
}

static void cancel(struct source *source)
{
    struct source_dir *dir = dir_of(source);
    mutex_lock(&dir->lock);
    dir->cancelled = true;
    mutex_unlock(&dir->lock);
}

static struct s3_stats stats(struct source *source)
{
    struct source_dir *dir = dir_of(source);
    mutex_lock(&dir->lock);
    const struct s3_stats now = dir->stats;
    mutex_unlock(&dir->lock);
    return now;
}

/* The caller's function, asked only while the source is not cancelled. */
struct listing {
    struct source_dir *dir;
    s3_entry_fn *fn;
    void *ctx;
};

static int pass_entry(void *ctx, const struct s3_entry *entry, struct err *e)
{
    const struct listing *listing = (const struct listing *)ctx;
    mutex_lock(&listing->dir->lock);
    const bool cancelled = listing->dir->cancelled;
    mutex_unlock(&listing->dir->lock);
    if (cancelled) {
        return err_set(e, ERR_CANCELLED, "listing of '%s': interrupted", entry->key);
    }
    return listing->fn(listing->ctx, entry, e);
}

static int list(struct source *source, const struct s3_list *what, s3_entry_fn *fn, void *ctx,
                struct err *e)
{
    struct listing listing = {.dir = dir_of(source), .fn = fn, .ctx = ctx};
    count(listing.dir, 0);
    return dir_tree_list(listing.dir->root, what, pass_entry, &listing, e);
}

static void free_all(struct source *source)
{
    struct source_dir *dir = dir_of(source);
    mutex_lock(&dir->lock);
    dir->cancelled = true;
    dir->closing = true;
    cond_broadcast(&dir->work);
    mutex_unlock(&dir->lock);
    for (size_t i = 0; i < READERS; i++) {
        thread_join(dir->threads[i]);
    }
    ASSERT(dir->first == NULL);
    cond_done(&dir->work);
    mutex_done(&dir->lock);
    (void)close(dir->root); /* only read */
    free(dir);
}

int source_dir_open(const char *path, struct source **ret, struct err *e)
{
    static const struct source_ops OPS = {
        .list = list, .get = get, .cancel = cancel, .stats = stats, .free = free_all};
    ASSERT(path != NULL && ret != NULL);
    const int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        const int sys = errno;
        const enum err_kind kind = sys == ENOTDIR                  ? ERR_CONFIG
                                   : sys == EACCES || sys == EPERM ? ERR_AUTH
                                                                   : ERR_NOT_FOUND;
        (void)err_set_sys(e, kind, sys, "source directory '%s'", path);
        return kind == ERR_AUTH ? err_hint(e, "let this user read the source") : -1;
    }
    struct source_dir *dir = xcalloc(1, sizeof(*dir));
    dir->face.ops = &OPS;
    dir->root = root;
    mutex_init(&dir->lock);
    cond_init(&dir->work);
    for (size_t i = 0; i < READERS; i++) {
        dir->threads[i] = thread_start(reader_run, dir, "source-read");
    }
    *ret = &dir->face;
    return 0;
}
