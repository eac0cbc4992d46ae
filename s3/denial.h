/*
 * denial: who may not do what on what, and what to add. S3 tells all of it when the bucket is of
 * the caller's account or organization (S3 User Guide, "Access denied message examples"):
 *
 *     User: arn:aws:sts::123456789012:assumed-role/restore/i-0 is not authorized to perform:
 *     s3:ListBucket on resource: "arn:aws:s3:::bucket" because no identity-based policy allows
 *     the s3:ListBucket action
 *
 * and else nothing but "Access Denied": then the words come from what was asked for. Pure. What a
 * server sends is cut to what a line can bear.
 */
#ifndef PENATES_S3_DENIAL_H
#define PENATES_S3_DENIAL_H

#include "agent/base/err.h"

enum {
    DENIAL_ACTION_MAX = 64, /* the longest of S3 and KMS have 40 */
    DENIAL_ARN_MAX = 320, /* a role's takes up to 200 bytes, one with a key of Priam's about 300 */
};

/* What a denial tells. "": it does not; what is longer ends in "...". */
struct denial {
    char user[DENIAL_ARN_MAX];
    char action[DENIAL_ACTION_MAX]; /* "s3:GetObject" */
    char resource[DENIAL_ARN_MAX];
    const char *policy; /* its kind, a literal such as "VPC endpoint policy"; NULL: not told */
    char policy_arn[DENIAL_ARN_MAX];
    bool by_deny; /* a Deny in it; else there is no Allow */
};

/* False, and *ret untouched, when the message names no action. */
bool denial_parse(const char *message, struct denial *ret);

/* What a request asked for. Strings are borrowed. */
struct denial_asked {
    const char *action; /* "s3:GetObject" */
    bool list;          /* asks the bucket, with a prefix; else for an object */
    const char *bucket; /* or an access point's ARN */
    const char *key;    /* or the prefix */
    const char *region; /* tells the partition of AWS */
    const char *caller; /* where the credentials come from; NULL: it was not signed */
};

/* Words a denial: e gets "<what>: <who> was refused <action> on <resource>" and the next step.
 * `what` is the answer in short, "403 AccessDenied"; message is "" where the store tells none. */
void denial_word(const struct denial_asked *asked, const char *what, const char *message,
                 struct err *e);

#endif
