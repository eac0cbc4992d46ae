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

static void check_keys(const struct creds_profile *profile, enum creds_file file)
{
    struct creds_value value = {.id = ""};
    struct err e = ERR_INIT;
    if (creds_profile_keys(profile, file, &value, &e) != 0) {
        ASSERT(e.kind == ERR_CONFIG);
        ASSERT(value.id[0] == '\0');
    } else {
        ASSERT(value.id[0] != '\0' && value.secret[0] != '\0' && value.expires_ms == 0);
    }
}

static void check(const struct creds_profile *profile)
{
    const enum creds_way way = creds_profile_way(profile, false);
    const enum creds_way way_of_source = creds_profile_way(profile, true);
    ASSERT(way == CREDS_WAY_NONE || creds_profile_exists(profile));
    ASSERT(way == way_of_source || way == CREDS_WAY_ROLE);
    if (way_of_source == CREDS_WAY_CREDENTIALS_KEYS) {
        check_keys(profile, CREDS_FILE_CREDENTIALS);
    } else if (way_of_source == CREDS_WAY_CONFIG_KEYS) {
        check_keys(profile, CREDS_FILE_CONFIG);
    }
    for (unsigned i = 0; i < CREDS_PROPERTIES; i++) {
        const char *value = creds_profile_get(profile, (enum creds_property)i);
        ASSERT(value == NULL || value[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *border = size == 0 ? NULL : memchr(data, 0xff, size);
    const size_t first_size = border == NULL ? size : (size_t)(border - data);
    const size_t second_size = border == NULL ? 0 : size - first_size - 1;
    autofree char *credentials = copy_of(data, first_size);
    autofree char *config = copy_of(border == NULL ? NULL : border + 1, second_size);
    struct creds_profile profile = {.name = "dr", .paths = {"credentials", "config"}};
    struct err e = ERR_INIT;
    if (creds_profile_add(&profile, CREDS_FILE_CREDENTIALS, credentials, first_size, &e) != 0 ||
        creds_profile_add(&profile, CREDS_FILE_CONFIG, config, second_size, &e) != 0) {
        ASSERT(e.kind == ERR_CONFIG && e.text[0] != '\0');
        return 0;
    }
    check(&profile);
    return 0;
}
