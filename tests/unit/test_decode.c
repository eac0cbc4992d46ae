#include "agent/decode.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <snappy-c.h>
#include <sys/stat.h>

#include "agent/base/interrupt.h"
#include "agent/base/mem.h"
#include "tests/unit/codec_rig.h"
#include "tests/unit/unit.h"

enum { SEED = 20261123, STREAM_MAX = 1 << 27 };

/* What the operator's signal would set. */
static bool interrupted;

bool interrupt_asked(void)
{
    return interrupted;
}

/* The next call fails with this number; 0: none. */
static struct {
    int read, write, fsync, renameat;
} fails;

static bool fails_now(int *sys)
{
    errno = *sys;
    const bool now = *sys != 0;
    *sys = 0;
    return now;
}

ssize_t __real_read(int fd, void *bytes, size_t size);
ssize_t __wrap_read(int fd, void *bytes, size_t size);
ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int from, const char *old, int to, const char *new);
int __wrap_renameat(int from, const char *old, int to, const char *new);

/* Both halve what is asked for, as pipes and full disks do. */
ssize_t __wrap_read(int fd, void *bytes, size_t size)
{
    return fails_now(&fails.read) ? -1 : __real_read(fd, bytes, size > 1 ? size / 2 : size);
}

ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
    return fails_now(&fails.write) ? -1 : __real_write(fd, bytes, size > 1 ? size / 2 : size);
}

int __wrap_fsync(int fd)
{
    return fails_now(&fails.fsync) ? -1 : __real_fsync(fd);
}

int __wrap_renameat(int from, const char *old, int to, const char *new)
{
    return fails_now(&fails.renameat) ? -1 : __real_renameat(from, old, to, new);
}

/* A directory of the test's own, with the paths of an input and an output in it. */
struct place {
    char dir[64];
    char *in, *out;
};

