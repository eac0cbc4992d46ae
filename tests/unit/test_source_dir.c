#include "agent/source_dir.h"

#include "agent/base/thread.h"
#include "tests/unit/tree.h"

static int first_etag(void *ctx, const struct s3_entry *entry, struct err *e)
{
    (void)e;
    (void)snprintf((char *)ctx, 128, "%s", entry->etag);
    return 1;
}

struct fixture {
    struct tree tree;
    struct source *source;
    char etag[128]; /* of "d/f" */
};

static int set_up(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof(*fixture));
    fixture->tree = tree_new();
    tree_file(&fixture->tree, "d/f", "0123456789");
    tree_file(&fixture->tree, "empty", "");
    struct err e = ERR_INIT;
    assert_int_equal(source_dir_open(fixture->tree.root, &fixture->source, &e), 0);
    assert_int_equal(source_list(fixture->source, &(struct s3_list){.prefix = "d/"}, first_etag,
                                 fixture->etag, &e),
                     0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = (struct fixture *)*state;
    source_free(fixture->source);
    tree_free(&fixture->tree);
    free(fixture);
    return 0;
}

static void test_get(void **state)
{
    struct fixture *fixture = (struct fixture *)*state;
    char into[11] = "";
    struct s3_get get = {.key = "d/f",
                         .etag = fixture->etag,
                         .offset = 3,
                         .size = 4,
                         .object_size = 10,
                         .into = (uint8_t *)into,
                         .has_local_size = true};
    struct err e = ERR_INIT;
    assert_int_equal(source_get_wait(fixture->source, &get, &e), 0);
    assert_string_equal(into, "3456");
    assert_int_equal(get.err.kind, ERR_NONE);
    assert_int_equal(get.content_length, 10);
    assert_int_equal(get.checksum.kind, S3_CHECKSUM_NONE);
    assert_false(get.has_local_size);
    assert_int_equal(get.tries, 1);
    get.etag = NULL;
    get.offset = 0;
    get.size = 10;
    assert_int_equal(source_get_wait(fixture->source, &get, &e), 0);
    assert_string_equal(into, "0123456789");
    const struct s3_stats stats = source_stats(fixture->source);
    assert_int_equal(stats.requests, 3); /* the listing, too */
    assert_int_equal(stats.bytes, 14);
}

static void test_head(void **state)
{
    struct fixture *fixture = (struct fixture *)*state;
    struct s3_get get = {.key = "empty", .head = true};
    struct err e = ERR_INIT;
    assert_int_equal(source_get_wait(fixture->source, &get, &e), 0);
    assert_int_equal(get.content_length, 0);
    assert_int_equal(get.parts_count, 0);
}

static void test_get_fails(void **state)
{
    struct fixture *fixture = (struct fixture *)*state;
    static const struct {
        const char *key, *etag;
        uint64_t offset, size;
        enum err_kind kind;
    } CASES[] = {
        {"d/g", NULL, 0, 1, ERR_NOT_FOUND},      {"../d/f", NULL, 0, 1, ERR_NOT_FOUND},
        {"d", NULL, 0, 1, ERR_NOT_FOUND},        {"d/f", "mtime-1-a", 0, 1, ERR_CHANGED},
        {"d/f", NULL, 8, 3, ERR_CORRUPT},        {"empty", NULL, 0, 1, ERR_CORRUPT},
        {"d/f", NULL, UINT64_MAX, 1, ERR_LIMIT}, {"d/f", NULL, INT64_MAX, 1, ERR_LIMIT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        uint8_t into[4];
        struct s3_get get = {.key = CASES[i].key,
                             .etag = CASES[i].etag,
                             .offset = CASES[i].offset,
                             .size = CASES[i].size,
                             .into = into};
        struct err e = ERR_INIT;
        assert_int_equal(source_get_wait(fixture->source, &get, &e), -1);
        assert_int_equal(e.kind, CASES[i].kind);
        assert_int_equal(get.err.kind, CASES[i].kind);
    }
}

static void test_changed(void **state)
{
    struct fixture *fixture = (struct fixture *)*state;
    tree_file(&fixture->tree, "d/f", "0123456789a");
    uint8_t into[4];
    struct s3_get get = {.key = "d/f", .etag = fixture->etag, .size = 4, .into = into};
    struct err e = ERR_INIT;
    assert_int_equal(source_get_wait(fixture->source, &get, &e), -1);
    assert_int_equal(e.kind, ERR_CHANGED);
    assert_string_equal(e.text, "'d/f': has changed since it was listed");
}

/* Many at once: each is answered exactly once. */
struct crowd {
    pthread_mutex_t lock;
    pthread_cond_t all;
    size_t answered;
};

enum { CROWD = 500 };

static void count_answer(struct s3_get *get)
{
    struct crowd *crowd = (struct crowd *)get->owner;
    mutex_lock(&crowd->lock);
    crowd->answered++;
    cond_signal(&crowd->all);
    mutex_unlock(&crowd->lock);
}

static void test_crowd(void **state)
{
    struct fixture *fixture = (struct fixture *)*state;
    struct crowd crowd = {.answered = 0};
    mutex_init(&crowd.lock);
    cond_init(&crowd.all);
    struct s3_get *gets = xcalloc(CROWD, sizeof(*gets));
    uint8_t *into = xcalloc(CROWD, 1);
    for (size_t i = 0; i < CROWD; i++) {
        gets[i] = (struct s3_get){.key = "d/f",
                                  .offset = i % 10,
                                  .size = 1,
                                  .into = into + i,
                                  .done = count_answer,
                                  .owner = &crowd};
        source_get(fixture->source, &gets[i]);
    }
    mutex_lock(&crowd.lock);
    while (crowd.answered < CROWD) {
        cond_wait(&crowd.all, &crowd.lock);
    }
    mutex_unlock(&crowd.lock);
    for (size_t i = 0; i < CROWD; i++) {
        assert_int_equal(gets[i].err.kind, ERR_NONE);
        assert_int_equal(into[i], '0' + i % 10);
    }
    free(gets);
    free(into);
    cond_done(&crowd.all);
    mutex_done(&crowd.lock);
}

static void test_cancel(void **state)
{
    struct fixture *fixture = (struct fixture *)*state;
    source_cancel(fixture->source);
    uint8_t into[1];
    struct s3_get get = {.key = "d/f", .size = 1, .into = into};
    struct err e = ERR_INIT;
    assert_int_equal(source_get_wait(fixture->source, &get, &e), -1);
    assert_int_equal(e.kind, ERR_CANCELLED);
    char etag[128];
    assert_int_equal(
        source_list(fixture->source, &(struct s3_list){.prefix = ""}, first_etag, etag, &e), -1);
    assert_int_equal(e.kind, ERR_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_get, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_head, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_get_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_changed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crowd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
