#include "s3/cfn.h"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <string.h>

#include "agent/base/mem.h"
#include "s3/cfn_error.h"
#include "s3/service.h"

enum {
    DOCUMENT_MAX = 16 * 1024, /* it has some 500 bytes */
    SIGNATURE_MAX = 4 * 1024, /* base64 of 128 bytes today */
    FORM_MAX = 8 * 1024,
    ARN_REGION = 3, /* colons before it: arn:aws:cloudformation:REGION: */
};

static const struct service_name cloudformation = {"cloudformation", "CloudFormation",
                                                   "AWS_ENDPOINT_URL_CLOUDFORMATION"};
static const char identity_path[] = "/latest/dynamic/instance-identity/";

struct cfn {
    struct creds_system system;
    struct cfn_options options;
    struct service service;
    int64_t skew_ms; /* of a signed call: CloudFormation's clock less ours, once it was learned */
    struct creds_http_answer answer;
};

/* NULL: the stack was named, not by its ARN. */
static char *region_of_arn(const char *stack)
{
    if (strncmp(stack, "arn:", 4) != 0) {
        return NULL;
    }
    const char *at = stack;
    for (unsigned i = 0; i < ARN_REGION && at != NULL; i++) {
        at = strchr(at, ':');
        at = at == NULL ? NULL : at + 1;
    }
    return at == NULL ? NULL : xstrndup(at, strcspn(at, ":"));
}

/* A signed call goes where the SDKs' would; the other one is the instance's own. */
static char *find_region(const struct cfn *cfn)
{
    char *region = region_of_arn(cfn->options.stack);
    if (region == NULL && !cfn->options.signs) {
        region = creds_imds_region(&cfn->system, cfn->options.profile);
    }
    return region != NULL ? region : creds_find_region(&cfn->system, cfn->options.profile);
}

static int find_service(struct cfn *cfn, struct err *e)
{
    autofree char *region = find_region(cfn);
    if (region == NULL) {
        (void)err_set(e, ERR_CONFIG, "stack '%.200s': its region is not known", cfn->options.stack);
        return err_hint(e, "name the stack by its ARN, or set AWS_REGION");
    }
    char domain[CREDS_METADATA_SIZE];
    struct err ignored = ERR_INIT; /* the table of partitions knows those that there are */
    const bool told =
        !cfn->options.signs && creds_imds_word(&cfn->system, cfn->options.profile,
                                               "services/domain", domain, &ignored) == 0;
    const struct service_wish wish = {
        .profile = cfn->options.profile,
        .region = region,
        .domain = told ? domain : NULL,
        .fips = cfn->options.fips,
    };
    return service_find(&cloudformation, &cfn->system, &wish, &cfn->service, e);
}

int cfn_open_in(const struct creds_system *system, const struct cfn_options *options,
                struct cfn **ret, struct err *e)
{
    ASSERT(system != NULL && options->stack != NULL);
    const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT); /* counted */
    ASSERT(code == CURLE_OK);
    struct cfn *cfn = xcalloc(1, sizeof(*cfn));
    cfn->system = *system;
    cfn->options = *options;
    if (find_service(cfn, e) != 0) {
        cfn_free(cfn);
        return -1;
    }
    *ret = cfn;
    return 0;
}

int cfn_open(const struct cfn_options *options, struct cfn **ret, struct err *e)
{
    return cfn_open_in(&creds_process_system, options, ret, e);
}

void cfn_free(struct cfn *cfn)
{
    if (cfn == NULL) {
        return;
    }
    service_done(&cfn->service);
    creds_http_wipe(&cfn->answer);
    free(cfn);
    curl_global_cleanup();
}

const char *cfn_region(const struct cfn *cfn)
{
    return cfn->service.region;
}

const char *cfn_url(const struct cfn *cfn)
{
    return cfn->service.url;
}

static bool compose(const struct cfn *cfn, const struct cfn_signal *signal, struct buf *form)
{
    return service_add_field(form, "Action", "SignalResource") &&
           service_add_field(form, "LogicalResourceId", signal->resource) &&
           service_add_field(form, "StackName", cfn->options.stack) &&
           service_add_field(form, "Status", signal->success ? "SUCCESS" : "FAILURE") &&
           service_add_field(form, "UniqueId", signal->unique_id) &&
           service_add_field(form, "Version", "2010-05-15");
}

/* "Authorization: CFN_V1 DOCUMENT:SIGNATURE". The document is signed as it is, to its last blank;
 * the signature comes in lines. */
static void make_authorization(const struct buf *document, const struct buf *signature,
                               struct buf *ret)
{
    const size_t size = (document->size + 2) / 3 * 4;
    autofree char *encoded = xcalloc(size + 1, 1);
    const int written = EVP_EncodeBlock(
        (unsigned char *)encoded, (const unsigned char *)buf_str(document), (int)document->size);
    ASSERT(written >= 0 && (size_t)written == size);
    bool fits = buf_appendf(ret, "Authorization: CFN_V1 %s:", encoded);
    for (const char *at = buf_str(signature); *at != '\0'; at++) {
        fits = fits && (*at <= ' ' || *at > '~' || buf_append_char(ret, *at));
    }
    ASSERT(fits); /* both have their maximum */
}

