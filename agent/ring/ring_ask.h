/*
 * ring_ask: asks the state bucket what the machines of ring_core.h want to know. Each question is
 * one try: the machines know best when to ask again.
 */
#ifndef PENATES_RING_RING_ASK_H
#define PENATES_RING_RING_ASK_H

#include "agent/ring/ring_core.h"
#include "agent/ring/ring_plan.h"
#include "agent/ring/ring_seek.h"
#include "agent/source.h"

/* Plain values, borrowed but for the store. */
struct ring_asker {
    const struct ring_plan *ring;
    const char *restore_id;
    struct source *store; /* a source_watch */
};

/* `state` is the ring's place, as ring_store_of() gives it. As ring_store_open. */
int ring_ask_open(const struct config *config, const struct ring_plan *ring, const char *state,
                  struct ring_asker *ret, struct err *e) MUST_CHECK;
void ring_ask_close(struct ring_asker *asker);

/* Blocks for one try. `claims` are what CLAIM_WRITE_SEAL seals, by slot; else NULL. *why is set
 * unless the answer is DONE. */
void ring_ask(const struct ring_asker *asker, const struct claim_request *request,
              const struct ring_claim *claims, struct claim_answer *ret, struct err *why);

/* Runs a seek to its end. -1: its verdict is one of failure, in words. */
int ring_ask_seek(const struct ring_asker *asker, struct ring_seek *seek,
                  const struct seek_options *options, struct err *e) MUST_CHECK;

/* Seals the ring if all of it is restored. Failing is a warning: the next who asks does it. */
void ring_ask_seal(const struct ring_asker *asker, const struct ring_me *me, size_t slot);

/* The name of a claim's object below the state. The caller frees. */
char *ring_ask_name(const char *restore_id, const char *token);
/* And that of the seal's. */
char *ring_ask_seal_name(const char *restore_id);

#endif
