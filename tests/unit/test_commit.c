/* What a failing disk does to a restore, call by call, and in which order things reach it. */
#include "agent/commit.h"
#include "tests/unit/faulty_disk.h"
#include "tests/unit/target_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void faults_fail_as_they_should(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        unsigned
            nth; /* of its kind, in a whole restore; the first pwrite is the lock's process id */
        int sys;
        enum err_kind kind;
    } CASES[] = {
        {"pwrite", 2, ENOSPC, ERR_CREATE},    {"pwrite", 5, EIO, ERR_DISK},
        {"pwrite", 3, EDQUOT, ERR_CREATE},    {"fsync", 3, EIO, ERR_DISK},
        {"syncfs", 1, EIO, ERR_DISK},         {"renameat2", 1, EIO, ERR_DISK},
        {"renameat2", 2, ENOSPC, ERR_CREATE}, {"renameat", 1, EIO, ERR_DISK},
        {"renameat", 2, ENOSPC, ERR_CREATE},  {"write", 1, ENOSPC, ERR_CREATE},
        {"write", 2, EIO, ERR_DISK},          {"fdatasync", 2, EIO, ERR_DISK},
        {"mkdirat", 3, ENOSPC, ERR_CREATE},   {"create", 4, EACCES, ERR_CREATE},
        {"mkdirat", 1, EROFS, ERR_CREATE},    {"unlinkat", 1, EIO, ERR_DISK},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct rig rig;
        rig_init(&rig, 1);
        struct err e = ERR_INIT;
        disk_fail(CASES[i].call, CASES[i].nth, CASES[i].sys);
        const int result = rig_restore(&rig, &e);
        assert_true(disk_failed());
        disk_heal();
        if (result != -1 || e.kind != CASES[i].kind) {
            fail_msg("%s %u: %d, %s", CASES[i].call, CASES[i].nth, result, e.text);
        }
        rig_assert_nothing_partial(&rig, NULL);
        assert_false(rig_exists(&rig, "a/.penates/restored"));
        rig_assert_ok(rig_restore(&rig, &e), &e); /* the disk is well again: a rerun goes on */
        rig_assert_restored(&rig);
        rig_done(&rig);
    }
}

/* False when the call is not made that often. */
static bool fail_once_and_rerun(const char *call, unsigned nth)
{
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    rig_old_table(&rig);
    rig_replace(&rig);
    disk_fail(call, nth, EIO);
    const int result = rig_restore(&rig, &e);
    const bool failed = disk_failed();
    disk_heal();
    rig_assert_nothing_partial(&rig, "old");
    if (failed) {
        /* The lock's process id is only a help to others. */
        const bool tolerable =
            nth == 1 && (strcmp(call, "pwrite") == 0 || strcmp(call, "ftruncate") == 0);
        if (result != (tolerable ? 0 : -1) || (!tolerable && e.kind != ERR_DISK)) {
            fail_msg("%s %u: %d, %s", call, nth, result, e.text);
        }
        assert_true(rig_restore(&rig, &e) >= 0);
    }
    rig_assert_swapped(&rig);
    rig_done(&rig);
    return failed;
}

/* Each call of a restore with --replace fails once; nothing is lost, and a rerun goes on. */
static void every_call_fails_once(void **state)
{
    (void)state;
    static const char *const CALLS[] = {"create",    "pwrite",  "write",     "fsync",
                                        "fdatasync", "syncfs",  "ftruncate", "renameat",
                                        "renameat2", "mkdirat", "unlinkat"};
    for (size_t i = 0; i < ARRAY_SIZE(CALLS); i++) {
        unsigned nth = 1;
        while (nth < 100 && fail_once_and_rerun(CALLS[i], nth)) {
            nth++;
        }
        assert_in_range(nth, 2, 99);
    }
}

