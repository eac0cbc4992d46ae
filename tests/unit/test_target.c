#include "agent/target.h"
#include "tests/unit/target_rig.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

static int open_target(struct rig *rig, const char *identity, struct target **ret,
                       enum target_state *state, struct err *e)
{
    *ret = NULL;
    return target_open(&rig->config, identity, ret, state, e);
}

/* Opens, fills without finishing and closes: what a crash before the end leaves. */
static void interrupt(struct rig *rig)
{
    struct err e = ERR_INIT;
    struct target *target;
    enum target_state state;
    rig_assert_ok(open_target(rig, RIG_IDENTITY, &target, &state, &e), &e);
    rig_assert_ok(rig_fill(rig, target, &e), &e);
    target_free(target);
}

static void assert_refused(const struct err *e, enum err_kind kind, const char *word)
{
    assert_int_equal(e->kind, kind);
    if (strstr(e->text, word) == NULL) {
        fail_msg("'%s' is not in '%s'", word, e->text);
    }
}

static void new_target_is_restored_once(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    rig_assert_ok(rig_restore(&rig, &e), &e);
    assert_int_equal(rig.written, RIG_FILES);
    rig_assert_restored(&rig);
    autofree char *stamp = rig_read(&rig, "a/.penates/restored");
    assert_non_null(strstr(stamp, "\"plan\":\"p1\""));
    assert_non_null(strstr(stamp, "meta \\\"v2\\\".json"));
    struct stat st;
    autofree char *path = xasprintf("%s/ks/users-1/nb-1-big-Data.db", rig.into[0]);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(rig_restore(&rig, &e), 1);
    rig_done(&rig);
}

static void open_and_check_write_nothing(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 2);
    struct err e = ERR_INIT;
    struct target *target;
    enum target_state found;
    rig_assert_ok(open_target(&rig, RIG_IDENTITY, &target, &found, &e), &e);
    assert_int_equal(found, TARGET_NEW);
    rig_assert_ok(target_check(target, &rig.plan, &e), &e);
    uint64_t needed, room;
    target_room(target, &needed, &room);
    assert_true(needed > 0 && room > needed);
    assert_false(rig_exists(&rig, "a"));
    assert_false(rig_exists(&rig, "b"));
    int64_t until;
    assert_false(target_pinned_until(target, "42", &until));
    target_free(target);
    rig_done(&rig);
}

static void interrupted_run_goes_on(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    interrupt(&rig);
    struct target *target;
    enum target_state found;
    rig_assert_ok(open_target(&rig, RIG_IDENTITY, &target, &found, &e), &e);
    assert_int_equal(found, TARGET_INTERRUPTED);
    int64_t until = 0;
    assert_true(target_pinned_until(target, "42", &until));
    assert_int_equal(until, 3000);
    assert_false(target_pinned_until(target, "43", &until));
    until = 9000;
    assert_true(target_pinned_until(target, NULL, &until));
    assert_int_equal(until, 3000);
    struct selection selection = {0};
    target_pin(target, &selection);
    assert_int_equal(selection.pin_count, 1);
    assert_string_equal(selection.pins[0].token, "42");
    assert_int_equal(selection.pins[0].until_ms, 3000);
    rig_assert_ok(rig_run(&rig, target, &e), &e);
    assert_int_equal(rig.written, 0);
    target_free(target);
    rig_assert_restored(&rig);
    rig_done(&rig);
}

static void other_identity_is_refused(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    struct target *target;
    enum target_state found;
    interrupt(&rig);
    assert_int_equal(open_target(&rig, "other", &target, &found, &e), -1);
    assert_refused(&e, ERR_REFUSED, RIG_IDENTITY);
    assert_non_null(strstr(e.hint, ".penates"));
    rig_assert_ok(rig_restore(&rig, &e), &e);
    assert_int_equal(open_target(&rig, "other", &target, &found, &e), -1);
    assert_refused(&e, ERR_REFUSED, "finished");
    rig_done(&rig);
}

static void too_long_identity_is_refused(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    struct target *target;
    enum target_state found;
    char identity[16 * 1024 + 2];
    memset(identity, '%', sizeof identity - 1);
    identity[sizeof identity - 1] = '\0';
    assert_int_equal(open_target(&rig, identity, &target, &found, &e), -1);
    assert_refused(&e, ERR_LIMIT, "longer");
    identity[sizeof identity - 2] = '\0';
    rig_assert_ok(open_target(&rig, identity, &target, &found, &e), &e);
    rig_assert_ok(rig_fill(&rig, target, &e), &e); /* the longest line fits, escaped */
    target_free(target);
    rig_assert_ok(open_target(&rig, identity, &target, &found, &e), &e);
    assert_int_equal(found, TARGET_INTERRUPTED);
    target_free(target);
    rig_done(&rig);
}

