/* plan_print: a plan for the eyes, and the few figures that its JSON shares. */
#ifndef PENATES_PLAN_PRINT_H
#define PENATES_PLAN_PRINT_H

#include "agent/plan.h"

/* Keys have at most 1024 bytes; a path is six components of at most 255 (see backup_key.h). */
enum { PLAN_PATH_SIZE_MAX = 4096 };

void plan_print(const struct config *config, const char *source_name, const struct plan *plan,
                FILE *file);

/* plan_worst_indexes in words; caller frees. */
char *plan_print_indexes(const struct plan *plan);

/* plan_instants in words; caller frees. */
char *plan_print_instants(const struct plan *plan);

/* GETs that fetching takes: one a part, and one for an empty object. */
uint64_t plan_get_requests(const struct plan *plan, uint64_t part_size);

/* Bytes that the file system of `directory`, or of its nearest ancestor, has for us. False: it
 * cannot be asked. */
bool plan_free_space(const char *directory, uint64_t *ret_bytes);

#endif
