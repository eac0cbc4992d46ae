#include "s3/creds_sts.h"

/*
 * botocore's order (credentials.py, create_credential_resolver):
 *
 *     environment ──▶ the profile's role ──▶ web identity ──▶ the profile's keys ──▶ container
 *     ──▶ instance
 *
 * An option --profile takes the environment out, a profile that the environment names does not.
 * --role-arn is assumed with whatever comes out of it. Everything is asked anew each time, the
 * sources of roles too: they may have been renewed since.
 */

static int ask_environment(const struct creds_system *system, const struct creds_options *options,
                           struct creds_value *ret, struct err *e)
{
    if (options->profile != NULL) {
        return err_set(e, ERR_NOT_FOUND, "environment: not asked, because a profile was given");
    }
    return creds_env_read(system, ret, e);
}

static int ask_container(const struct creds_system *system, const struct creds_options *options,
                         struct creds_value *ret, struct err *e)
{
    (void)options;
    return creds_container_read(system, ret, e);
}

static int ask_instance(const struct creds_system *system, const struct creds_options *options,
                        struct creds_value *ret, struct err *e)
{
    return creds_imds_read(system, options->profile, ret, e);
}

typedef int provider_fn(const struct creds_system *system, const struct creds_options *options,
                        struct creds_value *ret, struct err *e);

static int hint_of(const struct err *last, struct err *e)
{
    return err_hint(e, "%s",
                    last->hint[0] != '\0' ? last->hint
                                          : "give --profile, set AWS_ACCESS_KEY_ID and "
                                            "AWS_SECRET_ACCESS_KEY, or attach a role to the "
                                            "instance");
}

/* One that was set up and failed: what the others before it do not have is no matter. */
static int fail_of(const struct err *last, struct err *e)
{
    const bool tells_what_to_do = last->kind == ERR_CONFIG || last->kind == ERR_RETRY;
    (void)err_set(e, tells_what_to_do ? last->kind : ERR_AUTH, "no credentials: %s", last->text);
    e->http = last->http;
    e->sys = last->sys;
    if (last->kind == ERR_CONFIG && last->hint[0] == '\0') {
        return err_hint(e, "correct that: no other credentials are used in its place");
    }
    /* A service out of reach is there once more when the network is: the kind's own hint. */
    return last->kind == ERR_RETRY && last->hint[0] == '\0' ? -1 : hint_of(last, e);
}

static int ask_providers(const struct creds_system *system, const struct creds_options *options,
                         struct creds_value *ret, struct err *e)
{
    static provider_fn *const providers[] = {ask_environment, creds_links_read, ask_container,
                                             ask_instance};
    autobuf struct buf said = BUF_INIT(sizeof(e->text));
    struct err last = ERR_INIT;
    for (size_t i = 0; i < ARRAY_SIZE(providers); i++) {
        if (providers[i](system, options, ret, &last) == 0) {
            return 0;
        }
        if (last.kind != ERR_NOT_FOUND) {
            return fail_of(&last, e);
        }
        (void)buf_appendf(&said, "%s%s", i == 0 ? "" : "; ", last.text); /* four short ones fit */
    }
    (void)err_set(e, ERR_AUTH, "no credentials: %s", buf_str(&said));
    return hint_of(&last, e);
}

int creds_chain_ask(const struct creds_system *system, const struct creds_options *options,
                    struct creds_value *ret, struct err *e)
{
    if (options->role_arn == NULL) {
        return ask_providers(system, options, ret, e);
    }
    const struct creds_role role = {.arn = options->role_arn, .external_id = options->external_id};
    struct creds_value caller;
    if (creds_role_check(&role, e) != 0 || ask_providers(system, options, &caller, e) != 0) {
        return -1;
    }
    const int rc = creds_sts_assume(system, options, &role, &caller, ret, e);
    creds_value_wipe(&caller);
    return rc;
}
