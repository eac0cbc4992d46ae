/* tree: a directory below /tmp that lives as long as a test, with files as the test wants them. */
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
    struct tree tree = {.root = "/tmp/penates-test-XXXXXX"};
    assert_non_null(mkdtemp(tree.root));
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

static inline void tree_free(const struct tree *tree)
{
    assert_int_equal(nftw(tree->root, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
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

#endif
