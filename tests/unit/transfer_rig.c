#include "transfer_rig.h"

#include "unit.h"

#include "agent/base/clock.h"
#include "agent/base/interrupt.h"
#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/base/random.h"
#include "agent/base/thread.h"
#include "agent/budget.h"
#include "agent/check.h"
#include "agent/commit.h"
#include "agent/run.h"
#include "agent/sstable_name.h"
#include "codec_rig.h"

enum { SOURCE_THREADS = 3, PENDING_MAX = 256 };

struct file_sink {
    uint32_t file;
};

/* The one rig, and what its source's threads share. */
static struct {
    struct rig *rig;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct s3_get *pending[PENDING_MAX];
    unsigned pending_count, in_flight;
    bool cancelled, closing;
    struct random random;
    pthread_t threads[SOURCE_THREADS];
    commit_done_fn *done;
    void *done_ctx;
} world;

struct buf rig_noise(size_t size, uint64_t seed)
{
    struct buf buf = BUF_INIT(size + 8);
    struct random random = {.state = seed};
    while (buf.size < size) {
        const uint64_t word = random_next(&random);
        const size_t left = size - buf.size;
        assert_true(buf_append(&buf, &word, left < sizeof(word) ? left : sizeof(word)));
    }
    return buf;
}

static struct rig_file *file_of_key(const char *key)
{
    for (uint32_t i = 0; i < world.rig->plan.file_count; i++) {
        const struct plan_file *file = world.rig->files[i].plan;
        const size_t folder = strlen(file->key_folder);
        if (strncmp(key, file->key_folder, folder) == 0 &&
            strcmp(key + folder, file->key_name) == 0) {
            return &world.rig->files[i];
        }
    }
    fail_msg("no such key: %s", key);
    return NULL;
}

static void answer_head(const struct rig_file *file, struct s3_get *get)
{
    if (get->part_number > 0 && file->traits.fail_sizes != ERR_NONE) {
        (void)err_set(&get->err, file->traits.fail_sizes, "HEAD %s: made to fail", get->key);
        return;
    }
    const bool whole = get->part_number == 0 || file->traits.no_sizes;
    get->content_length = whole ? file->stored.size : file->upload_sizes[get->part_number - 1];
    get->sse_kms = file->traits.sse_kms;
    if (get->want_checksum) {
        get->checksum = file->checksum;
    }
}

static void answer(struct rig_file *file, struct s3_get *get, uint32_t part)
{
    if (file->traits.fail != ERR_NONE && !get->head && part == file->traits.fail_part) {
        (void)err_set(&get->err, file->traits.fail, "GET %s: made to fail", get->key);
        return;
    }
    if (get->head) {
        answer_head(file, get);
        return;
    }
    assert_true(get->offset + get->size <= file->stored.size);
    memcpy(get->into, file->stored.data + get->offset, get->size);
    if (file->traits.flip && get->offset <= file->stored.size / 2 &&
        file->stored.size / 2 < get->offset + get->size) {
        get->into[file->stored.size / 2 - get->offset] ^= 0x10;
    }
    get->has_local_size = file->traits.local_size;
    get->local_size = file->plain.size;
    get->sse_kms = file->traits.sse_kms;
    if (get->want_checksum && get->size == file->stored.size) {
        get->checksum = file->checksum;
    }
}

static struct s3_get *take_pending_locked(void)
{
    while (world.pending_count == 0 && !world.closing) {
        cond_wait(&world.changed, &world.lock);
    }
    if (world.pending_count == 0) {
        return NULL;
    }
    const uint64_t at = random_below(&world.random, world.pending_count);
    struct s3_get *get = world.pending[at];
    world.pending[at] = world.pending[--world.pending_count];
    return get;
}

