/*
 * stale: commit logs, hints and saved caches of an earlier life of the node. Cassandra replays the
 * first at its start, sends the second to other nodes, and believes the third; over restored data
 * that brings old mutations back (priam spec 11.2.17). cdc_raw is not among them: its consumers
 * read it, Cassandra does not.
 *
 * Nothing is deleted: files move into a new folder within their own, where Cassandra, which goes by
 * names such as CommitLog-*.log and *.hints, does not look. That is one file system also when the
 * folder is a mount point. Only regular files right in the folder count; hidden ones do not. One
 * thread.
 */
#ifndef PENATES_STALE_H
#define PENATES_STALE_H

#include "agent/base/buf.h"
#include "agent/base/err.h"

#define STALE_ASIDE "penates-set-aside-"

/* One folder with such files. */
struct stale_folder {
    char *path;
    uint64_t files, bytes;
    char *aside; /* where they went; NULL: they are still there */
};

struct stale {
    struct stale_folder *folders;
    size_t count;
};

/*
 * Looks beside each data directory (`dirs`, as given and where they really are), or, with `yaml`,
 * the text of a cassandra.yaml, where that says; a key that it lacks means beside again. A folder
 * that is not there is fine. ERR_CREATE: one may not be read. ERR_CONFIG: `yaml`.
 */
int stale_find(const char *const *dirs, size_t count, const struct buf *yaml, struct stale *ret,
               struct err *e) MUST_CHECK;
void stale_done(struct stale *stale);

/* "2 files (32.0 MiB) in '/var/lib/cassandra/commitlog', ...", as far as it fits. */
enum { STALE_TEXT_SIZE = 512 };
const char *stale_text(const struct stale *stale, char text[STALE_TEXT_SIZE]);

/* Moves them; `now_ms` names the new folders. What an interrupted run has left goes into another
 * one. ERR_CREATE, ERR_DISK. */
int stale_set_aside(struct stale *stale, int64_t now_ms, struct err *e) MUST_CHECK;

#endif
