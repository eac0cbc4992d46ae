/*
 * identity: which restore a target belongs to: the source and what was asked of it, as canonical
 * words of a command line. Equal restores have equal identities, whatever the order and the source
 * of their options; it stands in the target's journal and in messages. Pure.
 */
#ifndef PENATES_IDENTITY_H
#define PENATES_IDENTITY_H

#include "agent/config.h"

/* "s3://bucket/backup --at latest --include shop.orders": what is as the default is left out, but
 * for the time, and times are as asked for ("latest" stays "latest"). Caller frees. */
char *identity_of(const struct config *config, const char *source_name);

#endif
