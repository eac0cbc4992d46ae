/* The shared files: the input up to its first 0xff is the credentials file, the rest is the config
 * file. Either keys that are whole, or an error. */
#include <string.h>

#include "agent/base/mem.h"
#include "s3/creds_profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *copy_of(const uint8_t *data, size_t size)
{
    char *copy = xcalloc(size + 1, 1);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    return copy;
}

static void check(const struct creds_profile *profile)
{
    struct creds_value value = {.id = ""};
    struct err e = ERR_INIT;
    if (creds_profile_value(profile, &value, &e) != 0) {
        ASSERT(e.kind == ERR_CONFIG || e.kind == ERR_NOT_FOUND);
        ASSERT(value.id[0] == '\0');
    } else {
        ASSERT(value.id[0] != '\0' && value.secret[0] != '\0' && value.expires_ms == 0);
        ASSERT(profile->exists[CREDS_FILE_CREDENTIALS] || profile->exists[CREDS_FILE_CONFIG]);
    }
    const char *region = creds_profile_region(profile);
    ASSERT(region == NULL || region[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *border = size == 0 ? NULL : memchr(data, 0xff, size);
    const size_t first_size = border == NULL ? size : (size_t)(border - data);
    const size_t second_size = border == NULL ? 0 : size - first_size - 1;
    autofree char *credentials = copy_of(data, first_size);
    autofree char *config = copy_of(border == NULL ? NULL : border + 1, second_size);
    struct creds_profile profile = {.name = "dr"};
    struct err e = ERR_INIT;
    if (creds_profile_add(&profile, CREDS_FILE_CREDENTIALS, credentials, first_size, &e) != 0 ||
        creds_profile_add(&profile, CREDS_FILE_CONFIG, config, second_size, &e) != 0) {
        ASSERT(e.kind == ERR_CONFIG && e.text[0] != '\0');
        return 0;
    }
    check(&profile);
    return 0;
}
