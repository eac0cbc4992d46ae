/* version: what runs here; the first thing that a report of a fault has to say. */
#include <curl/curl.h>
#include <libxml/xmlversion.h>
#include <openssl/crypto.h>
#include <yajl/yajl_version.h>
#include <yaml.h>

#include "agent/commands.h"
#include "agent/out_file.h"

int version_run(const struct config *config, struct err *e)
{
    (void)config; /* says the same to everybody */
    const int yajl = yajl_version();
    (void)printf("penates %s\n", PENATES_VERSION); /* the flush tells */
    (void)printf("libcurl %s (%s), %s, snappy %s, libxml2 %s, yajl %d.%d.%d, libyaml %s\n",
                 curl_version_info(CURLVERSION_NOW)->version,
                 curl_version_info(CURLVERSION_NOW)->ssl_version, OpenSSL_version(OPENSSL_VERSION),
                 PENATES_SNAPPY_VERSION, LIBXML_DOTTED_VERSION, yajl / 10000, yajl / 100 % 100,
                 yajl % 100, yaml_get_version_string());
    return out_file_flush_stdout(e);
}
