#include "claim_world_internal.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"

enum {
    EVENTS_MAX = 4096,
    SLOW_MS = 10000, /* an answer that takes longer is not waited for */
    RESTART_MS = 30000,
    LEASES_OF_FAULTS = 12,
    LEASES_TO_END = 60,
};

enum event_kind { EV_STEP, EV_ARRIVE, EV_ANSWER, EV_START, EV_FAULT };

struct event {
    uint64_t at_ms;
    uint64_t order; /* of equal times */
    enum event_kind kind;
    size_t actor;
    unsigned process, question;
    bool answers; /* ARRIVE: its answer gets back, after back_ms */
    uint64_t back_ms;
    struct claim_request request;
    struct claim_answer answer;
};

/* Events */

static struct event *add_event(struct world *world, enum event_kind kind, size_t actor,
                               uint64_t in_ms)
{
    ASSERT(world->event_count < EVENTS_MAX);
    struct event *event = &world->events[world->event_count++];
    *event = (struct event){
        .at_ms = world->now_ms + in_ms,
        .order = world->order++,
        .kind = kind,
        .actor = actor,
        .process = world->actors[actor].process,
    };
    return event;
}

static struct event pop_event(struct world *world)
{
    size_t first = 0;
    for (size_t i = 1; i < world->event_count; i++) {
        const struct event *a = &world->events[i], *b = &world->events[first];
        first = a->at_ms < b->at_ms || (a->at_ms == b->at_ms && a->order < b->order) ? i : first;
    }
    const struct event event = world->events[first];
    world->events[first] = world->events[--world->event_count];
    return event;
}

/* The network */

static void tell(struct world *world, size_t index, unsigned question, uint64_t in_ms,
                 const struct claim_answer *answer)
{
    struct event *event = add_event(world, EV_ANSWER, index, in_ms);
    event->question = question;
    event->answer = *answer;
}

static uint64_t trip_ms(struct world *world)
{
    if (happens(world, 2)) {
        return below(world, 2 * world->lease_ms); /* held up on the way; it may still get there */
    }
    return 1 + below(world, happens(world, 10) ? SLOW_MS : 100);
}

static void send(struct world *world, size_t index, const struct claim_request *request)
{
    struct actor *actor = &world->actors[index];
    const struct claim_answer nothing = {.result = CLAIM_UNSURE, .age_ms = -1};
    const bool cut = actor->cut_until_ms > world->now_ms || world->outage_until_ms > world->now_ms;
    const unsigned copies = cut || happens(world, 3) ? 0 : happens(world, 3) ? 2 : 1;
    const bool lost = happens(world, 4); /* the answer */
    actor->question++;
    actor->asking_write = request->ask == CLAIM_WRITE;
    uint64_t first_ms = UINT64_MAX;
    for (unsigned i = 0; i < copies; i++) {
        struct event *event = add_event(world, EV_ARRIVE, index, trip_ms(world));
        event->request = *request;
        event->question = actor->question;
        event->back_ms = trip_ms(world);
        event->answers = !lost && (copies == 1 || i == (actor->question & 1));
        const uint64_t back_ms = event->at_ms - world->now_ms + event->back_ms;
        first_ms = event->answers && back_ms < first_ms ? back_ms : first_ms;
    }
    if (first_ms > SLOW_MS) {
        tell(world, index, actor->question, copies == 0 && !cut ? 5 : SLOW_MS, &nothing);
    }
}

/* Nodes */

static uint64_t clock_of(const struct world *world, const struct actor *actor)
{
    return actor->offset_ms + (uint64_t)((double)world->now_ms * actor->drift);
}

static void step_in(struct world *world, size_t index, uint64_t own_ms)
{
    (void)add_event(world, EV_STEP, index,
                    1 + (uint64_t)((double)own_ms / world->actors[index].drift));
}

static void drop_machines(struct actor *actor)
{
    ring_seek_free(TAKE_PTR(actor->seek));
    if (actor->sealing_made) {
        ring_sealing_done(&actor->sealing);
        actor->sealing_made = false;
    }
}

/* The process ends; `again_ms`: systemd starts it again, UINT64_MAX: it does not. */
static void stop(struct world *world, size_t index, uint64_t again_ms)
{
    struct actor *actor = &world->actors[index];
    drop_machines(actor);
    actor->stage = again_ms == UINT64_MAX ? OVER : OFF;
    actor->process++;
    if (again_ms != UINT64_MAX) {
        (void)add_event(world, EV_START, index, again_ms);
    }
}

