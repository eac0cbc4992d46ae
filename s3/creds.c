#include "s3/creds.h"

#include <curl/curl.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/base/thread.h"
#include "s3/creds_provider.h"

/*
 * One fetches at a time, with the lock released: a thread of its own while what there is will do,
 * because the callers are net threads, whose transfers would all stand still; else the first
 * caller, and the others wait. A fetch that failed is not repeated before RETRY_MS, unless there is
 * nothing at all or the store has refused what there is.
 */

enum {
    /* The AWS SDKs ask from 15 min before the end on. An instance gets new credentials at least
       5 min before the old ones end. */
    RENEW_EARLY_MS = 15 * 60 * 1000,
    /* Too near the end to send a request with: the clocks may differ by so much. */
    RENEW_NOW_MS = 60 * 1000,
    RETRY_MS = 60 * 1000,
};

struct creds {
    /* set once */
    struct creds_system system;
    char *profile; /* NULL: none given */
    bool wants_role;
    pthread_mutex_t lock;
    pthread_cond_t fetch_ended;

    /* under lock */
    struct creds_value value; /* id "": none yet */
    bool is_fetching;
    bool must_fetch;     /* the store has refused `value` since the last fetch began */
    bool was_refused;    /* `value` has had its one extra fetch */
    int64_t retry_at_ms; /* no renewal before */
    uint64_t fetches;    /* ended ones */
    struct err failure;  /* of the last one; kind ERR_NONE: it worked */
    bool has_renewer;    /* `renewer` is to be joined */
    pthread_t renewer;

    /* the fetcher's alone, while is_fetching */
    struct creds_value fresh;
};

