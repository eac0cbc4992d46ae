/*
 * ring_seek: a slot for a node, of those it is told and no other: its own, as after a reboot; else
 * a free one; else one whose node has broken its promise. Nodes look in orders of their own, so
 * that a dozen that start together do not all want the same. Where none is free, but a node that
 * has one may be dead, that is waited for: until its claim is renewed or has lapsed.
 *
 * What was had is proved by two writes that the store must refuse: one that heeds no conditions
 * would give one token to two nodes. Pure; see ring_core.h.
 */
#ifndef PENATES_RING_RING_SEEK_H
#define PENATES_RING_RING_SEEK_H

#include "agent/ring/ring_core.h"

enum seek_goal {
    SEEK_ANY,
    SEEK_TAKE,    /* that one slot */
    SEEK_RELEASE, /* give it up, so that it is anybody's */
};

enum seek_verdict {
    SEEK_GOING_ON,
    SEEK_MINE,        /* see ring_seek_held */
    SEEK_GIVEN_UP,    /* of SEEK_RELEASE */
    SEEK_ALL_TAKEN,   /* SEEK_ANY: more nodes than slots */
    SEEK_HELD,        /* TAKE, RELEASE: by a node that may be alive; see ring_seek_seen */
    SEEK_HAS_OTHER,   /* TAKE: this node has ring_seek_held */
    SEEK_LIVE,        /* the ring is sealed, and nothing of it is this node's */
    SEEK_UNREACHABLE, /* for longer than retry_for */
    SEEK_REFUSED,     /* CLAIM_FAILED: whoever asked knows why */
    SEEK_UNSAFE,      /* the store does not heed conditions */
};

struct seek_options {
    struct ring_me me;
    enum seek_goal goal;
    size_t wanted;       /* TAKE, RELEASE: the slot */
    const char *gone;    /* TAKE, RELEASE: the node that is known to be gone for good, for what it
                            has restored is not to be had otherwise; NULL: none */
    const size_t *slots; /* the rack's */
    size_t slot_count;   /* > 0 */
};

/* What was found on a slot. */
struct seek_seen {
    size_t slot;
    bool known;  /* it has been looked at */
    bool absent; /* there is no claim */
    bool alive;  /* it was renewed while we looked */
    struct ring_claim claim;
    char etag[S3_ETAG_MAX];
    int64_t age_ms;
};

struct ring_seek;

struct ring_seek *ring_seek_new(const struct seek_options *options); /* copies */
void ring_seek_free(struct ring_seek *seek);                         /* NULL is fine */

enum ring_step ring_seek_next(struct ring_seek *seek, uint64_t now_ms, struct claim_request *ret,
                              uint64_t *ret_wait_ms);
void ring_seek_answer(struct ring_seek *seek, const struct claim_answer *answer, uint64_t now_ms);

enum seek_verdict ring_seek_verdict(const struct ring_seek *seek);
const struct ring_held *ring_seek_held(const struct ring_seek *seek);
/* By place in `slots`. */
const struct seek_seen *ring_seek_seen(const struct ring_seek *seek, size_t index);
bool ring_seek_is_sealed(const struct ring_seek *seek);
/* It waits for a claim to be renewed or to lapse. */
bool ring_seek_is_watching(const struct ring_seek *seek);

#endif
