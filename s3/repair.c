#include "s3/repair.h"

#include "agent/base/clock.h"
#include "s3/region.h"

bool repair_is_for(enum verdict verdict)
{
    return verdict == VERDICT_SKEW || verdict == VERDICT_RENEW || verdict == VERDICT_REGION;
}

static bool set_clock(const struct request *request)
{
    if (request->headers.date_ms < 0) {
        return false;
    }
    client_learn_skew(request->client, request->headers.date_ms - clock_wall_ms());
    return true;
}

static bool set_region(const struct request *request, const char *region)
{
    const struct endpoint *const used = request->get->transfer->endpoint;
    return region[0] != '\0' && client_learn_region(request->client, used, region);
}

static bool set_right(const struct request *request, enum verdict verdict, const char *region)
{
    struct s3_client *const client = request->client;
    struct s3_transfer *const transfer = request->get->transfer;
    const unsigned bit = 1U << (unsigned)verdict;
    if ((transfer->repaired & bit) != 0) {
        return false;
    }
    transfer->repaired |= bit;
    if (verdict == VERDICT_REGION) {
        return set_region(request, region);
    }
    if (client->options.no_sign) {
        return false;
    }
    if (verdict == VERDICT_RENEW) {
        creds_reject(client->options.creds, &request->creds);
        return true;
    }
    ASSERT(verdict == VERDICT_SKEW);
    return set_clock(request);
}

/* Refused still: there were no others to be had, which is the matter and may pass; or there are by
 * now, brought by another thread. In this order, or a renewal between the two would be missed. */
static bool lacked_credentials(const struct request *request, struct err *e)
{
    const struct s3_options *const options = &request->client->options;
    if (options->no_sign) {
        return false;
    }
    struct err why = ERR_INIT;
    if (creds_out_of_reach(options->creds, &why)) {
        (void)err_wrap(&why, "%s", e->text);
        *e = why;
        return true;
    }
    return !creds_is_current(options->creds, &request->creds);
}

bool repair_try(const struct request *request, enum verdict *verdict, struct err *e)
{
    ASSERT(repair_is_for(*verdict) && e->kind != ERR_NONE);
    char region[S3_REGION_MAX];
    region_told(&request->headers, &request->error, region);
    if (set_right(request, *verdict, region)) {
        return true;
    }
    if (*verdict == VERDICT_RENEW && lacked_credentials(request, e)) {
        *verdict = VERDICT_RETRY;
        return false;
    }
    const bool lost = *verdict == VERDICT_REGION && region[0] != '\0' && e->kind != ERR_AUTH;
    if (lost) {
        (void)err_hint(e,
                       "the store sends on to region '%s', which was no help; name the bucket's "
                       "own region with --region",
                       region);
    }
    /* A redirect that names no region is temporary by its kind: later it may be gone. */
    *verdict = e->kind == ERR_RETRY && !lost ? VERDICT_RETRY : VERDICT_FAIL;
    return false;
}