/* The same selection again, but the source has moved on. */
static void changed_objects_are_fetched_again(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    interrupt(&rig);
    rig.files[1].etag = "\"e2\"";
    rig.files[2].size++;
    rig.files[3].key_name = "elsewhere";
    rig.files[1].plain_size = PLAN_SIZE_UNKNOWN;
    memcpy(rig.plan.id, "p2", 3);
    rig_assert_ok(rig_restore(&rig, &e), &e);
    assert_int_equal(rig.written, 3);
    rig_assert_restored(&rig);
    rig_done(&rig);
}

static void vanished_object_is_refused(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    interrupt(&rig);
    rig.files[11].target_name = "zz.cql";
    assert_int_equal(rig_restore(&rig, &e), -1);
    assert_refused(&e, ERR_REFUSED, "logs/events-2/schema.cql");
    rig_done(&rig);
}

static void damaged_finished_file_is_fetched_again(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    interrupt(&rig);
    autofree char *cut = xasprintf("%s/ks/users-1/nb-1-big-Data.db", rig.into[0]);
    autofree char *gone = xasprintf("%s/ks/users-1/nb-1-big-TOC.txt", rig.into[0]);
    assert_int_equal(truncate(cut, 3), 0);
    assert_int_equal(unlink(gone), 0);
    rig_assert_ok(rig_restore(&rig, &e), &e);
    assert_int_equal(rig.written, 2);
    rig_assert_restored(&rig);
    rig_done(&rig);
}

static void foreign_files_are_refused(void **state)
{
    (void)state;
    static const char *const FOREIGN[] = {"a/x", "a/ks/users-1/nb-1-big-Data.db",
                                          "a/ks/users-1/nb-9-big-Data.db", "a/commitlog/1.log",
                                          "a/ks/lost+found/x"};
    for (size_t i = 0; i < ARRAY_SIZE(FOREIGN); i++) {
        struct rig rig;
        rig_init(&rig, 1);
        struct err e = ERR_INIT;
        tree_file(&rig.tree, FOREIGN[i], "foreign");
        assert_int_equal(rig_restore(&rig, &e), -1);
        assert_refused(&e, ERR_REFUSED, FOREIGN[i] + 2);
        assert_false(rig_exists(&rig, "a/.penates"));
        rig_done(&rig);
    }
}

static void empty_folders_are_in_nobodys_way(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    tree_folders(&rig.tree, "a/ks/users-1/backups/");
    tree_folders(&rig.tree, "a/other/");
    tree_file(&rig.tree, "a/lost+found/#1", "fsck");
    rig_assert_ok(rig_restore(&rig, &e), &e);
    rig_assert_restored(&rig);
    rig_done(&rig);
}

static void foreign_file_after_a_crash_is_refused(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    interrupt(&rig);
    tree_file(&rig.tree, "a/ks/users-1/nb-9-big-Data.db", "foreign");
    assert_int_equal(rig_restore(&rig, &e), -1);
    assert_refused(&e, ERR_REFUSED, "nb-9-big-Data.db");
    rig_done(&rig);
}

static void symlinks_are_refused(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    tree_folders(&rig.tree, "outside/users-1/");
    tree_folders(&rig.tree, "a/");
    autofree char *link = xasprintf("%s/ks", rig.into[0]);
    assert_int_equal(symlink("../outside", link), 0);
    assert_int_equal(rig_restore(&rig, &e), -1);
    assert_refused(&e, ERR_REFUSED, "ks");
    rig_replace(&rig); /* only the tables are looked at then */
    assert_int_equal(rig_restore(&rig, &e), -1);
    assert_refused(&e, ERR_REFUSED, "symlink");
    assert_false(rig_exists(&rig, "outside/users-1/nb-1-big-Data.db"));
    assert_int_equal(unlink(link), 0);
    autofree char *home = xasprintf("%s/.penates", rig.into[0]);
    assert_int_equal(symlink("../outside", home), 0);
    assert_int_equal(rig_restore(&rig, &e), -1);
    assert_refused(&e, ERR_REFUSED, ".penates");
    rig_done(&rig);
}

