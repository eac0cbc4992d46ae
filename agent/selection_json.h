/*
 * selection_json: a selection as JSON whose members are named as the options are. It is what a
 * saved plan pins and what the report says was asked for. Lists are sorted, so that equal
 * selections give equal text.
 */
#ifndef PENATES_SELECTION_JSON_H
#define PENATES_SELECTION_JSON_H

#include "agent/config.h"
#include "agent/json_write.h"

/* Members that were not chosen are left out. The layout and the names in the target are those of
 * `config`. */
void selection_json(struct json *json, const char *name, const struct selection *selection,
                    const struct config *config);

#endif
