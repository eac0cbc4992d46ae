/*
 * decode: the command that turns one stored file into a plain one, as a stream, without a source or
 * a plan. One thread; holds one part, one block, and nothing of the file's size.
 */
#ifndef PENATES_DECODE_H
#define PENATES_DECODE_H

#include "agent/config.h"

/*
 * Reads config->argument (NULL or "-": stdin), writes config->decode_out (NULL or "-": stdout). A
 * file appears under its name only when whole and synced; until then it is a hidden temporary file
 * beside it, which a failure removes.
 *
 * ERR_CORRUPT, ERR_TRUNCATED, ERR_LIMIT: the input, and without --raw also input that has no magic;
 * ERR_NOT_FOUND, ERR_CONFIG: it cannot be opened; ERR_REFUSED: the output is there and is not a
 * regular file; ERR_CREATE, ERR_DISK: the output; ERR_CANCELLED. When a pipe's reader has gone,
 * kind is ERR_DISK and sys is EPIPE: the reader has what it wanted, so there is nothing to complain
 * about.
 */
int decode_run(const struct config *config, struct err *e) MUST_CHECK;

#endif
