#include "s3/creds_profile.h"

#include <string.h>

#include "s3/creds_ini.h"
#include "s3/creds_provider.h"

static const char *const property_names[] = {
    [CREDS_PROPERTY_ID] = "aws_access_key_id",
    [CREDS_PROPERTY_SECRET] = "aws_secret_access_key",
    [CREDS_PROPERTY_TOKEN] = "aws_session_token",
    [CREDS_PROPERTY_REGION] = "region",
    [CREDS_PROPERTY_ROLE] = "role_arn",
    [CREDS_PROPERTY_WEB_IDENTITY] = "web_identity_token_file",
    [CREDS_PROPERTY_SSO] = "sso_", /* sso_session, sso_account_id, sso_start_url, ... */
    [CREDS_PROPERTY_PROCESS] = "credential_process",
    [CREDS_PROPERTY_LOGIN] = "login_session",
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
        if (profile->exists[adding->file]) {
            return err_set(e, ERR_CONFIG, "line %u: profile '%s' for the second time", line,
                           profile->name);
        }
        profile->exists[adding->file] = true;
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
    return 0;
}

int creds_profile_add(struct creds_profile *profile, enum creds_file file, char *text, size_t size,
                      struct err *e)
{
    ASSERT(profile->name != NULL && file < CREDS_FILES);
    ASSERT(!profile->exists[file]);
    struct adding adding = {.profile = profile, .file = file};
    return creds_ini_read(text, size, add_property, &adding, e);
}

/* Values of the credentials file win, as they do in the AWS CLI. */
static const char *value_of(const struct creds_profile *profile, enum creds_property property)
{
    const char *first = profile->values[CREDS_FILE_CREDENTIALS][property];
    return first != NULL ? first : profile->values[CREDS_FILE_CONFIG][property];
}

static int refuse_if_set(const struct creds_profile *profile, enum creds_property property,
                         struct err *e)
{
    if (value_of(profile, property) == NULL) {
        return 0;
    }
    (void)err_set(e, ERR_CONFIG, "profile '%.100s': it uses %s%s, which is not supported yet",
                  profile->name, property_names[property],
                  property == CREDS_PROPERTY_SSO ? "*" : "");
    return err_hint(e,
                    "export keys for it: eval \"$(aws configure export-credentials --profile "
                    "%.60s --format env)\", then run without --profile",
                    profile->name);
}

static int keys_of(const struct creds_profile *profile, enum creds_file file,
                   struct creds_value *ret, struct err *e)
{
    const char *id = profile->values[file][CREDS_PROPERTY_ID];
    const char *secret = profile->values[file][CREDS_PROPERTY_SECRET];
    char source[sizeof(ret->source)];
    (void)snprintf(source, sizeof(source), "profile '%.50s'", profile->name);
    if (id == NULL && secret == NULL) {
        return err_set(e, ERR_NOT_FOUND, "%s: it has no aws_access_key_id", source);
    }
    if (id == NULL || secret == NULL) {
        return err_set(e, ERR_CONFIG, "%s: it has %s but no %s in the same file", source,
                       property_names[id == NULL ? CREDS_PROPERTY_SECRET : CREDS_PROPERTY_ID],
                       property_names[id == NULL ? CREDS_PROPERTY_ID : CREDS_PROPERTY_SECRET]);
    }
    return creds_value_set(ret, source, id, secret, profile->values[file][CREDS_PROPERTY_TOKEN], 0,
                           e);
}

/* The order is that of botocore: a role, a web identity and SSO beat keys beside them; a process
 * and a login beat keys in the config file only. */
int creds_profile_value(const struct creds_profile *profile, struct creds_value *ret, struct err *e)
{
    ASSERT(profile->name != NULL && ret != NULL);
    if (refuse_if_set(profile, CREDS_PROPERTY_ROLE, e) != 0 ||
        refuse_if_set(profile, CREDS_PROPERTY_WEB_IDENTITY, e) != 0 ||
        refuse_if_set(profile, CREDS_PROPERTY_SSO, e) != 0) {
        return -1;
    }
    const int rc = keys_of(profile, CREDS_FILE_CREDENTIALS, ret, e);
    if (rc == 0 || e->kind != ERR_NOT_FOUND) {
        return rc;
    }
    if (refuse_if_set(profile, CREDS_PROPERTY_PROCESS, e) != 0 ||
        refuse_if_set(profile, CREDS_PROPERTY_LOGIN, e) != 0) {
        return -1;
    }
    return keys_of(profile, CREDS_FILE_CONFIG, ret, e);
}

const char *creds_profile_region(const struct creds_profile *profile)
{
    return value_of(profile, CREDS_PROPERTY_REGION);
}
