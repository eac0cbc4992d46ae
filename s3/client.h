/*
 * client: what the threads of one s3_client share. Private to s3/.
 *
 *     s3_submit ─▶ queue ─▶ dispatch: the least busy net thread's inbox ─▶ net ─▶ done()
 *                   ▲                                                      │ a retry that is due
 *                   └──────────────────────────────────────────────────────┘
 *
 * A request waits in the queue until a slot is free and the flow (flow.h) lets one more start; one
 * that waits for its retry holds no slot.
 */
#ifndef PENATES_S3_CLIENT_H
#define PENATES_S3_CLIENT_H

#include <pthread.h>

#include "s3/endpoint.h"
#include "s3/error_map.h"
#include "s3/flow.h"
#include "s3/get_queue.h"
#include "s3/http_headers.h"
#include "s3/rate.h"
#include "s3/retry.h"
#include "s3/s3.h"
#include "s3/sigv4.h"
#include "s3/sse_c.h"

enum {
    CLIENT_NETS_MAX = 64, /* a bit each in a wake mask */
    CLIENT_CONNECTIONS_MAX = 4096,
};

/* A listing's page is a get of the bucket itself: with a query, and a body of unknown length. */
struct client_page {
    const struct sigv4_pair *query;
    size_t query_count;
    struct buf *body;
};

/* A get on its way. Made by submit, gone before done(). */
struct s3_transfer {
    /* set once */
    const struct client_page *page; /* NULL: an object */

    /* under the client's lock while queued, else whoever has taken it */
    const struct endpoint *endpoint; /* as known at dispatch */
    int64_t skew_ms;                 /* likewise */
    uint64_t budget_from_ms;         /* 0: not tried yet */
    uint64_t due_ms;                 /* of the next try, while it waits */
    uint64_t received;               /* bytes of the get that are in place */
    uint64_t retry_after_ms;         /* what the last answer asked for; 0: nothing */
    bool answered;                   /* by the store, however */
    bool unsure;                     /* a PUT of which a try may have been done unseen */
    unsigned repaired;               /* a bit for each verdict that was answered by a repair */
    char etag[HTTP_ETAG_MAX];        /* of the bytes in place, where the caller named none */
};

struct net;

struct s3_client {
    /* set once */
    struct s3_options options; /* its strings are copies */
    struct sse_c sse_c;        /* secret */
    struct net *nets[CLIENT_NETS_MAX];
    unsigned net_count;

    /* under lock */
    pthread_mutex_t lock;
    struct get_queue queue;
    unsigned on_wire; /* handed to a net thread and not given back */
    struct flow flow;
    struct retry_purse purse;
    struct retry_outage outage;
    struct rate rate;
    struct random random;
    struct endpoint *endpoint; /* the newest; those before it are linked and live as long */
    unsigned endpoint_count;
    int64_t skew_ms; /* the store's clock less ours */
    bool answered;   /* the store has, once */
    bool cancelled, stopping;
    struct s3_stats stats;
};

/* s3_submit; page is borrowed until done() and NULL for an object. */
void client_submit(struct s3_client *client, struct s3_get *get, const struct client_page *page);

/* What a net thread is told when it comes for work. */
struct client_work {
    struct get_queue gets; /* to start, or, when cancelled, to end */
    bool cancelled, stopping;
};
struct client_work client_take(struct s3_client *client, struct net *net);

/* False: there is work already. True: from now on the net thread is woken when there is, or must
 * come by itself at *ret_due_ms: then the flow lets the next request start. UINT64_MAX: none waits,
 * or another thread does. */
bool client_may_sleep(struct s3_client *client, struct net *net, uint64_t *ret_due_ms);

/* How one try went. */
struct client_try {
    enum verdict verdict;
    bool progress;  /* it brought enough to be worth it: the store is there */
    bool unsent;    /* there were no credentials to sign it with */
    uint64_t bytes; /* of the body */
};

/* The net thread has one request less: frees its place for the next one, and learns from how it
 * went. */
void client_give_back(struct s3_client *client, struct net *net, const struct client_try *ended);

/* Queues again, ahead of what was never tried. */
void client_requeue(struct s3_client *client, struct s3_get *get);

/* False: no more tries. Else when to try next, in *ret_delay_ms. */
bool client_may_retry(struct s3_client *client, const struct s3_get *get, bool slow_down,
                      uint64_t now_ms, uint64_t *ret_delay_ms);

/* Wakes the net threads of the set bits. */
void client_wake(struct s3_client *client, uint64_t nets);

/* So many bytes have arrived: how long must the net thread leave its sockets alone? */
uint64_t client_pace_ms(struct s3_client *client, uint64_t bytes);

/* The bucket lies elsewhere than `used` says. False when that is no news. */
bool client_learn_region(struct s3_client *client, const struct endpoint *used, const char *region);
void client_learn_skew(struct s3_client *client, int64_t skew_ms);

#endif
