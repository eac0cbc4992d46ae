/* Tables that are added, and a Cassandra that is at work between a run and its rerun. */
#include "tests/unit/faulty_disk.h"
#include "tests/unit/target_rig.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PEOPLE "a/ks/people-0123456789abcdef0123456789abcdef"

/* All but the stamp: a restore whose report, say, finds no room. */
static void put_in_place(struct rig *rig)
{
    struct err e = ERR_INIT;
    struct target *target;
    enum target_state state;
    rig_assert_ok(target_open(&rig->config, RIG_IDENTITY, &target, &state, &e), &e);
    rig_assert_ok(rig_fill(rig, target, &e), &e);
    rig_assert_ok(target_put_in_place(target, &rig->plan, &e), &e);
    target_free(target);
}

static DIR *open_folder(const struct rig *rig, const char *folder)
{
    autofree char *path = xasprintf("%s/%s", rig->tree.root, folder);
    DIR *const stream = opendir(path);
    assert_non_null(stream);
    return stream;
}

/* Files of a folder whose names start like this. */
static unsigned count_files(const struct rig *rig, const char *folder, const char *prefix)
{
    unsigned count = 0;
    DIR *const stream = open_folder(rig, folder);
    for (const struct dirent *found = readdir(stream); found != NULL; found = readdir(stream)) {
        count += strncmp(found->d_name, prefix, strlen(prefix)) == 0;
    }
    assert_int_equal(closedir(stream), 0);
    return count;
}

/* As nodetool refresh and a compaction do. */
static void take_over(const struct rig *rig, const char *prefix)
{
    DIR *const stream = open_folder(rig, PEOPLE);
    for (const struct dirent *found = readdir(stream); found != NULL; found = readdir(stream)) {
        if (strncmp(found->d_name, prefix, strlen(prefix)) == 0) {
            assert_int_equal(unlinkat(dirfd(stream), found->d_name, 0), 0);
        }
    }
    assert_int_equal(closedir(stream), 0);
}

static void what_cassandra_took_over_is_not_added_again(void **state)
{
    (void)state;
    struct rig rig;
    struct err e = ERR_INIT;
    rig_init(&rig, 1);
    rig_add(&rig);
    put_in_place(&rig);
    assert_true(count_files(&rig, PEOPLE, "nb-10-big-") == 2);
    take_over(&rig, "nb-10-big-");
    take_over(&rig, "nb-1-big-");
    rig_assert_ok(rig_restore(&rig, &e), &e);
    assert_int_equal(rig.written, 0);
    assert_true(rig_exists(&rig, "a/.penates/restored"));
    assert_false(rig_exists(&rig, "a/.penates/stage"));
    assert_int_equal(count_files(&rig, PEOPLE, "nb-10-big-"), 0);
    assert_int_equal(count_files(&rig, PEOPLE, "nb-1-big-"), 0);
    rig_done(&rig);
}

/* The backup has one more file by then, or another one: its SSTable comes as a new one, whole. */
static void what_has_changed_since_is_added(void **state)
{
    (void)state;
    struct rig rig;
    struct err e = ERR_INIT;
    rig_init(&rig, 1);
    rig_add(&rig);
    put_in_place(&rig);
    take_over(&rig, "nb-1-big-");
    rig.files[4].etag = "\"e2\""; /* of SSTable 2 */
    rig_assert_ok(rig_restore(&rig, &e), &e);
    assert_int_equal(count_files(&rig, PEOPLE, "nb-10-big-"), 2);
    assert_int_equal(count_files(&rig, PEOPLE, "nb-11-big-"), 2);
    assert_int_equal(count_files(&rig, PEOPLE, "nb-1-big-"), 0);
    autofree char *wanted = rig_content(&rig, 4);
    autofree char *found = rig_read(&rig, PEOPLE "/nb-11-big-Data.db");
    assert_non_null(found);
    assert_string_equal(found, wanted);
    rig_done(&rig);
}

/* What Cassandra does at a start, and a flush after it: it removes components without a Data.db,
 * and takes the numbers that come next. */
static void start_cassandra(struct rig *rig)
{
    for (unsigned i = 1; i <= 12; i++) {
        autofree char *data = xasprintf(PEOPLE "/nb-%u-big-Data.db", i);
        autofree char *prefix = xasprintf("nb-%u-big-", i);
        if (!rig_exists(rig, data)) {
            take_over(rig, prefix);
        }
    }
    for (unsigned i = 10; i <= 12; i++) {
        autofree char *data = xasprintf(PEOPLE "/nb-%u-big-Data.db", i);
        autofree char *toc = xasprintf(PEOPLE "/nb-%u-big-TOC.txt", i);
        if (!rig_exists(rig, data)) {
            tree_file(&rig->tree, data, "flushed");
            tree_file(&rig->tree, toc, "flushed");
        }
    }
}

/* Where the SSTable of a file is, by the file's content. */
static unsigned find_number(const struct rig *rig, uint32_t file, const char *component)
{
    unsigned found = 0;
    autofree char *wanted = rig_content(rig, file);
    for (unsigned i = 1; i <= 20; i++) {
        autofree char *path = xasprintf(PEOPLE "/nb-%u-big-%s", i, component);
        autofree char *content = rig_read(rig, path);
        if (content != NULL && strcmp(content, wanted) == 0) {
            assert_int_equal(found, 0);
            found = i;
        }
    }
    return found;
}

