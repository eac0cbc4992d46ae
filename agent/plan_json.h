/* plan_json: a plan as JSON (deploy/schema/plan.schema.json), streamed; and the start of it read
 * back for `restore --plan`. */
#ifndef PENATES_PLAN_JSON_H
#define PENATES_PLAN_JSON_H

#include "agent/json_write.h"
#include "agent/option_bag.h"
#include "agent/plan.h"

void plan_json_write(const struct config *config, const char *source_name, const struct plan *plan,
                     FILE *file);

/* The members that a report has too. */
void plan_json_nodes(struct json *json, const struct plan *plan);
void plan_json_tables(struct json *json, const struct plan *plan);
void plan_json_notes(struct json *json, const struct plan *plan);

/*
 * plan_load.c: reads a saved plan: its selection into the bag, as if each had been an option; its
 * source too; its id and the instant of each of its nodes into the config. Strings live in the
 * bag's arena. ERR_CONFIG: not a plan, or a cut one.
 */
int plan_json_load(struct option_bag *bag, const char *path, struct config *config,
                   struct err *e) MUST_CHECK;

#endif
