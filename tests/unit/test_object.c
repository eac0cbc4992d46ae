/*
 * One object without threads: its requests are kept and answered in the order that the test wants,
 * then the test itself is the worker. Parts are a few bytes, so every split is tried.
 */
#include "unit.h"

#include "agent/base/mem.h"
#include "agent/base/random.h"
#include "agent/object.h"
#include "agent/sstable_name.h"
#include "agent/worker.h"
#include "codec_rig.h"

enum { GETS_MAX = 64, PLAIN_MAX = 400 };

struct file_sink {
    bool open;
};

static struct {
    struct s3_get *gets[GETS_MAX];
    unsigned get_count;
    struct file_sink sink;
    uint8_t plain[PLAIN_MAX];
    uint64_t fail_at; /* byte of the file that cannot be written */
    unsigned commits, abandons;
    struct commit_record record;
} seen;

void __wrap_source_get(struct source *source, struct s3_get *get);
int __wrap_file_sink_open(struct target *target, const struct plan *plan, uint32_t file,
                          uint64_t size_hint, struct file_sink **ret, struct err *e);
int __wrap_file_sink_write(struct file_sink *sink, uint64_t offset, struct slice plain,
                           struct err *e);
void __wrap_file_sink_abandon(struct file_sink *sink);
void __wrap_commit_file(struct commit *commit, struct file_sink *sink,
                        const struct commit_record *record);
bool __wrap_commit_failed(struct commit *commit);

void __wrap_source_get(struct source *source, struct s3_get *get)
{
    (void)source;
    assert_true(seen.get_count < GETS_MAX);
    seen.gets[seen.get_count++] = get;
}

int __wrap_file_sink_open(struct target *target, const struct plan *plan, uint32_t file,
                          uint64_t size_hint, struct file_sink **ret, struct err *e)
{
    (void)target;
    (void)plan;
    (void)file;
    (void)size_hint;
    (void)e;
    assert_false(seen.sink.open);
    seen.sink.open = true;
    *ret = &seen.sink;
    return 0;
}

int __wrap_file_sink_write(struct file_sink *sink, uint64_t offset, struct slice plain,
                           struct err *e)
{
    assert_true(sink->open);
    assert_true(offset + plain.size <= PLAIN_MAX);
    if (offset <= seen.fail_at && seen.fail_at < offset + plain.size) {
        return err_set(e, ERR_DISK, "byte %llu", (unsigned long long)seen.fail_at);
    }
    memcpy(seen.plain + offset, plain.data, plain.size);
    return 0;
}

void __wrap_file_sink_abandon(struct file_sink *sink)
{
    seen.abandons += sink != NULL ? 1 : 0;
}

void __wrap_commit_file(struct commit *commit, struct file_sink *sink,
                        const struct commit_record *record)
{
    (void)commit;
    assert_true(sink->open);
    seen.commits++;
    seen.record = *record;
}

bool __wrap_commit_failed(struct commit *commit)
{
    (void)commit;
    return false;
}

/* A plan of one file, stored in blocks of 10 bytes. */
struct world {
    struct config config;
    struct plan plan;
    struct plan_file file;
    struct transfer_options options;
    struct run run;
    struct buf plain, stored;
    uint8_t need[1];
};

static struct world *world_new(size_t plain_size, size_t part_size)
{
    struct world *world = xcalloc(1, sizeof(*world));
    memset(&seen, 0, sizeof(seen));
    seen.fail_at = UINT64_MAX;
    world->plain = rig_text(plain_size, 1);
    world->stored = BUF_INIT(1 << 20);
    rig_add_xerial_header(&world->stored);
    for (size_t at = 0; at < plain_size; at += 10) {
        rig_add_xerial_block(&world->stored, slice_of(world->plain.data + at,
                                                      plain_size - at < 10 ? plain_size - at : 10));
    }
    world->config = (struct config){.connections = GETS_MAX, .progress = PROGRESS_NEVER};
    world->file = (struct plan_file){.key_folder = "k/",
                                     .key_name = "f",
                                     .target_folder = "t",
                                     .target_name = "f",
                                     .etag = "",
                                     .size = world->stored.size,
                                     .plain_size = plain_size,
                                     .sstable = PLAN_NONE,
                                     .component = COMPONENT_OTHER,
                                     .claim = CODEC_CLAIM_SNAPPY};
    world->plan = (struct plan){.files = &world->file, .file_count = 1};
    world->options = (struct transfer_options){.config = &world->config,
                                               .plan = &world->plan,
                                               .target = (struct target *)world,
                                               .progress = progress_new(&world->config, "test")};
    world->need[0] = NEED_FILE;
    world->run = (struct run){.options = &world->options, .plan = &world->plan};
    world->run.limits = (struct transfer_limits){.budget = 1 << 20,
                                                 .part_size = part_size,
                                                 .block_size_max = 1 << 10,
                                                 .carry_size = 1 << 12,
                                                 .workers = 1,
                                                 .parts_max = 1 << 20,
                                                 .open_max = 1};
    run_init(&world->run);
    world->run.commit = (struct commit *)world;
    world->run.schedule = schedule_new(&world->plan, world->need, &world->run.limits);
    return world;
}

static void world_free(struct world *world)
{
    while (world->run.live != NULL) {
        object_free(world->run.live);
    }
    schedule_free(world->run.schedule);
    run_done(&world->run);
    progress_free(world->options.progress);
    buf_done(&world->plain);
    buf_done(&world->stored);
    free(world);
}

