/*
 * source: where the backup lies. An S3 bucket and a directory that mirrors one look the same from
 * above: both list and both get, with the types of s3.h, so plan, decode, check and place are one
 * code path. source_s3.c adapts the client; source_dir.c reads files with threads of its own.
 */
#ifndef PENATES_SOURCE_H
#define PENATES_SOURCE_H

#include "agent/config.h"
#include "s3/s3.h"

struct source;

struct source_ops {
    int (*list)(struct source *source, const struct s3_list *list, s3_entry_fn *fn, void *ctx,
                struct err *e);
    void (*get)(struct source *source, struct s3_get *get);
    void (*cancel)(struct source *source);
    struct s3_stats (*stats)(struct source *source);
    void (*free)(struct source *source);
};

struct source {
    const struct source_ops *ops;
    char *name; /* "s3://bucket/base" or "/path": for messages and reports */
    char *base; /* key prefix below which the backup lies, "" or "backup/"; ends in '/' if not empty
                 */
};

/* Opens config->source. ERR_CONFIG: malformed; ERR_NOT_FOUND: no such directory. No network yet. */
int source_open(const struct config *config, struct source **ret, struct err *e) MUST_CHECK;
void source_free(struct source *source); /* NULL is fine */

/* Keys in requests are whole keys: base included. Contracts as s3_list, s3_submit, s3_get_wait. */
int source_list(struct source *source, const struct s3_list *list, s3_entry_fn *fn, void *ctx,
                struct err *e) MUST_CHECK;
void source_get(struct source *source, struct s3_get *get);
int source_get_wait(struct source *source, struct s3_get *get, struct err *e) MUST_CHECK;
void source_cancel(struct source *source);
struct s3_stats source_stats(struct source *source);

#endif
