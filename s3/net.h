/*
 * net: one thread that drives up to slot_count requests through its own curl multi handle. It takes
 * work from the client, gives places back, waits out retries, cuts what stalls, and calls done().
 */
#ifndef PENATES_S3_NET_H
#define PENATES_S3_NET_H

#include "s3/client.h"

struct net;

struct net *net_new(struct s3_client *client, unsigned index, unsigned slot_count);
/* From then on client_take is called by it. */
void net_start(struct net *net);
/* Any thread: there is work, or the client is cancelled or stopping. */
void net_wake(struct net *net);
/* After the client said stopping: waits for the thread's end. Others may still wake it. */
void net_join(struct net *net);
/* After all were joined. */
void net_free(struct net *net);

/* Under the client's lock. */
struct net_load {
    struct get_queue inbox;
    unsigned assigned; /* in the inbox or in a slot */
    bool asleep;       /* must be woken to see what is put into the inbox */
};
struct net_load *net_load(struct net *net);
/* Set once. */
unsigned net_slot_count(const struct net *net);
unsigned net_index(const struct net *net);

#endif
