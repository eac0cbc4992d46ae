/*
 * ring_identities: Priam's own record of who has which token, the items of SimpleDB's domain
 * InstanceIdentity, as `aws sdb select --output json` prints them. One thread.
 */
#ifndef PENATES_RING_RING_IDENTITIES_H
#define PENATES_RING_RING_IDENTITIES_H

#include "agent/base/buf.h"
#include "agent/base/err.h"
#include "agent/base/mem.h"

struct ring_identity {
    const char *token;
    const char *rack; /* its availabilityZone */
};

struct ring_identities {
    struct ring_identity *items;
    size_t count;
    struct arena *strings;
};

/* `path` is for messages. Those of one cluster; NULL: of all in the file. Priam keeps the dead
 * under CLUSTER-dead, who are left out. ERR_CONFIG: not such a file, none of this cluster, or one
 * token twice. */
int ring_identities_read(const char *path, struct slice text, const char *cluster,
                         struct ring_identities *ret, struct err *e) MUST_CHECK;
void ring_identities_done(struct ring_identities *identities);

/* The rack of a token; NULL: it is nobody's. */
const char *ring_identities_rack(const struct ring_identities *identities, const char *token);

#endif
