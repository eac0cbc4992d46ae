/*
 * creds_profile: one profile as the two shared files tell it together, and which way to credentials
 * it means. Pure: creds_file.c reads the files. The values are borrowed from the files' texts and
 * are secrets.
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
    CREDS_PROPERTY_OLDER_TOKEN,
    CREDS_PROPERTY_REGION,
    CREDS_PROPERTY_ROLE,
    CREDS_PROPERTY_SOURCE_PROFILE,
    CREDS_PROPERTY_CREDENTIAL_SOURCE,
    CREDS_PROPERTY_EXTERNAL_ID,
    CREDS_PROPERTY_SESSION_NAME,
    CREDS_PROPERTY_DURATION,
    CREDS_PROPERTY_MFA,
    CREDS_PROPERTY_WEB_IDENTITY,
    CREDS_PROPERTY_SSO,
    CREDS_PROPERTY_PROCESS,
    CREDS_PROPERTY_LOGIN,
    CREDS_PROPERTY_IMDS_ENDPOINT,
    CREDS_PROPERTY_IMDS_MODE,
    CREDS_PROPERTY_IMDS_IPV6,
    CREDS_PROPERTY_IMDS_TIMEOUT,
    CREDS_PROPERTY_IMDS_ATTEMPTS,
    CREDS_PROPERTY_ENDPOINT, /* from here on: settings.c's */
    CREDS_PROPERTY_NO_ENDPOINT,
    CREDS_PROPERTY_CA_FILE,
    CREDS_PROPERTY_DUALSTACK,
    CREDS_PROPERTY_FIPS,
    CREDS_PROPERTY_ADDRESSING,
    CREDS_PROPERTIES
};

/* How a profile comes to credentials, the first that it names (botocore's order). */
enum creds_way {
    CREDS_WAY_ROLE,             /* role_arn, without a web identity */
    CREDS_WAY_WEB_IDENTITY,     /* web_identity_token_file */
    CREDS_WAY_SSO,              /* not supported */
    CREDS_WAY_CREDENTIALS_KEYS, /* of the credentials file */
    CREDS_WAY_LOGIN,            /* not supported */
    CREDS_WAY_PROCESS,          /* credential_process */
    CREDS_WAY_CONFIG_KEYS,      /* of the config file */
    CREDS_WAY_NONE
};

struct creds_profile {
    const char *name; /* borrowed; set by the caller, as are the paths; the rest zero */
    const char *paths[CREDS_FILES];
    unsigned lines[CREDS_FILES];                       /* of its section; 0: it is not there */
    const char *values[CREDS_FILES][CREDS_PROPERTIES]; /* NULL when absent or empty */
    unsigned property_lines[CREDS_FILES][CREDS_PROPERTIES];
};

/* Adds what one file says; its text is cut in place, text[size] must be NUL. ERR_CONFIG
 * "line N: ..." when the file is malformed or has the profile or one of its keys twice. */
int creds_profile_add(struct creds_profile *profile, enum creds_file file, char *text, size_t size,
                      struct err *e) MUST_CHECK;

bool creds_profile_exists(const struct creds_profile *profile);

/* Of both files, that of the credentials file first, as in the AWS CLI; NULL when it has none. */
const char *creds_profile_get(const struct creds_profile *profile, enum creds_property property);

/* In the source_profile of another, keys of its own beat a role (botocore). */
enum creds_way creds_profile_way(const struct creds_profile *profile, bool is_source);

/* True when it has a key of its own, or half of one: what a profile needs to be its own source. */
bool creds_profile_has_keys(const struct creds_profile *profile);

/* The keys in one file. ERR_CONFIG when half of them is missing. */
int creds_profile_keys(const struct creds_profile *profile, enum creds_file file,
                       struct creds_value *ret, struct err *e) MUST_CHECK;

/* ERR_CONFIG "profile 'x' (FILE, line N): <why>", the line being that of the property, which it
 * has. Always -1. */
int creds_profile_refuse(const struct creds_profile *profile, enum creds_property property,
                         struct err *e, const char *fmt, ...) PRINTF_LIKE(4, 5);

#endif
