#include "tests/unit/power_cut.h"

#include <dirent.h>

#include "agent/base/random.h"
#include "tests/unit/faulty_disk.h"
#include "tests/unit/tree.h"

enum { NOBODY = UINT32_MAX, ROOT = 0, CONTENT_MAX = 64 * 1024 };

/* A file or directory: its index is its number here, for the file system gives its own again. */
struct node {
    ino_t ino;
    bool is_folder;
};

/* What became of an op. */
enum { NOT_DONE, HALF_DONE, DONE, COVERED };

enum op_kind { OP_NAME, OP_WRITE, OP_RESIZE, OP_SYNC, OP_SYNC_ALL };

struct op {
    enum op_kind kind;
    uint32_t node;     /* written, synced, or named */
    uint32_t from, to; /* OP_NAME: folders that lose and get a name, or NOBODY */
    char *from_name, *to_name;
    char *data;  /* OP_WRITE */
    size_t size; /* of it; OP_RESIZE: the new one */
    uint64_t offset;
};

struct power_cut {
    char *root;
    struct node *nodes;
    uint32_t node_count;
    struct op *ops;
    size_t count, first; /* those before `first` are what was there */
};

static uint32_t add_node(struct power_cut *cut, const struct stat *st)
{
    cut->nodes = xrealloc(cut->nodes, cut->node_count + 1, sizeof *cut->nodes);
    cut->nodes[cut->node_count] =
        (struct node){.ino = st->st_ino, .is_folder = S_ISDIR(st->st_mode)};
    return cut->node_count++;
}

/* The youngest with that number: the file system may have given it before. */
static uint32_t node_of(const struct power_cut *cut, const struct stat *st)
{
    for (uint32_t i = cut->node_count; i > 0; i--) {
        if (cut->nodes[i - 1].ino == st->st_ino) {
            return i - 1;
        }
    }
    fail_msg("a file that was made behind the recorder's back");
    return NOBODY;
}

static uint32_t node_of_fd(const struct power_cut *cut, int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    return node_of(cut, &st);
}

static void add_op(struct power_cut *cut, struct op op)
{
    cut->ops = xrealloc(cut->ops, cut->count + 1, sizeof *cut->ops);
    cut->ops[cut->count++] = op;
}

static void add_write(struct power_cut *cut, uint32_t node, uint64_t offset, const void *data,
                      size_t size)
{
    char *const copy = xcalloc(size + 1, 1);
    memcpy(copy, data, size);
    add_op(cut, (struct op){
                    .kind = OP_WRITE, .node = node, .offset = offset, .data = copy, .size = size});
}

/* A path below a folder: who its parent is, and its last name. */
static uint32_t parent_of(const struct power_cut *cut, int folder, const char *path,
                          char **ret_name)
{
    const char *const slash = strrchr(path, '/');
    *ret_name = xstrdup(slash == NULL ? path : slash + 1);
    if (slash == NULL) {
        return node_of_fd(cut, folder);
    }
    struct stat st;
    autofree char *above = xstrndup(path, (size_t)(slash - path));
    assert_int_equal(fstatat(folder, above, &st, AT_SYMLINK_NOFOLLOW), 0);
    return node_of(cut, &st);
}

static void add_name(struct power_cut *cut, const struct disk_event *event)
{
    struct op op = {.kind = OP_NAME, .node = NOBODY, .from = NOBODY, .to = NOBODY};
    const bool removed = strcmp(event->call, "unlinkat") == 0;
    const bool renamed = event->to_name != NULL && strcmp(event->call, "linkat") != 0;
    if (removed || renamed) {
        op.from = parent_of(cut, event->fd, event->name, &op.from_name);
    }
    if (!removed) {
        const int folder = event->to_name == NULL ? event->fd : event->to_fd;
        const char *const path = event->to_name == NULL ? event->name : event->to_name;
        struct stat st;
        op.to = parent_of(cut, folder, path, &op.to_name);
        assert_int_equal(fstatat(folder, path, &st, AT_SYMLINK_NOFOLLOW), 0);
        op.node = event->to_name == NULL ? add_node(cut, &st) : node_of(cut, &st);
    }
    add_op(cut, op);
}

static void add_create(struct power_cut *cut, const struct disk_event *event)
{
    if (!event->existed) {
        add_name(cut, event);
    } else if (event->emptied) {
        struct stat st;
        assert_int_equal(fstatat(event->fd, event->name, &st, AT_SYMLINK_NOFOLLOW), 0);
        add_op(cut, (struct op){.kind = OP_RESIZE, .node = node_of(cut, &st)});
    }
}

