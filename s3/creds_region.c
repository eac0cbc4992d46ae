#include "agent/base/mem.h"
#include "s3/creds_file.h"

static char *of_profile(const struct creds_system *system, const char *option)
{
    bool is_named = false;
    struct creds_shared shared = {.files = {{.path = NULL}}};
    struct err ignored = ERR_INIT; /* creds_get tells it */
    const char *region = NULL;
    if (creds_shared_load(system, creds_shared_name(system, option, &is_named), &shared,
                          &ignored) == 0) {
        region = creds_profile_get(&shared.profile, CREDS_PROPERTY_REGION);
    }
    char *copy = region == NULL ? NULL : xstrdup(region);
    creds_shared_done(&shared);
    return copy;
}

char *creds_find_region(const struct creds_system *system, const char *profile)
{
    ASSERT(system != NULL);
    static const char *const names[] = {"AWS_REGION", "AWS_DEFAULT_REGION"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *region = creds_env(system, names[i]);
        if (region != NULL) {
            return xstrdup(region);
        }
    }
    char *region = of_profile(system, profile);
    return region != NULL ? region : creds_imds_region(system);
}
