/*
 * source_watch: a source around a source, that counts what listings bring and ends those that take
 * too long, wherever they are asked for. Contracts as source.h.
 */
#ifndef PENATES_SOURCE_WATCH_H
#define PENATES_SOURCE_WATCH_H

#include "agent/source.h"

/* `inner` is the watch's from now on. */
struct source *source_watch_new(struct source *inner);

/* From now on a listing that is under way at `mono_ms` fails with ERR_LIMIT. Not while one is. */
void source_watch_until(struct source *watch, uint64_t mono_ms);
/* True when one has since. */
bool source_watch_ended(struct source *watch);
/* Entries of all listings so far. */
uint64_t source_watch_entries(struct source *watch);

#endif
