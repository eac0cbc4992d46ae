/*
 * tree: a directory that lives as long as a test, with files as the test wants them. In memory
 * where that is to be had: a disk's file system takes 50 s for what test_crash makes and renames
 * there.
 */
#ifndef PENATES_TESTS_TREE_H
#define PENATES_TESTS_TREE_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/base/mem.h"
#include "tests/unit/unit.h"

struct tree {
    char root[32];
};

static inline struct tree tree_new(void)
{
    struct tree tree = {.root = "/dev/shm/penates-test-XXXXXX"};
    if (mkdtemp(tree.root) == NULL) {
        tree = (struct tree){.root = "/tmp/penates-test-XXXXXX"};
        assert_non_null(mkdtemp(tree.root));
    }
    return tree;
}

static inline int tree_remove_one(const char *path, const struct stat *status, int type,
                                  struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static inline void tree_remove(const char *root)
{
    assert_int_equal(nftw(root, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static inline void tree_free(const struct tree *tree)
{
    tree_remove(tree->root);
}

/* Makes the directories on the way to `path`, which is relative. */
static inline void tree_folders(const struct tree *tree, const char *path)
{
    for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        autofree char *folder = xasprintf("%s/%.*s", tree->root, (int)(slash - path), path);
        (void)mkdir(folder, 0755); /* it may exist; what comes next needs it and fails otherwise */
    }
}

static inline void tree_file(const struct tree *tree, const char *path, const char *content)
{
    tree_folders(tree, path);
    autofree char *whole = xasprintf("%s/%s", tree->root, path);
    autofile FILE *file = fopen(whole, "we");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
}

/* The whole of a small file as a text, or NULL. Freed by the caller. */
static inline char *tree_read(const char *path)
{
    autofile FILE *file = fopen(path, "re");
    if (file == NULL) {
        return NULL;
    }
    char *const text = xcalloc(1, 64 * 1024);
    assert_true(fread(text, 1, 64 * 1024 - 1, file) > 0 || feof(file));
    return text;
}

#endif