/* Asks for all parts; no answer yet. */
static struct object *send_all(struct world *world)
{
    struct run *run = &world->run;
    struct object *object = NULL;
    struct schedule_part next;
    while (schedule_next(run->schedule, &next) == SCHEDULE_PART) {
        if (next.part == 0) {
            assert_true(next.lane == SCHEDULE_NO_LANE ||
                        budget_reserve(run->budget, run->limits.carry_size));
            object = object_new(run, &next, false);
        }
        struct budget_block block = {.data = NULL};
        assert_true(run_take_slot(run));
        assert_true(budget_take(
            run->budget, schedule_part_size(world->file.size, next.part, run->limits.part_size),
            100, &block));
        object_send_part(object, next.part, &block);
    }
    return object;
}

static void answer(struct world *world, unsigned index)
{
    struct s3_get *get = seen.gets[index];
    memcpy(get->into, world->stored.data + get->offset, get->size);
    get->done(get);
}

static void work(struct world *world)
{
    queue_close(world->run.queue);
    assert_null(worker_main(&world->run));
}

static void assert_whole(const struct world *world)
{
    assert_int_equal(world->run.err.kind, ERR_NONE);
    assert_null(world->run.live);
    assert_int_equal(seen.commits, 1);
    assert_int_equal(seen.abandons, 0);
    assert_int_equal(seen.record.plain_size, world->plain.size);
    assert_int_equal(seen.record.checks, CHECK_SIZE | CHECK_STRUCTURE);
    assert_memory_equal(seen.plain, world->plain.data, world->plain.size);
}

/* Parts of every size, answered first to last, last to first, and shuffled. */
static void test_every_split(void **state)
{
    (void)state;
    for (size_t part = 8; part < 120; part++) {
        for (unsigned order = 0; order < 6; order++) {
            struct world *world = world_new(90, part);
            struct random random = {.state = part * 8 + order};
            (void)send_all(world);
            assert_int_equal(seen.get_count, (world->stored.size - 1) / part + 1);
            unsigned left = seen.get_count;
            while (left > 0) {
                const unsigned at = order == 0   ? seen.get_count - left
                                    : order == 1 ? left - 1
                                                 : (unsigned)random_below(&random, left);
                answer(world, at);
                if (order > 1) {
                    seen.gets[at] = seen.gets[left - 1];
                }
                left--;
            }
            work(world);
            assert_whole(world);
            world_free(world);
        }
    }
}

/* Answered before, while and after the worker runs makes no difference: every order of four. */
static void test_permutations(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 256; code++) {
        const unsigned order[4] = {code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6};
        if ((1U << order[0] | 1U << order[1] | 1U << order[2] | 1U << order[3]) != 15) {
            continue;
        }
        struct world *world = world_new(60, 34);
        (void)send_all(world);
        assert_int_equal(seen.get_count, 4);
        for (unsigned i = 0; i < 4; i++) {
            answer(world, order[i]);
        }
        work(world);
        assert_whole(world);
        world_free(world);
    }
}

/* A disk that fails at byte N, for every N. */
static void test_write_fails(void **state)
{
    (void)state;
    for (uint64_t at = 0; at < 90; at++) {
        for (size_t part = 20; part <= 200; part += 60) {
            struct world *world = world_new(90, part);
            seen.fail_at = at;
            (void)send_all(world);
            for (unsigned i = seen.get_count; i-- > 0;) {
                answer(world, i);
            }
            work(world);
            assert_int_equal(world->run.err.kind, ERR_DISK);
            assert_non_null(strstr(world->run.err.text, "restore t/f from k/f: byte "));
            assert_int_equal(seen.commits, 0);
            world_free(world);
            assert_int_equal(seen.abandons, 1);
        }
    }
}

/* Every cut of the stream is found, whatever the parts. */
static void test_truncated(void **state)
{
    (void)state;
    for (size_t part = 16; part <= 80; part += 16) {
        for (size_t size = 1; size < 100; size++) {
            struct world *world = world_new(90, part);
            assert_true(size < world->stored.size);
            world->file.size = size;
            schedule_free(world->run.schedule);
            world->run.schedule = schedule_new(&world->plan, world->need, &world->run.limits);
            (void)send_all(world);
            for (unsigned i = seen.get_count; i-- > 0;) {
                answer(world, i);
            }
            work(world);
            assert_true(world->run.err.kind == ERR_TRUNCATED ||
                        (size < 8 && world->run.err.kind == ERR_CORRUPT));
            assert_int_equal(seen.commits, 0);
            world_free(world);
        }
    }
}

/* A failed request frees its part and stops the run; what else arrives is let go. */
static void test_get_fails(void **state)
{
    (void)state;
    for (unsigned bad = 0; bad < 4; bad++) {
        struct world *world = world_new(60, 34);
        (void)send_all(world);
        for (unsigned i = 0; i < 4; i++) {
            if (i == bad) {
                (void)err_set(&seen.gets[i]->err, ERR_NOT_FOUND, "404");
                seen.gets[i]->done(seen.gets[i]);
            } else {
                answer(world, i);
            }
        }
        work(world);
        assert_int_equal(world->run.err.kind, ERR_NOT_FOUND);
        assert_non_null(strstr(world->run.err.hint, "deleted after it was listed"));
        assert_int_equal(seen.commits, 0);
        world_free(world);
    }
}

static void test_state_names(void **state)
{
    (void)state;
    for (int i = OBJECT_FETCHING; i <= OBJECT_FINISHING; i++) {
        assert_true(strlen(object_state_name((enum object_state)i)) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_split), cmocka_unit_test(test_permutations),
        cmocka_unit_test(test_write_fails), cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_get_fails),   cmocka_unit_test(test_state_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
