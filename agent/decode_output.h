/*
 * decode_output: where decode writes. One owner, one thread.
 */
#ifndef PENATES_DECODE_OUTPUT_H
#define PENATES_DECODE_OUTPUT_H

#include "agent/base/buf.h"
#include "agent/base/err.h"

enum { DECODE_TEMP_NAME_SIZE = 64 };

struct decode_output {
    const char *path;                 /* for messages; borrowed */
    const char *name;                 /* the last component of path; NULL: stdout */
    int fd;                           /* -1: not open */
    int dir;                          /* the directory of the file; -1: none */
    char temp[DECODE_TEMP_NAME_SIZE]; /* in dir, to be removed; "": none */
};

#define DECODE_OUTPUT_INIT ((struct decode_output){.fd = -1, .dir = -1})

/* `path` NULL or "-": stdout. ERR_CONFIG, ERR_REFUSED, ERR_CREATE. done() is due in any case. */
int decode_output_open(struct decode_output *out, const char *path, struct err *e) MUST_CHECK;

/* All of it, or ERR_DISK (ERR_CREATE when the disk is full). */
int decode_output_write(struct decode_output *out, struct slice bytes, struct err *e) MUST_CHECK;

/* Brings the file to disk and gives it its name. ERR_DISK. */
int decode_output_commit(struct decode_output *out, struct err *e) MUST_CHECK;

/* Removes what was not committed. */
void decode_output_done(struct decode_output *out);

#endif
