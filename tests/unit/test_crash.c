/* kill -9 in place of every system call that changes the target, and a rerun after each. */
#include "tests/unit/faulty_disk.h"
#include "tests/unit/target_rig.h"

#include <signal.h>
#include <sys/wait.h>

enum { SWEEP_MAX = 1000 }; /* a restore of the rig makes about 120 such calls */

/* True when the child was killed, false when it came to its end first. */
static bool restore_until(struct rig *rig, unsigned call)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct err e = ERR_INIT;
        disk_kill_at(call);
        _exit(rig_restore(rig, &e) >= 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return true;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

static void rerun(struct rig *rig)
{
    struct err e = ERR_INIT;
    struct target_summary sum;
    rig_assert_ok(target_status(rig->into[0], &sum, &e), &e);
    assert_true(sum.phase == PHASE_NEW || sum.phase == PHASE_INTERRUPTED ||
                sum.phase == PHASE_DONE);
    const int result = rig_restore(rig, &e);
    if (result < 0) {
        fail_msg("%s", e.text);
    }
    assert_int_equal(result, sum.phase == PHASE_DONE ? 1 : 0);
    if (result == 0) {
        assert_int_equal(rig->written, RIG_FILES - sum.files_done); /* nothing is fetched twice */
    }
}

/* `second`: the rerun is killed as well, at this call of its own; 0: it is not. Pairs are a sample,
 * every third first call: a fork is dear under the sanitizers. */
static void sweep(unsigned dirs, bool replace, unsigned second)
{
    const char *const old = replace ? "old" : NULL;
    unsigned call = 1;
    bool killed = true;
    const unsigned step = second == 0 ? 1 : 3;
    for (; killed && call < SWEEP_MAX; call += step) {
        struct rig rig;
        rig_init(&rig, dirs);
        if (replace) {
            rig_old_table(&rig);
            rig_replace(&rig);
        }
        killed = restore_until(&rig, call);
        rig_assert_nothing_partial(&rig, old);
        if (killed && second > 0) {
            (void)restore_until(&rig, second); /* the rerun may end before that */
            rig_assert_nothing_partial(&rig, old);
        }
        if (replace) {
            rig_assert_old_kept(&rig);
        }
        if (killed) {
            rerun(&rig);
        }
        if (replace) {
            rig_assert_swapped(&rig);
        } else {
            rig_assert_restored(&rig);
        }
        rig_done(&rig);
    }
    assert_true(call > 60); /* the sweep did reach the calls */
    assert_true(call < SWEEP_MAX);
}

static void one_directory(void **state)
{
    (void)state;
    sweep(1, false, 0);
}

static void two_directories(void **state)
{
    (void)state;
    sweep(2, false, 0);
}

static void replaced_table(void **state)
{
    (void)state;
    sweep(1, true, 0);
}

static void killed_twice(void **state)
{
    (void)state;
    sweep(1, true, 12);
    sweep(1, true, 40);
}

static void killed_adding(unsigned dirs, unsigned second)
{
    unsigned call = 1;
    const unsigned step = second == 0 ? 1 : 3;
    for (bool killed = true; killed && call < SWEEP_MAX; call += step) {
        struct rig rig;
        struct err e = ERR_INIT;
        rig_init(&rig, dirs);
        rig_add(&rig);
        killed = restore_until(&rig, call);
        rig_assert_nothing_partial(&rig, NULL);
        rig_assert_data_last(&rig);
        if (killed && second > 0) {
            (void)restore_until(&rig, second);
            rig_assert_data_last(&rig);
        }
        if (rig_restore(&rig, &e) < 0) {
            fail_msg("after call %u: %s", call, e.text);
        }
        rig_assert_added(&rig);
        rig_done(&rig);
    }
    assert_true(call > 60); /* the sweep did reach the calls */
    assert_true(call < SWEEP_MAX);
}

static void added_tables(void **state)
{
    (void)state;
    killed_adding(1, 0);
    killed_adding(2, 0);
}

static void added_killed_twice(void **state)
{
    (void)state;
    killed_adding(1, 15);
    killed_adding(1, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_directory),  cmocka_unit_test(two_directories),
        cmocka_unit_test(replaced_table), cmocka_unit_test(killed_twice),
        cmocka_unit_test(added_tables),   cmocka_unit_test(added_killed_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
