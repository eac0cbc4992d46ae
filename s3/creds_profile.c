#include "s3/creds_profile.h"

#include <stdarg.h>
#include <string.h>

#include "s3/creds_ini.h"
#include "s3/creds_provider.h"

static const char *const property_names[] = {
    [CREDS_PROPERTY_ID] = "aws_access_key_id",
    [CREDS_PROPERTY_SECRET] = "aws_secret_access_key",
    [CREDS_PROPERTY_TOKEN] = "aws_session_token",
    [CREDS_PROPERTY_OLDER_TOKEN] = "aws_security_token",
    [CREDS_PROPERTY_REGION] = "region",
    [CREDS_PROPERTY_ROLE] = "role_arn",
    [CREDS_PROPERTY_SOURCE_PROFILE] = "source_profile",
    [CREDS_PROPERTY_CREDENTIAL_SOURCE] = "credential_source",
    [CREDS_PROPERTY_EXTERNAL_ID] = "external_id",
    [CREDS_PROPERTY_SESSION_NAME] = "role_session_name",
    [CREDS_PROPERTY_DURATION] = "duration_seconds",
    [CREDS_PROPERTY_MFA] = "mfa_serial",
    [CREDS_PROPERTY_WEB_IDENTITY] = "web_identity_token_file",
    [CREDS_PROPERTY_SSO] = "sso_", /* sso_session, sso_account_id, sso_start_url, ... */
    [CREDS_PROPERTY_PROCESS] = "credential_process",
    [CREDS_PROPERTY_LOGIN] = "login_session",
    [CREDS_PROPERTY_IMDS_ENDPOINT] = "ec2_metadata_service_endpoint",
    [CREDS_PROPERTY_IMDS_MODE] = "ec2_metadata_service_endpoint_mode",
    [CREDS_PROPERTY_IMDS_IPV6] = "imds_use_ipv6",
    [CREDS_PROPERTY_IMDS_TIMEOUT] = "metadata_service_timeout",
    [CREDS_PROPERTY_IMDS_ATTEMPTS] = "metadata_service_num_attempts",
    [CREDS_PROPERTY_ENDPOINT] = "endpoint_url",
    [CREDS_PROPERTY_NO_ENDPOINT] = "ignore_configured_endpoint_urls",
    [CREDS_PROPERTY_CA_FILE] = "ca_bundle",
    [CREDS_PROPERTY_DUALSTACK] = "use_dualstack_endpoint",
    [CREDS_PROPERTY_FIPS] = "use_fips_endpoint",
    [CREDS_PROPERTY_ADDRESSING] = "s3.addressing_style",
};
_Static_assert(ARRAY_SIZE(property_names) == CREDS_PROPERTIES, "one name for each property");

static enum creds_property find_property(const char *name)
{
    if (strncmp(name, "sso_", 4) == 0) {
        return CREDS_PROPERTY_SSO;
    }
    for (unsigned i = 0; i < CREDS_PROPERTIES; i++) {
        if (strcmp(name, property_names[i]) == 0) {
            return (enum creds_property)i;
        }
    }
    return CREDS_PROPERTIES;
}

/* [profile x], [profile "x y"] and [default]: only the config file puts "profile" in front. */
static bool is_config_section(const char *section, const char *profile)
{
    static const char prefix[] = "profile";
    if (strcmp(section, "default") == 0) {
        return strcmp(profile, "default") == 0;
    }
    if (strncmp(section, prefix, strlen(prefix)) != 0) {
        return false;
    }
    const char *name = section + strlen(prefix);
    const size_t spaces = strspn(name, " \t");
    name += spaces;
    size_t size = strlen(name);
    while (size > 0 && (name[size - 1] == ' ' || name[size - 1] == '\t')) {
        size--;
    }
    if (size >= 2 && (name[0] == '"' || name[0] == '\'') && name[size - 1] == name[0]) {
        name++;
        size -= 2;
    }
    return spaces > 0 && strlen(profile) == size && memcmp(name, profile, size) == 0;
}

struct adding {
    struct creds_profile *profile;
    enum creds_file file;
};

static int add_property(void *ctx, unsigned line, const char *section, const char *name,
                        const char *value, struct err *e)
{
    const struct adding *adding = ctx;
    struct creds_profile *profile = adding->profile;
    const bool is_ours = adding->file == CREDS_FILE_CONFIG
                             ? is_config_section(section, profile->name)
                             : strcmp(section, profile->name) == 0;
    if (!is_ours) {
        return 0;
    }
    if (name == NULL) {
        if (profile->lines[adding->file] != 0) {
            return err_set(e, ERR_CONFIG, "line %u: profile '%s' for the second time", line,
                           profile->name);
        }
        profile->lines[adding->file] = line;
        return 0;
    }
    const enum creds_property property = find_property(name);
    if (property == CREDS_PROPERTIES || value[0] == '\0') {
        return 0;
    }
    const char **slot = &profile->values[adding->file][property];
    if (*slot != NULL && property != CREDS_PROPERTY_SSO) {
        return err_set(e, ERR_CONFIG, "line %u: %s for the second time", line, name);
    }
    *slot = value;
    profile->property_lines[adding->file][property] = line;
    return 0;
}

