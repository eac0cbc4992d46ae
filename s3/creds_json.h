/*
 * creds_json: one flat JSON object of strings, as credential services answer. Decodes in place, so
 * that no secret is copied into memory that nobody wipes. Pure, any thread.
 */
#ifndef PENATES_S3_CREDS_JSON_H
#define PENATES_S3_CREDS_JSON_H

#include "agent/base/err.h"

struct creds_json_field {
    const char *name;
    bool is_number;    /* wanted is a number (or true, false, null), not a string */
    const char *value; /* out: borrowed from the text; NULL when absent or not what is wanted */
    size_t size;       /* out: of the value; no NUL stands behind a number */
};

/*
 * Fills the fields that are there; others are skipped. text[size] must be NUL. ERR_CORRUPT for what
 * is not one flat object, and for a field given twice. Escapes of other than ASCII become DEL,
 * which no credential may have in it.
 */
int creds_json_read(char *text, size_t size, struct creds_json_field *fields, size_t count,
                    struct err *e) MUST_CHECK;

#endif
