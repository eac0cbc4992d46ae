/*
 * creds_role: a role that is to be assumed, as the options or a profile tell it. Pure, but for the
 * session's name, which comes from the machine. Any thread.
 */
#ifndef PENATES_S3_CREDS_ROLE_H
#define PENATES_S3_CREDS_ROLE_H

#include "agent/base/err.h"

enum {
    CREDS_ROLE_ARN_MAX = 2048, /* limits of STS: API reference, AssumeRole */
    CREDS_ROLE_SESSION_MAX = 64,
    CREDS_ROLE_SECONDS = 3600, /* what a role that is assumed with another role's credentials may
                                  have at most, and a role of any other kind at least */
};

/* All borrowed. */
struct creds_role {
    const char *arn;
    const char *external_id;  /* NULL: none */
    const char *session_name; /* NULL: creds_role_session() */
    uint64_t duration_s;      /* 0: CREDS_ROLE_SECONDS */
};

/* ERR_CONFIG when STS could not take it: the form of the ARN, of the other texts, the duration. */
int creds_role_check(const struct creds_role *role, struct err *e) MUST_CHECK;

/* The last part of a checked ARN: the role's own name. Borrowed. */
const char *creds_role_name(const char *arn);

/* "penates-" and the id of the instance, off EC2 the name of the host: so CloudTrail tells which
 * node it was. */
void creds_role_session(char ret[CREDS_ROLE_SESSION_MAX + 1]);
/* The same of a given name, made fit for STS: what it may not have becomes '-'. */
void creds_role_session_of(const char *machine, char ret[CREDS_ROLE_SESSION_MAX + 1]);

#endif