static void interrupted_and_short_writes_are_finished(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    disk_fail("pwrite", 5, EINTR);
    rig_assert_ok(rig_restore(&rig, &e), &e);
    assert_true(disk_failed());
    rig_assert_restored(&rig);
    rig_done(&rig);
    rig_init(&rig, 1);
    disk_write_at_most(7);
    rig_assert_ok(rig_restore(&rig, &e), &e);
    disk_heal();
    rig_assert_restored(&rig);
    rig_done(&rig);
}

/* File systems without RENAME_NOREPLACE, as NFS. */
static void links_where_renames_cannot_keep(void **state)
{
    (void)state;
    static const int ANSWERS[] = {EINVAL, ENOSYS};
    for (size_t i = 0; i < ARRAY_SIZE(ANSWERS); i++) {
        struct rig rig;
        rig_init(&rig, 1);
        struct err e = ERR_INIT;
        disk_fail("renameat2", 0, ANSWERS[i]);
        rig_assert_ok(rig_restore(&rig, &e), &e);
        disk_heal();
        rig_assert_restored(&rig);
        rig_done(&rig);
    }
}

static void reserving_is_a_help_not_a_need(void **state)
{
    (void)state;
    static const struct {
        int sys;
        uint64_t hint;
        bool good;
    } CASES[] = {
        {EOPNOTSUPP, 2 << 20, true}, {ENOSPC, 2 << 20, false},          {EINTR, 2 << 20, true},
        {ENOSPC, 1000, true},        {ENOSPC, PLAN_SIZE_UNKNOWN, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct rig rig;
        rig_init(&rig, 1);
        struct err e = ERR_INIT;
        struct target *target;
        enum target_state found;
        struct file_sink *sink = NULL;
        rig_assert_ok(target_open(&rig.config, RIG_IDENTITY, &target, &found, &e), &e);
        rig_assert_ok(target_check(target, &rig.plan, &e), &e);
        rig_assert_ok(target_begin(target, &rig.plan, &e), &e);
        disk_fail("fallocate", 1, CASES[i].sys);
        const int result = file_sink_open(target, &rig.plan, 1, CASES[i].hint, &sink, &e);
        disk_heal();
        assert_int_equal(result, CASES[i].good ? 0 : -1);
        assert_int_equal(rig_exists(&rig, "a/.penates/tmp/1.part"), CASES[i].good);
        file_sink_abandon(sink);
        assert_false(rig_exists(&rig, "a/.penates/tmp/1.part"));
        target_free(target);
        rig_done(&rig);
    }
}

/* Write-back of large files is started on the way; how that goes is the fsync's to tell. */
static void large_files_are_written_back_on_the_way(void **state)
{
    (void)state;
    enum { EVERY = 16 * 1024 * 1024 };
    static const struct {
        uint64_t offset;
        bool starts;
    } CASES[] = {{0, false},
                 {EVERY - 5, false},
                 {EVERY - 4, true},
                 {EVERY, false},
                 {10ull * EVERY - 1, true}};
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    struct target *target;
    enum target_state found;
    struct file_sink *sink = NULL;
    rig_assert_ok(target_open(&rig.config, RIG_IDENTITY, &target, &found, &e), &e);
    rig_assert_ok(target_check(target, &rig.plan, &e), &e);
    rig_assert_ok(target_begin(target, &rig.plan, &e), &e);
    rig_assert_ok(file_sink_open(target, &rig.plan, 1, PLAN_SIZE_UNKNOWN, &sink, &e), &e);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        disk_fail("sync_file_range", 1, EIO);
        rig_assert_ok(file_sink_write(sink, CASES[i].offset, slice_of("four", 4), &e), &e);
        assert_int_equal(disk_failed(), CASES[i].starts);
        disk_heal();
    }
    file_sink_abandon(sink);
    target_free(target);
    rig_done(&rig);
}

