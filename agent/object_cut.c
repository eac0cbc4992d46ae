/* The way of a part from the net thread to the queue: in order, cut, pushed. */
#include "agent/object.h"

#include <inttypes.h>

#include "agent/base/mem.h"

static const char *subject(const struct object *object)
{
    return object->codec == NULL || object->codec == &codec_none ? "stored bytes" : "Snappy stream";
}

int object_codec_error(const struct object *object, enum codec_status status, struct err *e)
{
    const size_t most = object->run->limits.block_size_max;
    if (status == CODEC_LIMIT) {
        (void)err_set(e, ERR_LIMIT, "%s: a block claims more than the limit of %zu bytes",
                      subject(object), most);
        return err_hint(e, "the limit grows with --memory, of which it is 1/256");
    }
    const enum err_kind kind = status == CODEC_TRUNCATED ? ERR_TRUNCATED : ERR_CORRUPT;
    return err_set(e, kind, "%s %s", subject(object), codec_status_text(status));
}

/* What part 0 and its answer decide. */
static int begin_locked(struct object *object, const struct part *part, struct err *e)
{
    const struct plan_file *file = object->file;
    check_settle(&object->choice, &object->facts, &part->get);
    object->has_local_size = part->get.has_local_size;
    object->local_size = part->get.local_size;
    object->codec =
        codec_detect((enum codec_claim)file->claim, slice_of(part->block.data, part->size));
    if (object->codec == NULL) {
        return err_set(e, ERR_CORRUPT, "Snappy stream: does not begin with its magic");
    }
    const struct codec_limits limits = {.block_size_max = object->run->limits.block_size_max};
    object->framer = object->codec->framer_new(&limits);
    return 0;
}

/* A stream that decodes to more than was promised must not fill the disk first. */
static int check_promise_locked(const struct object *object, struct err *e)
{
    const uint64_t now = object->codec->plain_size(object->framer);
    const uint64_t promised = object->file->plain_size;
    if (promised != PLAN_SIZE_UNKNOWN && now > promised) {
        return err_set(e, ERR_CORRUPT,
                       "%s decodes to more than the %" PRIu64 " bytes of the manifest",
                       subject(object), promised);
    }
    return 0;
}

static int end_locked(struct object *object, struct err *e)
{
    const enum codec_status status = object->codec->finish(object->framer);
    if (status != CODEC_OK) {
        return object_codec_error(object, status, e);
    }
    object->plain_size = object->codec->plain_size(object->framer);
    object->codec->framer_free(object->framer);
    object->framer = NULL;
    return 0;
}

static int cut_part_locked(struct object *object, struct part *part, struct err *e)
{
    if (part->index == 0 && begin_locked(object, part, e) != 0) {
        return -1;
    }
    ASSERT(object->framer != NULL);
    const enum codec_status status =
        object->codec->cut(object->framer, slice_of(part->block.data, part->size), &part->chunk);
    if (status != CODEC_OK) {
        return object_codec_error(object, status, e);
    }
    object->carried += part->chunk.carried_size;
    if (check_promise_locked(object, e) != 0) {
        return -1;
    }
    return part->index + 1 == object->part_count ? end_locked(object, e) : 0;
}

/* Whether the reserve for carried blocks covers one more cut (see transfer_limits.h), and the file
 * that later parts are written to is there. */
static bool may_cut_locked(const struct object *object)
{
    return object->arrived != NULL && object->arrived->index == object->cut_next &&
           (object->cut_next == 0 || (object->opened && object->carried <= CARRY_QUEUED_MAX));
}

/* Cuts all that can be cut into *ret, in order. A part that cannot be cut stays in `arrived`. */
static int cut_ready_locked(struct object *object, struct part **ret, struct err *e)
{
    struct part **end = ret;
    *ret = NULL;
    while (may_cut_locked(object)) {
        struct part *part = object->arrived;
        if (cut_part_locked(object, part, e) != 0) {
            object->cut_next = UINT32_MAX; /* nothing after it is cut either */
            return -1;
        }
        object->arrived = part->next;
        object->cut_next++;
        part->next = NULL;
        *end = part;
        end = &part->next;
    }
    return 0;
}

static void push_parts(struct queue *queue, struct part *part)
{
    while (part != NULL) {
        struct part *next = part->next; /* a worker may free the part as soon as it is pushed */
        queue_push(queue, &part->item);
        part = next;
    }
}

/* What may have become possible to cut: counts the news, cuts, pushes. */
static void cut_more(struct object *object, struct part *arrived, bool opened, size_t carried_freed)
{
    struct err e = ERR_INIT;
    struct part *ready = NULL;
    struct queue *queue = object->run->queue;
    mutex_lock(&object->lock);
    if (arrived != NULL) {
        object_insert_part(&object->arrived, arrived);
    }
    object->opened |= opened;
    ASSERT(object->carried >= carried_freed);
    object->carried -= carried_freed;
    const int failed = cut_ready_locked(object, &ready, &e);
    mutex_unlock(&object->lock);
    if (failed != 0) {
        object_fail(object, &e);
    }
    push_parts(queue, ready);
}

void object_opened(struct object *object)
{
    cut_more(object, NULL, true, 0);
}

void object_chunk_decoded(struct part *part)
{
    const size_t carried = part->chunk.carried_size;
    part->plain_size = part->chunk.out_size;
    chunk_done(&part->chunk);
    if (carried > 0) {
        cut_more(part->object, NULL, false, carried);
    }
}

/* Net thread. */
static void part_done(struct s3_get *get)
{
    struct part *part = get->owner;
    struct object *object = part->object;
    struct run *run = object->run;
    if (get->err.kind != ERR_NONE) {
        struct err e = get->err;
        object_fail(object, &e);
        object_part_free(part);
    } else {
        if (!object->bytes_only) {
            progress_add_stored(run->options->progress, part->size);
        }
        cut_more(object, part, false, 0);
    }
    run_give_slot(run);
}

void object_send_part(struct object *object, uint32_t index, const struct budget_block *block)
{
    const size_t part_size = object->run->limits.part_size;
    const struct plan_file *file = object->file;
    ASSERT(index < object->part_count && block->data != NULL);
    struct part *part = xcalloc(1, sizeof(*part));
    part->item.kind = OBJECT_ITEM_PART;
    part->object = object;
    part->index = index;
    part->size = schedule_part_size(file->size, index, part_size);
    part->block = *block;
    part->get = (struct s3_get){
        .key = object->key,
        .etag = file->etag,
        .version_id = file->version_id,
        .offset = (uint64_t)index * part_size,
        .size = part->size,
        .object_size = file->size,
        .into = block->data,
        .want_checksum = object->facts.whole,
        .done = part_done,
        .owner = part,
    };
    source_get(object->run->options->source, &part->get);
}

void object_send_empty(struct object *object)
{
    ASSERT(object->part_count == 0 && object->file->size == 0);
    mutex_lock(&object->lock);
    object->codec = codec_detect((enum codec_claim)object->file->claim, slice_of("", 0));
    object->held = true;
    object->state = OBJECT_FINISHING;
    mutex_unlock(&object->lock);
    queue_push(object->run->queue, &object->item);
}
