/*
 * creds_profile: one profile as the two shared files tell it together. Pure: creds_file.c reads the
 * files. The values are borrowed from the files' texts and are secrets.
 */
#ifndef PENATES_S3_CREDS_PROFILE_H
#define PENATES_S3_CREDS_PROFILE_H

#include "s3/creds.h"

enum creds_file {
    CREDS_FILE_CREDENTIALS, /* sections are named like the profile */
    CREDS_FILE_CONFIG,      /* [default], [profile x] */
    CREDS_FILES
};

enum creds_property {
    CREDS_PROPERTY_ID,
    CREDS_PROPERTY_SECRET,
    CREDS_PROPERTY_TOKEN,
    CREDS_PROPERTY_REGION,
    CREDS_PROPERTY_ROLE,
    CREDS_PROPERTY_WEB_IDENTITY,
    CREDS_PROPERTY_SSO,
    CREDS_PROPERTY_PROCESS,
    CREDS_PROPERTY_LOGIN,
    CREDS_PROPERTIES
};

struct creds_profile {
    const char *name; /* borrowed; set by the caller, the rest zero */
    bool exists[CREDS_FILES];
    const char *values[CREDS_FILES][CREDS_PROPERTIES]; /* NULL when absent or empty */
};

/* Adds what one file says; its text is cut in place, text[size] must be NUL. ERR_CONFIG
 * "line N: ..." when the file is malformed or has the profile or one of its keys twice. */
int creds_profile_add(struct creds_profile *profile, enum creds_file file, char *text, size_t size,
                      struct err *e) MUST_CHECK;

/* The keys in it. ERR_NOT_FOUND when there are none; ERR_CONFIG when half of them is missing, or
 * when it names a way of getting them that is not supported. */
int creds_profile_value(const struct creds_profile *profile, struct creds_value *ret,
                        struct err *e) MUST_CHECK;

/* Borrowed; NULL when it has none. */
const char *creds_profile_region(const struct creds_profile *profile);

#endif
