/* claim_world_internal: what the files of the world share: claim_world.c (nodes, network, faults)
 * and claim_store.c (the store, and what must never be written to it). */
#ifndef PENATES_TESTS_CLAIM_WORLD_INTERNAL_H
#define PENATES_TESTS_CLAIM_WORLD_INTERNAL_H

#include <stdio.h>

#include "agent/ring/ring_hold.h"
#include "agent/ring/ring_sealing.h"
#include "agent/ring/ring_seek.h"
#include "claim_world.h"

enum stage { OFF, SEEKING, HOLDING, SEALING, OVER };

/* A node, over all of its processes; or the operator, who is one for one release. */
struct actor {
    char name[24];
    unsigned rack;
    bool is_operator, dead; /* for good */
    bool blank;             /* it has lost its data once: nobody knows whether that was live */
    unsigned process;       /* counts them */
    struct ring_me me;
    double drift; /* of its clock */
    uint64_t offset_ms;
    uint64_t frozen_until_ms, cut_until_ms;
    enum stage stage;
    struct ring_seek *seek;
    struct ring_hold hold;
    struct ring_sealing sealing;
    bool sealing_made;
    struct ring_claim
        draft[WORLD_SLOTS_MAX]; /* what it has asked to seal; it may be gone by then */
    uint64_t done_at_ms;        /* on its clock: all is on disk */
    uint64_t work_ms;           /* what is left of that, for a process that goes on with it */
    uint64_t confirmed_ms;      /* on its clock, by our own count */
    uint64_t asked_ms;          /* likewise: when what is under way was sent */
    bool asking_write;
    unsigned question; /* that is under way; answers to others come too late */
    bool has_stamp;
    size_t slot; /* of its stamp, or what it works on */
    size_t wanted;
    char gone[24];
};

struct event; /* claim_world.c */

struct object {
    bool there;
    struct ring_claim claim;
    char etag[S3_ETAG_MAX];
    uint64_t modified_ms;
};

struct world {
    struct world_result *result;
    struct random random;
    unsigned slots, harshness;
    uint64_t lease_ms, now_ms, calm_ms, outage_until_ms;
    struct object objects[WORLD_SLOTS_MAX];
    bool late[WORLD_SLOTS_MAX]; /* and has said it last when the ring was sealed already */
    bool sealed;
    struct ring_claim seal[WORLD_SLOTS_MAX];
    bool fenced[WORLD_SLOTS_MAX]; /* somebody has said that all is on disk */
    struct actor actors[WORLD_ACTORS_MAX];
    size_t actor_count;
    struct event *events;
    size_t event_count;
    uint64_t order;
};

static inline uint64_t below(struct world *world, uint64_t bound)
{
    return random_below(&world->random, bound);
}

/* In a calm world nothing goes wrong any more. */
static inline bool happens(struct world *world, unsigned percent)
{
    return world->now_ms < world->calm_ms && below(world, 100) < percent * world->harshness;
}

static inline void wrong(struct world *world, const char *what, const struct actor *actor,
                         size_t slot)
{
    if (world->result->wrong[0] == '\0') {
        (void)snprintf(world->result->wrong, sizeof(world->result->wrong),
                       "%s: %s, process %u, slot %zu, at %llu ms", what, actor->name,
                       actor->process, slot, (unsigned long long)world->now_ms);
    }
}

static inline unsigned rack_of(size_t slot)
{
    return (unsigned)(slot % WORLD_RACKS);
}

/* A request has arrived: what it does there, and the answer. */
struct claim_answer store_serve(struct world *world, const struct actor *actor,
                                const struct claim_request *request);

#endif
