/*
 * apply_yaml: what a restored node needs in its cassandra.yaml, and the file that gets it. The
 * token is the backup's; one token a node, as Priam has it; auto_bootstrap is off because nobody
 * may stream to a node that has its data (deploy spec, 7.1 and 7.2).
 *
 * The file is never written in place: the new one is made beside it, synced, renamed. The first
 * original stays as FILE.before-penates, the very inode, so that `mv` takes the change back.
 */
#ifndef PENATES_APPLY_YAML_H
#define PENATES_APPLY_YAML_H

#include "agent/cassandra_yaml.h"

enum { APPLY_YAML_SETTINGS = 3 };

/* initial_token, num_tokens, auto_bootstrap. Borrows the token. */
void apply_yaml_settings(const char *token, struct yaml_setting ret[APPLY_YAML_SETTINGS]);

struct apply_yaml {
    char *file;   /* where it really is */
    char *before; /* the original kept; NULL: nothing was changed, and nothing is kept */
    bool changed;
};
void apply_yaml_done(struct apply_yaml *applied);

/*
 * Would apply_yaml_write succeed? Writes nothing. ERR_CONFIG: no such file, or not one that can be
 * edited; ERR_CREATE: its folder may not be written to, its owner could not be kept, or it is a
 * mount, immutable or append-only.
 */
int apply_yaml_check(const char *path, const char *token, struct err *e) MUST_CHECK;

/* Follows symlinks to the file. Writes nothing when all is as wanted. ERR_CONFIG and ERR_CREATE as
 * above; ERR_DISK. The caller ends *ret with apply_yaml_done(). */
int apply_yaml_write(const char *path, const char *token, struct apply_yaml *ret,
                     struct err *e) MUST_CHECK;

/* The text of the file. ERR_CONFIG: cannot be read. */
int apply_yaml_read(const char *path, struct buf *ret, struct err *e) MUST_CHECK;

#endif
