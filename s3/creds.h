/*
 * creds: who we are to AWS. A chain of providers in botocore's order: an explicit profile, the
 * environment, roles of profiles, web identities, the shared files, a container's agent, IMDSv2;
 * and a role on top. The answer is cached and renewed ahead of its expiry by a thread of its own,
 * so that nobody waits for it; a failed renewal keeps what there is. Any thread. Secrets are never
 * logged, and are overwritten before their memory is freed.
 */
#ifndef PENATES_S3_CREDS_H
#define PENATES_S3_CREDS_H

#include "agent/base/buf.h"
#include "agent/base/err.h"

enum {
    CREDS_ID_MAX = 128,
    CREDS_SECRET_MAX = 256,
    CREDS_TOKEN_MAX = 8192, /* session tokens of chained roles reach some KiB */
};

/* A plain value, about 9 KiB: keep it off deep stacks; wipe with creds_value_wipe. */
struct creds_value {
    char id[CREDS_ID_MAX];
    char secret[CREDS_SECRET_MAX];
    char token[CREDS_TOKEN_MAX]; /* "" for long-lived keys */
    int64_t expires_ms;          /* 0: never */
    char source[64];             /* "environment", "profile 'dr'", "role 'x'": for messages */
};

void creds_value_wipe(struct creds_value *value);

/* NULL: not given. Copied. */
struct creds_options {
    const char *profile;     /* --profile; else the environment's, then "default" */
    const char *role_arn;    /* --role-arn: assumed with whatever the chain yields */
    const char *external_id; /* --external-id: of that role */
    const char *region;      /* --region: whose STS is asked; else as creds_region tells */
    const char *ca_file;     /* for STS; NULL: the system's */
    bool dualstack;          /* STS's endpoint with IPv6 */
    bool fips;               /* STS's FIPS endpoint */
    /* A renewal has failed and what there is must do, told once until one works again; from any
     * thread, no lock held. NULL: nobody wants to know. */
    void (*on_stale)(const struct err *why);
};

struct creds;

/* Touches no file and no network; starts libcurl, so call it before there are threads. */
struct creds *creds_new(const struct creds_options *options);
/* Waits for a renewal under way, as bounded as creds_get. NULL is fine. */
void creds_free(struct creds *creds);

/*
 * The credentials to sign with now. Blocks on IMDS, on STS and the like (each bounded in time and
 * tries) while there are none that the store could take. ERR_AUTH names every provider that was
 * asked and what it said; ERR_RETRY: the one that was set up could not be reached. *ret must be
 * wiped by the caller.
 */
int creds_get(struct creds *creds, struct creds_value *ret, struct err *e) MUST_CHECK;

/*
 * One word of this instance's metadata, as IMDSv2 tells: `path` follows /latest/meta-data/. Asks
 * again for a few seconds. ERR_NOT_FOUND: no such path, or no metadata service here; ERR_AUTH: it
 * does not answer as one does. Starts libcurl, so call it before there are threads.
 */
enum { CREDS_METADATA_SIZE = 256 };
int creds_metadata(const char *profile, const char *path, char ret[CREDS_METADATA_SIZE],
                   struct err *e) MUST_CHECK;

/* The store said that these have expired or are not known: the next creds_get asks again, at most
 * once for the same id and token. */
void creds_reject(struct creds *creds, const struct creds_value *value);

/* The last fetch failed because whoever gives credentials could not be reached: later that may be
 * another matter. *ret_why is that failure's. */
bool creds_out_of_reach(struct creds *creds, struct err *ret_why) MUST_CHECK;

/* False: others have taken the place of `value` since creds_get gave it. */
bool creds_is_current(struct creds *creds, const struct creds_value *value) MUST_CHECK;

/* Region from AWS_REGION, AWS_DEFAULT_REGION, the profile, IMDS; NULL when none says. What an
 * operator wrote is not checked. May block like creds_get. Caller frees. */
char *creds_region(struct creds *creds);

#endif
