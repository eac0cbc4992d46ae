/* creds_file: a profile from the two shared files on disk. Any thread. */
#ifndef PENATES_S3_CREDS_FILE_H
#define PENATES_S3_CREDS_FILE_H

#include "s3/creds_profile.h"
#include "s3/creds_provider.h"

struct creds_shared_file {
    char *path; /* owned; NULL: no variable and no HOME, so nowhere */
    char *text; /* owned, wiped; NULL: there is no such file */
    size_t size;
};

/* A profile and the texts that its values lie in. Zero it before the load. */
struct creds_shared {
    struct creds_shared_file files[CREDS_FILES];
    struct creds_profile profile;
};

/* --profile, else AWS_DEFAULT_PROFILE, else AWS_PROFILE, else "default"; borrowed. *ret_named:
 * somebody asked for it. */
const char *creds_shared_name(const struct creds_system *system, const char *option,
                              bool *ret_named);

/* The profile may turn out not to exist, nor the files. ERR_CONFIG "reading 'FILE': ..." when one
 * cannot be read or is malformed; call creds_shared_done then, too. `name` is borrowed. */
int creds_shared_load(const struct creds_system *system, const char *name, struct creds_shared *ret,
                      struct err *e) MUST_CHECK;
void creds_shared_done(struct creds_shared *shared);

/* What the environment says of a setting (variable NULL: nothing), else the profile that `option`
 * or the environment names; NULL when neither says, or the files cannot be read. Caller frees. */
char *creds_shared_setting(const struct creds_system *system, const char *option,
                           const char *variable, enum creds_property property);

/* The same, of a setting that is on or off: "true" is on, whatever else is not (botocore). */
bool creds_shared_is_true(const struct creds_system *system, const char *option,
                          const char *variable, enum creds_property property);

/* Tells that the profile exists in neither file. Always -1. */
int creds_shared_missing(const struct creds_shared *shared, enum err_kind kind, struct err *e);

#endif
