/*
 * ring_claim: the object by which a node has a slot of a ring, claims/RESTORE-ID/TOKEN.json, and
 * the one that says that all slots are restored, claims/RESTORE-ID/ring.json.
 * (deploy/schema/ring-claim.schema.json, ring-seal.schema.json.) They come from a bucket: what is
 * malformed is nobody's claim, and nobody's to take. Pure.
 */
#ifndef PENATES_RING_RING_CLAIM_H
#define PENATES_RING_RING_CLAIM_H

#include "agent/base/buf.h"
#include "agent/base/err.h"

enum {
    CLAIM_NODE_SIZE = 129, /* as --node takes it, and its NUL */
    CLAIM_RUN_SIZE = 33,   /* 128 bits in hex */
    CLAIM_TEXT_MAX = 8192, /* all the names in it are short */
    CLAIM_LEASE_MIN_MS = 1000,
};
#define CLAIM_LEASE_MAX_MS (UINT64_C(7) * 24 * 60 * 60 * 1000)

enum claim_phase {
    CLAIM_RESTORING, /* leased: who does not renew it loses it */
    CLAIM_RESTORED,  /* for good: the data is on its node's disk, whose Cassandra may run */
    CLAIM_RELEASED,  /* given up: anybody's */
    CLAIM_UNREADABLE,
};

struct ring_claim {
    char node[CLAIM_NODE_SIZE]; /* whose it is; of a released one: who gave it up */
    char run[CLAIM_RUN_SIZE]; /* of the process that wrote it: a node's name does not tell whether a
                                 write whose answer was lost was ours */
    enum claim_phase phase;
    uint64_t attempt; /* how many nodes have had it, from 1 */
    /* Counts what a run has written. With it every write has another text, and so another ETag,
     * which may be but a digest: If-Match on one that came back would let two writers through. */
    uint64_t beat;
    uint64_t lease_ms; /* whose it is promises to renew it within this, or to stop */
};

/* What is known of a slot without its claim. */
struct claim_place {
    const char *ring_id, *restore_id, *token, *rack;
    size_t slot;
};

/* A literal, as it stands in the object. */
const char *ring_claim_phase_name(enum claim_phase phase);

/* As JSON; the caller frees. */
char *ring_claim_write(const struct ring_claim *claim, const struct claim_place *place);

/* Of a claim on another token, and of what is none, the phase is CLAIM_UNREADABLE and the rest
 * empty. */
void ring_claim_read(struct slice text, const char *token, struct ring_claim *ret);

/* The JSON of a sealed ring: whose each slot is. `places` and `claims` are by slot. */
char *ring_claim_write_seal(const struct claim_place *places, const struct ring_claim *claims,
                            size_t count);

/* Who has this token for good by a seal; "" and attempt 0: it does not say. */
void ring_claim_read_seal(struct slice text, const char *token, struct ring_claim *ret);

#endif