static void *source_main(void *arg)
{
    (void)arg;
    mutex_lock(&world.lock);
    for (;;) {
        struct s3_get *get = take_pending_locked();
        if (get == NULL) {
            break;
        }
        const bool cancelled = world.cancelled;
        mutex_unlock(&world.lock);
        if (cancelled) {
            (void)err_set(&get->err, ERR_CANCELLED, "cancelled");
        } else {
            struct rig_file *file = file_of_key(get->key);
            answer(file, get, (uint32_t)(get->offset / (1 << 20)));
        }
        mutex_lock(&world.lock);
        world.in_flight--;
        mutex_unlock(&world.lock);
        get->done(get);
        mutex_lock(&world.lock);
    }
    mutex_unlock(&world.lock);
    return NULL;
}

void __wrap_source_get(struct source *source, struct s3_get *get);
void __wrap_source_cancel(struct source *source);
struct s3_stats __wrap_source_stats(struct source *source);
int __wrap_file_sink_open(struct target *target, const struct plan *plan, uint32_t file,
                          uint64_t size_hint, struct file_sink **ret, struct err *e);
int __wrap_file_sink_write(struct file_sink *sink, uint64_t offset, struct slice plain,
                           struct err *e);
void __wrap_file_sink_abandon(struct file_sink *sink);
struct commit *__wrap_commit_start(struct target *target, const struct plan *plan,
                                   commit_done_fn *done, void *ctx);
void __wrap_commit_file(struct commit *commit, struct file_sink *sink,
                        const struct commit_record *record);
bool __wrap_commit_failed(struct commit *commit);
int __wrap_commit_stop(struct commit *commit, struct err *e);
bool __wrap_commit_done_before(const struct target *target, const struct plan *plan, uint32_t file,
                               struct commit_record *ret);
void __wrap_budget_free(struct budget *budget);
void __real_budget_free(struct budget *budget);

void __wrap_source_get(struct source *source, struct s3_get *get)
{
    assert_ptr_equal(source, &world.rig->source);
    struct rig_file *file = file_of_key(get->key);
    mutex_lock(&world.lock);
    struct rig *rig = world.rig;
    file->gets += get->head ? 0 : 1;
    file->heads += get->head ? 1 : 0;
    if (rig->get_count < ARRAY_SIZE(rig->get_order)) {
        rig->get_order[rig->get_count] = (uint32_t)(file - rig->files);
    }
    rig->get_count++;
    const bool interrupt = rig->interrupt_after > 0 && rig->get_count == rig->interrupt_after;
    assert_true(world.pending_count < PENDING_MAX);
    world.pending[world.pending_count++] = get;
    world.in_flight++;
    if (world.in_flight > rig->in_flight_most) {
        rig->in_flight_most = world.in_flight;
    }
    cond_signal(&world.changed);
    mutex_unlock(&world.lock);
    if (interrupt) {
        interrupt_ask();
    }
}

void __wrap_source_cancel(struct source *source)
{
    (void)source;
    mutex_lock(&world.lock);
    world.cancelled = true;
    mutex_unlock(&world.lock);
}

struct s3_stats __wrap_source_stats(struct source *source)
{
    (void)source;
    return (struct s3_stats){.requests = 1};
}

int __wrap_file_sink_open(struct target *target, const struct plan *plan, uint32_t file,
                          uint64_t size_hint, struct file_sink **ret, struct err *e)
{
    (void)target;
    (void)plan;
    (void)e;
    mutex_lock(&world.lock);
    struct rig_file *of = &world.rig->files[file];
    assert_false(of->opened);
    of->opened = true;
    assert_true(size_hint == PLAN_SIZE_UNKNOWN || size_hint == of->plain.size || of->traits.flip ||
                of->plan->plain_size != of->plain.size);
    of->written = xcalloc(of->plain.size + 1, 1);
    mutex_unlock(&world.lock);
    struct file_sink *sink = xcalloc(1, sizeof(*sink));
    sink->file = file;
    *ret = sink;
    return 0;
}

int __wrap_file_sink_write(struct file_sink *sink, uint64_t offset, struct slice plain,
                           struct err *e)
{
    struct rig_file *of = &world.rig->files[sink->file];
    if (of->traits.fail_write && offset + plain.size > of->plain.size / 2) {
        return err_set(e, ERR_DISK, "made to fail");
    }
    if (offset + plain.size <= of->plain.size) {
        memcpy(of->written + offset, plain.data, plain.size);
    }
    mutex_lock(&world.lock);
    of->written_size =
        offset + plain.size > of->written_size ? offset + plain.size : of->written_size;
    mutex_unlock(&world.lock);
    return 0;
}

