/* Any bytes as a claim, and as a seal: nobody's, or one that is written and read again the same. */
#include <string.h>

#include "agent/base/mem.h"
#include "agent/ring/ring_claim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char TOKEN[] = "1808575600";
    const struct claim_place place = {
        .ring_id = "ring", .restore_id = "restore", .token = TOKEN, .rack = "rack"};
    struct ring_claim claim, again;
    ring_claim_read_seal(slice_of(data, size), TOKEN, &claim);
    ASSERT(strlen(claim.node) < sizeof(claim.node));
    ring_claim_read(slice_of(data, size), TOKEN, &claim);
    if (claim.phase == CLAIM_UNREADABLE) {
        ASSERT(claim.node[0] == '\0' && claim.attempt == 0);
        return 0;
    }
    ASSERT(claim.node[0] != '\0' && claim.lease_ms <= CLAIM_LEASE_MAX_MS);
    autofree char *text = ring_claim_write(&claim, &place);
    ring_claim_read(slice_of(text, strlen(text)), TOKEN, &again);
    ASSERT(again.phase == claim.phase && again.attempt == claim.attempt &&
           again.beat == claim.beat && again.lease_ms == claim.lease_ms);
    return 0;
}
