#include "agent/base/parse.h"
#include "s3/creds_provider.h"

const char *creds_env(const struct creds_system *system, const char *name)
{
    const char *value = system->get_env(system->ctx, name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

static int read_expiry(const struct creds_system *system, int64_t *ret_ms, struct err *e)
{
    const char *text = creds_env(system, "AWS_CREDENTIAL_EXPIRATION");
    int64_t expires_ms = 0;
    if (text == NULL) {
        *ret_ms = 0;
        return 0;
    }
    if (!parse_time_ms(text, &expires_ms) || expires_ms <= 0) {
        return err_set(e, ERR_CONFIG,
                       "environment: AWS_CREDENTIAL_EXPIRATION is no time like "
                       "2026-11-23T08:00:00Z");
    }
    if (expires_ms <= system->now_ms(system->ctx)) {
        (void)err_set(e, ERR_AUTH, "environment: the credentials have expired at %s", text);
        return err_hint(e, "set fresh AWS_* variables, or unset them to use a profile or a role");
    }
    *ret_ms = expires_ms;
    return 0;
}

int creds_env_read(const struct creds_system *system, struct creds_value *ret, struct err *e)
{
    ASSERT(system != NULL && ret != NULL);
    const char *id = creds_env(system, "AWS_ACCESS_KEY_ID");
    const char *secret = creds_env(system, "AWS_SECRET_ACCESS_KEY");
    if (id == NULL && secret == NULL) {
        return err_set(e, ERR_NOT_FOUND, "environment: AWS_ACCESS_KEY_ID is not set");
    }
    if (id == NULL || secret == NULL) {
        const char *set = id == NULL ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID";
        const char *unset = id == NULL ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY";
        (void)err_set(e, ERR_CONFIG, "environment: %s is set, %s is not", set, unset);
        return err_hint(e, "set both, or unset %s to use a profile or a role", set);
    }
    int64_t expires_ms = 0;
    if (read_expiry(system, &expires_ms, e) != 0) {
        return -1;
    }
    const char *older = creds_env(system, "AWS_SECURITY_TOKEN"); /* counts first (botocore) */
    const char *token = older != NULL ? older : creds_env(system, "AWS_SESSION_TOKEN");
    return creds_value_set(ret, "environment", id, secret, token, expires_ms, e);
}
