#include "s3/creds_sts.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <string.h>

#include "agent/base/mem.h"
#include "s3/creds_file.h"
#include "s3/service.h"
#include "s3/sts_error.h"
#include "s3/sts_xml.h"

enum {
    TRIES = 4,
    BACKOFF_MS = 250,                    /* then 500, 1000 */
    WEB_TOKEN_MAX = 20 * 1000,           /* STS API reference, AssumeRoleWithWebIdentity */
    TOKEN_FILE_MAX = WEB_TOKEN_MAX + 64, /* with white space around it */
    BODY_MAX = 80 * 1024,                /* the token, every byte of it encoded, and the rest */
};

static const struct service_name sts = {"sts", "STS", "AWS_ENDPOINT_URL_STS"};
static const char space[] = " \t\r\n";

struct asking {
    const struct creds_system *system;
    const struct creds_options *options;
    const struct creds_role *role;
    const struct creds_value *caller; /* NULL: a web identity */
    const char *token_file;           /* of the web identity */
    char *token_text;                 /* what is in it, owned, wiped */
    size_t token_size;
    struct service service;
    struct buf body; /* secret */
    int64_t skew_ms; /* STS's clock less ours, once it was learned */
    bool has_skew;
    struct creds_http_answer answer;
};

static void asking_free(struct asking **owner)
{
    struct asking *asking = *owner;
    buf_wipe(&asking->body);
    creds_http_wipe(&asking->answer);
    if (asking->token_text != NULL) {
        OPENSSL_cleanse(asking->token_text, asking->token_size);
    }
    free(asking->token_text);
    service_done(&asking->service);
    free(asking);
}

#define auto_asking __attribute__((cleanup(asking_free)))

static int find_endpoint(struct asking *asking, struct err *e)
{
    const struct creds_options *options = asking->options;
    const struct service_wish wish = {.profile = options->profile,
                                      .region = options->region,
                                      .dualstack = options->dualstack,
                                      .fips = options->fips};
    return service_find(&sts, asking->system, &wish, &asking->service, e);
}

static struct asking *asking_new(const struct creds_system *system,
                                 const struct creds_options *options, const struct creds_role *role)
{
    struct asking *asking = xcalloc(1, sizeof(*asking));
    asking->system = system;
    asking->options = options;
    asking->role = role;
    asking->body = buf_whole(BODY_MAX);
    return asking;
}

static void add_field(struct buf *body, const char *name, const char *value)
{
    const bool fits = service_add_field(body, name, value);
    ASSERT(fits); /* every value has its maximum */
}

static void compose_form(struct asking *asking, const char *action)
{
    const struct creds_role *role = asking->role;
    char session[CREDS_ROLE_SESSION_MAX + 1];
    creds_role_session(session);
    char duration[32];
    (void)snprintf(duration, sizeof(duration), "%" PRIu64,
                   role->duration_s != 0 ? role->duration_s : (uint64_t)CREDS_ROLE_SECONDS);
    add_field(&asking->body, "Action", action);
    add_field(&asking->body, "Version", "2011-06-15");
    add_field(&asking->body, "RoleArn", role->arn);
    add_field(&asking->body, "RoleSessionName",
              role->session_name != NULL ? role->session_name : session);
    add_field(&asking->body, "DurationSeconds", duration);
    if (role->external_id != NULL) {
        add_field(&asking->body, "ExternalId", role->external_id);
    }
}

static int send_form(struct asking *asking, struct err *e)
{
    const struct service_form form = {
        .body = &asking->body,
        .caller = asking->caller,
        .ca_file = asking->options->ca_file,
        .now_ms = asking->system->now_ms(asking->system->ctx) + asking->skew_ms,
    };
    if (service_post(&asking->service, &form, &asking->answer, e) == 0) {
        return 0;
    }
    if (e->kind == ERR_NOT_FOUND) {
        e->kind = ERR_RETRY; /* a role was asked for: nobody else's credentials will do */
        (void)err_hint(e, "check the way to STS: a VPC without a NAT needs an endpoint for it, "
                          "beside that for S3");
    }
    return err_wrap(e, "assuming %.200s", asking->role->arn);
}

/* Some servers quote what was signed or sent, further down: then a token is in it. */
static void hide_secrets(const struct asking *asking, struct error_xml *error)
{
    error->message[strcspn(error->message, "\n")] = '\0';
    const char *token = asking->caller != NULL
                            ? asking->caller->token
                            : asking->token_text + strspn(asking->token_text, space);
    if (token[0] != '\0' && strstr(error->message, token) != NULL) {
        error->message[0] = '\0';
    }
}

