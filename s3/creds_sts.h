/*
 * creds_sts: asks the Security Token Service for the credentials of a role: the regional endpoint
 * of the region that is configured, or the one that AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL or the
 * profile names.
 *
 *     caller's credentials | a web identity's token ──▶ STS ──▶ credentials for an hour
 *
 * Bounded: TRIES tries of 10 s. Keeps no state: whoever renews asks the caller's source anew, too.
 */
#ifndef PENATES_S3_CREDS_STS_H
#define PENATES_S3_CREDS_STS_H

#include "s3/creds_provider.h"
#include "s3/creds_role.h"

/* AssumeRole, signed by the caller. ERR_CONFIG or ERR_AUTH when it is refused, ERR_RETRY when STS
 * could not be asked; never ERR_NOT_FOUND. The role is checked here. */
int creds_sts_assume(const struct creds_system *system, const struct creds_options *options,
                     const struct creds_role *role, const struct creds_value *caller,
                     struct creds_value *ret, struct err *e) MUST_CHECK;

/* AssumeRoleWithWebIdentity, not signed, with the token that the file has in it now. */
int creds_sts_assume_with_token(const struct creds_system *system,
                                const struct creds_options *options, const struct creds_role *role,
                                const char *token_file, struct creds_value *ret,
                                struct err *e) MUST_CHECK;

#endif
