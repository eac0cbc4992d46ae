/*
 * findings: what the checks of `penates doctor` found, in order: each a name, a state and a line of
 * facts. Printed as a table, or as JSON (deploy/schema/doctor.schema.json). One thread.
 */
#ifndef PENATES_FINDINGS_H
#define PENATES_FINDINGS_H

#include "agent/base/err.h"

enum finding_state {
    FINDING_OK,
    FINDING_WARNED,  /* a restore gets past it */
    FINDING_FAILED,  /* a restore ends there */
    FINDING_SKIPPED, /* not looked at; the text says why */
};

const char *finding_state_name(enum finding_state state);

struct findings;

struct findings *findings_new(void);
void findings_free(struct findings *findings); /* NULL is fine */

/* A name is a literal, and comes once but for those of directories and stacks. Control characters
 * in a text become '?'. */
void findings_ok(struct findings *findings, const char *name, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void findings_skip(struct findings *findings, const char *name, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* next_step: in the imperative. */
void findings_warn(struct findings *findings, const char *name, const char *next_step,
                   const char *fmt, ...) PRINTF_LIKE(4, 5);
/* In the words of the failure. */
void findings_warn_err(struct findings *findings, const char *name, const struct err *e);
void findings_fail(struct findings *findings, const char *name, const struct err *e);

/* The failure that came first; NULL: none did. */
const struct err *findings_failure(const struct findings *findings);

void findings_print(const struct findings *findings, FILE *file);
void findings_json(const struct findings *findings, const char *source, FILE *file);

#endif