static int identify(const struct cfn *cfn, struct buf *ret, struct err *e)
{
    struct buf document = buf_whole(DOCUMENT_MAX);
    struct buf signature = buf_whole(SIGNATURE_MAX); /* as good as a secret */
    autofree char *document_path = xasprintf("%sdocument", identity_path);
    autofree char *signature_path = xasprintf("%ssignature", identity_path);
    const char *profile = cfn->options.profile;
    const int rc =
        creds_imds_text(&cfn->system, profile, document_path, &document, e) != 0 ||
                creds_imds_text(&cfn->system, profile, signature_path, &signature, e) != 0
            ? -1
            : 0;
    if (rc == 0) {
        make_authorization(&document, &signature, ret);
    } else if (e->kind == ERR_NOT_FOUND) {
        e->kind = ERR_CONFIG;
        (void)err_hint(e, "off EC2, or from another stack's instance, use --signal-auth sigv4");
    }
    buf_wipe(&document);
    buf_wipe(&signature);
    return rc;
}

static int send_by_identity(struct cfn *cfn, const struct buf *form, struct err *e)
{
    struct buf line = buf_whole(2 * DOCUMENT_MAX + SIGNATURE_MAX);
    int rc = identify(cfn, &line, e);
    if (rc == 0) {
        const char *url = cfn->service.url;
        const bool bare = strcmp(cfn->service.path, "/") == 0 && url[strlen(url) - 1] != '/';
        autofree char *whole = xasprintf("%s%s?%s", url, bare ? "/" : "", buf_str(form));
        const char *lines[] = {buf_str(&line)};
        const struct creds_http_request request = {
            .url = whole,
            .method = "GET",
            .headers = lines,
            .header_count = ARRAY_SIZE(lines),
            .through_proxy = true,
            .ca_file = cfn->options.ca_file,
            .connect_ms = SERVICE_CONNECT_MS,
            .total_ms = SERVICE_REQUEST_MS,
        };
        rc = creds_http_ask(&request, &cfn->answer, e);
    }
    buf_wipe(&line);
    return rc;
}

static int send_signed(struct cfn *cfn, const struct buf *form, struct err *e)
{
    const struct creds_options options = {
        .profile = cfn->options.profile,
        .region = cfn->service.region,
        .ca_file = cfn->options.ca_file,
        .fips = cfn->options.fips,
    };
    struct creds *creds = creds_new_in(&options, &cfn->system);
    struct creds_value *caller = xcalloc(1, sizeof(*caller));
    int rc = creds_get(creds, caller, e);
    if (rc == 0) {
        const struct service_form post = {
            .body = form,
            .caller = caller,
            .ca_file = cfn->options.ca_file,
            .now_ms = cfn->system.now_ms(cfn->system.ctx) + cfn->skew_ms,
        };
        rc = service_post(&cfn->service, &post, &cfn->answer, e);
    }
    creds_value_wipe(caller);
    free(caller);
    creds_free(creds);
    return rc;
}

/* Nobody is there: a private subnet has no way to CloudFormation unless it was given one. */
static int word_unreached(const struct cfn *cfn, struct err *e)
{
    if (e->kind == ERR_NOT_FOUND) {
        e->kind = ERR_RETRY;
    }
    if (e->kind == ERR_RETRY) {
        (void)err_hint(e,
                       "a private subnet reaches CloudFormation by an interface endpoint "
                       "com.amazonaws.%s.cloudformation only, a proxy, or a NAT gateway",
                       cfn->service.region);
    }
    return -1;
}

static int send_form(struct cfn *cfn, const struct cfn_signal *signal, const struct buf *form,
                     struct err *e)
{
    cfn->answer.date_ms = -1;
    const int rc = cfn->options.signs ? send_signed(cfn, form, e) : send_by_identity(cfn, form, e);
    if (rc != 0) {
        (void)word_unreached(cfn, e);
        return err_wrap(e, "signalling %.100s", signal->resource);
    }
    const struct cfn_asked asked = {.stack = cfn->options.stack,
                                    .resource = signal->resource,
                                    .region = cfn->service.region,
                                    .is_signed = cfn->options.signs};
    return cfn_answer_judge(&asked, cfn->answer.status,
                            slice_of(cfn->answer.body, cfn->answer.size), e);
}

int cfn_send(struct cfn *cfn, const struct cfn_signal *signal, struct err *e)
{
    ASSERT(signal->resource != NULL && signal->unique_id != NULL);
    autobuf struct buf form = BUF_INIT(FORM_MAX);
    if (!compose(cfn, signal, &form)) {
        return err_set(e, ERR_CONFIG, "the names of stack and resource are too long");
    }
    const int rc = send_form(cfn, signal, &form, e);
    const int64_t now_ms = cfn->system.now_ms(cfn->system.ctx);
    /* A refusal by a clock that is far from ours is asked again once, by that clock. */
    if (rc == 0 || e->kind != ERR_AUTH || !cfn->options.signs || cfn->skew_ms != 0 ||
        !service_skew(&cfn->answer, now_ms, &cfn->skew_ms)) {
        return rc;
    }
    *e = ERR_INIT;
    return send_form(cfn, signal, &form, e);
}

int cfn_reach(const struct cfn *cfn, struct err *e)
{
    struct creds_http_answer *answer = xcalloc(1, sizeof(*answer));
    const struct creds_http_request request = {
        .url = cfn->service.url,
        .method = "GET",
        .reach = CREDS_HTTP_CONNECT,
        .through_proxy = true,
        .ca_file = cfn->options.ca_file,
        .connect_ms = SERVICE_CONNECT_MS,
        .total_ms = SERVICE_REQUEST_MS,
    };
    const int rc = creds_http_ask(&request, answer, e);
    free(answer);
    return rc == 0 ? 0 : word_unreached(cfn, e);
}
