#include "agent/base/mem.h"
#include "s3/creds_file.h"

char *creds_find_region(const struct creds_system *system, const char *profile)
{
    ASSERT(system != NULL);
    const char *given = creds_env(system, "AWS_REGION");
    if (given != NULL) {
        return xstrdup(given);
    }
    char *region =
        creds_shared_setting(system, profile, "AWS_DEFAULT_REGION", CREDS_PROPERTY_REGION);
    return region != NULL ? region : creds_imds_region(system, profile);
}
