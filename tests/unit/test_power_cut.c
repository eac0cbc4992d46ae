/* The power fails after any system call of a small restore; a rerun ends with the same bytes. */
#include "tests/unit/power_cut.h"
#include "tests/unit/target_rig.h"

#include <sys/resource.h>

enum { RANDOM_LOSSES = 2 };

enum way { WAY_NEW, WAY_REPLACE, WAY_ADD };

/* A stamp implies every file, and a name implies its bytes. */
static void assert_sound(const struct rig *rig, enum way way)
{
    rig_assert_nothing_partial(rig, way == WAY_REPLACE ? "old" : NULL);
    if (way == WAY_ADD) {
        rig_assert_data_last(rig); /* the stamp may be another restore's */
    } else if (rig_exists(rig, "a/.penates/restored")) {
        rig_assert_restored(rig);
    }
    if (way == WAY_REPLACE) {
        rig_assert_old_kept(rig);
    }
}

static void assert_ends_well(struct rig *rig, enum way way)
{
    struct err e = ERR_INIT;
    if (rig_restore(rig, &e) < 0) {
        fail_msg("%s", e.text);
    }
    switch (way) {
    case WAY_NEW:
        rig_assert_restored(rig);
        return;
    case WAY_REPLACE:
        rig_assert_swapped(rig);
        return;
    case WAY_ADD:
        rig_assert_added(rig);
        return;
    }
}

static void cut_once(struct rig *rig, const struct power_cut *cut, size_t calls,
                     enum power_loss loss, uint64_t seed, enum way way)
{
    power_cut_rebuild(cut, calls, loss, seed);
    assert_sound(rig, way);
    assert_ends_well(rig, way);
}

/* Records what `rig_restore` does from here to its end, and cuts it off everywhere. */
static void cut_everywhere(struct rig *rig, enum way way)
{
    struct err e = ERR_INIT;
    struct power_cut *const cut = power_cut_start(rig->tree.root);
    rig_assert_ok(rig_restore(rig, &e), &e);
    power_cut_stop();
    const size_t calls = power_cut_calls(cut);
    assert_true(calls > 60); /* it did record them */
    for (size_t i = 0; i <= calls; i++) {
        cut_once(rig, cut, i, LOSS_ALL, 0, way);
        cut_once(rig, cut, i, LOSS_DATA, 0, way);
        cut_once(rig, cut, i, LOSS_NAMES, 0, way);
        for (uint64_t seed = 0; seed < RANDOM_LOSSES; seed++) {
            cut_once(rig, cut, i, LOSS_RANDOM, i * RANDOM_LOSSES + seed, way);
        }
    }
    power_cut_free(cut);
}

static void one_directory(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    cut_everywhere(&rig, WAY_NEW);
    rig_done(&rig);
}

static void two_directories(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 2);
    cut_everywhere(&rig, WAY_NEW);
    rig_done(&rig);
}

static void replaced_table(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    rig_old_table(&rig);
    rig_replace(&rig);
    cut_everywhere(&rig, WAY_REPLACE);
    rig_done(&rig);
}

static void added_tables(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 2);
    rig_add(&rig);
    cut_everywhere(&rig, WAY_ADD);
    rig_done(&rig);
}

/* Few descriptors make small groups, and folders that exist need no syncfs: commit then syncs each
 * file and folder by itself. The limit stays low, so this comes last. */
static void small_groups(void **state)
{
    const struct rlimit few = {.rlim_cur = 256, .rlim_max = 256};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    tree_folders(&rig.tree, "a/ks/users-1/.by_mail/");
    tree_folders(&rig.tree, "a/logs/events-2/");
    cut_everywhere(&rig, WAY_NEW);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_directory),  cmocka_unit_test(two_directories),
        cmocka_unit_test(replaced_table), cmocka_unit_test(added_tables),
        cmocka_unit_test(small_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
