/* What a metadata service, a container's agent or a credential_process could answer: either
 * credentials that are fit to send, or an error. */
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

static int parse_process(char *text, size_t size, struct creds_value *ret, struct err *e)
{
    return creds_process_parse(text, size, 1, ret, e);
}

typedef int parse_fn(char *text, size_t size, struct creds_value *ret, struct err *e);

static void check(parse_fn *parse, bool may_last, const uint8_t *data, size_t size)
{
    autofree char *text = xcalloc(size + 1, 1);
    if (size > 0) {
        memcpy(text, data, size);
    }
    struct creds_value value = {.id = ""};
    struct err e = ERR_INIT;
    if (parse(text, size, &value, &e) != 0) {
        ASSERT(e.kind != ERR_NONE && e.text[0] != '\0');
        ASSERT(value.id[0] == '\0');
        return;
    }
    ASSERT(value.id[0] != '\0' && value.secret[0] != '\0');
    ASSERT(value.expires_ms > 0 || (may_last && value.expires_ms == 0));
    check_part(value.id);
    check_part(value.secret);
    check_part(value.token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(creds_imds_parse, false, data, size);
    check(creds_container_parse, false, data, size);
    check(parse_process, true, data, size);
    return 0;
}
