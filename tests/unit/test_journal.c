#include "agent/base/mem.h"
#include "agent/journal.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

/* Writes fail with `fail_errno` once `fail_after` more bytes are through; the last one is short. */
static size_t fail_after = SIZE_MAX;
static int fail_errno;
static int interrupts;

ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    if (interrupts > 0) {
        interrupts--;
        errno = EINTR;
        return -1;
    }
    if (fail_after == SIZE_MAX) {
        return __real_write(fd, data, size);
    }
    if (fail_after == 0) {
        errno = fail_errno;
        return -1;
    }
    const ssize_t written = __real_write(fd, data, size < fail_after ? size : fail_after);
    fail_after -= (size_t)written;
    return written;
}

static int new_file(void)
{
    const int fd = memfd_create("journal", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static struct journal *open_journal(int fd, uint64_t size)
{
    struct err e = ERR_INIT;
    struct journal *journal = NULL;
    assert_int_equal(journal_open(fcntl(fd, F_DUPFD_CLOEXEC, 0), size, &journal, &e), 0);
    return journal;
}

static void add_file(struct journal *journal, const char *target)
{
    journal_add(journal, JOURNAL_FILE,
                (const char *[]){target, "key\t1\n%", "\"etag\"", "18446744073709551615", "2", "3",
                                 "4", "1"});
}

/* What was read: the targets of the file lines, one after the other. */
struct seen {
    unsigned lines;
    char targets[256];
    unsigned stop_at;
};

static int see(void *ctx, const struct journal_line *line, struct err *e)
{
    struct seen *const seen = ctx;
    if (++seen->lines == seen->stop_at) {
        return err_set(e, ERR_REFUSED, "enough");
    }
    if (line->kind == JOURNAL_FILE) {
        assert_string_equal(line->fields[1], "key\t1\n%");
        assert_string_equal(line->fields[2], "\"etag\"");
        assert_true(line->numbers[3] == UINT64_MAX);
        assert_int_equal(line->numbers[7], 1);
        (void)strncat(seen->targets, line->fields[0],
                      sizeof seen->targets - strlen(seen->targets) - 1);
    }
    return 0;
}

static uint64_t read_all(int fd, struct seen *seen)
{
    struct err e = ERR_INIT;
    uint64_t size = 0;
    *seen = (struct seen){0};
    assert_int_equal(journal_read(fd, see, seen, &size, &e), 0);
    return size;
}

static void lines_come_back(void **state)
{
    (void)state;
    autofd int fd = new_file();
    struct err e = ERR_INIT;
    struct seen seen;
    assert_int_equal(read_all(fd, &seen), 0);
    struct journal *const journal = open_journal(fd, 0);
    journal_add(journal, JOURNAL_BEGIN, (const char *[]){"1", "identity", "5"});
    add_file(journal, "a");
    assert_int_equal(journal_flush(journal, &e), 0);
    add_file(journal, "b/\x01\xc3\xa4");
    assert_int_equal(journal_flush(journal, &e), 0);
    add_file(journal, "dropped");
    journal_free(journal);
    const uint64_t size = read_all(fd, &seen);
    assert_int_equal(seen.lines, 3);
    assert_string_equal(seen.targets, "ab/\x01\xc3\xa4");
    assert_int_equal(size, lseek(fd, 0, SEEK_END));
    seen.stop_at = seen.lines + 2;
    uint64_t untouched = 7;
    assert_int_equal(journal_read(fd, see, &seen, &untouched, &e), -1);
    assert_int_equal(e.kind, ERR_REFUSED);
    assert_int_equal(untouched, 7);
}

/* Three lines, cut and damaged at every byte: what comes before the damage counts, no more. */
static void torn_at_every_byte(void **state)
{
    (void)state;
    autofd int fd = new_file();
    struct err e = ERR_INIT;
    struct journal *journal = open_journal(fd, 0);
    uint64_t ends[4] = {0};
    static const char *const TARGETS[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++) {
        add_file(journal, TARGETS[i]);
        assert_int_equal(journal_flush(journal, &e), 0);
        ends[i + 1] = (uint64_t)lseek(fd, 0, SEEK_END);
    }
    journal_free(journal);
    char whole[1024];
    assert_int_equal(pread(fd, whole, sizeof whole, 0), ends[3]);
    for (uint64_t at = 0; at < ends[3]; at++) {
        const size_t good = at >= ends[2] ? 2 : at >= ends[1] ? 1 : 0;
        struct seen seen;
        assert_int_equal(ftruncate(fd, (off_t)at), 0);
        assert_int_equal(read_all(fd, &seen), ends[good]);
        assert_int_equal(seen.lines, good);
        /* The tail goes, and new lines follow the good ones. */
        journal = open_journal(fd, ends[good]);
        add_file(journal, "z");
        assert_int_equal(journal_flush(journal, &e), 0);
        journal_free(journal);
        (void)read_all(fd, &seen);
        assert_int_equal(seen.lines, good + 1);
        assert_int_equal(seen.targets[good], 'z');

        assert_int_equal(pwrite(fd, whole, ends[3], 0), ends[3]);
        const char flipped = (char)(whole[at] ^ 0x10);
        assert_int_equal(pwrite(fd, &flipped, 1, (off_t)at), 1);
        assert_int_equal(read_all(fd, &seen), ends[good]);
        assert_int_equal(seen.lines, good);
        assert_int_equal(pwrite(fd, whole, ends[3], 0), ends[3]);
    }
}

static void lines_of_another_make_end_the_journal(void **state)
{
    (void)state;
    /* Each with the right sum (python3: zlib.crc32), yet not ours. */
    static const char *const LINES[] = {
        "other\t1\t02f29055\n", /* no such kind */
        "dir\t0\t4cd0a9c2\n",   /* a field too few */
        "dir\tbaab7a10\n",
        "dir\t0\t/a\tmore\t42bb6149\n", /* one too many */
        "dir\t0\t%2\tbb89f4ec\n",       /* escapes that are none */
        "dir\t0\t%zz\tf3759505\n",
        "dir\t0\t%00\t6fea9a04\n",
        "dir\t0\t/a\tnot-hex!\n",
        "dir\t0\t/a\n",
        "\t00000000\n",
        "\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(LINES); i++) {
        autofd int fd = new_file();
        struct seen seen;
        assert_true(pwrite(fd, LINES[i], strlen(LINES[i]), 0) > 0);
        assert_int_equal(read_all(fd, &seen), 0);
        assert_int_equal(seen.lines, 0);
    }
    autofd int fd = new_file();
    struct seen seen;
    static const char ours[] = "dir\t0\t/a\tb3041c28\n"; /* the sums above are made as this one */
    assert_true(pwrite(fd, ours, strlen(ours), 0) > 0);
    assert_int_equal(read_all(fd, &seen), strlen(ours));
    autofree char *endless = xcalloc(1, JOURNAL_LINE_MAX + 2);
    memset(endless, 'x', JOURNAL_LINE_MAX + 1);
    assert_true(pwrite(fd, endless, JOURNAL_LINE_MAX + 1, 0) > 0);
    assert_int_equal(read_all(fd, &seen), 0);
}

static void failed_flush_leaves_nothing(void **state)
{
    (void)state;
    static const struct {
        int sys;
        enum err_kind kind;
    } CASES[] = {{ENOSPC, ERR_CREATE}, {EIO, ERR_DISK}};
    for (size_t at = 0; at < 60; at++) {
        autofd int fd = new_file();
        struct err e = ERR_INIT;
        struct seen seen;
        struct journal *const journal = open_journal(fd, 0);
        add_file(journal, "a");
        assert_int_equal(journal_flush(journal, &e), 0);
        add_file(journal, "b");
        fail_after = at;
        fail_errno = CASES[at % 2].sys;
        assert_int_equal(journal_flush(journal, &e), -1);
        fail_after = SIZE_MAX;
        assert_int_equal(e.kind, CASES[at % 2].kind);
        add_file(journal, "c");
        interrupts = 2;
        assert_int_equal(journal_flush(journal, &e), 0);
        journal_free(journal);
        (void)read_all(fd, &seen);
        assert_string_equal(seen.targets, "ac");
    }
}

static void numbers_are_checked(void **state)
{
    (void)state;
    autofd int fd = new_file();
    struct err e = ERR_INIT;
    struct seen seen;
    struct journal *const journal = open_journal(fd, 0);
    journal_add(journal, JOURNAL_DIR, (const char *[]){"no number", "/a"});
    assert_int_equal(journal_flush(journal, &e), 0);
    journal_free(journal);
    assert_int_equal(read_all(fd, &seen), 0);
}

static void bad_descriptors_are_told(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct journal *journal = NULL;
    autofd int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(journal_open(take_fd(&fd), 0, &journal, &e), -1);
    assert_int_equal(e.kind, ERR_DISK);
    autofd int folder = open("/", O_RDONLY | O_CLOEXEC);
    struct seen seen = {0};
    uint64_t size;
    assert_int_equal(journal_read(folder, see, &seen, &size, &e), -1);
    assert_int_equal(e.kind, ERR_DISK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_back),
        cmocka_unit_test(torn_at_every_byte),
        cmocka_unit_test(lines_of_another_make_end_the_journal),
        cmocka_unit_test(failed_flush_leaves_nothing),
        cmocka_unit_test(numbers_are_checked),
        cmocka_unit_test(bad_descriptors_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
