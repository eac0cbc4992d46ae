#include "s3/creds.h"

#include <curl/curl.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/base/thread.h"
#include "s3/creds_provider.h"

/*
 * One fetches at a time, with the lock released: a thread of its own while what there is will do,
 * because the callers are net threads, whose transfers would all stand still; else the first
 * caller, and the others wait.
 *
 *     new ────────────────▶ renew_at ─────────▶ wait_at ────────────────▶ expires
 *        nobody asks          the thread asks      callers wait for it,
 *                                                  until it brought nothing once
 *
 * A fetch that brings nothing new is followed by a pause, longer each time, unless there is nothing
 * at all or the store has refused what there is.
 */

enum {
    /* When botocore begins to renew and when it makes all wait (credentials.py). An instance gets
       new credentials at least 5 min before the old ones end. */
    RENEW_EARLY_MS = 15 * 60 * 1000,
    WAIT_EARLY_MS = 10 * 60 * 1000,
    /* Credentials that live for less than half an hour from now are renewed at half of that. */
    RENEW_SHARE = 2,
    WAIT_SHARE = 3,
    /* Pauses: an eighth of the life, so that short ones leave time for two or three tries. */
    PAUSE_SHARE = 8,
    PAUSE_MIN_MS = 500,
    PAUSE_MAX_MS = 60 * 1000,
};

struct creds {
    /* set once */
    struct creds_system system;
    struct creds_options options; /* texts owned */
    pthread_mutex_t lock;
    pthread_cond_t fetch_ended;

    /* under lock */
    struct creds_value value; /* id "": none yet */
    bool is_fetching;
    bool must_fetch;                 /* the store has refused `value` since the last fetch began */
    bool was_refused;                /* `value` has had its one extra fetch */
    int64_t renew_at_ms, wait_at_ms; /* of `value`, unless it never expires */
    int64_t retry_at_ms;             /* no renewal before */
    int64_t pause_ms;                /* after the next fetch that brings nothing new */
    bool is_stuck;                   /* the last one has brought nothing new */
    uint64_t fetches;                /* ended ones */
    struct err failure;              /* of the last one; kind ERR_NONE: it worked */
    bool has_renewer;                /* `renewer` is to be joined */
    pthread_t renewer;

    /* the fetcher's alone, while is_fetching */
    struct creds_value fresh;
    bool has_told; /* on_stale knows, since the last fetch that worked */
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

const struct creds_system creds_process_system = {
    .get_env = process_env, .now_ms = system_now_ms, .sleep_ms = system_sleep_ms};

static char *copy_text(const char *text)
{
    return text == NULL ? NULL : xstrdup(text);
}

static struct creds_options copy_options(const struct creds_options *options)
{
    return (struct creds_options){
        .profile = copy_text(options->profile),
        .role_arn = copy_text(options->role_arn),
        .external_id = copy_text(options->external_id),
        .region = copy_text(options->region),
        .ca_file = copy_text(options->ca_file),
        .dualstack = options->dualstack,
        .fips = options->fips,
        .on_stale = options->on_stale,
    };
}

static void free_options(const struct creds_options *options)
{
    const char *const texts[] = {options->profile, options->role_arn, options->external_id,
                                 options->region, options->ca_file};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        free((void *)(uintptr_t)texts[i]); /* ours since copy_options */
    }
}

struct creds *creds_new_in(const struct creds_options *options, const struct creds_system *system)
{
    ASSERT(options != NULL && system != NULL);
    /* Counted by libcurl, and here because it must not run beside the net threads. */
    const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    ASSERT(code == CURLE_OK);
    struct creds *creds = xcalloc(1, sizeof(*creds));
    creds->system = *system;
    creds->options = copy_options(options);
    mutex_init(&creds->lock);
    cond_init(&creds->fetch_ended);
    return creds;
}

struct creds *creds_new(const struct creds_options *options)
{
    return creds_new_in(options, &creds_process_system);
}

int creds_metadata(const char *profile, const char *path, char ret[CREDS_METADATA_SIZE],
                   struct err *e)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT); /* counted; a second one does nothing */
    const int result = creds_imds_word(&creds_process_system, profile, path, ret, e);
    curl_global_cleanup();
    return result;
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
    free_options(&creds->options);
    free(creds);
    curl_global_cleanup();
}

