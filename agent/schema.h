/*
 * schema: the definitions of a plan's tables, from the schema.cql files that Cassandra writes into
 * a snapshot (3.11 and later; older ones may not). Read with a few GETs: what several nodes have
 * alike is read once. One thread outside.
 *
 *     plan ─▶ tables with a schema.cql ─▶ GET, decode ─▶ text of each ─▶ schema_print
 */
#ifndef PENATES_SCHEMA_H
#define PENATES_SCHEMA_H

#include "agent/plan.h"

enum {
    SCHEMA_FILE_MAX = 1024 * 1024, /* plain bytes; a column takes about 30 */
    SCHEMA_MEMORY_SHARE = 4,       /* all of them together: this part of --memory at most */
};

/* One table directory: a table of one id. */
struct schema_table {
    const char *keyspace, *table, *table_dir; /* the plan's */
    const char *token;                        /* of the node whose text it is: the newest one */
    int64_t snapshot_ms;                      /* of that node */
    int64_t created_ms;   /* as the version-1 UUID of table_dir says; 0: it says nothing */
    char *text;           /* NUL-terminated; NULL: no node has a schema.cql */
    const char *other;    /* the token of a node with another text; NULL: none */
    uint32_t first, last; /* schema->entries: its nodes */
};

/* A table directory of one node. */
struct schema_entry {
    uint32_t table; /* index into plan->tables */
    uint32_t file;  /* its schema.cql in plan->files; PLAN_NONE: there is none */
};

struct schema {
    const struct plan *plan;
    struct schema_table
        *tables; /* by keyspace and table; of one name, the one created last first */
    struct schema_entry *entries;
    uint32_t table_count, entry_count;
};

/* The plan must outlive it. Fails as stored_read does, or with ERR_LIMIT. Tables of system
 * keyspaces are left out: each Cassandra makes its own. */
int schema_read(const struct config *config, struct source *source, const struct plan *plan,
                struct schema *ret, struct err *e) MUST_CHECK;
void schema_done(struct schema *schema);

/* Milliseconds since 1970 at which the id at the end of "name-<32 hex digits>" was made; 0: not
 * such a name, or not a version-1 UUID. */
int64_t schema_created_ms(const char *table_dir);

/* schema_print.c: as CQL in an order that cqlsh can run, and warnings to the log. */
void schema_print(const struct schema *schema, const char *source_name, FILE *file);

#endif
