/*
 * catalog_search: the nodes below one base. The part of catalog.c that also asks about bases other
 * than the source's own, to say where a backup lies when it is not where it was looked for.
 */
#ifndef PENATES_CATALOG_SEARCH_H
#define PENATES_CATALOG_SEARCH_H

#include "agent/catalog.h"

/* As catalog_find_nodes, below any base; finding none is no failure. ERR_LIMIT when there are more
 * folders than a backup has. */
int catalog_search(const struct selection *selection, struct source *source, const char *base,
                   struct catalog **ret, struct err *e) MUST_CHECK;

#endif
