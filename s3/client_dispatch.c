/* The way of a get to a net thread and back, and what the client learns from how it went. */
#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/base/thread.h"
#include "s3/client.h"
#include "s3/net.h"

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

void client_wake(struct s3_client *client, uint64_t nets)
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
    const bool bodyless = page != NULL || get->head || get->restore != NULL || get->put != NULL;
    ASSERT(bodyless || (get->size > 0 && get->into != NULL));
    ASSERT(bodyless || get->whole ||
           (get->offset < get->object_size && get->size <= get->object_size - get->offset));
    get->etag = get->etag == NULL || get->etag[0] == '\0' ? NULL : get->etag;
    get->transfer = xcalloc(1, sizeof(*get->transfer));
    get->transfer->page = page;
    get->err = ERR_INIT;
    get->tries = 0;
    get->unsure = false;
    mutex_lock(&client->lock);
    get_queue_push(&client->queue, get);
    /* What comes after a cancel is ended by the first net thread. */
    const uint64_t wake = client->cancelled ? 1 : dispatch_locked(client);
    mutex_unlock(&client->lock);
    client_wake(client, wake);
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
    client_wake(client, wake & ~(UINT64_C(1) << net_index(net)));
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
    client->stats.requests += ended->unsent ? 0 : 1;
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
    client_wake(client, wake);
}

void client_requeue(struct s3_client *client, struct s3_get *get)
{
    mutex_lock(&client->lock);
    client->stats.retries++;
    get_queue_push_front(&client->queue, get);
    const uint64_t wake = dispatch_locked(client);
    mutex_unlock(&client->lock);
    client_wake(client, wake);
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