static void symlink_that_the_operator_gave_is_followed(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    tree_folders(&rig.tree, "real/");
    assert_int_equal(symlink("real", rig.into[0]), 0);
    rig_assert_ok(rig_restore(&rig, &e), &e);
    assert_true(rig_exists(&rig, "real/ks/users-1/nb-1-big-Data.db"));
    rig_done(&rig);
}

static void bad_directories_are_named(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    tree_file(&rig.tree, "file", "");
    static const struct {
        const char *path;
        enum err_kind kind;
        const char *word;
    } CASES[] = {
        {"file", ERR_CREATE, "file"},
        {"file/below", ERR_CREATE, "file"},
        {"new/../up", ERR_CONFIG, "'..'"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        autofree char *path = xasprintf("%s/%s", rig.tree.root, CASES[i].path);
        rig.config.targets[0] = path;
        assert_int_equal(rig_restore(&rig, &e), -1);
        assert_refused(&e, CASES[i].kind, CASES[i].word);
    }
    rig.config.targets[0] = "";
    assert_int_equal(rig_restore(&rig, &e), -1);
    assert_refused(&e, ERR_CONFIG, "empty");
    rig_done(&rig);
}

static void missing_parents_are_made(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    autofree char *path = xasprintf("%s/x/y..z/data//", rig.tree.root);
    rig.config.targets[0] = path;
    rig.config.set_dir_mode = true;
    rig.config.dir_mode = 0777;
    rig_assert_ok(rig_restore(&rig, &e), &e);
    assert_true(rig_exists(&rig, "x/y..z/data/.penates/restored"));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0777); /* umask or not */
    assert_int_equal(chdir(rig.tree.root), 0);
    rig.config.targets[0] = "relative/new";
    rig_assert_ok(rig_restore(&rig, &e), &e);
    assert_true(rig_exists(&rig, "relative/new/.penates/restored"));
    assert_int_equal(chdir("/"), 0);
    rig_done(&rig);
}

static void several_directories_share_the_work(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 2);
    struct err e = ERR_INIT;
    interrupt(&rig);
    autofree char *first = rig_read(&rig, "b/.penates/first");
    assert_string_equal(first, rig.into[0]);
    /* One file system: the SSTables go to both by turns, each as a whole. */
    assert_true(rig_exists(&rig, "a/ks/users-1/nb-1-big-Data.db"));
    assert_true(rig_exists(&rig, "a/ks/users-1/nb-1-big-TOC.txt"));
    assert_true(rig_exists(&rig, "b/ks/users-1/nb-2-big-Data.db"));
    assert_true(rig_exists(&rig, "b/ks/users-1/nb-2-big-TOC.txt"));
    rig_assert_ok(rig_restore(&rig, &e), &e);
    assert_int_equal(rig.written, 0);
    rig_assert_restored(&rig);
    assert_false(rig_exists(&rig, "b/.penates/tmp"));
    rig_done(&rig);
}

static void rest_of_an_sstable_follows_its_first_files(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 2);
    struct err e = ERR_INIT;
    interrupt(&rig);
    autofree char *gone = xasprintf("%s/ks/users-1/nb-2-big-TOC.txt", rig.into[1]);
    assert_int_equal(unlink(gone), 0);
    rig_assert_ok(rig_restore(&rig, &e), &e);
    assert_true(rig_exists(&rig, "b/ks/users-1/nb-2-big-TOC.txt"));
    rig_done(&rig);
}

static void directories_must_stay_the_same(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 2);
    struct err e = ERR_INIT;
    interrupt(&rig);
    const char *const a = rig.into[0], *const b = rig.into[1];
    rig.config.targets[0] = b;
    rig.config.targets[1] = a;
    assert_int_equal(rig_restore(&rig, &e), -1);
    assert_refused(&e, ERR_REFUSED, a);
    rig.config.targets[0] = a;
    rig.config.target_count = 1;
    assert_int_equal(rig_restore(&rig, &e), -1);
    assert_refused(&e, ERR_REFUSED, b);
    autofree char *below = xasprintf("%s/data", a);
    rig.config.targets[1] = below;
    rig.config.target_count = 2;
    assert_int_equal(rig_restore(&rig, &e), -1);
    assert_refused(&e, ERR_CONFIG, below);
    autofree char *c = xasprintf("%s/c", rig.tree.root);
    rig.config.targets[0] = c;
    rig.config.targets[1] = a;
    assert_int_equal(rig_restore(&rig, &e), -1);
    assert_refused(&e, ERR_REFUSED, "holds another restore");
    rig.config.targets[1] = b;
    assert_int_equal(rig_restore(&rig, &e), -1);
    assert_refused(&e, ERR_REFUSED, a);
    rig_done(&rig);
}