static void record(void *ctx, const struct disk_event *event)
{
    struct power_cut *const cut = ctx;
    if (strcmp(event->call, "create") == 0) {
        add_create(cut, event);
    } else if (event->name != NULL) {
        add_name(cut, event);
    } else if (event->data != NULL) {
        add_write(cut, node_of_fd(cut, event->fd), event->offset, event->data, event->size);
    } else if (strcmp(event->call, "ftruncate") == 0) {
        add_op(cut, (struct op){.kind = OP_RESIZE,
                                .node = node_of_fd(cut, event->fd),
                                .size = (size_t)event->offset});
    } else if (strcmp(event->call, "syncfs") == 0) {
        add_op(cut, (struct op){.kind = OP_SYNC_ALL});
    } else if (strcmp(event->call, "fsync") == 0 || strcmp(event->call, "fdatasync") == 0) {
        add_op(cut, (struct op){.kind = OP_SYNC, .node = node_of_fd(cut, event->fd)});
    }
}

/* What is there already, as if it had just been made. */
static void take_folder(struct power_cut *cut, uint32_t number, const char *path)
{
    DIR *const stream = opendir(path);
    assert_non_null(stream);
    for (const struct dirent *found = readdir(stream); found != NULL; found = readdir(stream)) {
        if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0) {
            continue;
        }
        struct stat st;
        assert_int_equal(fstatat(dirfd(stream), found->d_name, &st, AT_SYMLINK_NOFOLLOW), 0);
        const uint32_t node = add_node(cut, &st);
        add_op(cut, (struct op){.kind = OP_NAME,
                                .node = node,
                                .from = NOBODY,
                                .to = number,
                                .to_name = xstrdup(found->d_name)});
        autofree char *below = xasprintf("%s/%s", path, found->d_name);
        if (S_ISDIR(st.st_mode)) {
            take_folder(cut, node, below);
            continue;
        }
        autofree char *content = tree_read(below);
        add_write(cut, node, 0, content, strlen(content));
    }
    assert_int_equal(closedir(stream), 0);
}

struct power_cut *power_cut_start(const char *root)
{
    struct power_cut *const cut = xcalloc(1, sizeof *cut);
    struct stat st;
    assert_int_equal(stat(root, &st), 0);
    cut->root = xstrdup(root);
    assert_int_equal(add_node(cut, &st), ROOT);
    take_folder(cut, ROOT, root);
    add_op(cut, (struct op){.kind = OP_SYNC_ALL});
    cut->first = cut->count;
    disk_watch(record, cut);
    return cut;
}

void power_cut_stop(void)
{
    disk_watch(NULL, NULL);
}

void power_cut_free(struct power_cut *cut)
{
    for (size_t i = 0; i < cut->count; i++) {
        free(cut->ops[i].from_name);
        free(cut->ops[i].to_name);
        free(cut->ops[i].data);
    }
    free(cut->ops);
    free(cut->nodes);
    free(cut->root);
    free(cut);
}

size_t power_cut_calls(const struct power_cut *cut)
{
    return cut->count - cut->first;
}

/* Marks which ops took place, as far as the disk will ever know. */
static uint8_t *choose(const struct power_cut *cut, size_t count, enum power_loss loss,
                       struct random *random)
{
    uint8_t *const chosen = xcalloc(count + 1, 1);
    for (size_t i = 0; i < count; i++) {
        const struct op *const op = &cut->ops[i];
        const bool kept = loss == (op->kind == OP_NAME ? LOSS_DATA : LOSS_NAMES);
        const uint64_t fate = loss == LOSS_RANDOM ? random_below(random, 3)
                              : kept              ? DONE
                                                  : NOT_DONE;
        chosen[i] = (uint8_t)fate;
        if (op->kind != OP_SYNC && op->kind != OP_SYNC_ALL) {
            continue;
        }
        for (size_t k = 0; k < i; k++) {
            const struct op *const before = &cut->ops[k];
            const bool covered = before->kind == OP_NAME
                                     ? before->from == op->node || before->to == op->node
                                     : before->node == op->node;
            if (covered || op->kind == OP_SYNC_ALL) {
                chosen[k] = COVERED;
            }
        }
    }
    return chosen;
}

/* The disk while it is put together: who stands under which name. */
struct entry {
    uint32_t folder, node;
    const char *name;
};

struct entries {
    struct entry *items;
    size_t count;
};

