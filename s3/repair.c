#include "s3/repair.h"

#include "agent/base/clock.h"

bool repair_is_for(enum verdict verdict)
{
    return verdict == VERDICT_SKEW || verdict == VERDICT_RENEW || verdict == VERDICT_REGION;
}

bool repair_try(const struct request *request, enum verdict verdict)
{
    struct s3_client *const client = request->client;
    struct s3_transfer *const transfer = request->get->transfer;
    const unsigned bit = 1U << (unsigned)verdict;
    if ((transfer->repaired & bit) != 0) {
        return false;
    }
    transfer->repaired |= bit;
    if (verdict == VERDICT_REGION) {
        const char *const region = request->headers.bucket_region[0] != '\0'
                                       ? request->headers.bucket_region
                                       : request->error.region;
        return client_learn_region(client, transfer->endpoint, region);
    }
    if (client->options.no_sign) {
        return false;
    }
    if (verdict == VERDICT_RENEW) {
        creds_reject(client->options.creds, &request->creds);
        return true;
    }
    ASSERT(verdict == VERDICT_SKEW);
    if (request->headers.date_ms < 0) {
        return false;
    }
    client_learn_skew(client, request->headers.date_ms - clock_wall_ms());
    return true;
}