static void assert_numbers(const struct rig *rig, unsigned flushed)
{
    /* SSTables 1, 2 and 3 of table 0: their Data.db and TOC.txt. */
    static const uint32_t PAIRS[][2] = {{1, 3}, {4, 5}, {6, 7}};
    for (size_t i = 0; i < ARRAY_SIZE(PAIRS); i++) {
        const unsigned number = find_number(rig, PAIRS[i][0], "Data.db");
        assert_true(number > 0);
        assert_int_equal(find_number(rig, PAIRS[i][1], "TOC.txt"), number);
        autofree char *prefix = xasprintf("nb-%u-big-", number);
        assert_int_equal(count_files(rig, PEOPLE, prefix), i == 0 ? 4 : 2);
    }
    unsigned intact = 0;
    for (unsigned i = 10; i <= 12; i++) {
        autofree char *data = xasprintf(PEOPLE "/nb-%u-big-Data.db", i);
        autofree char *toc = xasprintf(PEOPLE "/nb-%u-big-TOC.txt", i);
        autofree char *a = rig_read(rig, data), *b = rig_read(rig, toc);
        intact += a != NULL && b != NULL && strcmp(a, "flushed") == 0 && strcmp(b, "flushed") == 0;
    }
    assert_int_equal(intact, flushed);
    /* Nothing else: 4 + 2 + 2 of ours, those that were flushed, 3 that were there before. */
    assert_int_equal(count_files(rig, PEOPLE, "nb-"), 8 + 2 * flushed + 3);
}

/* The move fails, or the power, at each of its steps; the node comes up again before the rerun. */
static void numbers_that_were_taken_meanwhile(void **state)
{
    (void)state;
    static const char *const CALLS[] = {"linkat", "fsync", "fdatasync", "write"};
    unsigned cut_short = 0;
    for (size_t k = 0; k < ARRAY_SIZE(CALLS); k++) {
        bool failed = true;
        for (unsigned nth = 1; failed; nth++) {
            struct rig rig;
            struct err e = ERR_INIT;
            rig_init(&rig, 1);
            rig_add(&rig);
            disk_fail(CALLS[k], nth, EIO);
            const int result = rig_restore(&rig, &e);
            failed = disk_failed();
            disk_heal();
            if (failed && result < 0) {
                cut_short++;
                start_cassandra(&rig);
                const unsigned flushed = 3 - (find_number(&rig, 4, "Data.db") > 0);
                if (rig_restore(&rig, &e) < 0) {
                    fail_msg("%s %u: %s", CALLS[k], nth, e.text);
                }
                assert_numbers(&rig, flushed);
                assert_false(rig_exists(&rig, "a/.penates/stage"));
            }
            rig_done(&rig);
        }
    }
    assert_true(cut_short > 20); /* the links alone are twelve */
}

/* One that writes there after the numbers were chosen, and that /proc does not show. */
static void name_that_appears_is_not_overwritten(void **state)
{
    (void)state;
    struct rig rig;
    struct err e = ERR_INIT;
    struct target *target;
    enum target_state found;
    rig_init(&rig, 1);
    rig_add(&rig);
    disk_fail("linkat", 1, EIO); /* the numbers are journaled by then */
    rig_assert_ok(target_open(&rig.config, RIG_IDENTITY, &target, &found, &e), &e);
    rig_assert_ok(rig_fill(&rig, target, &e), &e);
    assert_int_equal(target_put_in_place(target, &rig.plan, &e), -1);
    disk_heal();
    tree_file(&rig.tree, PEOPLE "/nb-10-big-Data.db", "flushed");
    rig_assert_ok(target_put_in_place(target, &rig.plan, &e), &e);
    target_free(target);
    autofree char *kept = rig_read(&rig, PEOPLE "/nb-10-big-Data.db");
    assert_string_equal(kept, "flushed");
    assert_int_equal(find_number(&rig, 4, "Data.db"), 11);
    rig_done(&rig);
}

static void indexes_are_known_in_a_rerun(void **state)
{
    (void)state;
    struct rig rig;
    struct err e = ERR_INIT;
    struct target *target;
    enum target_state found;
    struct target_added added;
    rig_init(&rig, 1);
    rig_add(&rig);
    put_in_place(&rig);
    rig_assert_ok(target_open(&rig.config, RIG_IDENTITY, &target, &found, &e), &e);
    assert_int_equal(found, TARGET_INTERRUPTED);
    rig_assert_ok(target_check(target, &rig.plan, &e), &e);
    assert_true(target_added(target, 0, &added));
    assert_true(added.indexed);
    assert_int_equal(added.renumbered, 1);
    target_free(target);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cassandra_took_over_is_not_added_again),
        cmocka_unit_test(what_has_changed_since_is_added),
        cmocka_unit_test(numbers_that_were_taken_meanwhile),
        cmocka_unit_test(name_that_appears_is_not_overwritten),
        cmocka_unit_test(indexes_are_known_in_a_rerun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
