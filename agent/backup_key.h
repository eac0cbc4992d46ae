/*
 * backup_key: one object key <-> what it means, for every dialect that Priam wrote. Pure. Keys come
 * from the outside and are hostile until parsed: nothing that could leave its directory or forge a
 * line of output gets through. The formats are those of Priam's RemoteBackupPath and S3BackupPath
 * (priam spec, sections 1 and 2).
 */
#ifndef PENATES_BACKUP_KEY_H
#define PENATES_BACKUP_KEY_H

#include "agent/base/buf.h"
#include "codec/codec.h"

enum key_kind {
    KEY_SNAP,      /* v1 SSTable component or side file of a snapshot */
    KEY_SST,       /* v1 incremental */
    KEY_META,      /* v1 META: only file "meta.json" is a manifest */
    KEY_COMMITLOG, /* v1 CL */
    KEY_SST_V2,
    KEY_SECONDARY_INDEX_V2,
    KEY_META_V2,
};

/* Slices borrow the key. Empty where the kind has no such component. */
struct backup_key {
    enum key_kind kind;
    struct slice region;  /* v1 only */
    struct slice cluster; /* without v2's hash */
    struct slice token;   /* a decimal integer of any size, maybe negative */
    int64_t time_ms;      /* v1: its minute; v2: the component's mtime, or the snapshot instant;
                             from 1970 to 9999 */
    struct slice keyspace;
    struct slice table_dir; /* "users-9fdc..." or, before Cassandra 2.1, "users"; for Cassandra
                               1.0, whose keys have none, the table name that the file name
                               begins with */
    struct slice index_dir; /* ".users_email_idx"; empty: not an index SSTable */
    enum codec_claim claim;
    struct slice file;
};

/*
 * `base` ends in '/' or is empty; more slashes after it are tolerated, for old writers kept those
 * of a base with a slash of its own (priam spec 1.1). False: not a key of any dialect, or unsafe;
 * *ret_why is a literal ("is not a backup key", "has a '..' component", ...).
 */
bool backup_key_parse(const char *base, const char *key, struct backup_key *ret,
                      const char **ret_why);

/* True where keys of v2 sort as their times do: 13 digits, from 2001-09 to 2286. Others lie
 * anywhere among them. */
bool backup_key_is_sorted_ms(int64_t time_ms);

/* Java's String.hashCode() of the cluster name modulo 10000, as v2 prefixes it (priam spec 2.1).
 * The name is UTF-8; the hash runs over its UTF-16 code units. */
int backup_key_cluster_hash(const char *cluster, size_t size);

/* "fix_v2" of "-4266_fix_v2". False: not that form, or the hash is not the cluster's. */
bool backup_key_hashed_cluster(struct slice folder, struct slice *ret_cluster);

/* True for a name that may become one path component of the target: not empty, not "." or "..", at
 * most 255 bytes, no '/', NUL or control character. *ret_why as above. */
bool backup_key_safe_component(struct slice name, const char **ret_why);

/* "users" of "users-9fdc...": the name before the first '-' (priam spec 1.6). Also for entries of
 * table lists, where an id is cut just so (priam spec 4.8). */
struct slice backup_key_table_name(struct slice table_dir);

/* -1, 0, 1: decimal integers of any size in numeric order; text order when one is not a number. */
int backup_key_token_compare(const char *a, const char *b);

#endif
