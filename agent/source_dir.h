/* source_dir: a source that is a directory; see source.h. */
#ifndef PENATES_SOURCE_DIR_H
#define PENATES_SOURCE_DIR_H

#include "agent/source.h"

/* Opens the directory and starts the reader threads. ERR_NOT_FOUND, ERR_CONFIG (no directory),
 * ERR_AUTH. The caller sets name and base. */
int source_dir_open(const char *path, struct source **ret, struct err *e) MUST_CHECK;

#endif
