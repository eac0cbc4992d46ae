/* folder_list: the names of the folders directly below a prefix of the source. */
#ifndef PENATES_FOLDER_LIST_H
#define PENATES_FOLDER_LIST_H

#include "agent/source.h"

/* Zeroed: empty. */
struct folder_list {
    char **names; /* safe as path components; without '/' */
    size_t count, capacity;
};

/* Adds the folders below the prefix, which ends in '/' or is empty. Unsafe names are passed over:
 * no backup lies below one. ERR_LIMIT after a million names, or as source_list. */
int folder_list_read(struct folder_list *list, struct source *source, const char *prefix,
                     struct err *e) MUST_CHECK;
void folder_list_add(struct folder_list *list, const char *name, size_t size);
void folder_list_done(struct folder_list *list); /* frees; empty afterwards */

#endif