/* Somebody else's file that appears between the preflight and the rename is not lost. */
static void file_that_appears_is_kept(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    struct target *target;
    enum target_state found;
    rig_assert_ok(target_open(&rig.config, RIG_IDENTITY, &target, &found, &e), &e);
    rig_assert_ok(target_check(target, &rig.plan, &e), &e);
    tree_file(&rig.tree, "a/ks/users-1/nb-1-big-TOC.txt", "theirs");
    rig_assert_ok(target_begin(target, &rig.plan, &e), &e);
    struct commit *const commit = commit_start(target, &rig.plan, NULL, NULL);
    struct file_sink *sink = NULL;
    rig_assert_ok(file_sink_open(target, &rig.plan, 3, 4, &sink, &e), &e);
    rig_assert_ok(file_sink_write(sink, 0, slice_of("ours", 4), &e), &e);
    commit_file(commit, sink, &(struct commit_record){.file = 3, .plain_size = 4});
    while (!commit_failed(commit)) {
        (void)usleep(1000);
    }
    rig_assert_ok(file_sink_open(target, &rig.plan, 4, 4, &sink, &e), &e);
    commit_file(commit, sink, &(struct commit_record){.file = 4}); /* let go of in silence */
    assert_false(rig_exists(&rig, "a/.penates/tmp/4.part"));
    assert_int_equal(commit_stop(commit, &e), -1);
    assert_int_equal(e.kind, ERR_REFUSED);
    assert_non_null(strstr(e.text, "nb-1-big-TOC.txt"));
    target_free(target);
    autofree char *kept = rig_read(&rig, "a/ks/users-1/nb-1-big-TOC.txt");
    assert_string_equal(kept, "theirs");
    rig_done(&rig);
}

/* Groups are smaller where few files may be open; the child has no more than 48. */
/* The swap fails at a file, and Cassandra is started before the rerun: it has written under a name
 * that is still to come. */
static void file_that_appears_in_a_swap_is_kept(void **state)
{
    (void)state;
    struct rig rig;
    struct target *target;
    enum target_state found;
    struct err e = ERR_INIT;
    rig_init(&rig, 1);
    rig_old_table(&rig);
    rig_replace(&rig);
    rig_assert_ok(target_open(&rig.config, RIG_IDENTITY, &target, &found, &e), &e);
    rig_assert_ok(rig_fill(&rig, target, &e), &e);
    disk_fail("linkat", 2, EIO);
    assert_int_equal(target_put_in_place(target, &rig.plan, &e), -1);
    assert_true(disk_failed());
    disk_heal();
    target_free(target);
    assert_false(rig_exists(&rig, "a/ks/users-1/nb-2-big-Data.db"));
    tree_file(&rig.tree, "a/ks/users-1/nb-2-big-Data.db", "flushed");
    assert_int_equal(rig_restore(&rig, &e), -1);
    assert_int_equal(e.kind, ERR_REFUSED);
    assert_non_null(strstr(e.text, "ks/users-1/nb-2-big-Data.db"));
    autofree char *kept = rig_read(&rig, "a/ks/users-1/nb-2-big-Data.db");
    assert_string_equal(kept, "flushed");
    assert_false(rig_exists(&rig, "a/.penates/restored"));
    /* What the hint says. */
    autofree char *from = xasprintf("%s/ks/users-1/nb-2-big-Data.db", rig.into[0]);
    autofree char *aside = xasprintf("%s/aside", rig.tree.root);
    assert_int_equal(rename(from, aside), 0);
    rig_assert_ok(rig_restore(&rig, &e), &e);
    rig_assert_swapped(&rig);
    rig_done(&rig);
}

