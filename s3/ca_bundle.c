#include "s3/ca_bundle.h"

#include <curl/curl.h>
#include <unistd.h>

/* Debian and Ubuntu; EL and Amazon Linux, new and old name; SUSE; Alpine (where Go's crypto/x509
 * looks, too). */
static const char *const PLACES[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    NULL,
};

const char *ca_bundle_first(const char *const *places)
{
    while (*places != NULL && access(*places, R_OK) != 0) {
        places++;
    }
    return *places;
}

const char *ca_bundle_find(void)
{
    const curl_version_info_data *const info = curl_version_info(CURLVERSION_NOW);
    if (info->age >= CURLVERSION_SEVENTH && (info->cainfo != NULL || info->capath != NULL)) {
        return NULL;
    }
    return ca_bundle_first(PLACES);
}