/* A child holds the target until the parent lets go of the pipe. */
static pid_t hold_target(struct rig *rig, int *ret_hold)
{
    int ready[2], hold[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(hold), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct err e = ERR_INIT;
        struct target *target = NULL;
        enum target_state state;
        char byte;
        (void)close(hold[1]);
        const bool good = target_open(&rig->config, RIG_IDENTITY, &target, &state, &e) == 0 &&
                          target_check(target, &rig->plan, &e) == 0 &&
                          target_begin(target, &rig->plan, &e) == 0;
        if (good && write(ready[1], "x", 1) == 1) {
            (void)!read(hold[0], &byte, 1);
        }
        _exit(good ? 0 : 1);
    }
    char byte;
    (void)close(ready[1]);
    (void)close(hold[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    *ret_hold = hold[1];
    return child;
}

static void second_run_is_refused(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    struct target *early;
    enum target_state found;
    rig_assert_ok(open_target(&rig, RIG_IDENTITY, &early, &found, &e), &e);
    rig_assert_ok(target_check(early, &rig.plan, &e), &e);
    int hold;
    const pid_t child = hold_target(&rig, &hold);
    char pid[24];
    (void)snprintf(pid, sizeof pid, "process %ld", (long)child);
    assert_int_equal(rig_restore(&rig, &e), -1);
    assert_refused(&e, ERR_REFUSED, pid);
    assert_int_equal(target_begin(early, &rig.plan, &e), -1); /* looked before the other began */
    assert_refused(&e, ERR_REFUSED, pid);
    target_free(early);
    struct target_summary sum;
    rig_assert_ok(target_status(rig.into[0], &sum, &e), &e);
    assert_int_equal(sum.phase, PHASE_RUNNING);
    assert_int_equal(sum.pid, child);
    (void)close(hold);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    rig_assert_ok(rig_restore(&rig, &e), &e);
    rig_assert_restored(&rig);
    rig_done(&rig);
}

static void run_that_came_and_went_is_noticed(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    struct target *early;
    enum target_state found;
    rig_assert_ok(open_target(&rig, RIG_IDENTITY, &early, &found, &e), &e);
    rig_assert_ok(target_check(early, &rig.plan, &e), &e);
    interrupt(&rig);
    assert_int_equal(target_begin(early, &rig.plan, &e), -1);
    assert_refused(&e, ERR_REFUSED, "just now");
    target_free(early);
    rig_done(&rig);
}

static void status_tells_the_phases(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 2);
    struct err e = ERR_INIT;
    struct target_summary sum;
    rig_assert_ok(target_status(rig.into[0], &sum, &e), &e);
    assert_int_equal(sum.phase, PHASE_NEW);
    rig.plan.stored_bytes = 1000;
    rig.plan.plain_bytes = 2000;
    interrupt(&rig);
    rig_assert_ok(target_status(rig.into[0], &sum, &e), &e);
    assert_int_equal(sum.phase, PHASE_INTERRUPTED);
    assert_int_equal(sum.files, RIG_FILES);
    assert_int_equal(sum.files_done, RIG_FILES);
    assert_int_equal(sum.stored_bytes, 1000);
    assert_true(sum.plain_done > 2000);
    assert_int_equal(sum.plain_bytes, sum.plain_done); /* the plan knew a part of the sizes */
    assert_int_equal(sum.until_ms, 3000);
    assert_int_equal(sum.stored_done, 12 * 10 + 66);
    assert_int_equal(sum.stored_kept, 0);
    assert_true(sum.started_ms > 0 && sum.run_ms >= sum.started_ms && sum.last_ms > 0);
    assert_int_equal(target_status(rig.into[1], &sum, &e), -1);
    assert_refused(&e, ERR_CONFIG, rig.into[0]);
    tree_file(&rig.tree, "a/logs/events-2/later", "foreign");
    assert_int_equal(rig_restore(&rig, &e), -1);
    rig_assert_ok(target_status(rig.into[0], &sum, &e), &e);
    assert_int_equal(sum.phase, PHASE_INTERRUPTED); /* a refusal leaves no trace */
    rig_done(&rig);
}

static void failure_is_remembered_until_the_next_run(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    struct target *target;
    enum target_state found;
    struct target_summary sum;
    rig_assert_ok(open_target(&rig, RIG_IDENTITY, &target, &found, &e), &e);
    target_record_failure(target, "too early to be noted");
    rig_assert_ok(rig_fill(&rig, target, &e), &e);
    target_record_failure(target, "disk: on\nfire");
    target_free(target);
    rig_assert_ok(target_status(rig.into[0], &sum, &e), &e);
    assert_int_equal(sum.phase, PHASE_FAILED);
    assert_string_equal(sum.error, "disk: on\nfire");
    rig_assert_ok(rig_restore(&rig, &e), &e);
    rig_assert_ok(target_status(rig.into[0], &sum, &e), &e);
    assert_int_equal(sum.phase, PHASE_DONE);
    assert_string_equal(sum.error, "");
    assert_int_equal(sum.files_done, RIG_FILES);
    assert_true(sum.stored_kept > 0);
    rig_done(&rig);
}

static void replaced_table_is_swapped_at_the_end(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    struct target *target;
    enum target_state found;
    rig_old_table(&rig);
    assert_int_equal(rig_restore(&rig, &e), -1);
    assert_refused(&e, ERR_REFUSED, "not empty");
    rig_replace(&rig);
    rig_assert_ok(open_target(&rig, RIG_IDENTITY, &target, &found, &e), &e);
    rig_assert_ok(rig_fill(&rig, target, &e), &e);
    uint64_t files, bytes;
    assert_true(target_replaced(target, 0, &files, &bytes));
    assert_int_equal(files, 3);
    assert_int_equal(bytes, strlen("old") + strlen("old 8") + strlen("old index"));
    assert_false(target_replaced(target, 1, &files, &bytes));
    target_free(target);
    autofree char *still = rig_read(&rig, "a/ks/users-1/nb-1-big-Data.db");
    assert_string_equal(still, "old");
    rig_assert_ok(rig_restore(&rig, &e), &e);
    assert_int_equal(rig.written, 0);
    rig_assert_swapped(&rig);
    rig_done(&rig);
}

static void table_that_replace_does_not_name_is_refused(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    rig_old_table(&rig);
    tree_file(&rig.tree, "a/logs/events-2/nb-1-big-Data.db", "in the way");
    rig_replace(&rig);
    assert_int_equal(rig_restore(&rig, &e), -1);
    assert_refused(&e, ERR_REFUSED, "logs/events-2/nb-1-big-Data.db");
    assert_non_null(strstr(e.hint, "--replace logs.events"));
    assert_false(rig_exists(&rig, "a/.penates"));
    rig_done(&rig);
}

static void replace_takes_no_symlink(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    rig_old_table(&rig);
    rig_replace(&rig);
    autofree char *link = xasprintf("%s/ks/users-1/nb-5-big-Data.db", rig.into[0]);
    assert_int_equal(symlink("/etc/passwd", link), 0);
    assert_int_equal(rig_restore(&rig, &e), -1);
    assert_refused(&e, ERR_REFUSED, "nb-5-big-Data.db");
    rig_done(&rig);
}

static void impossible_plans_are_refused_before_a_write(void **state)
{
    (void)state;
    static char long_name[300], long_path[4090];
    memset(long_name, 'n', sizeof long_name - 1);
    for (size_t i = 0; i < sizeof long_path - 1; i++) {
        long_path[i] = i % 100 == 99 ? '/' : 'p';
    }
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    const struct plan_file good = rig.files[1];
    rig.files[1].plain_size = UINT64_MAX - 1;
    assert_int_equal(rig_restore(&rig, &e), -1);
    assert_refused(&e, ERR_CREATE, "not enough space");
    assert_non_null(strstr(e.text, " free"));
    rig.files[1] = good;
    rig.files[1].target_name = long_name;
    assert_int_equal(rig_restore(&rig, &e), -1);
    assert_refused(&e, ERR_REFUSED, "too long");
    rig.files[1] = good;
    rig.files[1].target_folder = long_path;
    assert_int_equal(rig_restore(&rig, &e), -1);
    assert_refused(&e, ERR_REFUSED, "too long");
    rig.files[1].target_folder = long_name;
    assert_int_equal(rig_restore(&rig, &e), -1);
    assert_refused(&e, ERR_REFUSED, "too long");
    assert_false(rig_exists(&rig, "a"));
    rig_done(&rig);
}

/* Root may write anywhere, so another user has to try. The child answers with the kind. */
static enum err_kind kind_as_nobody(struct rig *rig)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct err e = ERR_INIT;
        const bool other =
            geteuid() != 0 || (setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
        const int result = other ? rig_restore(rig, &e) : 0;
        _exit(result < 0 ? (int)e.kind : 0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return (enum err_kind)WEXITSTATUS(status);
}

static void missing_rights_are_found_before_a_write(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    assert_int_equal(mkdir(rig.into[0], 0555), 0);
    assert_int_equal(kind_as_nobody(&rig), ERR_CREATE);
    assert_false(rig_exists(&rig, "a/.penates"));
    assert_int_equal(chmod(rig.into[0], 0777), 0);
    rig.config.set_owner = true; /* to root, which only root may */
    assert_int_equal(kind_as_nobody(&rig), geteuid() == 0 ? ERR_CREATE : ERR_NONE);
    rig.config.set_owner = false;
    assert_int_equal(kind_as_nobody(&rig), ERR_NONE);
    rig_done(&rig);
}

static void owner_and_mode_are_set(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    rig.config.set_owner = rig.config.set_mode = true;
    rig.config.owner_given = true;
    rig.config.owner = 4242;
    rig.config.group = 4243;
    rig.config.mode = 0666;
    rig_assert_ok(rig_restore(&rig, &e), &e);
    static const char *const MADE[] = {"a",
                                       "a/ks",
                                       "a/ks/users-1",
                                       "a/ks/users-1/nb-1-big-Data.db",
                                       "a/.penates",
                                       "a/.penates/lock",
                                       "a/.penates/journal",
                                       "a/.penates/restored"};
    for (size_t i = 0; i < ARRAY_SIZE(MADE); i++) {
        autofree char *path = xasprintf("%s/%s", rig.tree.root, MADE[i]);
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_uid, 4242);
        assert_int_equal(st.st_gid, 4243);
        if (S_ISREG(st.st_mode)) {
            assert_int_equal(st.st_mode & 0777, 0666);
        }
    }
    rig_done(&rig);
}

static void unfinished_restore_gets_no_stamp(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct err e = ERR_INIT;
    struct target *target;
    enum target_state found;
    rig_assert_ok(open_target(&rig, RIG_IDENTITY, &target, &found, &e), &e);
    rig_assert_ok(target_check(target, &rig.plan, &e), &e);
    rig_assert_ok(target_begin(target, &rig.plan, &e), &e);
    assert_int_equal(target_put_in_place(target, &rig.plan, &e), -1);
    assert_refused(&e, ERR_BUG, "not in place");
    assert_false(rig_exists(&rig, "a/.penates/restored"));
    target_free(target);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_target_is_restored_once),
        cmocka_unit_test(open_and_check_write_nothing),
        cmocka_unit_test(interrupted_run_goes_on),
        cmocka_unit_test(other_identity_is_refused),
        cmocka_unit_test(too_long_identity_is_refused),
        cmocka_unit_test(changed_objects_are_fetched_again),
        cmocka_unit_test(vanished_object_is_refused),
        cmocka_unit_test(damaged_finished_file_is_fetched_again),
        cmocka_unit_test(foreign_files_are_refused),
        cmocka_unit_test(empty_folders_are_in_nobodys_way),
        cmocka_unit_test(foreign_file_after_a_crash_is_refused),
        cmocka_unit_test(symlinks_are_refused),
        cmocka_unit_test(symlink_that_the_operator_gave_is_followed),
        cmocka_unit_test(bad_directories_are_named),
        cmocka_unit_test(missing_parents_are_made),
        cmocka_unit_test(several_directories_share_the_work),
        cmocka_unit_test(rest_of_an_sstable_follows_its_first_files),
        cmocka_unit_test(directories_must_stay_the_same),
        cmocka_unit_test(second_run_is_refused),
        cmocka_unit_test(run_that_came_and_went_is_noticed),
        cmocka_unit_test(status_tells_the_phases),
        cmocka_unit_test(failure_is_remembered_until_the_next_run),
        cmocka_unit_test(replaced_table_is_swapped_at_the_end),
        cmocka_unit_test(table_that_replace_does_not_name_is_refused),
        cmocka_unit_test(replace_takes_no_symlink),
        cmocka_unit_test(impossible_plans_are_refused_before_a_write),
        cmocka_unit_test(missing_rights_are_found_before_a_write),
        cmocka_unit_test(owner_and_mode_are_set),
        cmocka_unit_test(unfinished_restore_gets_no_stamp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