int creds_profile_add(struct creds_profile *profile, enum creds_file file, char *text, size_t size,
                      struct err *e)
{
    ASSERT(profile->name != NULL && file < CREDS_FILES);
    ASSERT(profile->lines[file] == 0);
    struct adding adding = {.profile = profile, .file = file};
    return creds_ini_read(text, size, add_property, &adding, e);
}

bool creds_profile_exists(const struct creds_profile *profile)
{
    return profile->lines[CREDS_FILE_CREDENTIALS] != 0 || profile->lines[CREDS_FILE_CONFIG] != 0;
}

static enum creds_file file_of(const struct creds_profile *profile, enum creds_property property)
{
    return profile->values[CREDS_FILE_CREDENTIALS][property] != NULL ? CREDS_FILE_CREDENTIALS
                                                                     : CREDS_FILE_CONFIG;
}

const char *creds_profile_get(const struct creds_profile *profile, enum creds_property property)
{
    ASSERT(property < CREDS_PROPERTIES);
    return profile->values[file_of(profile, property)][property];
}

static bool has_keys_in(const struct creds_profile *profile, enum creds_file file)
{
    return profile->values[file][CREDS_PROPERTY_ID] != NULL ||
           profile->values[file][CREDS_PROPERTY_SECRET] != NULL;
}

bool creds_profile_has_keys(const struct creds_profile *profile)
{
    return has_keys_in(profile, CREDS_FILE_CREDENTIALS) || has_keys_in(profile, CREDS_FILE_CONFIG);
}

enum creds_way creds_profile_way(const struct creds_profile *profile, bool is_source)
{
    const bool has_web_identity = creds_profile_get(profile, CREDS_PROPERTY_WEB_IDENTITY) != NULL;
    if (creds_profile_get(profile, CREDS_PROPERTY_ROLE) != NULL && !has_web_identity &&
        !(is_source && creds_profile_has_keys(profile))) {
        return CREDS_WAY_ROLE;
    }
    if (has_web_identity) {
        return CREDS_WAY_WEB_IDENTITY;
    }
    if (creds_profile_get(profile, CREDS_PROPERTY_SSO) != NULL) {
        return CREDS_WAY_SSO;
    }
    if (has_keys_in(profile, CREDS_FILE_CREDENTIALS)) {
        return CREDS_WAY_CREDENTIALS_KEYS;
    }
    if (creds_profile_get(profile, CREDS_PROPERTY_LOGIN) != NULL) {
        return CREDS_WAY_LOGIN;
    }
    if (creds_profile_get(profile, CREDS_PROPERTY_PROCESS) != NULL) {
        return CREDS_WAY_PROCESS;
    }
    return has_keys_in(profile, CREDS_FILE_CONFIG) ? CREDS_WAY_CONFIG_KEYS : CREDS_WAY_NONE;
}

int creds_profile_keys(const struct creds_profile *profile, enum creds_file file,
                       struct creds_value *ret, struct err *e)
{
    ASSERT(profile->name != NULL && ret != NULL);
    ASSERT(has_keys_in(profile, file));
    const char *id = profile->values[file][CREDS_PROPERTY_ID];
    const char *secret = profile->values[file][CREDS_PROPERTY_SECRET];
    if (id == NULL) {
        return creds_profile_refuse(profile, CREDS_PROPERTY_SECRET, e,
                                    "it has aws_secret_access_key but no aws_access_key_id in the "
                                    "same file");
    }
    if (secret == NULL) {
        return creds_profile_refuse(profile, CREDS_PROPERTY_ID, e,
                                    "it has aws_access_key_id but no aws_secret_access_key in the "
                                    "same file");
    }
    const char *older = profile->values[file][CREDS_PROPERTY_OLDER_TOKEN]; /* first (botocore) */
    const char *token = older != NULL ? older : profile->values[file][CREDS_PROPERTY_TOKEN];
    char source[sizeof(ret->source)];
    (void)snprintf(source, sizeof(source), "profile '%.50s'", profile->name);
    return creds_value_set(ret, source, id, secret, token, 0, e);
}

int creds_profile_refuse(const struct creds_profile *profile, enum creds_property property,
                         struct err *e, const char *fmt, ...)
{
    const enum creds_file file = file_of(profile, property);
    ASSERT(profile->values[file][property] != NULL);
    char why[256];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, args); /* cut: it is for reading */
    va_end(args);
    return err_set(e, ERR_CONFIG, "profile '%.100s' (%.150s, line %u): %s", profile->name,
                   profile->paths[file], profile->property_lines[file][property], why);
}