static size_t add_actor(struct world *world, const char *kind, unsigned rack, uint64_t in_ms)
{
    ASSERT(world->actor_count < WORLD_ACTORS_MAX);
    const size_t index = world->actor_count++;
    struct actor *actor = &world->actors[index];
    *actor = (struct actor){.rack = rack};
    (void)snprintf(actor->name, sizeof(actor->name), "%s-%zu", kind, index);
    actor->drift = 0.5 + (double)below(world, 1001) / 1000; /* far worse than any */
    actor->offset_ms = 1 + below(world, UINT64_C(1) << 40);
    actor->work_ms = world->lease_ms / 4 + below(world, 3 * world->lease_ms);
    (void)add_event(world, EV_START, index, in_ms);
    return index;
}

static size_t rack_slots(const struct world *world, unsigned rack, size_t ret[WORLD_SLOTS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < world->slots; i++) {
        if (rack_of(i) == rack) {
            ret[count++] = i;
        }
    }
    return count;
}

static void begin_sealing(struct world *world, size_t index)
{
    struct actor *actor = &world->actors[index];
    ring_sealing_init(&actor->sealing, &actor->me, actor->slot, world->slots);
    actor->sealing_made = true;
    actor->stage = SEALING;
}

static void start_process(struct world *world, size_t index)
{
    struct actor *actor = &world->actors[index];
    size_t slots[WORLD_SLOTS_MAX];
    world->result->starts++;
    memcpy(actor->me.node, actor->name, sizeof(actor->name));
    (void)snprintf(actor->me.run, sizeof(actor->me.run), "%zu.%u", index, actor->process);
    actor->me.lease_ms = world->lease_ms;
    actor->me.retry_for_ms = world->lease_ms / 2;
    const struct seek_options options = {
        .me = actor->me,
        .goal = actor->is_operator ? SEEK_RELEASE : SEEK_ANY,
        .wanted = actor->wanted,
        .gone = actor->is_operator ? actor->gone : NULL,
        .slots = actor->is_operator ? &actor->wanted : slots,
        .slot_count = actor->is_operator ? 1 : rack_slots(world, actor->rack, slots),
    };
    actor->seek = ring_seek_new(&options);
    actor->stage = SEEKING;
    step_in(world, index, 0);
}

/* From here on the node's data may be used. */
static void pass(struct world *world, size_t index)
{
    struct actor *actor = &world->actors[index];
    const size_t slot = actor->hold.held.slot;
    for (size_t i = 0; i < world->actor_count; i++) {
        const struct actor *other = &world->actors[i];
        if (i != index && !other->dead && other->has_stamp && other->slot == slot) {
            wrong(world, "passed the fence beside a living node", actor, slot);
        }
    }
    if (rack_of(slot) != actor->rack) {
        wrong(world, "restored in a wrong rack", actor, slot);
    }
    if (world->late[slot] && strcmp(world->seal[slot].node, actor->name) != 0) {
        wrong(world, "passed the fence of a live ring", actor, slot);
    }
    actor->has_stamp = true;
    actor->slot = slot;
    begin_sealing(world, index);
    step_in(world, index, 0);
}

/* Its data was stamped before, and must still be its own. True: that is all there is to do. */
static bool settle(struct world *world, size_t index)
{
    struct actor *actor = &world->actors[index];
    const enum seek_verdict verdict = ring_seek_verdict(actor->seek);
    if (!actor->has_stamp || verdict == SEEK_UNREACHABLE) {
        return false;
    }
    if (verdict != SEEK_MINE || ring_seek_held(actor->seek)->slot != actor->slot) {
        wrong(world, "has a stamp and lost its slot", actor, actor->slot);
    } else if (!ring_seek_is_sealed(actor->seek)) {
        ring_seek_free(TAKE_PTR(actor->seek));
        begin_sealing(world, index);
        step_in(world, index, 0);
        return true;
    }
    stop(world, index, UINT64_MAX);
    return true;
}

