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

static bool has_startable_locked(const struct s3_client *client)
{
    return client->queue.head != NULL && client->on_wire < client->options.connections &&
           !client->cancelled;
}

static unsigned free_slots_locked(struct net *net)
{
    ASSERT(net_load(net)->assigned <= net_slot_count(net));
    return net_slot_count(net) - net_load(net)->assigned;
}

static struct net *least_busy_locked(const struct s3_client *client)
{
    struct net *best = client->nets[0];
    for (unsigned i = 1; i < client->net_count; i++) {
        if (free_slots_locked(client->nets[i]) > free_slots_locked(best)) {
            best = client->nets[i];
        }
    }
    ASSERT(free_slots_locked(best) > 0); /* the slots are as many as the connections */
    return best;
}

/* The first net thread waits for the flow; when it sleeps it may not know yet. */
static uint64_t wake_clock_locked(struct s3_client *client)
{
    struct net_load *const load = net_load(client->nets[0]);
    const bool asleep = load->asleep;
    load->asleep = false;
    return asleep ? 1 : 0;
}

/* Hands out what may start now. Returns a bit for each net thread that must be woken. */
static uint64_t dispatch_locked(struct s3_client *client)
{
    uint64_t wake = 0;
    if (!has_startable_locked(client)) {
        return 0;
    }
    const uint64_t now_ms = clock_mono_ms();
    while (has_startable_locked(client) && flow_due_ms(&client->flow) <= now_ms) {
        flow_start(&client->flow, now_ms);
        struct net *const net = least_busy_locked(client);
        struct net_load *const load = net_load(net);
        struct s3_get *get = get_queue_pop(&client->queue);
        get->transfer->endpoint = client->endpoint;
        get->transfer->skew_ms = client->skew_ms;
        wake |= load->asleep ? UINT64_C(1) << net_index(net) : 0;
        load->asleep = false;
        get_queue_push(&load->inbox, get);
        load->assigned++;
        client->on_wire++;
    }
    if (has_startable_locked(client)) {
        wake |= wake_clock_locked(client);
    }
    return wake;
}

static void wake_nets(struct s3_client *client, uint64_t nets)
{
    for (unsigned i = 0; i < client->net_count; i++) {
        if ((nets >> i & 1) != 0) {
            net_wake(client->nets[i]);
        }
    }
}

void client_submit(struct s3_client *client, struct s3_get *get, const struct client_page *page)
{
    ASSERT(get->done != NULL);
    const bool bodyless = page != NULL || get->head || get->restore != NULL;
    ASSERT(bodyless || (get->size > 0 && get->into != NULL));
    ASSERT(bodyless ||
           (get->offset < get->object_size && get->size <= get->object_size - get->offset));
    get->etag = get->etag == NULL || get->etag[0] == '\0' ? NULL : get->etag;
    get->transfer = xcalloc(1, sizeof(*get->transfer));
    get->transfer->page = page;
    get->err = ERR_INIT;
    get->tries = 0;
    mutex_lock(&client->lock);
    get_queue_push(&client->queue, get);
    /* What comes after a cancel is ended by the first net thread. */
    const uint64_t wake = client->cancelled ? 1 : dispatch_locked(client);
    mutex_unlock(&client->lock);
    wake_nets(client, wake);
}

void s3_submit(struct s3_client *client, struct s3_get *get)
{
    client_submit(client, get, NULL);
}

struct client_work client_take(struct s3_client *client, struct net *net)
{
    struct net_load *const load = net_load(net);
    mutex_lock(&client->lock);
    const uint64_t wake = dispatch_locked(client); /* what the flow made wait */
    struct client_work work = {
        .gets = load->inbox,
        .cancelled = client->cancelled,
        .stopping = client->stopping,
    };
    load->inbox = (struct get_queue){.head = NULL};
    load->asleep = false;
    if (client->cancelled) {
        for (const struct s3_get *get = work.gets.head; get != NULL; get = get->next) {
            load->assigned--;
            client->on_wire--;
        }
        get_queue_append(&work.gets, &client->queue);
    }
    mutex_unlock(&client->lock);
    wake_nets(client, wake & ~(UINT64_C(1) << net_index(net)));
    return work;
}

