#include "agent/source_s3.h"

#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "s3/creds_role.h"
#include "s3/settings.h"

/* S3 sends the first byte within a few seconds even on a bad day; twenty without one more byte is a
 * dead connection. */
enum { STALL_MS = 20000 };

/* A wrong name, port or firewall will not be right in ten minutes; a network that comes up with the
 * machine is there in half of one. */
enum { CONTACT_MS = 30000 };

struct source_s3 {
    struct source face;  /* first, for the casts below */
    struct creds *creds; /* NULL: requests are not signed */
    struct s3_client *client;
    bool region_known;
};

static void warn_stale(const struct err *why)
{
    log_warn("%s", why->text);
}

static struct s3_client *client_of(struct source *source)
{
    return ((struct source_s3 *)source)->client;
}

static int list(struct source *source, const struct s3_list *what, s3_entry_fn *fn, void *ctx,
                struct err *e)
{
    return s3_list(client_of(source), what, fn, ctx, e);
}

static void get(struct source *source, struct s3_get *what)
{
    s3_submit(client_of(source), what);
}

static void cancel(struct source *source)
{
    s3_client_cancel(client_of(source));
}

static struct s3_stats stats(struct source *source)
{
    return s3_client_stats(client_of(source));
}

static void free_all(struct source *source)
{
    struct source_s3 *s3 = (struct source_s3 *)source;
    s3_client_free(s3->client); /* before what it borrows */
    creds_free(s3->creds);
    free(s3);
}

/* To wait longer for a byte than for an answer at all would stretch the budget. */
static uint64_t stall_ms(uint64_t retry_for_ms)
{
    return retry_for_ms > 0 && retry_for_ms < STALL_MS ? retry_for_ms : STALL_MS;
}

/* The configuration before the AWS CLI's; an empty text says nothing. */
static const char *first_of(const char *configured, const char *other)
{
    return configured != NULL && configured[0] != '\0' ? configured : other;
}

static const struct source_ops OPS = {
    .list = list, .get = get, .cancel = cancel, .stats = stats, .free = free_all};

struct source_s3_parts source_s3_parts(struct source *source)
{
    if (source->ops != &OPS) {
        return (struct source_s3_parts){.client = NULL};
    }
    const struct source_s3 *s3 = (const struct source_s3 *)source;
    return (struct source_s3_parts){
        .client = s3->client, .creds = s3->creds, .region_known = s3->region_known};
}

/* Before anything is asked. */
static int check_role(const struct config *config, struct err *e)
{
    const struct creds_role role = {.arn = config->role_arn, .external_id = config->external_id};
    if (role.arn == NULL) {
        return 0;
    }
    return creds_role_check(&role, e) == 0 ? 0 : err_wrap(e, "--role-arn");
}

static struct creds *new_creds(const struct config *config, const struct settings *settings)
{
    return creds_new(&(struct creds_options){
        .profile = config->profile,
        .role_arn = config->role_arn,
        .external_id = config->external_id,
        .region = config->region,
        .ca_file = first_of(config->ca_file, settings->ca_file),
        .dualstack = config->dualstack || settings->dualstack,
        .fips = config->fips || settings->fips,
        .on_stale = warn_stale,
    });
}

int source_s3_open(const struct config *config, const char *bucket, struct source **ret,
                   struct err *e)
{
    ASSERT(config->net_threads > 0 && config->connections > 0);
    if (check_role(config, e) != 0) {
        return -1;
    }
    struct source_s3 *s3 = xcalloc(1, sizeof(*s3));
    s3->face.ops = &OPS;
    autofree char *region = NULL;
    struct settings settings __attribute__((cleanup(settings_done)));
    settings_read(config->profile, &settings);
    const char *const endpoint = first_of(config->endpoint, settings.endpoint);
    /* What chooses among AWS's endpoints for everybody says nothing about one that is no such. */
    const bool aws = endpoint == NULL;
    if (!config->no_sign) {
        s3->creds = new_creds(config, &settings);
        region = config->region == NULL ? creds_region(s3->creds) : NULL;
    }
    const struct s3_options options = {
        .bucket = bucket,
        .region = config->region != NULL ? config->region : region,
        .endpoint = endpoint,
        .path_style = config->path_style || settings.path_style,
        .virtual_host = settings.virtual_host,
        .no_sign = config->no_sign,
        .dualstack = config->dualstack || (aws && settings.dualstack),
        .fips = config->fips || (aws && settings.fips),
        .request_payer = config->request_payer,
        .expected_bucket_owner = config->expected_bucket_owner,
        .sse_c_key_file = config->sse_c_key_file,
        .ca_file = first_of(config->ca_file, settings.ca_file),
        .net_threads = config->net_threads,
        .connections = config->connections,
        .retry_for_ms = config->retry_for_ms,
        .contact_ms = CONTACT_MS,
        .stall_ms = stall_ms(config->retry_for_ms),
        .bandwidth = config->bandwidth,
        .version_at_ms = config->selection.version_at_ms,
        .creds = s3->creds,
        .seed = clock_mono_ms() ^ (uint64_t)getpid() << 32, /* nodes must not retry in step */
    };
    s3->region_known = options.region != NULL;
    if (s3_client_new(&options, &s3->client, e) != 0) {
        free_all(&s3->face);
        return -1;
    }
    *ret = &s3->face;
    return 0;
}
