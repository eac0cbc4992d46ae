#include "agent/verdict.h"

#include <inttypes.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/digest.h"
#include "agent/sstable_name.h"

/* Sizes that do not add up come from a store that does not know ?partNumber: they prove nothing. */
static bool sizes_add_up(const struct object *object)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < object->sizes_count; i++) {
        if (object->upload_sizes[i] == 0 || !add_u64(sum, object->upload_sizes[i], &sum)) {
            return false;
        }
    }
    return sum == object->file->size;
}

struct composer *verdict_composer(const struct object *object)
{
    const struct check_choice *choice = &object->choice;
    if (!check_is_ordered(choice)) {
        return NULL;
    }
    if (choice->parts <= 1) {
        return composer_new(choice, &object->file->size);
    }
    ASSERT(choice->parts == object->sizes_count);
    return sizes_add_up(object) ? composer_new(choice, object->upload_sizes) : NULL;
}

static int check_size(struct object *object, uint64_t promised, const char *who, struct err *e)
{
    if (object->plain_size == promised) {
        object->checks |= CHECK_SIZE;
        return 0;
    }
    const enum err_kind kind = object->plain_size < promised ? ERR_TRUNCATED : ERR_CORRUPT;
    return err_set(e, kind, "decodes to %" PRIu64 " bytes, but %s says %" PRIu64,
                   object->plain_size, who, promised);
}

static int check_sizes(struct object *object, struct err *e)
{
    if (object->file->plain_size != PLAN_SIZE_UNKNOWN &&
        check_size(object, object->file->plain_size, "the manifest", e) != 0) {
        return -1;
    }
    return object->has_local_size
               ? check_size(object, object->local_size, "x-amz-meta-local-size", e)
               : 0;
}

static int check_stored(struct object *object, struct err *e)
{
    struct check_choice *choice = &object->choice;
    if (choice->proof == PROOF_CHECKSUM && choice->wants_head) {
        check_take_head(choice, &object->head_checksum);
    }
    const bool ordered = check_is_ordered(choice);
    if (choice->proof == PROOF_NONE || choice->expected.size == 0 ||
        (ordered && object->composer == NULL)) {
        return 0;
    }
    const struct hash_value value = ordered ? composer_finish(object->composer)
                                            : hash_sum_value(choice->stored, object->stored_sum);
    if (!hash_value_equal(&value, &choice->expected)) {
        return err_set(e, ERR_CORRUPT, "the %s of the stored bytes is not that of the %s",
                       hash_name(choice->stored),
                       choice->proof == PROOF_ETAG ? "ETag" : "x-amz-checksum header");
    }
    object->checks |= choice->proof == PROOF_ETAG ? CHECK_MD5 : CHECK_S3_CHECKSUM;
    return 0;
}

static int check_digest(struct object *object, struct err *e)
{
    const enum hash_kind kind = object->choice.plain;
    if (kind == HASH_NONE || object->digest.size == 0) {
        return 0;
    }
    struct hash_value value = {.size = 0};
    if (hash_is_sum(kind)) {
        value = hash_sum_value(kind, object->plain_sum);
    } else {
        ASSERT(object->plain_hash != NULL);
        value = hash_finish(object->plain_hash);
    }
    if (!hash_value_equal(&value, &object->digest)) {
        return err_set(e, ERR_CORRUPT, "the %s of the file is not that of the SSTable's digest",
                       hash_name(kind));
    }
    object->checks |= CHECK_DIGEST;
    return 0;
}

static int check_toc(struct object *object, struct err *e)
{
    const struct plan_file *file = object->file;
    if (file->component != COMPONENT_TOC || file->sstable == PLAN_NONE || object->text.overflowed ||
        object->text.size == 0) {
        return 0;
    }
    const struct plan *plan = object->run->plan;
    const struct toc_missing missing = toc_compare(plan, &plan->sstables[file->sstable],
                                                   slice_of(object->text.data, object->text.size));
    const struct slice first = missing.needed.size > 0 ? missing.needed : missing.optional;
    if (first.size == 0) {
        object->checks |= CHECK_TOC;
        return 0;
    }
    const int width = first.size < 255 ? (int)first.size : 255;
    const char *name = (const char *)first.data;
    if (missing.needed.size > 0 && !object->run->options->config->selection.allow_incomplete) {
        (void)err_set(e, ERR_NO_BACKUP, "TOC.txt names %.*s, which the backup lacks", width, name);
        return err_hint(e, "choose another restore point with --at, or accept the gap with "
                           "--allow-incomplete");
    }
    log_warn("%s names %.*s, which the backup lacks", object->key, width, name);
    return 0;
}

int verdict_give(struct object *object, struct err *e)
{
    ASSERT(object->held);
    if (object->codec == NULL) {
        ASSERT(object->part_count == 0);
        return err_set(e, ERR_TRUNCATED, "is empty, where a Snappy stream has at least a header");
    }
    if (object->codec != &codec_none) {
        object->checks |= CHECK_STRUCTURE;
    }
    if (check_sizes(object, e) != 0) {
        return -1;
    }
    if (object->part_count == 0) {
        return 0; /* no bytes, nothing to sum */
    }
    if (check_stored(object, e) != 0 || check_digest(object, e) != 0) {
        return -1;
    }
    return check_toc(object, e);
}
