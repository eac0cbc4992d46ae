#include "agent/worker.h"

#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/digest.h"
#include "agent/sstable_name.h"
#include "agent/verdict.h"

struct worker {
    struct run *run;
    struct scratch scratch;
};

/* Where the decoder's plain bytes go. */
struct output {
    struct object *object;
    struct part *part;
    struct err *e;
};

static int put_plain(void *ctx, uint64_t offset, struct slice plain)
{
    const struct output *output = ctx;
    struct object *object = output->object;
    struct part *part = output->part;
    const enum hash_kind kind = object->choice.plain;
    if (hash_is_sum(kind)) {
        part->plain_sum = hash_sum_update(kind, part->plain_sum, plain);
    } else if (kind != HASH_NONE) {
        hash_update(object->plain_hash, plain);
    }
    if (object->keeps_text && object->part_count == 1) {
        (void)buf_append(&object->text, plain.data, plain.size); /* too long: looked at later */
    }
    if (object->sink == NULL) {
        return 0;
    }
    return file_sink_write(object->sink, offset, plain, output->e);
}

static int decode(struct worker *worker, struct part *part, struct err *e)
{
    struct object *object = part->object;
    struct output output = {.object = object, .part = part, .e = e};
    if (hash_is_sum(object->choice.plain)) {
        part->plain_sum = hash_sum_start(object->choice.plain);
    }
    const enum codec_status status =
        object->codec->decode(&part->chunk, &worker->scratch, put_plain, &output);
    if (status == CODEC_STOPPED) {
        return -1;
    }
    if (status != CODEC_OK) {
        return object_codec_error(object, status, e);
    }
    object_chunk_decoded(part);
    return 0;
}

static int open_file(struct object *object, struct err *e)
{
    ASSERT(object->sink == NULL);
    const struct transfer_options *options = object->run->options;
    if (options->target == NULL || object->bytes_only) {
        return 0;
    }
    uint64_t size_hint = object->file->plain_size;
    if (size_hint == PLAN_SIZE_UNKNOWN && object->has_local_size) {
        size_hint = object->local_size;
    } else if (size_hint == PLAN_SIZE_UNKNOWN && object->codec == &codec_none) {
        size_hint = object->file->size;
    }
    return file_sink_open(options->target, options->plan, object->file_index, size_hint,
                          &object->sink, e);
}

/* All that may be done out of order. */
static int work_out_of_order(struct worker *worker, struct part *part, struct err *e)
{
    struct object *object = part->object;
    if (part->index == 0) {
        if (open_file(object, e) != 0) {
            return -1;
        }
        if (object->part_count > 1) {
            object_opened(object);
        }
    }
    const struct check_choice *choice = &object->choice;
    const bool ordered = check_is_ordered(choice);
    if (choice->proof != PROOF_NONE && !ordered) {
        part->stored_sum = hash_sum_update(choice->stored, hash_sum_start(choice->stored),
                                           slice_of(part->block.data, part->size));
    }
    if (object_decodes_in_order(object)) {
        return 0;
    }
    if (decode(worker, part, e) != 0) {
        return -1;
    }
    if (!ordered) {
        object_release_bytes(part);
    }
    return 0;
}

static int begin_order(struct object *object, struct err *e)
{
    const struct check_choice *choice = &object->choice;
    object->composer = verdict_composer(object);
    if (choice->proof != PROOF_NONE && hash_is_sum(choice->stored)) {
        object->stored_sum = hash_sum_start(choice->stored);
    }
    if (hash_is_sum(choice->plain)) {
        object->plain_sum = hash_sum_start(choice->plain);
    } else if (choice->plain != HASH_NONE) {
        object->plain_hash = hash_new(choice->plain);
        if (object->plain_hash == NULL) {
            return err_set(e, ERR_CONFIG, "the crypto library refuses %s, which the digest needs",
                           hash_name(choice->plain));
        }
    }
    return 0;
}