static struct entry *find(const struct entries *all, uint32_t folder, const char *name)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->items[i].folder == folder && strcmp(all->items[i].name, name) == 0) {
            return &all->items[i];
        }
    }
    return NULL;
}

static bool is_filled(const struct entries *all, uint32_t folder)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->items[i].folder == folder) {
            return true;
        }
    }
    return false;
}

/* A directory goes only when it is empty, as far as the disk knows; but when its going is covered,
 * that of what it held is, too. */
static bool may_go(const struct entries *all, const struct op *op, const struct entry *entry,
                   bool covered)
{
    return op->to != NOBODY ? entry->node == op->node : covered || !is_filled(all, entry->node);
}

static void apply_name(struct entries *all, const struct op *op, bool covered)
{
    struct entry *const lost = op->from == NOBODY ? NULL : find(all, op->from, op->from_name);
    if (lost != NULL && may_go(all, op, lost, covered)) {
        *lost = all->items[--all->count];
    }
    if (op->to == NOBODY) {
        return;
    }
    struct entry *const there = find(all, op->to, op->to_name);
    if (there != NULL) {
        there->node = op->node;
    } else {
        all->items[all->count++] =
            (struct entry){.folder = op->to, .node = op->node, .name = op->to_name};
    }
}

/* The bytes of a file: holes are zeroes. */
static void write_content(const struct power_cut *cut, uint32_t node, const uint8_t *chosen,
                          size_t count, const char *path)
{
    autofree char *content = xcalloc(CONTENT_MAX, 1);
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        const struct op *const op = &cut->ops[i];
        if (op->node != node || chosen[i] == NOT_DONE) {
            continue;
        }
        if (op->kind == OP_RESIZE) {
            memset(content + op->size, 0, op->size < size ? size - op->size : 0);
            size = op->size;
        } else if (op->kind == OP_WRITE) {
            const size_t written = chosen[i] == HALF_DONE ? op->size / 2 : op->size;
            const size_t end = (size_t)op->offset + written;
            assert_true(end <= CONTENT_MAX);
            memcpy(content + op->offset, op->data, written);
            size = end > size ? end : size;
        }
    }
    autofile FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, size, file), size);
}

struct rebuild {
    const struct power_cut *cut;
    const uint8_t *chosen;
    size_t count;
    struct entries all;
    char **made; /* of each node, where it is by now; NULL: nowhere */
};

/* A file may have several names. */
static void make_file(const struct rebuild *rebuild, uint32_t node, const char *path)
{
    if (rebuild->made[node] != NULL) {
        assert_int_equal(link(rebuild->made[node], path), 0);
        return;
    }
    write_content(rebuild->cut, node, rebuild->chosen, rebuild->count, path);
    rebuild->made[node] = xstrdup(path);
}

/* The tests' trees are a few levels deep. */
static void make_folder(const struct rebuild *rebuild, uint32_t folder, const char *path)
{
    for (size_t i = 0; i < rebuild->all.count; i++) {
        const struct entry *const entry = &rebuild->all.items[i];
        if (entry->folder != folder) {
            continue;
        }
        autofree char *below = xasprintf("%s/%s", path, entry->name);
        if (rebuild->cut->nodes[entry->node].is_folder) {
            assert_int_equal(mkdir(below, 0755), 0);
            make_folder(rebuild, entry->node, below);
        } else {
            make_file(rebuild, entry->node, below);
        }
    }
}

void power_cut_rebuild(const struct power_cut *cut, size_t calls, enum power_loss loss,
                       uint64_t seed)
{
    assert_true(calls <= power_cut_calls(cut));
    struct random random = {.state = seed};
    const size_t count = cut->first + calls;
    autofree uint8_t *chosen = choose(cut, count, loss, &random);
    autofree struct entry *items = xcalloc(count + 1, sizeof *items);
    autofree char **made = xcalloc(cut->node_count, sizeof *made);
    struct rebuild rebuild = {
        .cut = cut, .chosen = chosen, .count = count, .all = {.items = items}, .made = made};
    for (size_t i = 0; i < count; i++) {
        if (cut->ops[i].kind == OP_NAME && chosen[i] != NOT_DONE) {
            apply_name(&rebuild.all, &cut->ops[i], chosen[i] == COVERED);
        }
    }
    tree_remove(cut->root);
    assert_int_equal(mkdir(cut->root, 0755), 0);
    make_folder(&rebuild, ROOT, cut->root);
    for (uint32_t i = 0; i < cut->node_count; i++) {
        free(made[i]);
    }
}