/* No Data.db without its other components, wherever the swap ends. */
static void data_comes_last_in_a_swap(void **state)
{
    (void)state;
    bool failed = true;
    unsigned nth = 0;
    while (failed) {
        struct rig rig;
        struct err e = ERR_INIT;
        rig_init(&rig, 1);
        rig_replace(&rig);
        for (uint32_t i = 0; i < RIG_FILES; i++) {
            const bool is_data = strstr(rig.files[i].target_name, "-Data.db") != NULL;
            rig.files[i].component = is_data ? COMPONENT_DATA : COMPONENT_OTHER;
        }
        disk_fail("linkat", ++nth, EIO);
        (void)rig_restore(&rig, &e); /* the last one succeeds */
        failed = disk_failed();
        disk_heal();
        if (rig_exists(&rig, "a/ks/users-1/nb-1-big-Data.db")) {
            assert_true(rig_exists(&rig, "a/ks/users-1/nb-1-big-TOC.txt"));
            assert_true(rig_exists(&rig, "a/ks/users-1/nb-1-big-Index.db"));
        }
        if (rig_exists(&rig, "a/ks/users-1/nb-2-big-Data.db")) {
            assert_true(rig_exists(&rig, "a/ks/users-1/nb-2-big-TOC.txt"));
        }
        rig_done(&rig);
    }
    assert_int_equal(nth, 9); /* eight files are linked */
}

static void few_descriptors_suffice(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct err e = ERR_INIT;
        const struct rlimit few = {.rlim_cur = 48, .rlim_max = 48};
        _exit(setrlimit(RLIMIT_NOFILE, &few) == 0 && rig_restore(&rig, &e) == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    rig_assert_restored(&rig);
    rig_done(&rig);
}

/* The first file makes a group of its own, which waits for its fsync until the second, of all the
 * others, has gathered. */
static void gather(uint32_t file)
{
    if (file == 0) {
        disk_wait_until_paused();
    }
    if (file == RIG_FILES - 1) {
        disk_resume();
    }
}

/* A restore in two groups, of one file and of eleven, on a file system of this kind. */
static void assert_calls(long magic, const char *wanted)
{
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    struct target *target;
    enum target_state found;
    disk_pretend(magic);
    rig_assert_ok(target_open(&rig.config, RIG_IDENTITY, &target, &found, &e), &e);
    rig_assert_ok(target_check(target, &rig.plan, &e), &e);
    rig_assert_ok(target_begin(target, &rig.plan, &e), &e);
    rig.after_file = gather;
    disk_record();
    disk_pause_at("fsync");
    rig_assert_ok(rig_write(&rig, target, &e), &e);
    autofree char *calls = disk_recorded();
    assert_string_equal(calls, wanted);
    disk_heal();
    target_free(target);
    rig_done(&rig);
}

/* Data before name, name before journal: for one file, and for a group large enough for syncfs. */
static void order_is_data_name_journal(void **state)
{
    (void)state;
    assert_calls(XFS_SUPER_MAGIC, "fsync mkdirat*2 renameat2 fsync syncfs write fdatasync "
                                  "syncfs sync_file_range*11 renameat2*5 fsync mkdirat renameat2*2 "
                                  "fsync mkdirat*2 renameat2*4 fsync syncfs write fdatasync ");
}

static void each_file_is_synced_where_syncfs_tells_less(void **state)
{
    (void)state;
    assert_calls(OVERLAYFS_SUPER_MAGIC,
                 "fsync mkdirat*2 renameat2 fsync syncfs write fdatasync "
                 "fsync*11 renameat2*5 fsync mkdirat renameat2*2 "
                 "fsync mkdirat*2 renameat2*4 fsync syncfs write fdatasync ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_fail_as_they_should),
        cmocka_unit_test(every_call_fails_once),
        cmocka_unit_test(interrupted_and_short_writes_are_finished),
        cmocka_unit_test(links_where_renames_cannot_keep),
        cmocka_unit_test(reserving_is_a_help_not_a_need),
        cmocka_unit_test(large_files_are_written_back_on_the_way),
        cmocka_unit_test(file_that_appears_is_kept),
        cmocka_unit_test(file_that_appears_in_a_swap_is_kept),
        cmocka_unit_test(data_comes_last_in_a_swap),
        cmocka_unit_test(few_descriptors_suffice),
        cmocka_unit_test(order_is_data_name_journal),
        cmocka_unit_test(each_file_is_synced_where_syncfs_tells_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