static bool is_same(const struct creds_value *a, const struct creds_value *b)
{
    return strcmp(a->id, b->id) == 0 && strcmp(a->token, b->token) == 0;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* What has ended already is of a clock that is wrong: it is not asked for again in a hurry. */
static void schedule_locked(struct creds *creds, int64_t now_ms)
{
    const int64_t life_ms = creds->value.expires_ms - now_ms;
    const int64_t share_ms = life_ms / PAUSE_SHARE;
    creds->renew_at_ms = creds->value.expires_ms - smaller(RENEW_EARLY_MS, life_ms / RENEW_SHARE);
    creds->wait_at_ms = creds->value.expires_ms - smaller(WAIT_EARLY_MS, life_ms / WAIT_SHARE);
    creds->pause_ms = life_ms <= 0              ? PAUSE_MAX_MS
                      : share_ms > PAUSE_MIN_MS ? smaller(share_ms, PAUSE_MAX_MS)
                                                : PAUSE_MIN_MS;
}

/* What came back may be the old identity, still, or one that has ended already (the services serve
 * those while they are in trouble): it is used. */
static bool take_fresh_locked(struct creds *creds, int64_t now_ms)
{
    const bool is_other = !is_same(&creds->value, &creds->fresh);
    const bool is_new = is_other || creds->value.expires_ms != creds->fresh.expires_ms;
    if (is_other) {
        creds->must_fetch = false;
        creds->was_refused = false;
    }
    creds->value = creds->fresh;
    if (is_new) {
        schedule_locked(creds, now_ms);
    }
    return is_new;
}

static void begin_fetch_locked(struct creds *creds)
{
    ASSERT(!creds->is_fetching);
    creds->is_fetching = true;
    creds->must_fetch = false;
}

/* Once for each time of trouble: it may last for hours, with a try each minute. */
static void tell_stale(struct creds *creds, const struct err *failure)
{
    log_debug("credentials: not renewed: %s", failure->text);
    /* Only a fetcher changes the value, so the lock is not needed to look at it. */
    if (creds->value.id[0] == '\0' || creds->has_told || creds->options.on_stale == NULL) {
        return;
    }
    creds->has_told = true;
    struct err told = *failure;
    char when[TIME_TEXT_SIZE];
    if (creds->value.expires_ms == 0) {
        (void)err_wrap(&told, "credentials: the store refuses them, and there are no others");
    } else {
        (void)err_wrap(&told, "credentials: not renewed, and used on though they end at %s",
                       format_time(creds->value.expires_ms, when));
    }
    creds->options.on_stale(&told);
}

/* Gives the lock away while it asks. */
static void fetch_locked(struct creds *creds)
{
    ASSERT(creds->is_fetching);
    mutex_unlock(&creds->lock);
    struct err failure = ERR_INIT;
    const int rc = creds_chain_ask(&creds->system, &creds->options, &creds->fresh, &failure);
    if (rc != 0) {
        tell_stale(creds, &failure);
    } else {
        creds->has_told = false;
    }
    mutex_lock(&creds->lock);
    const int64_t now_ms = creds->system.now_ms(creds->system.ctx);
    creds->failure = failure;
    creds->is_stuck = rc != 0 || !take_fresh_locked(creds, now_ms);
    creds_value_wipe(&creds->fresh);
    creds->retry_at_ms = now_ms + creds->pause_ms;
    if (creds->is_stuck) {
        creds->pause_ms = smaller(2 * creds->pause_ms, PAUSE_MAX_MS);
    }
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
    if (creds->value.expires_ms == 0 || now_ms < creds->retry_at_ms ||
        now_ms < creds->renew_at_ms) {
        return NEED_NOTHING;
    }
    const bool must_wait = now_ms >= creds->wait_at_ms && !creds->is_stuck;
    return must_wait || now_ms >= creds->value.expires_ms ? NEED_NOW : NEED_EARLY;
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

bool creds_out_of_reach(struct creds *creds, struct err *ret_why)
{
    ASSERT(creds != NULL && ret_why != NULL);
    mutex_lock(&creds->lock);
    const bool out_of_reach = creds->failure.kind == ERR_RETRY;
    if (out_of_reach) {
        *ret_why = creds->failure;
    }
    mutex_unlock(&creds->lock);
    return out_of_reach;
}

bool creds_is_current(struct creds *creds, const struct creds_value *value)
{
    ASSERT(creds != NULL && value != NULL);
    mutex_lock(&creds->lock);
    const bool is_current = is_same(&creds->value, value);
    mutex_unlock(&creds->lock);
    return is_current;
}

char *creds_region(struct creds *creds)
{
    ASSERT(creds != NULL);
    return creds_find_region(&creds->system, creds->options.profile);
}
