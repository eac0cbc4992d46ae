#include "agent/ring/ring_here.h"

#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "agent/base/parse.h"

/* Long beside what a renewal takes on a bad day, short beside what a restore does. */
#define LEASE_MS (UINT64_C(15) * 60 * 1000)

/* As --node takes it: what becomes part of a JSON object and of lines that people read. */
static void take_name(const char *text, char ret[CLAIM_NODE_SIZE])
{
    static const char GOOD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    (void)snprintf(ret, CLAIM_NODE_SIZE, "%s", text); /* host names have 64 at most */
    for (char *c = ret; *c != '\0'; c++) {
        if (strchr(GOOD, *c) == NULL) {
            *c = '-';
        }
    }
}

static int find_name(const struct config *config, struct ring_here *here, struct err *e)
{
    char text[CREDS_METADATA_SIZE] = "";
    if (config->node != NULL) {
        take_name(config->node, here->node);
        return 0;
    }
    if (here->zone[0] != '\0' && creds_metadata(config->profile, "instance-id", text, e) != 0) {
        if (e->kind != ERR_NOT_FOUND) {
            return -1;
        }
        *e = ERR_INIT;
    }
    if (text[0] == '\0' && gethostname(text, sizeof(text) - 1) != 0) {
        text[0] = '\0';
    }
    take_name(text[0] == '\0' ? "localhost" : text, here->node);
    return 0;
}

int ring_here_find(const struct config *config, struct ring_here *ret, struct err *e)
{
    struct ring_here here = {.zone = ""};
    struct err missing = ERR_INIT;
    if (creds_metadata(config->profile, "placement/availability-zone", here.zone, &missing) != 0) {
        here.zone[0] = '\0';
        if (missing.kind != ERR_NOT_FOUND) {
            *e = missing;
            return err_hint(e, "let the instance metadata be read, for it tells the zone; where "
                               "there is none, set AWS_EC2_METADATA_DISABLED=true");
        }
    }
    if (find_name(config, &here, e) != 0) {
        return -1;
    }
    *ret = here;
    return 0;
}

int ring_here_check(const struct ring_here *here, const struct ring_plan *ring, const char *rack,
                    const char *what, struct err *e)
{
    const char *wanted = ring_plan_zone(ring, rack);
    if (here->zone[0] == '\0' || strcmp(here->zone, wanted) == 0) {
        return 0;
    }
    err_set(e, ERR_REFUSED, "%s: its rack %s is in zone %s, this instance in %s", what, rack,
            wanted, here->zone);
    return err_hint(e, "start the instance in %s, or plan the ring with --rack-zone %s=%s", wanted,
                    rack, here->zone);
}

static int check_rack(const struct ring_here *here, const struct config *config,
                      const struct ring_plan *ring, struct err *e)
{
    if (config->rack == NULL && here->zone[0] == '\0') {
        err_set(e, ERR_CONFIG, "--rack: was not given, and no instance metadata tells the zone");
        return err_hint(e, "give --rack NAME; the ring has %s, and 'penates ring status' shows all",
                        ring->racks[0].rack);
    }
    if (config->rack == NULL) {
        return 0;
    }
    if (!ring_plan_has_rack(ring, config->rack)) {
        err_set(e, ERR_CONFIG, "--rack '%s': the ring has no such rack", config->rack);
        return err_hint(e, "it has %s, and 'penates ring status' shows all", ring->racks[0].rack);
    }
    return ring_here_check(here, ring, config->rack, "--rack", e);
}

int ring_here_slots(const struct ring_here *here, const struct config *config,
                    const struct ring_plan *ring, size_t **ret, size_t *ret_count, struct err *e)
{
    if (check_rack(here, config, ring, e) != 0) {
        return -1;
    }
    autofree size_t *slots = (size_t *)xcalloc(ring->slot_count, sizeof(*slots));
    size_t count = 0;
    for (size_t i = 0; i < ring->slot_count; i++) {
        const char *rack = ring->slots[i].rack;
        if (config->rack != NULL ? strcmp(rack, config->rack) == 0
                                 : strcmp(ring_plan_zone(ring, rack), here->zone) == 0) {
            slots[count++] = i;
        }
    }
    if (count == 0) {
        err_set(e, ERR_REFUSED, "ring %.12s: has no token for zone %s, where this instance is",
                ring->id, here->zone);
        return err_hint(e, "start the instance in a zone of the ring, or plan it with --rack-zone");
    }
    *ret = TAKE_PTR(slots);
    *ret_count = count;
    return 0;
}

void ring_here_me(const struct ring_here *here, const struct config *config, struct ring_me *ret)
{
    uint8_t bytes[(CLAIM_RUN_SIZE - 1) / 2];
    const ssize_t drawn = getrandom(bytes, sizeof(bytes), 0);
    ASSERT(drawn == (ssize_t)sizeof(bytes)); /* never less for so few */
    *ret = (struct ring_me){
        .lease_ms = config->lease_ms != 0 ? config->lease_ms : LEASE_MS,
        .retry_for_ms = config->retry_for_ms,
    };
    memcpy(ret->node, here->node, sizeof(ret->node));
    format_hex(bytes, sizeof(bytes), ret->run);
}