static int setup(void **state)
{
    struct place *place = xcalloc(1, sizeof *place);
    (void)snprintf(place->dir, sizeof place->dir, "/tmp/test_decode.XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    place->in = xasprintf("%s/in", place->dir);
    place->out = xasprintf("%s/out", place->dir);
    memset(&fails, 0, sizeof fails);
    interrupted = false;
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    (void)unlink(place->in); /* some tests have none */
    (void)unlink(place->out);
    assert_int_equal(rmdir(place->dir), 0); /* nothing else was left behind */
    free(place->in);
    free(place->out);
    free(place);
    return 0;
}

static void put(const char *path, struct slice bytes)
{
    autofile FILE *file = fopen(path, "wbe");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
}

static void assert_file(const char *path, const struct buf *expected)
{
    autobuf struct buf content = rig_read_file(path);
    assert_int_equal(content.size, expected->size);
    if (expected->size > 0) {
        assert_memory_equal(content.data, expected->data, expected->size);
    }
}

static enum err_kind run(const struct place *place, bool raw, struct err *e)
{
    const struct config config = {.command = COMMAND_DECODE,
                                  .argument = place->in,
                                  .decode_out = place->out,
                                  .decode_raw = raw};
    *e = ERR_INIT;
    const int result = decode_run(&config, e);
    assert_true((result == 0) == (e->kind == ERR_NONE));
    return e->kind;
}

static struct buf xerial(const struct buf *plain)
{
    struct buf stream = BUF_INIT(STREAM_MAX);
    rig_add_xerial_header(&stream);
    for (size_t at = 0; at < plain->size; at += 32768) {
        const size_t left = plain->size - at;
        rig_add_xerial_block(&stream, slice_of(plain->data + at, left < 32768 ? left : 32768));
    }
    return stream;
}

static void test_stream_of_many_parts(void **state)
{
    const struct place *place = *state;
    autobuf struct buf plain = rig_text(7 << 20, SEED);
    autobuf struct buf stream = xerial(&plain);
    assert_true(stream.size > 3 << 20);
    put(place->in, rig_slice(&stream));
    put(place->out, slice_of("old", 3)); /* a regular file gives way */
    fails.read = fails.write = EINTR;
    struct err e;
    assert_int_equal(run(place, false, &e), ERR_NONE);
    assert_file(place->out, &plain);
}

/* The input ends where a part ends: the part that follows is empty. */
static void test_whole_parts(void **state)
{
    const struct place *place = *state;
    autobuf struct buf plain = rig_text((1 << 20) - 8 - 10, SEED);
    autobuf struct buf stream = BUF_INIT(STREAM_MAX);
    rig_add_framed_header(&stream);
    for (size_t at = 0; at < plain.size; at += 65536) {
        const size_t left = plain.size - at;
        rig_add_framed_block(&stream, slice_of(plain.data + at, left < 65536 ? left : 65536),
                             false);
    }
    rig_add(&stream, "\xfe\0\0", 3);
    const size_t padding = 2 * (1 << 20) - stream.size - 1;
    autofree char *zeros = xcalloc(padding, 1);
    stream.data[stream.size - 2] = (char)padding;
    stream.data[stream.size - 1] = (char)(padding >> 8);
    const char high = (char)(padding >> 16);
    rig_add(&stream, &high, 1);
    rig_add(&stream, zeros, padding);
    assert_int_equal(stream.size, 2 << 20);
    put(place->in, rig_slice(&stream));
    struct err e;
    assert_int_equal(run(place, false, &e), ERR_NONE);
    assert_file(place->out, &plain);
}

static void test_empty_file(void **state)
{
    const struct place *place = *state;
    const struct buf nothing = BUF_INIT(1);
    autobuf struct buf stream = xerial(&nothing);
    put(place->in, rig_slice(&stream));
    struct err e;
    assert_int_equal(run(place, false, &e), ERR_NONE);
    assert_file(place->out, &nothing);
}

/* Each leaves the output as it was, here: absent (see teardown). */
static void test_bad_inputs(void **state)
{
    const struct place *place = *state;
    static const struct {
        const char *bytes;
        size_t size;
        bool raw;
        enum err_kind kind;
        const char *words, *hint;
    } CASES[] = {
        {"", 0, false, ERR_TRUNCATED, "ends early, after 0 bytes", "fetch the file again"},
        {"", 0, true, ERR_TRUNCATED, "ends early, after 0 bytes", "fetch the file again"},
        {"\5\x10hello", 7, false, ERR_CORRUPT, "does not begin like a Snappy stream",
         "use --raw if this is one raw Snappy block"},
        {"\x82SNAPPY\0\0\0\0\1\0\0\0\1\0\0", 18, false, ERR_TRUNCATED, "ends early, after 18 bytes",
         "fetch the file again"},
        {"\x82SNAPPY\0\0\0\0\1\0\0\0\1\0\0\0\3\2\0X", 23, false, ERR_CORRUPT,
         "is not valid, before byte 23", "fetch the file again"},
        {"\x82SNAPPY\0\0\0\0\1\0\0\0\1\4\0\0\1", 20, true, ERR_LIMIT,
         "has a block larger than the limit, before byte 20", "fetch the file again"},
        {"\6\x10hello", 7, true, ERR_CORRUPT, "is not valid", "fetch the file again"},
        {"\xff\xff\xff\xff\xff\xff", 6, true, ERR_CORRUPT, "is not valid", "fetch the file again"},
        {"\x81\x80\x80\x20\0", 5, true, ERR_LIMIT, "one raw block of more than 64 MiB", "look at"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        put(place->in, slice_of(CASES[i].bytes, CASES[i].size));
        struct err e;
        assert_int_equal(run(place, CASES[i].raw, &e), CASES[i].kind);
        assert_non_null(strstr(e.text, place->in));
        assert_non_null(strstr(e.text, CASES[i].words));
        assert_non_null(strstr(e.hint, CASES[i].hint));
        assert_int_equal(access(place->out, F_OK), -1);
    }
}

static void test_raw_block(void **state)
{
    const struct place *place = *state;
    autobuf struct buf plain = rig_text(5 << 20, SEED);
    size_t size = snappy_max_compressed_length(plain.size);
    autofree char *block = xcalloc(size, 1);
    assert_int_equal(snappy_compress(plain.data, plain.size, block, &size), SNAPPY_OK);
    put(place->in, slice_of(block, size));
    struct err e;
    assert_int_equal(run(place, true, &e), ERR_NONE);
    assert_file(place->out, &plain);
}

static void test_raw_block_too_large(void **state)
{
    const struct place *place = *state;
    put(place->in, slice_of("X", 1));
    assert_int_equal(truncate(place->in, (64 << 20) + 1), 0);
    struct err e;
    assert_int_equal(run(place, true, &e), ERR_LIMIT);
    assert_non_null(strstr(e.text, "64 MiB"));
}

/* stdin and stdout, and a reader that leaves. */
static void test_pipes(void **state)
{
    const struct place *place = *state;
    autobuf struct buf plain = rig_text(100000, SEED);
    autobuf struct buf stream = xerial(&plain);
    put(place->in, rig_slice(&stream));
    const int kept_in = dup(STDIN_FILENO);
    const int kept_out = dup(STDOUT_FILENO);
    static const char *const NAMES[] = {NULL, "-"};
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
        const int in = open(place->in, O_RDONLY | O_CLOEXEC);
        const int out = open(place->out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(in >= 0 && out >= 0);
        assert_int_equal(fflush(stdout), 0);
        assert_int_equal(dup2(in, STDIN_FILENO), STDIN_FILENO);
        assert_int_equal(dup2(out, STDOUT_FILENO), STDOUT_FILENO);
        const struct config config = {
            .command = COMMAND_DECODE, .argument = NAMES[i], .decode_out = NAMES[i]};
        struct err e = ERR_INIT;
        fails.write = i == 0 ? 0 : EPIPE;
        const int result = decode_run(&config, &e);
        assert_int_equal(dup2(kept_in, STDIN_FILENO), STDIN_FILENO);
        assert_int_equal(dup2(kept_out, STDOUT_FILENO), STDOUT_FILENO);
        assert_int_equal(close(in) + close(out), 0);
        assert_int_equal(result, i == 0 ? 0 : -1);
        if (i == 0) {
            assert_file(place->out, &plain);
        } else {
            assert_int_equal(e.kind, ERR_DISK);
            assert_int_equal(e.sys, EPIPE);
        }
    }
    assert_int_equal(close(kept_in) + close(kept_out), 0);
}

/* Each failure of the disk keeps the old file and leaves no temporary one. */
static void test_disk_failures(void **state)
{
    const struct place *place = *state;
    autobuf struct buf plain = rig_text(100000, SEED);
    autobuf struct buf stream = xerial(&plain);
    autobuf struct buf old = BUF_INIT(16);
    rig_add(&old, "old", 3);
    put(place->in, rig_slice(&stream));
    put(place->out, rig_slice(&old));
    const struct {
        int *fails;
        int sys;
        enum err_kind kind;
    } cases[] = {
        {&fails.read, EIO, ERR_DISK},       {&fails.write, ENOSPC, ERR_CREATE},
        {&fails.write, EDQUOT, ERR_CREATE}, {&fails.write, EIO, ERR_DISK},
        {&fails.fsync, EIO, ERR_DISK},      {&fails.renameat, EIO, ERR_DISK},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        *cases[i].fails = cases[i].sys;
        struct err e;
        assert_int_equal(run(place, false, &e), cases[i].kind);
        assert_int_equal(e.sys, cases[i].sys);
        assert_file(place->out, &old);
    }
}

static void test_interrupt(void **state)
{
    const struct place *place = *state;
    put(place->in, slice_of("\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16));
    interrupted = true;
    struct err e;
    assert_int_equal(run(place, false, &e), ERR_CANCELLED);
    assert_int_equal(access(place->out, F_OK), -1);
}

static void test_unusable_paths(void **state)
{
    const struct place *place = *state;
    put(place->in, slice_of("\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16));
    autofree char *in_nowhere = xasprintf("%s/none/in", place->dir);
    autofree char *out_nowhere = xasprintf("%s/none/out", place->dir);
    autofree char *slash = xasprintf("%s/", place->dir);
    autofree char *dot = xasprintf("%s/.", place->dir);
    autofree char *through_file = xasprintf("%s/x", place->in);
    autofree char *long_name = xasprintf("%s/%0300d", place->dir, 7);
    assert_int_equal(symlink("in", place->out), 0);
    const struct {
        const char *in, *out;
        enum err_kind kind;
    } cases[] = {
        {in_nowhere, place->out, ERR_NOT_FOUND},
        {place->dir, place->out, ERR_CONFIG},
        {through_file, place->out, ERR_CONFIG},
        {place->in, slash, ERR_CONFIG},
        {place->in, dot, ERR_REFUSED},
        {place->in, place->out, ERR_REFUSED},
        {place->in, out_nowhere, ERR_CREATE},
        {place->in, through_file, ERR_CREATE},
        {place->in, "/dev/null", ERR_REFUSED},
        {place->in, long_name, ERR_CREATE},
        {place->in, "/proc/penates", ERR_CREATE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct place there = {.in = (char *)(uintptr_t)cases[i].in,
                                    .out = (char *)(uintptr_t)cases[i].out};
        struct err e;
        assert_int_equal(run(&there, false, &e), cases[i].kind);
    }
}

/* A name that a dead process left behind is stepped over, and not removed. */
static void test_left_over_names(void **state)
{
    const struct place *place = *state;
    put(place->in, slice_of("\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16));
    char *names[100];
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        names[i] = xasprintf("%s/.penates-decode-%ld-%u", place->dir, (long)getpid(), i);
        if (i > 0) {
            put(names[i], slice_of("", 0));
        }
    }
    struct err e;
    assert_int_equal(run(place, false, &e), ERR_NONE);
    put(names[0], slice_of("", 0));
    assert_int_equal(run(place, false, &e), ERR_CREATE);
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        assert_int_equal(unlink(names[i]), 0);
        free(names[i]);
    }
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(test_stream_of_many_parts),
        IN_PLACE(test_whole_parts),
        IN_PLACE(test_empty_file),
        IN_PLACE(test_bad_inputs),
        IN_PLACE(test_raw_block),
        IN_PLACE(test_raw_block_too_large),
        IN_PLACE(test_pipes),
        IN_PLACE(test_disk_failures),
        IN_PLACE(test_interrupt),
        IN_PLACE(test_unusable_paths),
        IN_PLACE(test_left_over_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