static int word_refusal(const struct asking *asking, struct err *e)
{
    const struct creds_http_answer *answer = &asking->answer;
    struct error_xml error;
    const bool has_error = error_xml_parse(slice_of(answer->body, answer->size), &error);
    if (has_error) {
        hide_secrets(asking, &error);
    }
    const struct sts_asked asked = {
        .arn = asking->role->arn,
        .caller = asking->caller == NULL ? NULL : asking->caller->source,
        .token_file = asking->token_file,
        .region = asking->service.region,
    };
    return sts_error_word(&asked, answer->status, has_error ? &error : NULL, e);
}

/* A refusal by a clock that is far from ours is asked again once, by that clock. */
static bool learn_skew(struct asking *asking, const struct err *e)
{
    const int64_t now_ms = asking->system->now_ms(asking->system->ctx);
    if (e->kind != ERR_AUTH || asking->caller == NULL || asking->has_skew ||
        !service_skew(&asking->answer, now_ms, &asking->skew_ms)) {
        return false;
    }
    asking->has_skew = true;
    return true;
}

static int ask(struct asking *asking, struct err *e)
{
    unsigned failed = 0;
    for (;;) {
        asking->answer.date_ms = -1;
        if (send_form(asking, e) == 0) {
            if (asking->answer.status == 200) {
                return 0;
            }
            (void)word_refusal(asking, e);
        }
        if (learn_skew(asking, e)) {
            continue;
        }
        if (e->kind != ERR_RETRY || ++failed == TRIES) {
            return -1;
        }
        asking->system->sleep_ms(asking->system->ctx, (uint64_t)BACKOFF_MS << (failed - 1));
    }
}

static int take_answer(const struct asking *asking, struct creds_value *ret, struct err *e)
{
    char source[sizeof(ret->source)];
    (void)snprintf(source, sizeof(source), "role '%.50s'", creds_role_name(asking->role->arn));
    struct creds_value value;
    const struct slice body = slice_of(asking->answer.body, asking->answer.size);
    if (sts_xml_credentials(body, source, &value, e) != 0) {
        return err_wrap(e, "assuming %.200s: the answer of STS", asking->role->arn);
    }
    /* By our clock, which creds.c goes by. */
    value.expires_ms -= asking->skew_ms;
    const bool has_ended = value.expires_ms <= asking->system->now_ms(asking->system->ctx);
    if (!has_ended) {
        *ret = value;
    }
    creds_value_wipe(&value);
    if (has_ended) {
        (void)err_set(e, ERR_AUTH, "assuming %.200s: STS gives credentials that have expired",
                      asking->role->arn);
        return err_hint(e, "check the clock of this machine");
    }
    return 0;
}

int creds_sts_assume(const struct creds_system *system, const struct creds_options *options,
                     const struct creds_role *role, const struct creds_value *caller,
                     struct creds_value *ret, struct err *e)
{
    ASSERT(caller != NULL && caller->id[0] != '\0');
    if (creds_role_check(role, e) != 0) {
        return -1;
    }
    auto_asking struct asking *asking = asking_new(system, options, role);
    asking->caller = caller;
    compose_form(asking, "AssumeRole");
    if (find_endpoint(asking, e) != 0 || ask(asking, e) != 0) {
        return -1;
    }
    return take_answer(asking, ret, e);
}

static bool is_token(const char *text)
{
    const size_t size = strlen(text);
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '!' || text[i] > '~') {
            return false;
        }
    }
    return size > 0 && size <= WEB_TOKEN_MAX;
}

static int read_token(struct asking *asking, struct err *e)
{
    if (creds_read_text(asking->token_file, TOKEN_FILE_MAX, &asking->token_text,
                        &asking->token_size, e) != 0) {
        e->kind = ERR_CONFIG; /* a web identity was asked for */
        return err_wrap(e, "web identity");
    }
    char *text = asking->token_text;
    size_t size = strlen(text);
    while (size > 0 && strchr(space, text[size - 1]) != NULL) {
        text[--size] = '\0';
    }
    const char *token = text + strspn(text, space);
    if (!is_token(token)) {
        return err_set(e, ERR_CONFIG, "web identity: '%s' has no token in it", asking->token_file);
    }
    add_field(&asking->body, "WebIdentityToken", token);
    return 0;
}

int creds_sts_assume_with_token(const struct creds_system *system,
                                const struct creds_options *options, const struct creds_role *role,
                                const char *token_file, struct creds_value *ret, struct err *e)
{
    ASSERT(token_file != NULL);
    if (creds_role_check(role, e) != 0) {
        return -1;
    }
    auto_asking struct asking *asking = asking_new(system, options, role);
    asking->token_file = token_file;
    compose_form(asking, "AssumeRoleWithWebIdentity");
    if (read_token(asking, e) != 0 || find_endpoint(asking, e) != 0 || ask(asking, e) != 0) {
        return -1;
    }
    return take_answer(asking, ret, e);
}
