/*
 * source_watch: a source around a source, that counts what listings bring, and gives up on all when
 * a time is up that was set for some of it. Contracts as source.h.
 */
#ifndef PENATES_SOURCE_WATCH_H
#define PENATES_SOURCE_WATCH_H

#include "agent/source.h"

/* `inner` is the watch's from now on. */
struct source *source_watch_new(struct source *inner);

/* What is asked from now on, until source_watch_end, has to be answered in so many ms. After that
 * the inner source is cancelled, for good. */
void source_watch_begin(struct source *source, uint64_t within_ms);
void source_watch_end(struct source *source);

/* True when a time was up. */
bool source_watch_is_up(struct source *source);
/* Entries of all listings so far. */
uint64_t source_watch_entries(struct source *source);

#endif
