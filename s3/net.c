#include "s3/net.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/base/thread.h"
#include "s3/names.h"
#include "s3/poller.h"
#include "s3/repair.h"
#include "s3/request.h"

enum {
    WATCH_EVERY_MS = 100, /* how often stalls are looked for */
    IDLE_MS = 10000,      /* work wakes the thread: this only bounds the harm of a lost wake-up */
    STALL_FLOOR = 1024,   /* bytes per second: what trickles slower is cut like what stands */
};

struct net {
    /* set once */
    struct s3_client *client;
    unsigned index;
    unsigned slot_count;
    struct poller *poller;
    CURLM *multi; /* the poller's */
    pthread_t thread;
    uint64_t stall_bytes; /* fewer in stall_ms: stalled */

    /* under the client's lock */
    struct net_load load;

    /* net thread */
    struct names names;
    struct request **requests; /* slot_count places, filled as they are needed */
    unsigned request_count;
    struct request *free_requests;
    unsigned active;
    struct get_queue delayed;
    uint64_t delayed_due_ms; /* of the one that is due first; UINT64_MAX: none */
    uint64_t watched_at_ms;
    uint64_t traffic; /* bytes not paid for yet, see rate.h */
    struct sigv4_key_cache key_cache;
};

struct net_load *net_load(struct net *net)
{
    return &net->load;
}

unsigned net_slot_count(const struct net *net)
{
    return net->slot_count;
}

unsigned net_index(const struct net *net)
{
    return net->index;
}

/* "get s3://bucket/key", for what an operator reads. */
static void wrap(const struct net *net, const struct s3_get *get, struct err *e)
{
    const char *const bucket = net->client->options.bucket;
    if (get->transfer->page != NULL) {
        err_wrap(e, "list s3://%s/%s", bucket, get->key);
    } else {
        const char *const verb = get->head              ? "head"
                                 : get->restore != NULL ? "restore"
                                 : get->put != NULL     ? "put"
                                                        : "get";
        err_wrap(e, "%s s3://%s/%s", verb, bucket, get->key);
    }
}

static void complete(const struct net *net, struct s3_get *get, struct err *e)
{
    ASSERT(get->transfer != NULL);
    if (e->kind != ERR_NONE) {
        wrap(net, get, e);
    }
    get->err = *e;
    get->unsure = e->kind != ERR_NONE && get->transfer->unsure;
    free(TAKE_PTR(get->transfer));
    get->done(get);
}

static void complete_cancelled(const struct net *net, struct s3_get *get)
{
    struct err e = ERR_INIT;
    err_set(&e, ERR_CANCELLED, "interrupted");
    complete(net, get, &e);
}

static void delay(struct net *net, struct s3_get *get, uint64_t due_ms)
{
    get->transfer->due_ms = due_ms;
    get_queue_push(&net->delayed, get);
    net->delayed_due_ms = due_ms < net->delayed_due_ms ? due_ms : net->delayed_due_ms;
}

/* The try has ended and its place is free: what becomes of the get? */
static void settle(struct net *net, struct s3_get *get, enum verdict verdict, struct err *e)
{
    uint64_t delay_ms = 0;
    const uint64_t now_ms = clock_mono_ms();
    if (verdict == VERDICT_DONE || verdict == VERDICT_FAIL) {
        complete(net, get, e);
        return;
    }
    if (!client_may_retry(net->client, get, verdict == VERDICT_SLOW_DOWN, now_ms, &delay_ms)) {
        if (get->tries > 1) {
            err_wrap(e, "after %u tries", get->tries);
        }
        complete(net, get, e);
        return;
    }
    log_debug("s3: retry key=%s try=%u in_ms=%" PRIu64 " why=%s", get->key, get->tries, delay_ms,
              e->text);
    delay(net, get, now_ms + delay_ms);
}

static void release_request(struct net *net, struct request *request)
{
    request_end(request);
    request->next = net->free_requests;
    net->free_requests = request;
}

static void give_back(struct net *net, enum verdict verdict, bool progress, uint64_t bytes)
{
    const struct client_try ended = {.verdict = verdict, .progress = progress, .bytes = bytes};
    client_give_back(net->client, net, &ended);
}

/* Ends one try. The place is given back before done() is called, so that the wire stays busy. */
static void finish(struct net *net, struct request *request, enum verdict verdict, struct err *e)
{
    struct s3_get *get = request->get;
    const uint64_t bytes = request->body_size;
    const bool progress = request_progressed(request);
    const bool at_once = repair_is_for(verdict) && repair_try(request, &verdict, e);
    release_request(net, request);
    give_back(net, verdict, progress, bytes);
    if (at_once) {
        client_requeue(net->client, get);
    } else {
        settle(net, get, verdict, e);
    }
}