bool client_may_sleep(struct s3_client *client, struct net *net, uint64_t *ret_due_ms)
{
    struct net_load *const load = net_load(net);
    mutex_lock(&client->lock);
    load->asleep = load->inbox.head == NULL;
    const bool asleep = load->asleep;
    const bool waits = net_index(net) == 0 && has_startable_locked(client);
    *ret_due_ms = waits ? flow_due_ms(&client->flow) : UINT64_MAX;
    mutex_unlock(&client->lock);
    return asleep;
}

static void learn_locked(struct s3_client *client, const struct client_try *ended)
{
    client->stats.requests++;
    client->stats.bytes += ended->bytes;
    if (ended->verdict == VERDICT_DONE || ended->verdict == VERDICT_SLOW_DOWN) {
        flow_answer(&client->flow, ended->verdict == VERDICT_SLOW_DOWN, clock_mono_ms());
    }
    if (ended->verdict == VERDICT_DONE) {
        client->answered = true;
        retry_purse_give(&client->purse);
    }
    if (ended->verdict == VERDICT_DONE || ended->progress) {
        retry_outage_end(&client->outage);
    }
}

void client_give_back(struct s3_client *client, struct net *net, const struct client_try *ended)
{
    mutex_lock(&client->lock);
    ASSERT(net_load(net)->assigned > 0 && client->on_wire > 0);
    net_load(net)->assigned--;
    client->on_wire--;
    learn_locked(client, ended);
    const uint64_t wake = dispatch_locked(client);
    mutex_unlock(&client->lock);
    wake_nets(client, wake);
}

void client_requeue(struct s3_client *client, struct s3_get *get)
{
    mutex_lock(&client->lock);
    client->stats.retries++;
    get_queue_push_front(&client->queue, get);
    const uint64_t wake = dispatch_locked(client);
    mutex_unlock(&client->lock);
    wake_nets(client, wake);
}

bool client_may_retry(struct s3_client *client, const struct s3_get *get, bool slow_down,
                      uint64_t now_ms, uint64_t *ret_delay_ms)
{
    const struct s3_transfer *const transfer = get->transfer;
    const struct s3_options *const options = &client->options;
    ASSERT(get->tries > 0 && now_ms >= transfer->budget_from_ms);
    const uint64_t own_ms = now_ms - transfer->budget_from_ms;
    struct retry_try last = {
        .tries = get->tries,
        .budget_ms = options->retry_for_ms,
        .slow_down = slow_down,
        .after_ms = transfer->retry_after_ms,
    };
    mutex_lock(&client->lock);
    client->answered = client->answered || transfer->answered;
    if (!client->answered && options->contact_ms > 0 && options->contact_ms < last.budget_ms) {
        last.budget_ms = options->contact_ms;
    }
    const uint64_t outage_ms = retry_outage_fail(&client->outage, now_ms);
    last.elapsed_ms = own_ms > outage_ms ? own_ms : outage_ms;
    last.purse_empty = !slow_down && !retry_purse_take(&client->purse);
    const bool again = retry_delay(&last, &client->random, ret_delay_ms);
    mutex_unlock(&client->lock);
    return again;
}

uint64_t client_pace_ms(struct s3_client *client, uint64_t bytes)
{
    if (client->options.bandwidth == 0) {
        return 0;
    }
    const uint64_t now_ms = clock_mono_ms();
    mutex_lock(&client->lock);
    const uint64_t wait_ms = rate_take(&client->rate, bytes, now_ms);
    mutex_unlock(&client->lock);
    return wait_ms;
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
    wake_nets(client, UINT64_MAX);
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
