/*
 * cql: the statements of a schema.cql that Cassandra wrote beside a snapshot, told apart without
 * understanding more of them than what they make. Pure. The text is from outside: what is not one
 * of the statements that such a file holds is CQL_OTHER, for somebody may pipe it into cqlsh.
 */
#ifndef PENATES_CQL_H
#define PENATES_CQL_H

#include "agent/base/buf.h"

enum cql_kind {
    CQL_TYPE,
    CQL_TABLE,
    CQL_ALTER_TABLE, /* columns that were dropped, and maybe added again */
    CQL_INDEX,
    CQL_VIEW,
    CQL_OTHER,
};

/* A name as it is written, with its quotes; empty where there is none. */
struct cql_name {
    struct slice keyspace, name;
};

/* Slices borrow the text. */
struct cql_statement {
    enum cql_kind kind;
    struct slice text;      /* from its first word to its ';' */
    struct cql_name target; /* the type or table that it makes or alters; of an index its table */
    struct cql_name base;   /* of a view: the table that it reads */
};

/* Cuts the next statement off *rest. 1: there is one, 0: the end, -1: what follows is
 * cut short or nothing that Cassandra writes. Comments between statements are passed over. */
int cql_next(struct slice *rest, struct cql_statement *ret);

/* True when what is written names `name`: "Users" does so with its quotes only. */
bool cql_names(struct slice written, const char *name);

/* True when a name that was written as it is has to be quoted to mean itself. */
bool cql_needs_quotes(struct slice name);

/* Appends the name as CQL has to spell it. False: it does not fit. */
bool cql_put_name(struct buf *out, struct slice name);

#endif