static const char *process_env(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

static int64_t system_now_ms(void *ctx)
{
    (void)ctx;
    return clock_wall_ms();
}

static void system_sleep_ms(void *ctx, uint64_t ms)
{
    (void)ctx;
    clock_sleep_ms(ms);
}

struct creds *creds_new_in(const struct creds_options *options, const struct creds_system *system)
{
    ASSERT(options != NULL && system != NULL);
    /* Counted by libcurl, and here because it must not run beside the net threads. */
    const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    ASSERT(code == CURLE_OK);
    struct creds *creds = xcalloc(1, sizeof(*creds));
    creds->system = *system;
    creds->profile = options->profile == NULL ? NULL : xstrdup(options->profile);
    creds->wants_role = options->role_arn != NULL;
    mutex_init(&creds->lock);
    cond_init(&creds->fetch_ended);
    return creds;
}

struct creds *creds_new(const struct creds_options *options)
{
    const struct creds_system system = {
        .get_env = process_env, .now_ms = system_now_ms, .sleep_ms = system_sleep_ms};
    return creds_new_in(options, &system);
}

void creds_free(struct creds *creds)
{
    if (creds == NULL) {
        return;
    }
    creds_wait(creds);
    ASSERT(!creds->is_fetching);
    cond_done(&creds->fetch_ended);
    mutex_done(&creds->lock);
    creds_value_wipe(&creds->value);
    creds_value_wipe(&creds->fresh);
    free(creds->profile);
    free(creds);
    curl_global_cleanup();
}

static int ask_environment(const struct creds *creds, struct creds_value *ret, struct err *e)
{
    if (creds->profile != NULL) {
        return err_set(e, ERR_NOT_FOUND, "environment: not asked, because a profile was given");
    }
    const int rc = creds_env_read(&creds->system, ret, e);
    if (rc != 0 && e->kind == ERR_NOT_FOUND) {
        struct err unsupported = ERR_INIT;
        if (creds_env_check_web_identity(&creds->system, &unsupported) != 0) {
            *e = unsupported;
        }
    }
    return rc;
}

static int ask_profile(const struct creds *creds, struct creds_value *ret, struct err *e)
{
    return creds_file_read(&creds->system, creds->profile, ret, e);
}

static int ask_container(const struct creds *creds, struct creds_value *ret, struct err *e)
{
    return creds_container_read(&creds->system, ret, e);
}

static int ask_instance(const struct creds *creds, struct creds_value *ret, struct err *e)
{
    return creds_imds_read(&creds->system, ret, e);
}

typedef int provider_fn(const struct creds *creds, struct creds_value *ret, struct err *e);

static int ask_providers(const struct creds *creds, struct creds_value *ret, struct err *e)
{
    static provider_fn *const providers[] = {ask_environment, ask_profile, ask_container,
                                             ask_instance};
    if (creds->wants_role) {
        return err_set(e, ERR_CONFIG, "credentials: assuming a role is not supported yet");
    }
    autobuf struct buf said = BUF_INIT(sizeof(e->text));
    struct err last = ERR_INIT;
    for (size_t i = 0; i < ARRAY_SIZE(providers); i++) {
        if (providers[i](creds, ret, &last) == 0) {
            return 0;
        }
        (void)buf_appendf(&said, "%s%s", i == 0 ? "" : "; ", last.text); /* cut like any text */
        if (last.kind != ERR_NOT_FOUND) {
            break;
        }
    }
    (void)err_set(e, last.kind == ERR_CONFIG ? ERR_CONFIG : ERR_AUTH, "no credentials: %s",
                  buf_str(&said));
    return err_hint(e, "%s",
                    last.hint[0] != '\0' ? last.hint
                                         : "give --profile, set AWS_ACCESS_KEY_ID and "
                                           "AWS_SECRET_ACCESS_KEY, or attach a role to the "
                                           "instance");
}

static bool is_same(const struct creds_value *a, const struct creds_value *b)
{
    return strcmp(a->id, b->id) == 0 && strcmp(a->token, b->token) == 0;
}

/* What came back may be the old identity, still, or one that has ended already (the services serve
 * those while they are in trouble): it is used, and asked for again after RETRY_MS only. */
static void take_fresh_locked(struct creds *creds)
{
    if (!is_same(&creds->value, &creds->fresh)) {
        creds->must_fetch = false;
        creds->was_refused = false;
    }
    creds->value = creds->fresh;
}

static void begin_fetch_locked(struct creds *creds)
{
    ASSERT(!creds->is_fetching);
    creds->is_fetching = true;
    creds->must_fetch = false;
}

/* Gives the lock away while it asks. */
static void fetch_locked(struct creds *creds)
{
    ASSERT(creds->is_fetching);
    mutex_unlock(&creds->lock);
    struct err failure = ERR_INIT;
    const int rc = ask_providers(creds, &creds->fresh, &failure);
    if (rc != 0) {
        log_debug("credentials: not renewed: %s", failure.text);
    }
    mutex_lock(&creds->lock);
    creds->failure = failure;
    if (rc == 0) {
        take_fresh_locked(creds);
    }
    creds_value_wipe(&creds->fresh);
    creds->retry_at_ms = creds->system.now_ms(creds->system.ctx) + RETRY_MS;
    creds->fetches++;
    creds->is_fetching = false;
    cond_broadcast(&creds->fetch_ended);
}

static void *renew(void *arg)
{
    struct creds *creds = arg;
    mutex_lock(&creds->lock);
    fetch_locked(creds);
    mutex_unlock(&creds->lock);
    return NULL;
}

static void start_renewer_locked(struct creds *creds)
{
    if (creds->has_renewer) {
        thread_join(creds->renewer); /* it has fetched, so it has no more need of the lock */
    }
    begin_fetch_locked(creds);
    creds->renewer = thread_start(renew, creds, "penates-creds");
    creds->has_renewer = true;
}

void creds_wait(struct creds *creds)
{
    mutex_lock(&creds->lock);
    while (creds->is_fetching) {
        cond_wait(&creds->fetch_ended, &creds->lock);
    }
    if (creds->has_renewer) {
        creds->has_renewer = false;
        thread_join(creds->renewer); /* as above */
    }
    mutex_unlock(&creds->lock);
}

enum need { NEED_NOTHING, NEED_EARLY, NEED_NOW };

static enum need need_locked(const struct creds *creds)
{
    if (creds->value.id[0] == '\0' || creds->must_fetch) {
        return NEED_NOW;
    }
    const int64_t now_ms = creds->system.now_ms(creds->system.ctx);
    if (creds->value.expires_ms == 0 || now_ms < creds->retry_at_ms) {
        return NEED_NOTHING;
    }
    const int64_t left_ms = creds->value.expires_ms - now_ms;
    if (left_ms > RENEW_EARLY_MS) {
        return NEED_NOTHING;
    }
    return left_ms > RENEW_NOW_MS ? NEED_EARLY : NEED_NOW;
}

int creds_get(struct creds *creds, struct creds_value *ret, struct err *e)
{
    ASSERT(creds != NULL && ret != NULL);
    mutex_lock(&creds->lock);
    const enum need need = need_locked(creds);
    if (need == NEED_EARLY && !creds->is_fetching) {
        start_renewer_locked(creds);
    } else if (need == NEED_NOW && !creds->is_fetching) {
        begin_fetch_locked(creds);
        fetch_locked(creds);
    } else if (need == NEED_NOW) {
        /* Whatever the fetch under way brings is for all who wait: no queue of fetches. */
        const uint64_t fetches_before = creds->fetches;
        while (creds->fetches == fetches_before) {
            cond_wait(&creds->fetch_ended, &creds->lock);
        }
    }
    const bool has_value = creds->value.id[0] != '\0';
    if (has_value) {
        *ret = creds->value;
    } else {
        ASSERT(creds->failure.kind != ERR_NONE);
        *e = creds->failure;
    }
    mutex_unlock(&creds->lock);
    return has_value ? 0 : -1;
}

void creds_reject(struct creds *creds, const struct creds_value *value)
{
    ASSERT(creds != NULL && value != NULL);
    mutex_lock(&creds->lock);
    if (!creds->was_refused && is_same(&creds->value, value)) {
        creds->was_refused = true;
        creds->must_fetch = true;
    }
    mutex_unlock(&creds->lock);
}

char *creds_region(struct creds *creds)
{
    ASSERT(creds != NULL);
    static const char *const names[] = {"AWS_REGION", "AWS_DEFAULT_REGION"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *region = creds_env(&creds->system, names[i]);
        if (region != NULL) {
            return xstrdup(region);
        }
    }
    char *region = creds_file_region(&creds->system, creds->profile);
    return region != NULL ? region : creds_imds_region(&creds->system);
}
