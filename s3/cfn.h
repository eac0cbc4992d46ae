/*
 * cfn: tells CloudFormation that a resource whose creation policy waits is ready, or will not be:
 * SignalResource, at the endpoint of the stack's region. By one of two ways:
 *
 *     instance   metadata: identity document and signature ──▶ GET, "Authorization: CFN_V1 ..."
 *     signed     credentials chain ──▶ signed form ──▶ POST
 *
 * The first asks for no right in IAM: CloudFormation looks whether the instance belongs to the
 * stack. It is what AWS's own cfn-signal sends. One try a call; blocks; any thread.
 */
#ifndef PENATES_S3_CFN_H
#define PENATES_S3_CFN_H

#include "s3/creds_provider.h"

/* Borrowed until cfn_free. */
struct cfn_options {
    const char *stack;   /* name or ARN, whose region counts */
    const char *profile; /* NULL: as creds_options */
    const char *ca_file; /* NULL: the system's */
    bool fips;
    bool signs; /* the second way */
};

struct cfn;

/*
 * Finds the endpoint: the region is the ARN's, else the instance's, or, for a signed call, that of
 * the environment and the profile; AWS_ENDPOINT_URL_CLOUDFORMATION and the like are asked instead.
 * May ask the instance's metadata, and starts libcurl. ERR_CONFIG: no region, or no URL.
 */
int cfn_open(const struct cfn_options *options, struct cfn **ret, struct err *e) MUST_CHECK;
int cfn_open_in(const struct creds_system *system, const struct cfn_options *options,
                struct cfn **ret, struct err *e) MUST_CHECK;
void cfn_free(struct cfn *cfn); /* NULL is fine */

const char *cfn_region(const struct cfn *cfn);
/* "https://cloudformation.eu-west-1.amazonaws.com"; borrowed. */
const char *cfn_url(const struct cfn *cfn);

struct cfn_signal {
    const char *resource;  /* its logical id */
    const char *unique_id; /* that of the instance, unless the resource is a wait condition */
    bool success;
};

/*
 * ERR_NOT_FOUND: neither stack nor resource waits (any more); ERR_RETRY: may be asked again;
 * ERR_AUTH, ERR_CONFIG: it may not. The text holds nothing of what authorizes.
 */
int cfn_send(struct cfn *cfn, const struct cfn_signal *signal, struct err *e) MUST_CHECK;

/* A connection with TLS and nothing more. ERR_RETRY, ERR_CONFIG. */
int cfn_reach(const struct cfn *cfn, struct err *e) MUST_CHECK;

#endif
