/* Any bytes as an answer of STS: either whole credentials that end, or an error that has no byte of
 * them. */
#include <string.h>

#include "s3/creds_http.h"
#include "s3/sts_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct creds_value value;
    struct err e = ERR_INIT;
    if (size > CREDS_HTTP_BODY_MAX) {
        return 0;
    }
    value = (struct creds_value){.id = ""};
    if (sts_xml_credentials(slice_of(data, size), "role 'x'", &value, &e) != 0) {
        ASSERT(e.kind == ERR_CORRUPT || e.kind == ERR_LIMIT || e.kind == ERR_CONFIG);
        ASSERT(e.text[0] != '\0' && value.id[0] == '\0' && value.secret[0] == '\0');
        return 0;
    }
    ASSERT(value.id[0] != '\0' && value.secret[0] != '\0' && value.expires_ms > 0);
    ASSERT(strlen(value.token) < sizeof(value.token));
    return 0;
}
