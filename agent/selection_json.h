/*
 * selection_json: a selection as JSON whose members are named as the options are. It is what a
 * saved plan pins, what the report says was asked for, and the identity that a target's journal is
 * bound to; lists are sorted, so that equal selections give equal text.
 */
#ifndef PENATES_SELECTION_JSON_H
#define PENATES_SELECTION_JSON_H

#include "agent/json_write.h"
#include "agent/plan.h"

/* Members that were not chosen are left out. */
void selection_json(struct json *json, const char *name, const struct selection *selection,
                    enum layout layout);

/* Source, selection and layout as asked for ("latest" stays "latest"), on one line. Caller frees.
 */
char *selection_identity(const struct config *config, const char *source_name);

/* The selection that finds the plan's points again later: cluster, region, tokens, dialect and
 * instants as the plan resolved them. Borrows from both; *token_space, which the caller frees,
 * holds its list of tokens. */
struct selection selection_pinned(const struct selection *asked, const struct plan *plan,
                                  const char ***token_space);

#endif