/* All that has to be done in order. The part is the caller's. */
static int work_in_order(struct worker *worker, struct part *part, struct err *e)
{
    struct object *object = part->object;
    const struct check_choice *choice = &object->choice;
    if (part->index == 0 && begin_order(object, e) != 0) {
        return -1;
    }
    if (object->composer != NULL) {
        composer_update(object->composer, slice_of(part->block.data, part->size));
    } else if (choice->proof != PROOF_NONE && !check_is_ordered(choice)) {
        object->stored_sum =
            hash_sum_combine(choice->stored, object->stored_sum, part->stored_sum, part->size);
    }
    if (object_decodes_in_order(object)) {
        return decode(worker, part, e);
    }
    if (hash_is_sum(choice->plain)) {
        object->plain_sum =
            hash_sum_combine(choice->plain, object->plain_sum, part->plain_sum, part->plain_size);
    }
    return 0;
}

/* The object ends here: in the hands of commit, or reported. */
static void complete(struct object *object)
{
    struct run *run = object->run;
    const bool bytes_only = object->bytes_only;
    struct file_sink *sink = TAKE_PTR(object->sink);
    const struct commit_record record = {
        .file = object->file_index, .plain_size = object->plain_size, .checks = object->checks};
    if (object->lane != SCHEDULE_NO_LANE) {
        schedule_release_lane(run->schedule, object->lane);
    }
    object_free(object);
    if (sink != NULL) {
        commit_file(run->commit, sink, &record);
        if (commit_failed(run->commit)) {
            run_stop(run);
        }
    } else if (!bytes_only) {
        progress_add_file(run->options->progress);
        run_report(run, &(struct transfer_result){.file = record.file,
                                                  .checks = record.checks,
                                                  .plain_size = record.plain_size});
    }
}

/* Tells Data.db its digest. False: the board keeps the object until Data.db is done. */
static bool publish_digest(struct object *object)
{
    struct run *run = object->run;
    const struct plan_file *file = object->file;
    const struct plan_sstable *sstable = &run->plan->sstables[file->sstable];
    const enum hash_kind kind = digest_kind(run->plan, sstable);
    if (sstable->digest != object->file_index || kind == HASH_NONE) {
        return true;
    }
    struct hash_value value = {.size = 0};
    const struct slice text = slice_of(object->text.data, object->text.size);
    if (object->text.overflowed || !digest_parse(kind, text, &value)) {
        log_warn("%s holds no %s: its Data.db goes without that check", object->key,
                 hash_name(kind));
    }
    bool held = false;
    struct object *data = digest_board_publish(run->board, file->sstable, &value, object, &held);
    if (data != NULL) {
        object_digest_arrived(data, &value);
    }
    return !held;
}

static void finish(struct object *object)
{
    struct err e = ERR_INIT;
    if (verdict_give(object, &e) != 0 || (object->part_count == 0 && open_file(object, &e) != 0)) {
        object_fail(object, &e);
        return;
    }
    struct object *digest = NULL;
    if (object->facts.digest != HASH_NONE) {
        digest = digest_board_data_done(object->run->board, object->file->sstable);
    }
    if (object->file->component != COMPONENT_DIGEST || object->file->sstable == PLAN_NONE ||
        publish_digest(object)) {
        complete(object);
    }
    if (digest != NULL) {
        complete(digest);
    }
}

/* The object is held; it ends, is let go, or stays held for good because the run stops. */
static void work_object(struct worker *worker, struct object *object)
{
    bool done = false;
    struct part *part = object_next_retiring(object, &done);
    while (part != NULL) {
        struct err e = ERR_INIT;
        const int failed = work_in_order(worker, part, &e);
        object_part_free(part);
        if (failed != 0) {
            object_fail(object, &e);
            return;
        }
        part = object_next_retiring(object, &done);
    }
    if (done) {
        finish(object);
    }
}

static void work_part(struct worker *worker, struct part *part)
{
    struct err e = ERR_INIT;
    struct object *object = part->object;
    if (run_stopping(worker->run)) {
        object_part_free(part);
        return;
    }
    if (work_out_of_order(worker, part, &e) != 0) {
        object_part_free(part);
        object_fail(object, &e);
        return;
    }
    if (object_retire_later(part)) {
        work_object(worker, object);
    }
}

void *worker_main(void *arg)
{
    struct worker worker = {.run = arg};
    for (;;) {
        struct queue_item *item = queue_pop(worker.run->queue);
        if (item == NULL) {
            break;
        }
        if (item->kind == OBJECT_ITEM_PART) {
            work_part(&worker, (struct part *)item);
        } else {
            work_object(&worker, (struct object *)item);
        }
    }
    scratch_done(&worker.scratch);
    return NULL;
}
