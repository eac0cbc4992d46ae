#include <string.h>

#include "agent/base/parse.h"
#include "s3/creds_file.h"
#include "s3/creds_sts.h"

/* Who is who among the profiles is botocore's: credentials.py, AssumeRoleProvider. */

enum { LINKS_MAX = 6 }; /* profiles that name another as their source; two are usual */

/* A profile, and behind it the profiles that its role is assumed with. */
struct links {
    const struct creds_system *system;
    const struct creds_options *options;
    struct creds_shared each[LINKS_MAX];
    size_t count;
};

static void links_done(struct links *links)
{
    for (size_t i = 0; i < links->count; i++) {
        creds_shared_done(&links->each[i]);
    }
}

#define auto_links __attribute__((cleanup(links_done)))

static int load_link(struct links *links, const char *name, struct err *e)
{
    ASSERT(links->count < LINKS_MAX);
    struct creds_shared *shared = &links->each[links->count++];
    return creds_shared_load(links->system, name, shared, e);
}

static int read_duration(const struct creds_profile *profile, uint64_t *ret_s, struct err *e)
{
    const char *text = creds_profile_get(profile, CREDS_PROPERTY_DURATION);
    *ret_s = 0;
    if (text != NULL && (!parse_u64(text, strlen(text), ret_s) || *ret_s == 0)) {
        return creds_profile_refuse(profile, CREDS_PROPERTY_DURATION, e,
                                    "duration_seconds is no number of seconds");
    }
    return 0;
}

static int read_role(const struct creds_profile *profile, struct creds_role *ret, struct err *e)
{
    if (creds_profile_get(profile, CREDS_PROPERTY_MFA) != NULL) {
        (void)creds_profile_refuse(profile, CREDS_PROPERTY_MFA, e,
                                   "its role needs the code of an MFA device, and nobody is there "
                                   "to type it");
        return err_hint(e,
                        "export keys for it: eval \"$(aws configure export-credentials --profile "
                        "%.60s --format env)\", then run without --profile",
                        profile->name);
    }
    struct creds_role role = {
        .arn = creds_profile_get(profile, CREDS_PROPERTY_ROLE),
        .external_id = creds_profile_get(profile, CREDS_PROPERTY_EXTERNAL_ID),
        .session_name = creds_profile_get(profile, CREDS_PROPERTY_SESSION_NAME),
    };
    ASSERT(role.arn != NULL);
    if (read_duration(profile, &role.duration_s, e) != 0) {
        return -1;
    }
    if (creds_role_check(&role, e) != 0) {
        const struct err why = *e;
        (void)creds_profile_refuse(profile, CREDS_PROPERTY_ROLE, e, "%s", why.text);
        return why.hint[0] == '\0' ? -1 : err_hint(e, "%s", why.hint);
    }
    *ret = role;
    return 0;
}

/* Where a role's own credentials come from: one of two ways, and not both (botocore). */
static int check_source(const struct creds_profile *profile, struct err *e)
{
    const bool has_profile = creds_profile_get(profile, CREDS_PROPERTY_SOURCE_PROFILE) != NULL;
    const bool has_source = creds_profile_get(profile, CREDS_PROPERTY_CREDENTIAL_SOURCE) != NULL;
    if (has_profile && has_source) {
        return creds_profile_refuse(profile, CREDS_PROPERTY_CREDENTIAL_SOURCE, e,
                                    "it has both source_profile and credential_source");
    }
    if (!has_profile && !has_source) {
        (void)creds_profile_refuse(profile, CREDS_PROPERTY_ROLE, e,
                                   "it has role_arn, but neither source_profile nor "
                                   "credential_source");
        return err_hint(e, "on EC2 add to it: credential_source = Ec2InstanceMetadata");
    }
    return 0;
}

static bool was_visited(const struct links *links, const char *name)
{
    for (size_t i = 0; i < links->count; i++) {
        if (strcmp(links->each[i].profile.name, name) == 0) {
            return true;
        }
    }
    return false;
}

static int load_source(struct links *links, const char *name, struct err *e)
{
    const struct creds_profile *profile = &links->each[links->count - 1].profile;
    if (was_visited(links, name)) {
        return creds_profile_refuse(profile, CREDS_PROPERTY_SOURCE_PROFILE, e,
                                    "source_profile '%.80s' closes a loop", name);
    }
    if (links->count == LINKS_MAX) {
        return creds_profile_refuse(profile, CREDS_PROPERTY_SOURCE_PROFILE, e,
                                    "a source_profile behind %d others", LINKS_MAX - 1);
    }
    if (load_link(links, name, e) != 0) {
        return -1;
    }
    if (!creds_profile_exists(&links->each[links->count - 1].profile)) {
        return creds_profile_refuse(profile, CREDS_PROPERTY_SOURCE_PROFILE, e,
                                    "there is no source_profile '%.80s'", name);
    }
    return 0;
}