void __wrap_file_sink_abandon(struct file_sink *sink)
{
    if (sink != NULL) {
        mutex_lock(&world.lock);
        world.rig->files[sink->file].abandoned = true;
        mutex_unlock(&world.lock);
        free(sink);
    }
}

struct commit *__wrap_commit_start(struct target *target, const struct plan *plan,
                                   commit_done_fn *done, void *ctx)
{
    (void)target;
    (void)plan;
    world.done = done;
    world.done_ctx = ctx;
    return (struct commit *)(void *)&world;
}

void __wrap_commit_file(struct commit *commit, struct file_sink *sink,
                        const struct commit_record *record)
{
    (void)commit;
    struct rig *rig = world.rig;
    mutex_lock(&world.lock);
    struct rig_file *of = &rig->files[record->file];
    assert_false(of->committed);
    assert_false(of->abandoned);
    of->committed = true;
    rig->commit_order[rig->commit_count++] = record->file;
    mutex_unlock(&world.lock);
    assert_int_equal(sink->file, record->file);
    free(sink);
    world.done(world.done_ctx, record);
}

bool __wrap_commit_failed(struct commit *commit)
{
    (void)commit;
    return false;
}

int __wrap_commit_stop(struct commit *commit, struct err *e)
{
    (void)commit;
    (void)e;
    return 0;
}

bool __wrap_commit_done_before(const struct target *target, const struct plan *plan, uint32_t file,
                               struct commit_record *ret)
{
    (void)target;
    (void)plan;
    const struct rig_file *of = &world.rig->files[file];
    *ret = (struct commit_record){.file = file, .plain_size = of->plain.size, .checks = CHECK_MD5};
    return of->done_before;
}

void __wrap_budget_free(struct budget *budget)
{
    world.rig->budget_peak = budget_peak(budget);
    __real_budget_free(budget);
}

struct rig *rig_new(uint64_t seed)
{
    struct rig *rig = xcalloc(1, sizeof(*rig));
    rig->config = (struct config){.memory = 64 << 20,
                                  .threads = 2,
                                  .connections = 4,
                                  .part_size = 1 << 20,
                                  .progress = PROGRESS_NEVER};
    rig->seed = seed;
    rig->plan.files = xcalloc(RIG_FILES_MAX, sizeof(*rig->plan.files));
    rig->plan.sstables = xcalloc(RIG_FILES_MAX, sizeof(*rig->plan.sstables));
    rig->plan.strings = arena_new();
    rig->take = NULL;
    return rig;
}

void rig_free(struct rig *rig)
{
    for (uint32_t i = 0; i < rig->plan.file_count; i++) {
        buf_done(&rig->files[i].stored);
        buf_done(&rig->files[i].plain);
        free(rig->files[i].written);
    }
    arena_free(rig->plan.strings);
    free(rig->plan.files);
    free(rig->plan.sstables);
    free(rig);
}

static enum hash_kind hash_kind_of(enum s3_checksum_kind kind)
{
    switch (kind) {
    case S3_CHECKSUM_NONE:
        return HASH_NONE;
    case S3_CHECKSUM_CRC32:
        return HASH_CRC32;
    case S3_CHECKSUM_CRC32C:
        return HASH_CRC32C;
    case S3_CHECKSUM_CRC64NVME:
        return HASH_CRC64NVME;
    case S3_CHECKSUM_SHA1:
        return HASH_SHA1;
    case S3_CHECKSUM_SHA256:
        return HASH_SHA256;
    }
    return HASH_NONE;
}