static void detach(struct net *net, struct request *request)
{
    const CURLMcode code = curl_multi_remove_handle(net->multi, request->easy);
    ASSERT(code == CURLM_OK && net->active > 0);
    net->active--;
}

static struct request *take_request(struct net *net)
{
    struct request *request = net->free_requests;
    if (request != NULL) {
        net->free_requests = request->next;
        return request;
    }
    ASSERT(net->request_count < net->slot_count);
    request = request_new(net->client, &net->traffic);
    names_lend(&net->names, request->easy);
    net->requests[net->request_count] = request;
    net->request_count++;
    return request;
}

static void start(struct net *net, struct s3_get *get)
{
    struct err e = ERR_INIT;
    const uint64_t now_ms = clock_mono_ms();
    if (get->transfer->budget_from_ms == 0) {
        get->transfer->budget_from_ms = now_ms;
    }
    struct request *request = take_request(net);
    if (request_begin(request, get, &net->key_cache, &e) != 0) {
        request->next = net->free_requests;
        net->free_requests = request;
        const struct client_try ended = {
            .verdict = e.kind == ERR_RETRY ? VERDICT_RETRY : VERDICT_FAIL, .unsent = true};
        client_give_back(net->client, net, &ended);
        settle(net, get, ended.verdict, &e);
        return;
    }
    request->window_begin_ms = now_ms;
    const CURLMcode code = curl_multi_add_handle(net->multi, request->easy);
    ASSERT(code == CURLM_OK);
    net->active++;
}

static void finish_ended(struct net *net)
{
    int left = 0;
    for (const CURLMsg *message = curl_multi_info_read(net->multi, &left); message != NULL;
         message = curl_multi_info_read(net->multi, &left)) {
        ASSERT(message->msg == CURLMSG_DONE);
        const CURLcode code = message->data.result;
        char *private = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        struct request *request = (struct request *)(void *)private;
        ASSERT(request != NULL && request->get != NULL);
        detach(net, request);
        struct err e = ERR_INIT;
        const enum verdict verdict = request_judge(request, code, &e);
        finish(net, request, verdict, &e);
    }
}

/* A handle that is taken out in mid-transfer closes its connection: the next try gets a new one. */
static void cut_stalled(struct net *net, uint64_t now_ms)
{
    const uint64_t stall_ms = net->client->options.stall_ms;
    if (stall_ms == 0 || now_ms - net->watched_at_ms < WATCH_EVERY_MS) {
        return;
    }
    net->watched_at_ms = now_ms;
    for (unsigned i = 0; i < net->request_count; i++) {
        struct request *request = net->requests[i];
        if (request->get == NULL || now_ms - request->window_begin_ms < stall_ms) {
            continue;
        }
        if (request->window_bytes >= net->stall_bytes) {
            request->window_begin_ms = now_ms;
            request->window_bytes = 0;
            continue;
        }
        struct err e = ERR_INIT;
        detach(net, request);
        const enum verdict verdict = request_judge(request, CURLE_OPERATION_TIMEDOUT, &e);
        if (verdict == VERDICT_RETRY) {
            err_set(&e, ERR_RETRY, "the connection stalls: %" PRIu64 " bytes in %" PRIu64 " ms",
                    request->window_bytes, stall_ms);
        }
        finish(net, request, verdict, &e);
    }
}

static void requeue_due(struct net *net, uint64_t now_ms)
{
    if (now_ms < net->delayed_due_ms) {
        return;
    }
    struct get_queue waiting = net->delayed;
    net->delayed = (struct get_queue){.head = NULL};
    net->delayed_due_ms = UINT64_MAX;
    for (struct s3_get *get = get_queue_pop(&waiting); get != NULL; get = get_queue_pop(&waiting)) {
        if (get->transfer->due_ms <= now_ms) {
            client_requeue(net->client, get);
        } else {
            delay(net, get, get->transfer->due_ms);
        }
    }
}

