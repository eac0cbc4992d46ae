#include "s3/settings.h"

#include <string.h>
#include <strings.h>

#include "agent/base/mem.h"
#include "s3/creds_file.h"

struct asked {
    const struct creds_system *system;
    const struct creds_profile *profile; /* NULL: the files cannot be read */
};

/* An empty variable says nothing. Borrowed; NULL when nobody says. */
static const char *told(const struct asked *asked, const char *variable,
                        enum creds_property property)
{
    const char *const value = creds_env(asked->system, variable);
    if (value != NULL || asked->profile == NULL) {
        return value;
    }
    return creds_profile_get(asked->profile, property);
}

/* "true" is; whatever else is not (botocore). */
static bool is_true(const char *value)
{
    return value != NULL && strcasecmp(value, "true") == 0;
}

static char *copy(const char *value)
{
    return value == NULL ? NULL : xstrdup(value);
}

static const char *find_endpoint(const struct asked *asked)
{
    if (is_true(told(asked, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", CREDS_PROPERTY_NO_ENDPOINT))) {
        return NULL;
    }
    const char *const of_s3 = creds_env(asked->system, "AWS_ENDPOINT_URL_S3");
    return of_s3 != NULL ? of_s3 : told(asked, "AWS_ENDPOINT_URL", CREDS_PROPERTY_ENDPOINT);
}

void settings_read_in(const struct creds_system *system, const char *profile, struct settings *ret)
{
    ASSERT(system != NULL && ret != NULL);
    bool is_named = false;
    struct creds_shared shared = {.files = {{.path = NULL}}};
    struct err ignored = ERR_INIT;
    const bool loaded = creds_shared_load(system, creds_shared_name(system, profile, &is_named),
                                          &shared, &ignored) == 0;
    const struct asked asked = {system, loaded ? &shared.profile : NULL};
    const char *const style =
        loaded ? creds_profile_get(&shared.profile, CREDS_PROPERTY_ADDRESSING) : NULL;
    *ret = (struct settings){
        .endpoint = copy(find_endpoint(&asked)),
        .ca_file = copy(told(&asked, "AWS_CA_BUNDLE", CREDS_PROPERTY_CA_FILE)),
        .dualstack = is_true(told(&asked, "AWS_USE_DUALSTACK_ENDPOINT", CREDS_PROPERTY_DUALSTACK)),
        .fips = is_true(told(&asked, "AWS_USE_FIPS_ENDPOINT", CREDS_PROPERTY_FIPS)),
        .path_style = style != NULL && strcmp(style, "path") == 0,
        .virtual_host = style != NULL && strcmp(style, "virtual") == 0,
    };
    creds_shared_done(&shared);
}

static const char *process_env(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

void settings_read(const char *profile, struct settings *ret)
{
    static const struct creds_system PROCESS = {.get_env = process_env};
    settings_read_in(&PROCESS, profile, ret);
}

void settings_done(struct settings *settings)
{
    free(settings->endpoint);
    free(settings->ca_file);
    *settings = (struct settings){.endpoint = NULL};
}
