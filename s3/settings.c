#include "s3/settings.h"

#include <string.h>

#include "agent/base/mem.h"
#include "s3/creds_file.h"

char *settings_endpoint(const struct creds_system *system, const char *profile,
                        const char *variable)
{
    if (creds_shared_is_true(system, profile, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
                             CREDS_PROPERTY_NO_ENDPOINT)) {
        return NULL;
    }
    const char *const of_service = creds_env(system, variable);
    return of_service != NULL
               ? xstrdup(of_service)
               : creds_shared_setting(system, profile, "AWS_ENDPOINT_URL", CREDS_PROPERTY_ENDPOINT);
}

void settings_read_in(const struct creds_system *system, const char *profile, struct settings *ret)
{
    ASSERT(system != NULL && ret != NULL);
    autofree char *style = creds_shared_setting(system, profile, NULL, CREDS_PROPERTY_ADDRESSING);
    *ret = (struct settings){
        .endpoint = settings_endpoint(system, profile, "AWS_ENDPOINT_URL_S3"),
        .ca_file = creds_shared_setting(system, profile, "AWS_CA_BUNDLE", CREDS_PROPERTY_CA_FILE),
        .dualstack = creds_shared_is_true(system, profile, "AWS_USE_DUALSTACK_ENDPOINT",
                                          CREDS_PROPERTY_DUALSTACK),
        .fips = creds_shared_is_true(system, profile, "AWS_USE_FIPS_ENDPOINT", CREDS_PROPERTY_FIPS),
        .path_style = style != NULL && strcmp(style, "path") == 0,
        .virtual_host = style != NULL && strcmp(style, "virtual") == 0,
    };
}

void settings_read(const char *profile, struct settings *ret)
{
    settings_read_in(&creds_process_system, profile, ret);
}

void settings_done(struct settings *settings)
{
    free(settings->endpoint);
    free(settings->ca_file);
    *settings = (struct settings){.endpoint = NULL};
}
