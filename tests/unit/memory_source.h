/*
 * memory_source: a source that is a table of keys, for tests of what is read from one. Lists in
 * byte order as S3 does, with start-after and folders; answers gets at once on the calling thread.
 * An ETag is a number made of the content, so that equal objects have equal ones.
 */
#ifndef PENATES_TESTS_MEMORY_SOURCE_H
#define PENATES_TESTS_MEMORY_SOURCE_H

#include "agent/source.h"

/* `base` as in struct source. */
struct source *memory_source_new(const char *base);

/* Puts or replaces an object; the key is whole, the content copied. */
void memory_source_put(struct source *source, const char *key, const char *content);
void memory_source_remove(struct source *source, const char *key);
void memory_source_archive(struct source *source, const char *key, const char *storage_class);
/* As SSE-KMS does: equal contents no longer mean equal ETags. */
void memory_source_set_etag(struct source *source, const char *key, const char *etag);

/* Entries that listings gave so far: what was looked at. */
uint64_t memory_source_listed(const struct source *source);

#endif
