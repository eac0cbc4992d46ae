/*
 * ring_core: what the three machines of the claim protocol share. They do no I/O and read no clock:
 *
 *     seek   a slot of my rack: mine already, free, or lapsed          ring_seek.h
 *     hold   it: renew it, and pass the fence once all is on disk      ring_hold.h
 *     seal   the ring, when every slot is restored                     ring_sealing.h
 *
 * Each says what to ask next, is told the answer, and ends with a verdict. There is no coordinator;
 * the store's conditional writes decide, and its clock alone: how old a claim is goes by two times
 * of one answer of the store. A node's own clock must only run, and shortens what it allows itself.
 */
#ifndef PENATES_RING_RING_CORE_H
#define PENATES_RING_RING_CORE_H

#include "agent/base/random.h"
#include "agent/ring/ring_claim.h"
#include "s3/s3.h"

/* The store tells times in whole seconds, and two of its machines may tell these two. */
enum { CLAIM_MARGIN_MS = 2000 };

struct ring_me {
    char node[CLAIM_NODE_SIZE];
    char run[CLAIM_RUN_SIZE];
    uint64_t lease_ms;     /* for what is claimed now */
    uint64_t retry_for_ms; /* how long the store may be out of reach where no lease ends earlier */
};

enum claim_ask {
    CLAIM_READ,      /* GET the claim on `slot` */
    CLAIM_WRITE,     /* PUT it: If-Match `etag`, or If-None-Match when that is "" */
    CLAIM_READ_SEAL, /* GET ring.json, and what it says of `slot` */
    CLAIM_WRITE_SEAL /* PUT ring.json, If-None-Match; the caller knows whose the slots are */
};

struct claim_request {
    enum claim_ask ask;
    size_t slot;
    struct ring_claim claim; /* to write */
    char etag[S3_ETAG_MAX];
};

enum claim_result {
    CLAIM_DONE,
    CLAIM_ABSENT,   /* 404: of a write, too */
    CLAIM_REFUSED,  /* 412: the condition does not hold */
    CLAIM_CONFLICT, /* 409: somebody else is writing; it was not done */
    CLAIM_UNSURE,   /* out of reach; a write may have been done, or be done yet */
    CLAIM_FAILED,   /* the store will not: no right, no bucket */
};

struct claim_answer {
    enum claim_result result;
    struct ring_claim claim; /* of a read */
    char etag[S3_ETAG_MAX];  /* of the object; "": the store did not tell it */
    int64_t age_ms;          /* Date - Last-Modified of a read; -1: not told */
};

enum ring_step {
    RING_ASK,  /* the request, and then tell the answer */
    RING_WAIT, /* at most so long, then call again */
    RING_END,  /* there is a verdict */
};

/* A claim that was had. */
struct ring_held {
    size_t slot;
    struct ring_claim claim; /* of another run: its node's last process wrote it */
    char etag[S3_ETAG_MAX];
    uint64_t sent_ms; /* when its write was sent, on the node's clock; 0: it was not ours */
};

/* True when its node has broken its promise. */
bool ring_core_is_lapsed(const struct ring_claim *claim, int64_t age_ms);

/* How failures are met: with pauses that grow, up to `most_ms`. */
struct ring_pace {
    struct random random;
    uint64_t most_ms;
    uint64_t until_ms; /* of the pause; 0: none */
    uint64_t from_ms;  /* of the first failure since the last success */
    unsigned failures; /* since then */
};

void ring_pace_init(struct ring_pace *pace, const struct ring_me *me);
/* Returns how long it has been failing. */
uint64_t ring_pace_fail(struct ring_pace *pace, uint64_t now_ms);
void ring_pace_good(struct ring_pace *pace);
/* What is left of the pause. */
uint64_t ring_pace_left(const struct ring_pace *pace, uint64_t now_ms);

/* A number of a name, the same everywhere. */
uint64_t ring_core_seed(const char *name);

#endif
