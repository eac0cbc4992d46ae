#include "agent/object.h"

#include <inttypes.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/digest.h"
#include "agent/sstable_name.h"

const char *object_state_name(enum object_state state)
{
    static const char *const NAMES[] = {
        [OBJECT_FETCHING] = "fetching",
        [OBJECT_AWAITS_HEADS] = "awaits-heads",
        [OBJECT_AWAITS_DIGEST] = "awaits-digest",
        [OBJECT_FINISHING] = "finishing",
    };
    ASSERT((size_t)state < ARRAY_SIZE(NAMES));
    return NAMES[state];
}

/* One HEAD under way. */
struct head {
    struct s3_get get;
    struct object *object;
};

static void link_live(struct object *object)
{
    struct run *run = object->run;
    mutex_lock(&run->lock);
    object->live_next = run->live;
    if (run->live != NULL) {
        run->live->live_prev = object;
    }
    run->live = object;
    mutex_unlock(&run->lock);
}

static void unlink_live(struct object *object)
{
    struct run *run = object->run;
    mutex_lock(&run->lock);
    if (object->live_next != NULL) {
        object->live_next->live_prev = object->live_prev;
    }
    if (object->live_prev != NULL) {
        object->live_prev->live_next = object->live_next;
    } else {
        ASSERT(run->live == object);
        run->live = object->live_next;
    }
    const bool empty = run->live == NULL;
    mutex_unlock(&run->lock);
    if (empty) {
        run_changed(run, RUN_END);
    }
    if (object->lane != SCHEDULE_NO_LANE) {
        run_changed(run, RUN_ROOM);
    }
}

/* The digest may arrive on another thread while this one still asks. */
static void ask_digest(struct object *object)
{
    struct hash_value digest;
    if (digest_board_ask(object->run->board, object->file->sstable, object, &digest)) {
        object->digest = digest;
        object->digest_known = true;
    }
}

struct object *object_new(struct run *run, const struct schedule_part *first, bool bytes_only)
{
    ASSERT(first->part == 0);
    ASSERT((first->lane == SCHEDULE_NO_LANE) == (first->part_count <= 1));
    const struct plan_file *file = &run->plan->files[first->file];
    struct object *object = xcalloc(1, sizeof(*object));
    object->item.kind = OBJECT_ITEM_OBJECT;
    object->run = run;
    object->file = file;
    object->file_index = first->file;
    object->part_count = first->part_count;
    object->lane = first->lane;
    object->bytes_only = bytes_only;
    object->keeps_text = file->component == COMPONENT_DIGEST || file->component == COMPONENT_TOC;
    object->text = BUF_INIT(DIGEST_TEXT_MAX);
    object->key = xasprintf("%s%s", file->key_folder, file->key_name);
    mutex_init(&object->lock);
    object->facts = (struct check_facts){.etag = file->etag,
                                         .offered = (enum s3_checksum_kind)file->checksum,
                                         .offered_composite = file->checksum_composite,
                                         .whole = first->part_count <= 1};
    if (file->component == COMPONENT_DATA && file->sstable != PLAN_NONE) {
        object->facts.digest = digest_kind(run->plan, &run->plan->sstables[file->sstable]);
    }
    check_choose(&object->facts, &object->choice);
    object->sizes_count = object->choice.wants_sizes;
    object->upload_sizes = xcalloc((size_t)object->sizes_count + 1, sizeof(*object->upload_sizes));
    object->heads_missing = object_heads(object);
    link_live(object);
    object->digest_known = object->facts.digest == HASH_NONE;
    if (!object->digest_known) {
        ask_digest(object);
    }
    return object;
}

void object_release_bytes(struct part *part)
{
    struct object *object = part->object;
    if (part->block.data == NULL) {
        return;
    }
    budget_give(object->run->budget, &part->block);
    if (object->lane != SCHEDULE_NO_LANE) {
        schedule_release_part(object->run->schedule, object->lane, part->size);
    }
    run_changed(object->run, RUN_ROOM);
}

void object_part_free(struct part *part)
{
    object_release_bytes(part);
    chunk_done(&part->chunk);
    free(part);
}

static void free_parts(struct part *part)
{
    while (part != NULL) {
        struct part *next = part->next;
        object_part_free(part);
        part = next;
    }
}

void object_free(struct object *object)
{
    struct run *run = object->run;
    log_debug("object=%s state=%s", object->key, object_state_name(object->state));
    free_parts(object->arrived);
    free_parts(object->retiring);
    if (object->codec != NULL) {
        object->codec->framer_free(object->framer);
    }
    if (object->lane != SCHEDULE_NO_LANE) {
        budget_release(run->budget, run->limits.carry_size);
    }
    file_sink_abandon(object->sink);
    composer_free(object->composer);
    hash_free(object->plain_hash);
    buf_done(&object->text);
    mutex_done(&object->lock);
    free(object->upload_sizes);
    free(object->key);
    unlink_live(object);
    free(object);
}