static void end_seek(struct world *world, size_t index)
{
    struct actor *actor = &world->actors[index];
    if (settle(world, index)) {
        return;
    }
    switch (ring_seek_verdict(actor->seek)) {
    case SEEK_MINE:
        if (ring_seek_is_sealed(actor->seek) && actor->blank) {
            stop(world, index, UINT64_MAX); /* the ring lives */
            return;
        }
        ring_hold_init(&actor->hold, &actor->me, ring_seek_held(actor->seek),
                       clock_of(world, actor));
        ring_seek_free(TAKE_PTR(actor->seek));
        actor->confirmed_ms = actor->hold.confirmed_ms;
        actor->done_at_ms = clock_of(world, actor) + actor->work_ms;
        actor->stage = HOLDING;
        step_in(world, index, 0);
        return;
    case SEEK_UNREACHABLE:
        stop(world, index, RESTART_MS);
        return;
    case SEEK_GIVEN_UP: /* the operator's: a new node is started for it */
        world->result->releases++;
        (void)add_actor(world, "node", rack_of(actor->wanted), below(world, world->lease_ms));
        stop(world, index, UINT64_MAX);
        return;
    case SEEK_ALL_TAKEN:
    case SEEK_HELD:
    case SEEK_LIVE:
        stop(world, index, UINT64_MAX);
        return;
    case SEEK_GOING_ON:
    case SEEK_HAS_OTHER:
    case SEEK_REFUSED:
    case SEEK_UNSAFE:
        break;
    }
    wrong(world, "a verdict that cannot be", actor, 0);
    stop(world, index, UINT64_MAX);
}

static void end_hold(struct world *world, size_t index)
{
    struct actor *actor = &world->actors[index];
    const enum hold_verdict verdict = actor->hold.verdict;
    world->result->lost += verdict == HOLD_LOST ? 1 : 0;
    world->result->expired += verdict == HOLD_EXPIRED ? 1 : 0;
    if (verdict == HOLD_PASSED) {
        pass(world, index);
    } else {
        stop(world, index, verdict == HOLD_LIVE ? UINT64_MAX : RESTART_MS);
    }
}

static enum ring_step next_of(struct world *world, struct actor *actor,
                              struct claim_request *request, uint64_t *wait_ms)
{
    const uint64_t now_ms = clock_of(world, actor);
    switch (actor->stage) {
    case SEEKING:
        return ring_seek_next(actor->seek, now_ms, request, wait_ms);
    case SEALING:
        return ring_sealing_next(&actor->sealing, now_ms, request, wait_ms);
    case HOLDING:
        if (now_ms >= actor->done_at_ms) {
            ring_hold_fence(&actor->hold);
        }
        return ring_hold_next(&actor->hold, now_ms, request, wait_ms);
    case OFF:
    case OVER:
        break;
    }
    ASSERT(false);
    return RING_END;
}

/* It works on although for a lease nothing has said that the slot is still its own. */
static void check_lease(struct world *world, struct actor *actor)
{
    if (actor->stage == HOLDING && actor->hold.state != HOLD_SEAL &&
        clock_of(world, actor) >= actor->confirmed_ms + world->lease_ms) {
        wrong(world, "went on beyond its lease", actor, actor->hold.held.slot);
    }
}

static void step(struct world *world, size_t index)
{
    struct actor *actor = &world->actors[index];
    struct claim_request request;
    uint64_t wait_ms = 0;
    const enum ring_step step = next_of(world, actor, &request, &wait_ms);
    if (step == RING_END) {
        switch (actor->stage) {
        case SEEKING:
            end_seek(world, index);
            return;
        case HOLDING:
            end_hold(world, index);
            return;
        case SEALING:
            stop(world, index,
                 actor->sealing.verdict == SEALING_UNREACHABLE ? RESTART_MS : UINT64_MAX);
            return;
        case OFF:
        case OVER:
            return;
        }
    }
    check_lease(world, actor);
    if (step == RING_ASK) {
        actor->asked_ms = clock_of(world, actor);
        if (request.ask == CLAIM_WRITE_SEAL) {
            memcpy(actor->draft, actor->sealing.claims, world->slots * sizeof(actor->draft[0]));
        }
        send(world, index, &request);
        return;
    }
    if (actor->stage == HOLDING) { /* its main thread wakes the other one when all is on disk */
        const uint64_t now_ms = clock_of(world, actor);
        const uint64_t left_ms = actor->done_at_ms > now_ms ? actor->done_at_ms - now_ms : 1;
        wait_ms = !actor->hold.fencing && left_ms < wait_ms ? left_ms : wait_ms;
    }
    step_in(world, index, wait_ms);
}

