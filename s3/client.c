#include "s3/client.h"

#include <curl/curl.h>
#include <libxml/parser.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/base/thread.h"
#include "s3/net.h"
#include "s3/partition.h"

enum {
    /* A bucket moves once, when its region is found; more than a few is a store that plays games.
     */
    ENDPOINTS_MAX = 8,
    /* A limit of bandwidth is for so few connections that each gets as much of it: stores give up
     * on readers that are too slow. */
    BANDWIDTH_SHARE_MIN = 1024 * 1024,
};

static const char FIRST_REGION[] = "us-east-1"; /* knows where every bucket of "aws" lies */

/* curl and libxml2 want their one-time setup done before there are threads. */
static void init_libraries(void)
{
    const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    ASSERT(code == CURLE_OK);
    xmlInitParser();
}

static int check_options(const struct s3_options *options, struct err *e)
{
    ASSERT(options->bucket != NULL);
    ASSERT(options->no_sign || options->creds != NULL);
    if (options->net_threads == 0 || options->net_threads > CLIENT_NETS_MAX) {
        return err_set(e, ERR_CONFIG, "%u net threads: from 1 to %d", options->net_threads,
                       CLIENT_NETS_MAX);
    }
    if (options->connections == 0 || options->connections > CLIENT_CONNECTIONS_MAX) {
        return err_set(e, ERR_CONFIG, "%u connections: from 1 to %d", options->connections,
                       CLIENT_CONNECTIONS_MAX);
    }
    if (options->ca_file != NULL && access(options->ca_file, R_OK) != 0) {
        return err_set(e, ERR_CONFIG, "--ca-file '%s': cannot be read", options->ca_file);
    }
    return 0;
}

static char *copy_or_null(const char *text)
{
    return text == NULL ? NULL : xstrdup(text);
}

static struct s3_options copy_options(const struct s3_options *options)
{
    struct s3_options copy = *options;
    copy.bucket = xstrdup(options->bucket);
    copy.region = copy_or_null(options->region);
    copy.endpoint = copy_or_null(options->endpoint);
    copy.request_payer = copy_or_null(options->request_payer);
    copy.expected_bucket_owner = copy_or_null(options->expected_bucket_owner);
    copy.ca_file = copy_or_null(options->ca_file);
    copy.sse_c_key_file = NULL; /* read once, by take_key */
    return copy;
}

static void free_options(struct s3_options *options)
{
    const char *const texts[] = {
        options->bucket,        options->region,  options->endpoint,
        options->request_payer, options->ca_file, options->expected_bucket_owner,
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        free((void *)(uintptr_t)texts[i]); /* ours since copy_options; const is for the readers */
    }
}

static struct endpoint_options endpoint_options(const struct s3_options *options)
{
    return (struct endpoint_options){
        .bucket = options->bucket,
        .endpoint = options->endpoint,
        .path_style = options->path_style,
        .virtual_host = options->virtual_host,
        .dualstack = options->dualstack,
        .fips = options->fips,
    };
}

static void limit_bandwidth(struct s3_client *client)
{
    struct s3_options *const options = &client->options;
    client->rate.bytes_per_s = options->bandwidth;
    const uint64_t shares = options->bandwidth / BANDWIDTH_SHARE_MIN;
    if (options->bandwidth > 0 && shares < options->connections) {
        options->connections = shares == 0 ? 1 : (unsigned)shares;
    }
}

static void start_nets(struct s3_client *client)
{
    const unsigned connections = client->options.connections;
    client->net_count =
        client->options.net_threads < connections ? client->options.net_threads : connections;
    const unsigned each = connections / client->net_count;
    const unsigned more = connections % client->net_count;
    for (unsigned i = 0; i < client->net_count; i++) {
        client->nets[i] = net_new(client, i, i < more ? each + 1 : each);
    }
    for (unsigned i = 0; i < client->net_count; i++) {
        net_start(client->nets[i]);
    }
}

static int take_key(struct s3_client *client, const char *path, const struct endpoint *endpoint,
                    struct err *e)
{
    if (path == NULL) {
        return 0;
    }
    if (!sse_c_may_go_to(endpoint->base)) {
        (void)err_set(e, ERR_CONFIG, "--sse-c-key-file: the key would go to %s in the clear",
                      endpoint->base);
        return err_hint(e, "give an --endpoint with https");
    }
    return sse_c_read(path, &client->sse_c, e);
}

