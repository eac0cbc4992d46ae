/*
 * sstable_name: the parts of an SSTable component's file name, for every Cassandra version that
 * Priam backed up: "ks-cf-ic-5-Data.db", "ks-cf.idx-ka-7-Data.db", "mc-42-big-Data.db",
 * "nb-3gp1_0kd1_...-big-Data.db", "da-...-bti-Data.db". Pure.
 */
#ifndef PENATES_SSTABLE_NAME_H
#define PENATES_SSTABLE_NAME_H

#include "agent/base/buf.h"

enum component_kind {
    COMPONENT_DATA,
    COMPONENT_DIGEST, /* Digest.crc32, Digest.adler32, Digest.sha1 */
    COMPONENT_TOC,
    COMPONENT_OTHER,
};

struct sstable_name {
    struct slice prefix;     /* up to the last '-': what the components of one SSTable share */
    struct slice version;    /* "mc", "nb", "da" */
    struct slice generation; /* decimal, or a UUID-based identifier (4.1 and later) */
    struct slice component;  /* "Data.db" */
    enum component_kind kind;
    bool numbered; /* the generation is decimal: it can be renumbered */
};

/* False for side files such as manifest.json and schema.cql. */
bool sstable_name_parse(struct slice file, struct sstable_name *ret);

/* Writes the name with another generation. ret is NUL-terminated; false when it does not fit. */
bool sstable_name_renumber(const struct sstable_name *name, uint64_t generation, char *ret,
                           size_t ret_size);

/* Up to Cassandra 2.1 a name starts with its table ("TABLE-" up to 1.0, then "KS-TABLE-"): writes
 * it for another table. False: it does not, or the new one does not fit. */
bool sstable_name_reown(const struct sstable_name *name, const char *keyspace, const char *table,
                        char *ret, size_t ret_size);

#endif