/* The value of the bytes, or the value of the values of the upload's parts. */
static struct hash_value value_over(const struct rig_file *file, enum hash_kind kind, bool parts)
{
    struct hash *bytes = hash_new(kind);
    struct hash *values = hash_new(kind);
    const uint8_t *at = (const uint8_t *)file->stored.data;
    if (!parts) {
        hash_update(bytes, slice_of(at, file->stored.size));
    }
    for (unsigned i = 0; parts && i < file->traits.upload_parts; i++) {
        hash_update(bytes, slice_of(at, file->upload_sizes[i]));
        const struct hash_value value = hash_finish(bytes);
        hash_update(values, slice_of(value.bytes, value.size));
        at += file->upload_sizes[i];
    }
    const struct hash_value value = hash_finish(parts ? values : bytes);
    hash_free(bytes);
    hash_free(values);
    return value;
}

static void cut_upload(struct rig_file *file)
{
    uint64_t left = file->stored.size;
    const unsigned parts = file->traits.upload_parts;
    for (unsigned i = 0; i < parts; i++) {
        const uint64_t size = i + 1 == parts ? left : left / (parts - i) - i % 3;
        file->upload_sizes[i] = size;
        left -= size;
    }
}

static void describe(struct rig_file *file)
{
    const struct rig_traits *traits = &file->traits;
    struct plan_file *plan = file->plan;
    cut_upload(file);
    plan->size = file->stored.size;
    plan->plain_size = traits->no_plain_size ? PLAN_SIZE_UNKNOWN : file->plain.size;
    plan->etag = "\"opaque";
    if (traits->etag_md5 || traits->sse_kms) {
        struct hash_value md5 = value_over(file, HASH_MD5, traits->upload_parts > 0);
        md5.bytes[0] ^= traits->sse_kms ? 1 : 0;
        char hex[65];
        format_hex(md5.bytes, md5.size, hex);
        autofree char *etag =
            traits->upload_parts > 0 ? xasprintf("%s-%u", hex, traits->upload_parts) : xstrdup(hex);
        plan->etag = arena_add(world.rig->plan.strings, etag, strlen(etag));
    }
    file->checksum = (struct s3_checksum){.kind = traits->checksum};
    if (traits->checksum != S3_CHECKSUM_NONE) {
        const struct hash_value value =
            value_over(file, hash_kind_of(traits->checksum), traits->composite);
        file->checksum.size = value.size;
        file->checksum.composite = traits->composite;
        file->checksum.parts = traits->composite ? traits->upload_parts : 0;
        memcpy(file->checksum.bytes, value.bytes, value.size);
    }
    if (traits->listed) {
        plan->checksum = (uint8_t)traits->checksum;
        plan->checksum_composite = traits->composite;
    }
}

static struct buf store(const struct buf *plain, size_t block_size)
{
    struct buf stored = BUF_INIT(SIZE_MAX / 4);
    if (block_size == 0) {
        rig_add(&stored, plain->data, plain->size);
        return stored;
    }
    rig_add_xerial_header(&stored);
    for (size_t at = 0; at < plain->size; at += block_size) {
        const size_t left = plain->size - at;
        rig_add_xerial_block(&stored,
                             slice_of(plain->data + at, left < block_size ? left : block_size));
    }
    return stored;
}

struct rig_file *rig_add_file(struct rig *rig, const char *name, struct buf plain,
                              size_t block_size, const struct rig_traits *traits)
{
    static const struct rig_traits NONE;
    world.rig = rig;
    const uint32_t index = rig->plan.file_count++;
    assert_true(index < RIG_FILES_MAX);
    struct rig_file *file = &rig->files[index];
    file->plan = &rig->plan.files[index];
    file->traits = traits == NULL ? NONE : *traits;
    file->plain = plain;
    file->stored = store(&plain, block_size);
    const char *kept = arena_add(rig->plan.strings, name, strlen(name));
    *file->plan =
        (struct plan_file){.key_folder = "base/ks/t/",
                           .key_name = kept,
                           .target_folder = "ks/t",
                           .target_name = kept,
                           .sstable = PLAN_NONE,
                           .component = COMPONENT_OTHER,
                           .claim = block_size == 0 ? CODEC_CLAIM_NONE : CODEC_CLAIM_SNAPPY};
    describe(file);
    return file;
}

