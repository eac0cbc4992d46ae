/* What a metadata service could answer: either credentials that are fit to send, or an error. */
#include <string.h>

#include "agent/base/mem.h"
#include "s3/creds_provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_part(const char *text)
{
    for (; *text != '\0'; text++) {
        ASSERT(*text > ' ' && *text <= '~');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autofree char *text = xcalloc(size + 1, 1);
    if (size > 0) {
        memcpy(text, data, size);
    }
    struct creds_value value = {.id = ""};
    struct err e = ERR_INIT;
    if (creds_imds_parse(text, size, &value, &e) != 0) {
        ASSERT(e.kind != ERR_NONE && e.text[0] != '\0');
        ASSERT(value.id[0] == '\0');
        return 0;
    }
    ASSERT(value.id[0] != '\0' && value.secret[0] != '\0' && value.expires_ms > 0);
    check_part(value.id);
    check_part(value.secret);
    check_part(value.token);
    return 0;
}