static void take_answer(struct world *world, size_t index, const struct claim_answer *answer)
{
    struct actor *actor = &world->actors[index];
    const uint64_t now_ms = clock_of(world, actor);
    switch (actor->stage) {
    case SEEKING:
        ring_seek_answer(actor->seek, answer, now_ms);
        break;
    case HOLDING:
        if (actor->asking_write && answer->result == CLAIM_DONE) {
            actor->confirmed_ms = actor->asked_ms;
        }
        ring_hold_answer(&actor->hold, answer, now_ms);
        break;
    case SEALING:
        ring_sealing_answer(&actor->sealing, answer, now_ms);
        break;
    case OFF:
    case OVER:
        return;
    }
    step(world, index);
}

/* What goes wrong */

static void kill_actor(struct world *world, size_t index)
{
    struct actor *actor = &world->actors[index];
    world->result->kills++;
    actor->frozen_until_ms = 0;
    if (actor->stage == HOLDING) { /* the journal knows what is finished */
        const uint64_t now_ms = clock_of(world, actor);
        actor->work_ms = actor->done_at_ms > now_ms ? actor->done_at_ms - now_ms : 1;
    }
    if (happens(world, 40)) {
        actor->dead = true;
        stop(world, index, UINT64_MAX);
        (void)add_actor(world, "node", actor->rack, below(world, 2 * world->lease_ms));
        return;
    }
    if (happens(world, 15)) { /* an instance store is blank after it */
        actor->has_stamp = false;
        actor->blank = true;
        actor->work_ms = world->lease_ms;
    }
    stop(world, index, below(world, 2 * world->lease_ms));
}

/* Before the ring is sealed, what the dead have restored is given up, by name. */
static void operate(struct world *world)
{
    for (size_t i = 0; i < world->slots && !world->sealed; i++) {
        const struct object *object = &world->objects[i];
        for (size_t k = 0; k < world->actor_count; k++) {
            const struct actor *actor = &world->actors[k];
            if (!object->there || object->claim.phase != CLAIM_RESTORED || !actor->dead ||
                strcmp(actor->name, object->claim.node) != 0) {
                continue;
            }
            const size_t index = add_actor(world, "operator", rack_of(i), 1);
            struct actor *hand = &world->actors[index];
            hand->is_operator = true;
            hand->wanted = i;
            memcpy(hand->gone, actor->name, sizeof(hand->gone));
            return;
        }
    }
}

static void fault(struct world *world)
{
    if (world->now_ms >= world->calm_ms) {
        return;
    }
    (void)add_event(world, EV_FAULT, 0, 1 + below(world, world->lease_ms));
    const size_t index = (size_t)below(world, world->actor_count);
    struct actor *actor = &world->actors[index];
    const bool room = world->actor_count + 4 < WORLD_ACTORS_MAX;
    const bool runs = actor->stage != OFF && actor->stage != OVER;
    switch (below(world, 5)) {
    case 0:
        if (runs && room) {
            kill_actor(world, index);
        }
        break;
    case 1:
        world->result->freezes++;
        actor->frozen_until_ms = world->now_ms + below(world, 3 * world->lease_ms);
        break;
    case 2:
        actor->cut_until_ms = world->now_ms + below(world, 2 * world->lease_ms);
        break;
    case 3:
        if (happens(world, 10)) {
            world->result->outages++;
            world->outage_until_ms = world->now_ms + below(world, world->lease_ms);
        }
        break;
    default:
        if (room) {
            operate(world);
        }
        break;
    }
}

static void handle(struct world *world, const struct event *event)
{
    struct actor *actor = &world->actors[event->actor];
    if (event->kind == EV_FAULT) {
        fault(world);
        return;
    }
    if (event->kind == EV_ARRIVE) { /* whatever has become of who sent it */
        const struct claim_answer answer = store_serve(world, actor, &event->request);
        if (event->answers && event->process == actor->process) {
            tell(world, event->actor, event->question, event->back_ms, &answer);
        }
        return;
    }
    if (actor->dead || event->process != actor->process) {
        return;
    }
    if (actor->frozen_until_ms > world->now_ms) {
        struct event *later =
            add_event(world, event->kind, event->actor, actor->frozen_until_ms - world->now_ms);
        later->question = event->question;
        later->answer = event->answer;
        return;
    }
    if (event->kind == EV_START) {
        start_process(world, event->actor);
    } else if (event->kind == EV_STEP) {
        step(world, event->actor);
    } else if (event->question == actor->question) {
        actor->question++;
        take_answer(world, event->actor, &event->answer);
    }
}

