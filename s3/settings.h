/*
 * settings: which S3 the environment and the shared files of the AWS CLI mean, and how to address
 * it: the variable, else the property of the profile (botocore). A [services] section is not read.
 * Any thread.
 */
#ifndef PENATES_S3_SETTINGS_H
#define PENATES_S3_SETTINGS_H

#include <stdbool.h>

#include "s3/creds_provider.h"

struct settings {
    char *endpoint; /* AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, endpoint_url; NULL: none, or
                       AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true */
    char *ca_file;  /* AWS_CA_BUNDLE, ca_bundle; NULL: none */
    bool dualstack; /* AWS_USE_DUALSTACK_ENDPOINT, use_dualstack_endpoint */
    bool fips;      /* AWS_USE_FIPS_ENDPOINT, use_fips_endpoint */
    bool path_style, virtual_host; /* s3: addressing_style */
};

/* profile NULL: that of the environment, then "default". Files that cannot be read say nothing
 * here: creds_get tells what is wrong with them. settings_done frees. */
void settings_read(const char *profile, struct settings *ret);
void settings_read_in(const struct creds_system *system, const char *profile, struct settings *ret);
/* Of another service, whose own variable is named. NULL: none. Caller frees. */
char *settings_endpoint(const struct creds_system *system, const char *profile,
                        const char *variable);
void settings_done(struct settings *settings);

#endif
