/*
 * java_properties: the text form that java.util.Properties.load(InputStream) reads: comments,
 * escapes, lines that go on after a backslash, ISO 8859-1 bytes. Pure.
 */
#ifndef PENATES_JAVA_PROPERTIES_H
#define PENATES_JAVA_PROPERTIES_H

#include "agent/base/buf.h"

/* Name and value in UTF-8, NUL-terminated, valid during the call. */
typedef void java_property_fn(void *ctx, const char *name, const char *value);

/* Calls fn for each property, in order. False: a malformed \u escape; the line number is in
 * *ret_line. */
bool java_properties_parse(struct slice text, java_property_fn *fn, void *ctx, unsigned *ret_line);

#endif
