/*
 * dir_tree: a directory tree that mirrors a bucket, listed and opened as if its files were objects.
 * A key is the path below the root. Symlinks are never followed: a backup has none, and one could
 * lead anywhere. Blocking; no state, any thread.
 */
#ifndef PENATES_DIR_TREE_H
#define PENATES_DIR_TREE_H

#include <sys/stat.h>

#include "s3/s3.h"

/*
 * Lists as s3_list does, in byte order of whole keys, holding the names of one directory per level.
 * Only regular files count; what is no possible key (longer than S3's 1024 bytes, deeper than 32
 * directories) is passed over. An empty directory is a folder, too. `entry.etag` is
 * dir_tree_etag's. ERR_AUTH: a directory is closed to us; ERR_DISK: unreadable; ERR_LIMIT: too many
 * names in one; or what fn set.
 */
int dir_tree_list(int root, const struct s3_list *list, s3_entry_fn *fn, void *ctx,
                  struct err *e) MUST_CHECK;

/* Opens the regular file of a key for reading. -1 and errno on failure; ENOENT also for symlinks
 * and for keys with empty, "." or ".." components, which no file of the tree has. Caller closes. */
int dir_tree_open(int root, const char *key);

/* Stands for the content as an ETag does, as well as a file system allows: it changes with size and
 * time of modification. Its form cannot be taken for an MD5. */
enum { DIR_TREE_ETAG_SIZE = 48 };
void dir_tree_etag(const struct stat *status, char ret_etag[DIR_TREE_ETAG_SIZE]);

#endif