static void cancel_all(struct net *net, struct get_queue *taken)
{
    for (struct s3_get *get = get_queue_pop(taken); get != NULL; get = get_queue_pop(taken)) {
        complete_cancelled(net, get);
    }
    for (unsigned i = 0; i < net->request_count; i++) {
        struct request *request = net->requests[i];
        if (request->get != NULL) {
            struct s3_get *get = request->get;
            const uint64_t bytes = request->body_size;
            get->transfer->unsure = get->put != NULL;
            detach(net, request);
            release_request(net, request);
            give_back(net, VERDICT_FAIL, false, bytes);
            complete_cancelled(net, get);
        }
    }
    struct get_queue waiting = net->delayed;
    net->delayed = (struct get_queue){.head = NULL};
    net->delayed_due_ms = UINT64_MAX;
    for (struct s3_get *get = get_queue_pop(&waiting); get != NULL; get = get_queue_pop(&waiting)) {
        complete_cancelled(net, get);
    }
}

/* Until when there is nothing to do but for the sockets. */
static uint64_t wait_most_ms(struct net *net, uint64_t now_ms)
{
    uint64_t flow_due_ms = 0;
    if (!client_may_sleep(net->client, net, &flow_due_ms)) {
        return 0;
    }
    const uint64_t timeout_ms = net->active > 0 ? WATCH_EVERY_MS : IDLE_MS;
    const uint64_t due_ms = flow_due_ms < net->delayed_due_ms ? flow_due_ms : net->delayed_due_ms;
    const uint64_t left_ms = due_ms > now_ms ? due_ms - now_ms : 0;
    return left_ms < timeout_ms ? left_ms : timeout_ms;
}

/* True while more than the limit of bandwidth has arrived: then the sockets are left alone, their
 * windows fill and the store slows down. Sleeps in short steps, so that a cancel is seen soon. */
static bool sleep_off_debt(struct net *net)
{
    const uint64_t wait_ms = client_pace_ms(net->client, net->traffic);
    net->traffic = 0;
    if (wait_ms > 0) {
        clock_sleep_ms(wait_ms < WATCH_EVERY_MS ? wait_ms : WATCH_EVERY_MS);
    }
    return wait_ms > 0;
}

static void work(struct net *net, struct get_queue *gets)
{
    for (struct s3_get *get = get_queue_pop(gets); get != NULL; get = get_queue_pop(gets)) {
        start(net, get);
    }
    finish_ended(net);
    if (sleep_off_debt(net)) {
        return;
    }
    const uint64_t now_ms = clock_mono_ms();
    cut_stalled(net, now_ms);
    requeue_due(net, now_ms);
    poller_wait(net->poller, wait_most_ms(net, now_ms));
}

static void *run(void *arg)
{
    struct net *net = arg;
    for (;;) {
        struct client_work taken = client_take(net->client, net);
        if (!taken.cancelled) {
            work(net, &taken.gets);
        } else if (taken.gets.head != NULL || net->active > 0 || net->delayed.head != NULL) {
            cancel_all(net, &taken.gets); /* whose done() may submit: so look again */
        } else if (taken.stopping) {
            return NULL;
        } else {
            poller_wait(net->poller, IDLE_MS);
        }
    }
}

struct net *net_new(struct s3_client *client, unsigned index, unsigned slot_count)
{
    ASSERT(slot_count > 0 && index < CLIENT_NETS_MAX);
    struct net *net = xcalloc(1, sizeof(*net));
    net->client = client;
    net->index = index;
    net->slot_count = slot_count;
    net->requests = xcalloc(slot_count, sizeof(struct request *));
    net->delayed_due_ms = UINT64_MAX;
    names_init(&net->names);
    const uint64_t floor = client->options.stall_ms * STALL_FLOOR / 1000;
    /* With a limit of bandwidth slowness is our own doing. */
    net->stall_bytes = client->options.bandwidth > 0 || floor == 0 ? 1 : floor;
    net->poller = poller_new();
    net->multi = poller_multi(net->poller);
    (void)curl_multi_setopt(net->multi, CURLMOPT_MAXCONNECTS, (long)slot_count);
    (void)curl_multi_setopt(net->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    return net;
}

void net_start(struct net *net)
{
    net->thread = thread_start(run, net, "penates-net");
}

void net_wake(struct net *net)
{
    poller_wake(net->poller);
}

void net_join(struct net *net)
{
    thread_join(net->thread);
}

void net_free(struct net *net)
{
    ASSERT(net->active == 0 && net->load.assigned == 0);
    for (unsigned i = 0; i < net->request_count; i++) {
        request_free(net->requests[i]);
    }
    free(net->requests);
    poller_free(net->poller);
    names_done(&net->names);
    sigv4_key_cache_wipe(&net->key_cache);
    free(net);
}