void object_fail(struct object *object, struct err *e)
{
    autobuf struct buf target = BUF_INIT(4096);
    plan_file_target(object->file, &target);
    const char *verb = object->run->options->target == NULL ? "verify" : "restore";
    if (e->kind == ERR_NOT_FOUND && e->hint[0] == '\0') {
        (void)err_hint(e, "it was deleted after it was listed: look for a lifecycle rule or a "
                          "cleaner, then run the same command again");
    } else if (e->kind == ERR_CHANGED && e->hint[0] == '\0') {
        (void)err_hint(e, "it was replaced after it was listed: run the same command again to "
                          "plan with the new object");
    }
    if (strstr(e->text, object->key) != NULL) {
        (void)err_wrap(e, "%s %s", verb, buf_str(&target)); /* the source named the key */
    } else {
        (void)err_wrap(e, "%s %s from %s", verb, buf_str(&target), object->key);
    }
    run_fail(object->run, e);
}

void object_insert_part(struct part **list, struct part *part)
{
    while (*list != NULL && (*list)->index < part->index) {
        list = &(*list)->next;
    }
    ASSERT(*list == NULL || (*list)->index > part->index);
    part->next = *list;
    *list = part;
}

static bool retires_next_locked(const struct object *object)
{
    return object->retiring != NULL && object->retiring->index == object->retire_next &&
           (object->heads_missing == 0 || object->sizes_count == 0);
}

/* The one place that moves the state. */
static enum object_state next_state_locked(const struct object *object)
{
    switch (object->state) {
    case OBJECT_FETCHING:
    case OBJECT_AWAITS_HEADS:
    case OBJECT_AWAITS_DIGEST:
        if (object->retire_next < object->part_count) {
            return OBJECT_FETCHING;
        }
        if (object->heads_missing > 0) {
            return OBJECT_AWAITS_HEADS;
        }
        return object->digest_known ? OBJECT_FINISHING : OBJECT_AWAITS_DIGEST;
    case OBJECT_FINISHING:
        break;
    }
    ASSERT(object->state == OBJECT_FINISHING);
    return OBJECT_FINISHING;
}

/* Holds the object for a worker when there is something to do for one. */
static bool hold_for_worker_locked(struct object *object)
{
    if (object->held) {
        return false;
    }
    object->state = next_state_locked(object);
    object->held = retires_next_locked(object) || object->state == OBJECT_FINISHING;
    return object->held;
}

void object_digest_arrived(struct object *object, const struct hash_value *digest)
{
    mutex_lock(&object->lock);
    ASSERT(!object->digest_known);
    object->digest_known = true;
    object->digest = *digest;
    const bool hold = hold_for_worker_locked(object);
    mutex_unlock(&object->lock);
    if (hold) {
        queue_push(object->run->queue, &object->item);
    }
}

bool object_retire_later(struct part *part)
{
    struct object *object = part->object;
    mutex_lock(&object->lock);
    object_insert_part(&object->retiring, part);
    const bool hold = hold_for_worker_locked(object);
    mutex_unlock(&object->lock);
    return hold;
}

struct part *object_next_retiring(struct object *object, bool *ret_done)
{
    struct part *part = NULL;
    mutex_lock(&object->lock);
    ASSERT(object->held);
    if (retires_next_locked(object)) {
        part = object->retiring;
        object->retiring = part->next;
        object->retire_next++;
    } else {
        object->state = next_state_locked(object);
        object->held = object->state == OBJECT_FINISHING;
    }
    *ret_done = part == NULL && object->held;
    mutex_unlock(&object->lock);
    return part;
}

unsigned object_heads(const struct object *object)
{
    return (object->choice.wants_head ? 1 : 0) + object->choice.wants_sizes;
}

/* A store that answers nonsense to ?partNumber costs the check; everything else costs the run. */
static bool head_failed(struct object *object, const struct s3_get *get)
{
    if (get->err.kind == ERR_NONE || (get->part_number > 0 && get->err.kind == ERR_CORRUPT)) {
        return false;
    }
    struct err e = get->err;
    object_fail(object, &e);
    return true;
}

static void take_head_locked(struct object *object, const struct s3_get *get)
{
    ASSERT(object->heads_missing > 0);
    if (get->part_number == 0) {
        object->head_checksum = get->checksum;
    } else if (get->err.kind == ERR_NONE) {
        object->upload_sizes[get->part_number - 1] = get->content_length;
    }
    object->heads_missing--;
}

/* Net thread. */
static void head_done(struct s3_get *get)
{
    struct head *head = get->owner;
    struct object *object = head->object;
    struct run *run = object->run;
    if (!head_failed(object, get)) {
        mutex_lock(&object->lock);
        take_head_locked(object, get);
        const bool hold = hold_for_worker_locked(object);
        mutex_unlock(&object->lock);
        if (hold) {
            queue_push(run->queue, &object->item);
        }
    }
    free(head);
    run_give_slot(run);
}

static struct s3_get request_of(struct object *object, void (*done)(struct s3_get *), void *owner)
{
    const struct plan_file *file = object->file;
    return (struct s3_get){.key = object->key,
                           .etag = file->etag,
                           .version_id = file->version_id,
                           .object_size = file->size,
                           .done = done,
                           .owner = owner};
}

void object_send_head(struct object *object, unsigned index)
{
    struct head *head = xcalloc(1, sizeof(*head));
    head->object = object;
    head->get = request_of(object, head_done, head);
    head->get.head = true;
    head->get.part_number = index + (object->choice.wants_head ? 0 : 1);
    head->get.want_checksum = head->get.part_number == 0;
    source_get(object->run->options->source, &head->get);
}
