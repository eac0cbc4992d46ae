/*
 * creds_ini: the format of ~/.aws/credentials and ~/.aws/config, as the AWS CLI reads it (Python's
 * configparser): sections in brackets, "name = value" or "name: value", names in any case, comments
 * on lines of their own only, indented lines belong to the property above. Pure, any thread.
 */
#ifndef PENATES_S3_CREDS_INI_H
#define PENATES_S3_CREDS_INI_H

#include "agent/base/err.h"

/*
 * Once for each section with name NULL, and once for each of its properties, the name in lower
 * case; "s3.addressing_style" is that one below "s3 =". The value is borrowed from the text, the
 * names are gone after the call. Returns 0, or -1 with *e set to stop.
 */
typedef int creds_ini_fn(void *ctx, unsigned line, const char *section, const char *name,
                         const char *value, struct err *e);

/* Cuts `text` in place; text[size] must be NUL. ERR_CONFIG "line N: ..." for what is no such file;
 * the message never quotes the line, which may hold a secret. */
int creds_ini_read(char *text, size_t size, creds_ini_fn *fn, void *ctx, struct err *e) MUST_CHECK;

#endif
