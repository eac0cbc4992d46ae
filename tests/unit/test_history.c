#include "agent/history.h"
#include "tests/unit/target_rig.h"

#include <fcntl.h>

/* Every combination that can be: with a stamp on the data volume the data has no say. */
static const struct row {
    enum stamp_found data_stamp, root_stamp;
    enum data_found data;
    enum history_verdict verdict;
} ROWS[] = {
    {STAMP_NONE, STAMP_NONE, DATA_EMPTY, DO_RESTORE},
    {STAMP_NONE, STAMP_NONE, DATA_OURS, DO_RESUME},
    {STAMP_NONE, STAMP_NONE, DATA_FOREIGN, REFUSE_FOREIGN},
    {STAMP_SAME, STAMP_NONE, DATA_FOREIGN, DO_NOTHING},
    {STAMP_SAME, STAMP_SAME, DATA_FOREIGN, DO_NOTHING},
    {STAMP_SAME, STAMP_OTHER, DATA_FOREIGN, DO_NOTHING},
    {STAMP_NONE, STAMP_SAME, DATA_EMPTY, REFUSE_LOST},
    {STAMP_NONE, STAMP_SAME, DATA_OURS, REFUSE_LOST},
    {STAMP_NONE, STAMP_SAME, DATA_FOREIGN, REFUSE_LOST},
    {STAMP_NONE, STAMP_OTHER, DATA_EMPTY, REFUSE_LOST},
    {STAMP_NONE, STAMP_OTHER, DATA_OURS, REFUSE_LOST},
    {STAMP_NONE, STAMP_OTHER, DATA_FOREIGN, REFUSE_LOST},
    {STAMP_OTHER, STAMP_NONE, DATA_FOREIGN, REFUSE_OTHER},
    {STAMP_OTHER, STAMP_SAME, DATA_FOREIGN, REFUSE_OTHER},
    {STAMP_OTHER, STAMP_OTHER, DATA_FOREIGN, REFUSE_OTHER},
};

static void every_row_is_decided(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        const struct row *const row = &ROWS[i];
        assert_int_equal(history_decide(row->data_stamp, row->root_stamp, row->data), row->verdict);
        if (row->data_stamp != STAMP_NONE) {
            assert_int_equal(history_decide(row->data_stamp, row->root_stamp, DATA_EMPTY),
                             row->verdict);
        }
    }
}

enum { OTHER_ID = 1, SAME_ID };

/* Leaves in a fresh rig what a row describes, by restores that really ran. */
static void arrange(struct rig *rig, const struct row *row)
{
    struct err e = ERR_INIT;
    struct target *target;
    enum target_state state;
    const char *const stamps[] = {
        [OTHER_ID] = "s3://bucket/backup --token 43", [SAME_ID] = RIG_IDENTITY};
    if (row->data_stamp != STAMP_NONE) {
        const char *const identity = stamps[row->data_stamp == STAMP_SAME ? SAME_ID : OTHER_ID];
        rig->config.history = NULL;
        rig_assert_ok(target_open(&rig->config, identity, &target, &state, &e), &e);
        rig_assert_ok(rig_run(rig, target, &e), &e);
        target_free(target);
    } else if (row->data == DATA_OURS) {
        rig_assert_ok(target_open(&rig->config, RIG_IDENTITY, &target, &state, &e), &e);
        rig_assert_ok(rig_fill(rig, target, &e), &e);
        target_free(target);
    } else if (row->data == DATA_FOREIGN) {
        tree_file(&rig->tree, "a/ks/mine-1/nb-1-big-Data.db", "theirs");
    }
}

static void put_history(struct rig *rig, const char *identity)
{
    autofree char *text =
        xasprintf("{\"format\":1,\"restore\":\"%s\",\"finished\":\"x\"}\n", identity);
    tree_file(&rig->tree, "root/history", text);
}

static void every_row_is_done(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        const struct row *const row = &ROWS[i];
        struct rig rig;
        rig_init(&rig, 1);
        tree_folders(&rig.tree, "root/");
        autofree char *history = xasprintf("%s/root", rig.tree.root);
        arrange(&rig, row);
        if (row->root_stamp != STAMP_NONE) {
            put_history(&rig, row->root_stamp == STAMP_SAME ? RIG_IDENTITY : "another");
        }
        rig.config.history = history;
        struct err e = ERR_INIT;
        struct target *target = NULL;
        enum target_state found;
        const int result = target_open(&rig.config, RIG_IDENTITY, &target, &found, &e);
        if (row->verdict >= REFUSE_FOREIGN) {
            assert_int_equal(result, -1);
            assert_int_equal(e.kind, ERR_REFUSED);
            assert_true((strstr(e.text, "its data is gone") != NULL) ==
                        (row->verdict == REFUSE_LOST));
        } else {
            rig_assert_ok(result, &e);
            const enum target_state wanted[] = {[DO_RESTORE] = TARGET_NEW,
                                                [DO_RESUME] = TARGET_INTERRUPTED,
                                                [DO_NOTHING] = TARGET_DONE};
            assert_int_equal(found, wanted[row->verdict]);
        }
        target_free(target);
        rig_done(&rig);
    }
}

static void root_stamp_is_left_once(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    tree_folders(&rig.tree, "root/");
    autofree char *history = xasprintf("%s/root", rig.tree.root);
    rig.config.history = history;
    struct err e = ERR_INIT;
    struct target *target;
    enum target_state found;
    rig_assert_ok(target_open(&rig.config, RIG_IDENTITY, &target, &found, &e), &e);
    rig_assert_ok(rig_run(&rig, target, &e), &e);
    rig_assert_ok(target_keep_history(target, &e), &e);
    autofree char *text = rig_read(&rig, "root/history");
    assert_non_null(strstr(text, "{\"format\":1,\"restore\":\"" RIG_IDENTITY "\",\"finished\":\""));
    rig_assert_ok(target_keep_history(target, &e), &e);
    autofree char *again = rig_read(&rig, "root/history");
    assert_string_equal(again, text);
    target_free(target);
    rig_done(&rig);
}

static void no_folder_for_it_is_told_at_once(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    autofree char *history = xasprintf("%s/root", rig.tree.root);
    rig.config.history = history;
    struct err e = ERR_INIT;
    struct target *target = NULL;
    enum target_state found;
    assert_int_equal(target_open(&rig.config, RIG_IDENTITY, &target, &found, &e), -1);
    assert_int_equal(e.kind, ERR_CREATE);
    assert_non_null(strstr(e.text, "--history"));
    assert_false(rig_exists(&rig, "a"));
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_decided),
        cmocka_unit_test(every_row_is_done),
        cmocka_unit_test(root_stamp_is_left_once),
        cmocka_unit_test(no_folder_for_it_is_told_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