int s3_client_new(const struct s3_options *options, struct s3_client **ret, struct err *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, init_libraries); /* cannot fail with a valid control */
    if (check_options(options, e) != 0) {
        return -1;
    }
    const struct endpoint_options where = endpoint_options(options);
    struct endpoint *endpoint = NULL;
    const char *const region = options->region == NULL ? FIRST_REGION : options->region;
    if (endpoint_new(&where, region, &endpoint, e) != 0) {
        return -1;
    }
    struct s3_client *client = xcalloc(1, sizeof(*client));
    if (take_key(client, options->sse_c_key_file, endpoint, e) != 0) {
        endpoint_free(endpoint);
        free(client);
        return -1;
    }
    client->options = copy_options(options);
    client->endpoint = endpoint;
    client->endpoint_count = 1;
    client->random = (struct random){.state = options->seed};
    mutex_init(&client->lock);
    limit_bandwidth(client);
    retry_purse_init(&client->purse);
    start_nets(client);
    *ret = client;
    return 0;
}

bool client_learn_region(struct s3_client *client, const struct endpoint *used, const char *region)
{
    /* No redirect leads out of a partition: our keys mean nothing there. */
    if (client->options.endpoint == NULL &&
        partition_of_region(region) != partition_of_region(used->region)) {
        return false;
    }
    const struct endpoint_options where = endpoint_options(&client->options);
    struct endpoint *made = NULL;
    struct err e = ERR_INIT;
    if (endpoint_new(&where, region, &made, &e) != 0) {
        return false;
    }
    mutex_lock(&client->lock);
    const bool known = strcmp(client->endpoint->region, made->region) == 0;
    if (!known && client->endpoint_count < ENDPOINTS_MAX) {
        made->next = client->endpoint;
        client->endpoint = TAKE_PTR(made);
        client->endpoint_count++;
    }
    const bool news = strcmp(client->endpoint->region, used->region) != 0;
    mutex_unlock(&client->lock);
    endpoint_free(made);
    log_debug("s3: bucket=%s region=%s", client->options.bucket, region);
    return news;
}

void client_learn_skew(struct s3_client *client, int64_t skew_ms)
{
    mutex_lock(&client->lock);
    client->skew_ms = skew_ms;
    mutex_unlock(&client->lock);
    log_debug("s3: the store's clock is %lld ms ahead of ours", (long long)skew_ms);
}

static void end_all(struct s3_client *client, bool stopping)
{
    mutex_lock(&client->lock);
    client->cancelled = true;
    client->stopping = client->stopping || stopping;
    mutex_unlock(&client->lock);
    client_wake(client, UINT64_MAX);
}

void s3_client_cancel(struct s3_client *client)
{
    end_all(client, false);
}

void s3_client_free(struct s3_client *client)
{
    if (client == NULL) {
        return;
    }
    end_all(client, true);
    for (unsigned i = 0; i < client->net_count; i++) {
        net_join(client->nets[i]);
    }
    for (unsigned i = 0; i < client->net_count; i++) {
        net_free(client->nets[i]);
    }
    ASSERT(client->queue.head == NULL && client->on_wire == 0);
    while (client->endpoint != NULL) {
        struct endpoint *endpoint = client->endpoint;
        client->endpoint = endpoint->next;
        endpoint_free(endpoint);
    }
    mutex_done(&client->lock);
    free_options(&client->options);
    sse_c_wipe(&client->sse_c);
    free(client);
}

struct s3_stats s3_client_stats(struct s3_client *client)
{
    mutex_lock(&client->lock);
    const struct s3_stats stats = client->stats;
    mutex_unlock(&client->lock);
    return stats;
}

void s3_client_region(struct s3_client *client, char ret[S3_REGION_MAX])
{
    mutex_lock(&client->lock);
    const char *const region = client->endpoint->region; /* lives as long as the client */
    mutex_unlock(&client->lock);
    ASSERT(strlen(region) < S3_REGION_MAX);
    memcpy(ret, region, strlen(region) + 1);
}
