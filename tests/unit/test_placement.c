#include "agent/target_internal.h"
#include "tests/unit/target_rig.h"

#include <sys/statvfs.h>

/* Two disks, told apart by the last letter of the directory's path. */
static struct {
    uint64_t blocks, inodes; /* free ones; inodes 0: made on demand */
} disks[2];
static bool one_disk, broken;

static size_t disk_of(const char *path)
{
    return path[strlen(path) - 1] == 'b' ? 1 : 0;
}

int __real_stat64(const char *path, struct stat *st);
int __wrap_stat64(const char *path, struct stat *st);
int __wrap_stat64(const char *path, struct stat *st)
{
    const int result = __real_stat64(path, st);
    st->st_dev = one_disk ? 9 : 10 + disk_of(path);
    return result;
}

int __wrap_statvfs64(const char *path, struct statvfs *fs);
int __wrap_statvfs64(const char *path, struct statvfs *fs)
{
    const size_t disk = one_disk ? 0 : disk_of(path);
    *fs = (struct statvfs){.f_frsize = 4096,
                           .f_bavail = disks[disk].blocks,
                           .f_files = disks[disk].inodes == 0 ? 0 : 1000000,
                           .f_favail = disks[disk].inodes};
    return broken ? -1 : 0;
}

enum { MIB = 256, LOTS = 1000 * MIB }; /* blocks */

static struct rig rig;
static struct target *target;

static int check(uint64_t blocks_a, uint64_t blocks_b, struct err *e)
{
    enum target_state state;
    disks[0].blocks = blocks_a;
    disks[1].blocks = blocks_b;
    rig_assert_ok(target_open(&rig.config, RIG_IDENTITY, &target, &state, e), e);
    return target_check(target, &rig.plan, e);
}

static int set_up(void **state)
{
    (void)state;
    rig_init(&rig, 2);
    tree_folders(&rig.tree, "a/");
    tree_folders(&rig.tree, "b/");
    one_disk = broken = false;
    disks[0].inodes = disks[1].inodes = 0;
    target = NULL;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    target_free(target);
    rig_done(&rig);
    return 0;
}

/* "0" or "1" for each file. */
static void assert_dirs(const char *expected)
{
    char found[RIG_FILES + 1] = "";
    for (size_t i = 0; i < RIG_FILES; i++) {
        found[i] = (char)('0' + target->files[i].dir);
    }
    assert_string_equal(found, expected);
}

static void roomier_disk_gets_all(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    rig_assert_ok(check(LOTS, 2 * LOTS, &e), &e);
    assert_dirs("111111111111");
}

static void large_sstables_go_by_turns_and_stay_whole(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    rig.files[1].plain_size = 600ull << 20; /* SSTable 0 */
    rig.files[4].plain_size = 600ull << 20; /* SSTable 1 */
    rig.files[6].plain_size = 100ull << 20; /* SSTable 2 */
    rig_assert_ok(check(LOTS + 2 * MIB, LOTS, &e), &e);
    /* The first, the second, the first, the second; side files as their table's first SSTable. */
    assert_dirs("000011001111");
}

static void one_disk_fills_evenly(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    one_disk = true;
    rig_assert_ok(check(LOTS, 0, &e), &e);
    assert_dirs("000011110000");
    uint64_t needed, room;
    target_room(target, &needed, &room);
    assert_int_equal(room, (uint64_t)LOTS * 4096); /* counted once */
}

static void full_disk_is_told_with_numbers(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    rig.files[1].plain_size = 600ull << 20;
    rig.plan.plain_bytes_exact = false;
    assert_int_equal(check(500 * MIB, 500 * MIB, &e), -1);
    assert_int_equal(e.kind, ERR_CREATE);
    assert_non_null(strstr(e.text, "at least 601."));
    assert_non_null(strstr(e.text, "500.0 MiB free"));
    uint64_t needed, room;
    target_room(target, &needed, &room);
    assert_true(needed > 600ull << 20);
    assert_int_equal(room, 1000ull << 20);
}

static void unknown_size_counts_as_stored(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    rig.files[1].plain_size = PLAN_SIZE_UNKNOWN;
    rig.files[1].size = 600ull << 20;
    assert_int_equal(check(500 * MIB, 500 * MIB, &e), -1);
    assert_int_equal(e.kind, ERR_CREATE);
}

static void absurd_sizes_do_not_wrap(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    rig.files[1].plain_size = rig.files[2].plain_size = UINT64_MAX - 1;
    rig.files[4].plain_size = 1ull << 63;
    assert_int_equal(check(LOTS, LOTS, &e), -1);
    assert_int_equal(e.kind, ERR_CREATE);
    uint64_t needed, room;
    target_room(target, &needed, &room);
    assert_true(needed == UINT64_MAX);
}

static void too_few_inodes_are_told(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    disks[0].inodes = disks[1].inodes = 3;
    assert_int_equal(check(LOTS, LOTS - 10 * MIB, &e), -1);
    assert_int_equal(e.kind, ERR_CREATE);
    assert_non_null(strstr(e.text, "12 needed, 3 free"));
}

static void unknown_file_system_is_told(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    broken = true;
    assert_int_equal(check(LOTS, LOTS, &e), -1);
    assert_int_equal(e.kind, ERR_CREATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(roomier_disk_gets_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_sstables_go_by_turns_and_stay_whole, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_disk_fills_evenly, set_up, tear_down),
        cmocka_unit_test_setup_teardown(full_disk_is_told_with_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unknown_size_counts_as_stored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(absurd_sizes_do_not_wrap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_few_inodes_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unknown_file_system_is_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