void rig_set_stored(struct rig_file *file, struct buf stored)
{
    buf_done(&file->stored);
    file->stored = stored;
    describe(file);
}

void rig_end_sstable(struct rig *rig, uint32_t count)
{
    const uint32_t index = rig->plan.sstable_count++;
    struct plan_sstable *sstable = &rig->plan.sstables[index];
    *sstable = (struct plan_sstable){.first = rig->plan.file_count - count,
                                     .count = count,
                                     .data = PLAN_NONE,
                                     .digest = PLAN_NONE,
                                     .toc = PLAN_NONE};
    for (uint32_t i = sstable->first; i < rig->plan.file_count; i++) {
        struct plan_file *file = &rig->plan.files[i];
        struct sstable_name name;
        assert_true(
            sstable_name_parse(slice_of(file->target_name, strlen(file->target_name)), &name));
        file->sstable = index;
        file->component = (uint8_t)name.kind;
        sstable->data = name.kind == COMPONENT_DATA ? i : sstable->data;
        sstable->digest = name.kind == COMPONENT_DIGEST ? i : sstable->digest;
        sstable->toc = name.kind == COMPONENT_TOC ? i : sstable->toc;
    }
}

static void on_result(void *ctx, const struct transfer_result *result)
{
    struct rig *rig = ctx;
    struct rig_file *file = &rig->files[result->file];
    file->reports++; /* the calls come one at a time: TSan would tell */
    file->result = *result;
}

int rig_run(struct rig *rig, struct err *e)
{
    memset(&world, 0, sizeof(world));
    world.rig = rig;
    world.random.state = rig->seed;
    mutex_init(&world.lock);
    cond_init(&world.changed);
    for (unsigned i = 0; i < SOURCE_THREADS; i++) {
        world.threads[i] = thread_start(source_main, NULL, "source");
    }
    rig->progress = progress_new(&rig->config, "test");
    const struct transfer_options options = {.config = &rig->config,
                                             .plan = &rig->plan,
                                             .source = &rig->source,
                                             .target = rig->verify ? NULL : (struct target *)rig,
                                             .take = rig->take,
                                             .progress = rig->progress,
                                             .on_result = on_result,
                                             .ctx = rig};
    const int result = transfer_run(&options, e);
    progress_free(rig->progress);
    mutex_lock(&world.lock);
    assert_int_equal(world.in_flight, 0);
    world.closing = true;
    mutex_unlock(&world.lock);
    cond_broadcast(&world.changed);
    for (unsigned i = 0; i < SOURCE_THREADS; i++) {
        thread_join(world.threads[i]);
    }
    cond_done(&world.changed);
    mutex_done(&world.lock);
    assert_true(rig->in_flight_most <= run_slot_count(rig->config.connections));
    assert_true(rig->budget_peak <= rig->config.memory);
    return result;
}

void rig_assert_all_right(struct rig *rig)
{
    for (uint32_t i = 0; i < rig->plan.file_count; i++) {
        const struct rig_file *file = &rig->files[i];
        assert_int_equal(file->reports, 1);
        assert_int_equal(file->result.plain_size, file->plain.size);
        if (!rig->verify && !file->done_before) {
            assert_true(file->committed);
            assert_int_equal(file->written_size, file->plain.size);
            if (file->plain.size > 0) {
                assert_memory_equal(file->written, file->plain.data, file->plain.size);
            }
        } else {
            assert_false(file->opened);
        }
    }
}

void rig_assert_nothing_half(struct rig *rig)
{
    for (uint32_t i = 0; i < rig->plan.file_count; i++) {
        const struct rig_file *file = &rig->files[i];
        assert_false(file->opened && !file->committed && !file->abandoned);
        assert_false(file->committed && file->abandoned);
        assert_int_equal(file->reports, file->committed ? 1 : 0);
        if (file->committed) {
            assert_int_equal(file->written_size, file->plain.size);
            if (file->plain.size > 0) {
                assert_memory_equal(file->written, file->plain.data, file->plain.size);
            }
        }
    }
}
