/* claim_store: objects with conditions, as S3 keeps them; an ETag is but a digest of the text. */
#include "claim_world_internal.h"

#include <string.h>

static void digest(struct object *object)
{
    const struct ring_claim *claim = &object->claim;
    char text[sizeof(*claim) + 128];
    (void)snprintf(text, sizeof(text), "%s/%s/%d/%llu/%llu/%llu", claim->node, claim->run,
                   (int)claim->phase, (unsigned long long)claim->attempt,
                   (unsigned long long)claim->beat, (unsigned long long)claim->lease_ms);
    (void)snprintf(object->etag, sizeof(object->etag), "%016llx",
                   (unsigned long long)ring_core_seed(text));
}

static void check_write(struct world *world, const struct actor *actor,
                        const struct claim_request *request)
{
    const struct object *object = &world->objects[request->slot];
    if (!actor->is_operator && rack_of(request->slot) != actor->rack) {
        wrong(world, "claimed a slot of another rack", actor, request->slot);
    }
    if (object->there && object->claim.phase == CLAIM_RESTORED && !actor->is_operator &&
        strcmp(object->claim.node, request->claim.node) != 0) {
        wrong(world, "took what another has restored", actor, request->slot);
    }
    if (object->there && object->claim.phase == CLAIM_RESTORING &&
        strcmp(object->claim.node, request->claim.node) != 0 &&
        world->now_ms < object->modified_ms + object->claim.lease_ms) {
        wrong(world, "took a slot whose lease runs", actor, request->slot);
    }
    world->result->takeovers +=
        object->there && request->claim.attempt > object->claim.attempt ? 1 : 0;
}

static enum claim_result write_claim(struct world *world, const struct actor *actor,
                                     const struct claim_request *request)
{
    struct object *object = &world->objects[request->slot];
    const bool only_new = request->etag[0] == '\0';
    if (only_new ? object->there : object->there && strcmp(object->etag, request->etag) != 0) {
        return CLAIM_REFUSED;
    }
    if (!only_new && !object->there) {
        return CLAIM_ABSENT;
    }
    check_write(world, actor, request);
    object->there = true;
    object->claim = request->claim;
    if (request->claim.phase == CLAIM_RESTORED) {
        world->fenced[request->slot] = true;
        world->late[request->slot] = world->sealed;
    }
    object->modified_ms = world->now_ms;
    digest(object);
    return CLAIM_DONE;
}

static enum claim_result write_seal(struct world *world, const struct actor *actor)
{
    if (world->sealed) {
        return CLAIM_REFUSED;
    }
    world->sealed = true;
    for (size_t i = 0; i < world->slots; i++) {
        if (!world->fenced[i]) {
            wrong(world, "sealed what nobody has restored", actor, i);
        }
        world->seal[i] = actor->draft[i];
    }
    return CLAIM_DONE;
}

/* Date and Last-Modified are whole seconds, of two machines whose clocks differ a little. */
static int64_t age_of(struct world *world, const struct object *object)
{
    const uint64_t date_s = (world->now_ms + below(world, 500)) / 1000;
    const uint64_t modified_s = object->modified_ms / 1000;
    return ((int64_t)date_s - (int64_t)modified_s) * 1000;
}

struct claim_answer store_serve(struct world *world, const struct actor *actor,
                                const struct claim_request *request)
{
    struct claim_answer answer = {.result = CLAIM_ABSENT, .age_ms = -1};
    const struct object *object = &world->objects[request->slot];
    const bool write = request->ask == CLAIM_WRITE || request->ask == CLAIM_WRITE_SEAL;
    if (write && happens(world, 2)) {
        answer.result = CLAIM_CONFLICT;
        return answer;
    }
    switch (request->ask) {
    case CLAIM_READ:
        if (object->there) {
            answer.result = CLAIM_DONE;
            answer.claim = object->claim;
            answer.age_ms = age_of(world, object);
            memcpy(answer.etag, object->etag, sizeof(answer.etag));
        }
        break;
    case CLAIM_WRITE:
        answer.result = write_claim(world, actor, request);
        memcpy(answer.etag, object->etag, sizeof(answer.etag));
        break;
    case CLAIM_READ_SEAL:
        answer.result = world->sealed ? CLAIM_DONE : CLAIM_ABSENT;
        answer.claim = world->seal[request->slot];
        break;
    case CLAIM_WRITE_SEAL:
        answer.result = write_seal(world, actor);
        break;
    }
    return answer;
}
