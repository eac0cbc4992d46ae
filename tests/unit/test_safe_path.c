#include "agent/safe_path.h"
#include "tests/unit/tree.h"

#include <errno.h>
#include <limits.h>
#include <sys/syscall.h>

/* What openat2 answers: 0 as the kernel does, else this errno. */
static int openat2_errno;

long __real_syscall(long number, long a, long b, long c, long d);
long __wrap_syscall(long number, long a, long b, long c, long d);
long __wrap_syscall(long number, long a, long b, long c, long d)
{
    if (number == SYS_openat2 && openat2_errno != 0) {
        errno = openat2_errno;
        return -1;
    }
    return __real_syscall(number, a, b, c, d);
}

static const struct config CONFIG = {.mode = 0640, .dir_mode = 0750};

/* With openat2, without it, and under a sandbox that forbids it. */
static const int KERNELS[] = {0, ENOSYS, EPERM};

struct rig {
    struct tree tree;
    int root;
};

static void rig_init(struct rig *rig)
{
    rig->tree = tree_new();
    tree_file(&rig->tree, "top/x/y/file", "content");
    tree_file(&rig->tree, "outside/file", "secret");
    autofree char *top = xasprintf("%s/top", rig->tree.root);
    autofree char *up = xasprintf("%s/x/up", top);
    autofree char *leaf = xasprintf("%s/x/leaf", top);
    assert_int_equal(symlink("../../outside", up), 0);
    assert_int_equal(symlink("y/file", leaf), 0);
    rig->root = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(rig->root >= 0);
}

static void rig_done(struct rig *rig)
{
    (void)close(rig->root);
    tree_free(&rig->tree);
}

static void opens_below_only(void **state)
{
    (void)state;
    static char long_name[NAME_MAX + 2];
    memset(long_name, 'n', sizeof long_name - 1);
    static const struct {
        const char *path;
        int sys; /* 0: opens */
    } CASES[] = {
        {"", 0},
        {"x", 0},
        {"x/y", 0},
        {"x//y/", 0},
        {"x/y/file", 0},
        {"x/none", ENOENT},
        {"none/y", ENOENT},
        {"x/up", ELOOP},
        {"x/up/file", ELOOP},
        {"x/leaf", ELOOP},
        {"x/y/file/z", ENOTDIR},
        {"../outside", EXDEV},
        {"x/../../outside", EXDEV},
        {long_name, ENAMETOOLONG},
    };
    for (size_t k = 0; k < ARRAY_SIZE(KERNELS); k++) {
        openat2_errno = KERNELS[k];
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
            struct rig rig;
            rig_init(&rig);
            autofd int fd = safe_path_open(rig.root, CASES[i].path, O_RDONLY);
            const int why = errno;
            assert_int_equal(fd >= 0, CASES[i].sys == 0);
            /* A walk cannot tell a symlink from another non-directory in the middle. */
            if (fd < 0 && !(CASES[i].sys == ELOOP && why == ENOTDIR)) {
                assert_int_equal(why, CASES[i].sys);
            }
            if (fd >= 0) {
                assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
            }
            rig_done(&rig);
        }
    }
    openat2_errno = 0;
}

static void makes_below_only(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool good, made;
    } CASES[] = {
        {"", true, false},           {"x/y", true, false},      {"x/new", true, true},
        {"a/b/c/d", true, true},     {"x/up/in", false, false}, {"x/y/file/z", false, false},
        {"n/../../up", false, true}, {"x/leaf", false, false},
    };
    for (size_t k = 0; k < ARRAY_SIZE(KERNELS); k++) {
        openat2_errno = KERNELS[k];
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
            struct rig rig;
            rig_init(&rig);
            bool made = false;
            autofd int fd = safe_path_make(rig.root, CASES[i].path, &CONFIG, &made);
            assert_int_equal(fd >= 0, CASES[i].good);
            assert_int_equal(made, CASES[i].made);
            if (fd >= 0) {
                autofd int again = safe_path_open(rig.root, CASES[i].path, O_RDONLY | O_DIRECTORY);
                assert_true(again >= 0);
                assert_int_equal(fsync(fd), 0); /* open for more than O_PATH allows */
            }
            autofree char *escaped = xasprintf("%s/outside/in", rig.tree.root);
            assert_int_not_equal(access(escaped, F_OK), 0);
            rig_done(&rig);
        }
    }
    openat2_errno = 0;
}

struct seen {
    unsigned files, folders, links;
    const char *skip, *stop;
};

static int see(void *ctx, const struct safe_entry *entry, struct err *e)
{
    struct seen *const seen = ctx;
    if (seen->stop != NULL && strcmp(entry->path, seen->stop) == 0) {
        return err_set(e, ERR_REFUSED, "%s", entry->name);
    }
    seen->files += S_ISREG(entry->type) ? 1 : 0;
    seen->folders += S_ISDIR(entry->type) ? 1 : 0;
    seen->links += S_ISLNK(entry->type) ? 1 : 0;
    return seen->skip != NULL && strcmp(entry->path, seen->skip) == 0 ? 1 : 0;
}

static void scans_without_following(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct err e = ERR_INIT;
    struct seen seen = {0};
    assert_int_equal(safe_path_scan(rig.root, "", see, &seen, &e), 0);
    assert_int_equal(seen.files, 1);
    assert_int_equal(seen.folders, 2);
    assert_int_equal(seen.links, 2);
    seen = (struct seen){.skip = "x/y"};
    assert_int_equal(safe_path_scan(rig.root, "", see, &seen, &e), 0);
    assert_int_equal(seen.files, 0);
    seen = (struct seen){.stop = "x/y/file"};
    assert_int_equal(safe_path_scan(rig.root, "x", see, &seen, &e), -1);
    assert_string_equal(e.text, "file");
    seen = (struct seen){0};
    assert_int_equal(safe_path_scan(rig.root, "none", see, &seen, &e), 0);
    assert_int_equal(seen.files + seen.folders + seen.links, 0);
    assert_int_equal(safe_path_scan(rig.root, "x/up", see, &seen, &e), -1);
    assert_int_equal(e.kind, ERR_DISK);
    rig_done(&rig);
}

static void removes_without_following(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct err e = ERR_INIT;
    for (int i = 0; i < 40; i++) { /* more folders than the list has at first */
        autofree char *path = xasprintf("top/x/d%d/e/f", i);
        tree_file(&rig.tree, path, "");
    }
    assert_int_equal(safe_path_remove(rig.root, "x", &e), 0);
    assert_int_equal(faccessat(rig.root, "x", F_OK, 0), -1);
    autofree char *outside = xasprintf("%s/outside/file", rig.tree.root);
    assert_int_equal(access(outside, F_OK), 0);
    assert_int_equal(safe_path_remove(rig.root, "x", &e), 0);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_below_only),
        cmocka_unit_test(makes_below_only),
        cmocka_unit_test(scans_without_following),
        cmocka_unit_test(removes_without_following),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