/* Loads the sources up to the one that has credentials itself, and checks every role before the
 * first is asked for. Returns 0, or -1. */
static int follow_sources(struct links *links, struct err *e)
{
    for (;;) {
        const struct creds_profile *profile = &links->each[links->count - 1].profile;
        struct creds_role role;
        if (creds_profile_way(profile, links->count > 1) != CREDS_WAY_ROLE) {
            return 0;
        }
        if (read_role(profile, &role, e) != 0 || check_source(profile, e) != 0) {
            return -1;
        }
        const char *source = creds_profile_get(profile, CREDS_PROPERTY_SOURCE_PROFILE);
        /* A profile with a role and keys may name itself: the role is assumed with these keys. */
        if (source == NULL ||
            (strcmp(source, profile->name) == 0 && creds_profile_has_keys(profile))) {
            return 0;
        }
        if (load_source(links, source, e) != 0) {
            return -1;
        }
    }
}

static int refuse_way(const struct creds_profile *profile, enum creds_property property,
                      const char *name, struct err *e)
{
    (void)creds_profile_refuse(profile, property, e, "it uses %s, which is not supported", name);
    return err_hint(e,
                    "export keys for it: eval \"$(aws configure export-credentials --profile "
                    "%.60s --format env)\", then run without --profile",
                    profile->name);
}

/* A file in the environment, a role in the profile: each is looked for on its own (botocore). */
static int ask_web_identity(const struct links *links, const struct creds_profile *profile,
                            bool with_environment, struct creds_value *ret, struct err *e)
{
    static const struct {
        const char *variable;
        enum creds_property property;
    } names[] = {
        {"AWS_WEB_IDENTITY_TOKEN_FILE", CREDS_PROPERTY_WEB_IDENTITY},
        {"AWS_ROLE_ARN", CREDS_PROPERTY_ROLE},
        {"AWS_ROLE_SESSION_NAME", CREDS_PROPERTY_SESSION_NAME},
    };
    const char *values[ARRAY_SIZE(names)];
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        values[i] = with_environment ? creds_env(links->system, names[i].variable) : NULL;
        if (values[i] == NULL) {
            values[i] = creds_profile_get(profile, names[i].property);
        }
    }
    if (values[0] == NULL) {
        return err_set(e, ERR_NOT_FOUND, "web identity: AWS_WEB_IDENTITY_TOKEN_FILE is not set");
    }
    if (values[1] == NULL) {
        return err_set(e, ERR_CONFIG,
                       "web identity: a token file is named, but neither "
                       "AWS_ROLE_ARN nor role_arn is");
    }
    const struct creds_role role = {.arn = values[1], .session_name = values[2]};
    return creds_sts_assume_with_token(links->system, links->options, &role, values[0], ret, e);
}

static int ask_process(const struct links *links, const struct creds_profile *profile,
                       struct creds_value *ret, struct err *e)
{
    char source[sizeof(ret->source)];
    (void)snprintf(source, sizeof(source), "profile '%.50s'", profile->name);
    return creds_process_read(links->system, creds_profile_get(profile, CREDS_PROPERTY_PROCESS),
                              source, ret, e);
}

static int ask_way(const struct links *links, const struct creds_profile *profile,
                   enum creds_way way, struct creds_value *ret, struct err *e)
{
    switch (way) {
    case CREDS_WAY_WEB_IDENTITY:
        return ask_web_identity(links, profile, false, ret, e);
    case CREDS_WAY_SSO:
        return refuse_way(profile, CREDS_PROPERTY_SSO, "sso_*", e);
    case CREDS_WAY_CREDENTIALS_KEYS:
        return creds_profile_keys(profile, CREDS_FILE_CREDENTIALS, ret, e);
    case CREDS_WAY_LOGIN:
        return refuse_way(profile, CREDS_PROPERTY_LOGIN, "login_session", e);
    case CREDS_WAY_PROCESS:
        return ask_process(links, profile, ret, e);
    case CREDS_WAY_CONFIG_KEYS:
        return creds_profile_keys(profile, CREDS_FILE_CONFIG, ret, e);
    case CREDS_WAY_NONE:
        return err_set(e, ERR_NOT_FOUND, "profile '%.50s': it has no aws_access_key_id",
                       profile->name);
    case CREDS_WAY_ROLE:
        break;
    }
    ASSERT(false); /* follow_sources has left no role without a source of its own */
    return -1;
}

