/*
 * policy: the least IAM policy that reading a backup takes, as JSON. Pure but for the printing.
 */
#ifndef PENATES_POLICY_H
#define PENATES_POLICY_H

#include "agent/config.h"

/* The policy for config's source, selection and role; caller frees. ERR_CONFIG: the source is no
 * bucket, or the role none. */
int policy_make(const struct config *config, char **ret, struct err *e) MUST_CHECK;

#endif
