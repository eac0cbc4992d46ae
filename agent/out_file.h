/*
 * out_file: a file that the operator asked for by name, whole or not at all: written beside its
 * place and renamed. What is not a regular file, such as /dev/stdout or a pipe, is written in
 * place.
 */
#ifndef PENATES_OUT_FILE_H
#define PENATES_OUT_FILE_H

#include "agent/base/err.h"

struct out_file {
    FILE *file; /* write here */
    char *path;
    char *temp; /* NULL: written in place */
};

/* Would out_file_open get as far as the disk lets it? Writes nothing, for hours before the file is
 * wanted. ERR_CREATE. */
int out_file_check(const char *path, struct err *e) MUST_CHECK;
/* ERR_CREATE. */
int out_file_open(struct out_file *out, const char *path, struct err *e) MUST_CHECK;
/* Brings the file to its place; ERR_DISK when any write before it failed. */
int out_file_close(struct out_file *out, struct err *e) MUST_CHECK;
/* Leaves nothing behind, unless closed before. */
void out_file_done(struct out_file *out);

/* All of the above for a text. */
int out_file_write(const char *path, const char *text, size_t size, struct err *e) MUST_CHECK;

/* Flushes stdout and tells whether all that was printed got through; ERR_DISK. */
int out_file_flush_stdout(struct err *e) MUST_CHECK;

#endif