/* The names are those of botocore, and as exact. */
static int ask_named(const struct links *links, const struct creds_profile *profile,
                     const char *name, struct creds_value *ret, struct err *e)
{
    int rc = -1;
    if (strcmp(name, "Environment") == 0) {
        rc = creds_env_read(links->system, ret, e);
    } else if (strcmp(name, "Ec2InstanceMetadata") == 0) {
        rc = creds_imds_read(links->system, links->options->profile, ret, e);
    } else if (strcmp(name, "EcsContainer") == 0) {
        rc = creds_container_read(links->system, ret, e);
    } else {
        return creds_profile_refuse(profile, CREDS_PROPERTY_CREDENTIAL_SOURCE, e,
                                    "credential_source '%.40s' is none of Environment, "
                                    "EcsContainer and Ec2InstanceMetadata",
                                    name);
    }
    if (rc != 0 && e->kind == ERR_NOT_FOUND) {
        e->kind = ERR_AUTH; /* it was named: nobody else's will do */
    }
    return rc == 0 ? 0 : err_wrap(e, "profile '%.100s'", profile->name);
}

/* What the first role is assumed with, or what there is without a role. */
static int ask_first(const struct links *links, struct creds_value *ret, struct err *e)
{
    const struct creds_profile *profile = &links->each[links->count - 1].profile;
    const bool is_source = links->count > 1;
    const enum creds_way way = creds_profile_way(profile, is_source);
    const char *named = creds_profile_get(profile, CREDS_PROPERTY_CREDENTIAL_SOURCE);
    if (way == CREDS_WAY_ROLE && named != NULL) {
        return ask_named(links, profile, named, ret, e);
    }
    const int rc = ask_way(links, profile, creds_profile_way(profile, true), ret, e);
    if (rc != 0 && e->kind == ERR_NOT_FOUND && is_source) {
        e->kind = ERR_CONFIG;
    }
    return rc;
}

/* From the last profile back to the first, each role with the credentials of the one before. */
static int assume_all(const struct links *links, struct creds_value *value, struct err *e)
{
    for (size_t i = links->count; i-- > 0;) {
        const struct creds_profile *profile = &links->each[i].profile;
        struct creds_role role;
        if (creds_profile_way(profile, i > 0) != CREDS_WAY_ROLE) {
            continue;
        }
        if (read_role(profile, &role, e) != 0) {
            return -1;
        }
        struct creds_value caller = *value;
        const int rc = creds_sts_assume(links->system, links->options, &role, &caller, value, e);
        creds_value_wipe(&caller);
        if (rc != 0) {
            return err_wrap(e, "profile '%.100s'", profile->name);
        }
    }
    return 0;
}

static int ask_role(struct links *links, struct creds_value *ret, struct err *e)
{
    if (follow_sources(links, e) != 0) {
        return -1;
    }
    struct creds_value value;
    int rc = ask_first(links, &value, e);
    if (rc == 0) {
        rc = assume_all(links, &value, e);
        if (rc == 0) {
            *ret = value;
        }
        creds_value_wipe(&value);
    }
    return rc;
}

int creds_links_read(const struct creds_system *system, const struct creds_options *options,
                     struct creds_value *ret, struct err *e)
{
    ASSERT(system != NULL && ret != NULL);
    bool is_named = false;
    const char *name = creds_shared_name(system, options->profile, &is_named);
    auto_links struct links links = {.system = system, .options = options};
    if (load_link(&links, name, e) != 0) {
        return -1;
    }
    const struct creds_profile *profile = &links.each[0].profile;
    const bool exists = creds_profile_exists(profile);
    if (!exists && is_named) {
        return creds_shared_missing(&links.each[0], ERR_CONFIG, e);
    }
    const enum creds_way way = creds_profile_way(profile, false);
    const bool has_web_identity =
        options->profile == NULL && creds_env(system, "AWS_WEB_IDENTITY_TOKEN_FILE") != NULL;
    if (way != CREDS_WAY_ROLE && has_web_identity) {
        return ask_web_identity(&links, profile, true, ret, e);
    }
    if (way == CREDS_WAY_WEB_IDENTITY) {
        return ask_web_identity(&links, profile, options->profile == NULL, ret, e);
    }
    return exists ? ask_role(&links, ret, e)
                  : creds_shared_missing(&links.each[0], ERR_NOT_FOUND, e);
}
