/*
 * ca_bundle: where this machine keeps the certificates to trust. A libcurl that a distribution
 * built knows that itself; one that is linked into our packages runs on several, and has to look.
 */
#ifndef PENATES_S3_CA_BUNDLE_H
#define PENATES_S3_CA_BUNDLE_H

/* NULL: libcurl knows, or there is none, and TLS then fails with curl's own words. Static. */
const char *ca_bundle_find(void);

/* For tests: the first of `places`, ended by NULL, that can be read; NULL: none. */
const char *ca_bundle_first(const char *const *places);

#endif
