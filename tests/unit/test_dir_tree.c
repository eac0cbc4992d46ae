#include "agent/dir_tree.h"

#include <errno.h>

#include "tests/unit/tree.h"

/* The keys that a listing gave, one a line; "!" behind a folder. */
struct seen {
    struct buf keys;
    size_t stop_after; /* 0: never */
    size_t count;
    bool fail;
};

static int see(void *ctx, const struct s3_entry *entry, struct err *e)
{
    struct seen *seen = (struct seen *)ctx;
    if (seen->fail) {
        return err_set(e, ERR_CORRUPT, "'%s': told to fail", entry->key);
    }
    assert_true(buf_appendf(&seen->keys, "%s%s\n", entry->key, entry->is_folder ? "!" : ""));
    if (!entry->is_folder) {
        assert_int_equal(entry->size, 1);
        assert_memory_equal(entry->etag, "mtime-", 6);
        assert_true(entry->modified_ms > 0);
        assert_string_equal(entry->storage_class, "");
    }
    seen->count++;
    return seen->count == seen->stop_after ? 1 : 0;
}

static void expect(const struct tree *tree, const struct s3_list *list, const char *keys)
{
    autofd const int root = open(tree->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct seen seen = {.keys = BUF_INIT(65536)};
    struct err e = ERR_INIT;
    assert_int_equal(dir_tree_list(root, list, see, &seen, &e), 0);
    assert_string_equal(buf_str(&seen.keys), keys);
    buf_done(&seen.keys);
}

static void make_files(const struct tree *tree)
{
    static const char *const FILES[] = {"a/b", "a-b", "a.b",     "a/b0/c", "a/b-0", "a0",
                                        "z",   "B/x", "b/1/2/3", "b/1/2",  "b/1.5", "\xc3\xa9/f"};
    for (size_t i = 0; i < ARRAY_SIZE(FILES); i++) {
        if (strcmp(FILES[i], "b/1/2") != 0) { /* cannot be beside b/1/2/3 */
            tree_file(tree, FILES[i], "x");
        }
    }
}

static void test_order(void **state)
{
    (void)state;
    const struct tree tree = tree_new();
    make_files(&tree);
    /* '-' and '.' sort before '/', '0' after it: the order of whole keys, not that of names. */
    expect(&tree, &(struct s3_list){.prefix = ""},
           "B/x\na-b\na.b\na/b\na/b-0\na/b0/c\na0\nb/1.5\nb/1/2/3\nz\n\xc3\xa9/f\n");
    expect(&tree, &(struct s3_list){.prefix = "a"}, "a-b\na.b\na/b\na/b-0\na/b0/c\na0\n");
    expect(&tree, &(struct s3_list){.prefix = "a/"}, "a/b\na/b-0\na/b0/c\n");
    expect(&tree, &(struct s3_list){.prefix = "a/b"}, "a/b\na/b-0\na/b0/c\n");
    expect(&tree, &(struct s3_list){.prefix = "b/1/"}, "b/1/2/3\n");
    expect(&tree, &(struct s3_list){.prefix = "nothing/"}, "");
    expect(&tree, &(struct s3_list){.prefix = "z/"}, "");
    tree_free(&tree);
}

static void test_by_folder(void **state)
{
    (void)state;
    const struct tree tree = tree_new();
    make_files(&tree);
    expect(&tree, &(struct s3_list){.prefix = "", .by_folder = true},
           "B/!\na-b\na.b\na/!\na0\nb/!\nz\n\xc3\xa9/!\n");
    expect(&tree, &(struct s3_list){.prefix = "a/b", .by_folder = true}, "a/b\na/b-0\na/b0/!\n");
    expect(&tree, &(struct s3_list){.prefix = "b/", .start_after = "b/1.5", .by_folder = true},
           "b/1/!\n");
    tree_free(&tree);
}

/* Starting after any key gives exactly the keys behind it. */
static void test_start_after(void **state)
{
    (void)state;
    static const char *const KEYS[] = {"B/x", "a-b",   "a.b",     "a/b", "a/b-0",     "a/b0/c",
                                       "a0",  "b/1.5", "b/1/2/3", "z",   "\xc3\xa9/f"};
    static const char *const STARTS[] = {"",      "A",  "a",    "a/",    "a/b",     "a/b-",
                                         "a/b0/", "b",  "b/",   "b/1",   "b/1/2/3", "y",
                                         "z",     "zz", "\xff", "a/b0/c"};
    const struct tree tree = tree_new();
    make_files(&tree);
    for (size_t i = 0; i < ARRAY_SIZE(STARTS); i++) {
        struct buf want = BUF_INIT(1024);
        for (size_t j = 0; j < ARRAY_SIZE(KEYS); j++) {
            if (strcmp(KEYS[j], STARTS[i]) > 0) {
                assert_true(buf_appendf(&want, "%s\n", KEYS[j]));
            }
        }
        expect(&tree, &(struct s3_list){.prefix = "", .start_after = STARTS[i]}, buf_str(&want));
        buf_done(&want);
    }
    tree_free(&tree);
}

static void test_passed_over(void **state)
{
    (void)state;
    const struct tree tree = tree_new();
    tree_file(&tree, "d/f", "x");
    autofd const int root = open(tree.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(symlinkat("f", root, "d/link"), 0);
    assert_int_equal(symlinkat("d", root, "dlink"), 0);
    assert_int_equal(symlinkat("/etc", root, "d/etc"), 0);
    assert_int_equal(mkfifoat(root, "d/fifo", 0600), 0);
    assert_int_equal(mkdirat(root, "empty", 0700), 0);
    /* 40 directories deep, and a key of more than 1024 bytes. */
    char deep[90] = "";
    for (size_t i = 0; i < 40; i++) {
        memcpy(deep + 2 * i, "n/", 3);
    }
    memcpy(deep + 80, "f", 2);
    tree_file(&tree, deep, "x");
    char wide[5 * 240];
    memset(wide, 'w', sizeof(wide));
    for (size_t i = 240; i < sizeof(wide); i += 240) {
        wide[i] = '/';
    }
    wide[sizeof(wide) - 1] = '\0';
    tree_file(&tree, wide, "x");
    expect(&tree, &(struct s3_list){.prefix = ""}, "d/f\n");
    expect(&tree, &(struct s3_list){.prefix = "dlink/"}, "");
    expect(&tree, &(struct s3_list){.prefix = "d/../d/"}, "");
    expect(&tree, &(struct s3_list){.prefix = "/"}, "");
    expect(&tree, &(struct s3_list){.prefix = "d//"}, "");
    expect(&tree, &(struct s3_list){.prefix = wide}, "");
    expect(&tree, &(struct s3_list){.prefix = "e", .by_folder = true}, "empty/!\n");
    tree_free(&tree);
}

static void test_stop_and_fail(void **state)
{
    (void)state;
    const struct tree tree = tree_new();
    make_files(&tree);
    autofd const int root = open(tree.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct s3_list all = {.prefix = ""};
    struct seen seen = {.keys = BUF_INIT(1024), .stop_after = 5};
    struct err e = ERR_INIT;
    assert_int_equal(dir_tree_list(root, &all, see, &seen, &e), 0);
    assert_string_equal(buf_str(&seen.keys), "B/x\na-b\na.b\na/b\na/b-0\n");
    buf_done(&seen.keys);
    seen.fail = true;
    assert_int_equal(dir_tree_list(root, &all, see, &seen, &e), -1);
    assert_int_equal(e.kind, ERR_CORRUPT);
    assert_string_equal(e.text, "'B/x': told to fail");
    tree_free(&tree);
}

static void test_open(void **state)
{
    (void)state;
    const struct tree tree = tree_new();
    tree_file(&tree, "d/f", "x");
    autofd const int root = open(tree.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(symlinkat("f", root, "d/link"), 0);
    assert_int_equal(symlinkat("d", root, "dlink"), 0);
    assert_int_equal(mkfifoat(root, "d/fifo", 0600), 0);
    autofd const int fd = dir_tree_open(root, "d/f");
    assert_true(fd >= 0);
    static const char *const BAD[] = {
        "",      "d",      "d/",      "d/g",   "/d/f",   "d//f",          "d/../d/f",
        "./d/f", "d/link", "dlink/f", "d/f/x", "d/fifo", "../etc/passwd", "/etc/passwd"};
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        errno = 0;
        assert_int_equal(dir_tree_open(root, BAD[i]), -1);
        assert_int_equal(errno, ENOENT);
    }
    tree_free(&tree);
}

static void test_etag(void **state)
{
    (void)state;
    struct stat status = {.st_size = 255};
    status.st_mtim = (struct timespec){.tv_sec = 1, .tv_nsec = 16};
    char etag[DIR_TREE_ETAG_SIZE];
    dir_tree_etag(&status, etag);
    assert_string_equal(etag, "mtime-3b9aca10-ff");
    status.st_mtim = (struct timespec){.tv_sec = -1, .tv_nsec = 0};
    status.st_size = INT64_MAX;
    dir_tree_etag(&status, etag);
    assert_string_equal(etag, "mtime-ffffffffc4653600-7fffffffffffffff");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),         cmocka_unit_test(test_by_folder),
        cmocka_unit_test(test_start_after),   cmocka_unit_test(test_passed_over),
        cmocka_unit_test(test_stop_and_fail), cmocka_unit_test(test_open),
        cmocka_unit_test(test_etag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