static bool all_restored(const struct world *world)
{
    for (size_t i = 0; i < world->slots; i++) {
        if (!world->objects[i].there || world->objects[i].claim.phase != CLAIM_RESTORED) {
            return false;
        }
    }
    return true;
}

/* A node that lives has the stamp of what it has by the seal. */
static void check_sealed(struct world *world)
{
    for (size_t i = 0; i < world->slots; i++) {
        for (size_t k = 0; k < world->actor_count; k++) {
            const struct actor *actor = &world->actors[k];
            if (strcmp(actor->name, world->seal[i].node) == 0 && !actor->dead && !actor->blank &&
                (!actor->has_stamp || actor->slot != i)) {
                wrong(world, "has a slot for good and no stamp", actor, i);
            }
        }
    }
}

/* The operator looks after the dead, has somebody run the same command again where all is restored
 * and nothing sealed, and starts a node again that was told that there are too many. */
static void tidy(struct world *world, bool idle)
{
    if (world->sealed || world->actor_count + 4 > WORLD_ACTORS_MAX) {
        return;
    }
    operate(world);
    const bool restored = all_restored(world);
    for (size_t i = 0; i < world->actor_count && (restored || idle); i++) {
        struct actor *actor = &world->actors[i];
        if (!actor->dead && !actor->is_operator && actor->has_stamp == restored &&
            actor->stage == OVER) {
            world->result->hands += restored ? 0 : 1;
            actor->stage = OFF;
            (void)add_event(world, EV_START, i, 1);
        }
    }
}

static void run_on(struct world *world)
{
    const uint64_t end_ms = world->calm_ms + LEASES_TO_END * world->lease_ms;
    uint64_t tidy_ms = world->calm_ms;
    while (world->result->wrong[0] == '\0' && !(world->sealed && world->event_count == 0)) {
        if (world->event_count == 0 ||
            (world->now_ms >= tidy_ms && world->now_ms >= world->calm_ms)) {
            tidy_ms = world->now_ms + 4 * world->lease_ms;
            tidy(world, world->event_count == 0);
        }
        if (world->event_count == 0 || world->now_ms > end_ms) {
            break;
        }
        const struct event event = pop_event(world);
        world->now_ms = event.at_ms;
        world->result->events++;
        handle(world, &event);
    }
}

struct world_result world_run(uint64_t seed, unsigned slots, unsigned extra, uint64_t lease_ms)
{
    ASSERT(slots % WORLD_RACKS == 0 && slots <= WORLD_SLOTS_MAX);
    struct world_result result = {.wrong = ""};
    struct world *world = (struct world *)xcalloc(1, sizeof(*world));
    world->events = (struct event *)xcalloc(EVENTS_MAX, sizeof(*world->events));
    world->result = &result;
    world->random = (struct random){seed};
    world->slots = slots;
    world->lease_ms = lease_ms;
    world->harshness = (unsigned)below(world, 4);
    world->now_ms = below(world, 5000);
    world->calm_ms = world->now_ms + LEASES_OF_FAULTS * lease_ms;
    for (unsigned i = 0; i < slots + WORLD_RACKS * extra; i++) {
        (void)add_actor(world, "node", i % WORLD_RACKS, below(world, lease_ms));
    }
    (void)add_event(world, EV_FAULT, 0, 1 + below(world, lease_ms));
    run_on(world);
    if (result.wrong[0] == '\0' && !world->sealed) {
        wrong(world, all_restored(world) ? "never sealed" : "a slot was left", &world->actors[0],
              0);
    }
    if (world->sealed) {
        check_sealed(world);
    }
    result.sealed = world->sealed;
    result.ended_ms = world->now_ms;
    for (size_t i = 0; i < world->actor_count; i++) {
        drop_machines(&world->actors[i]);
    }
    free(world->events);
    free(world);
    return result;
}
