/*
 * earlier: a finished restore of another selection makes room for a run all of whose tables are
 * staged; see target_internal.h. The stamp moves last: until then the directory says what was true
 * before, that the earlier restore is finished, and the next run goes on with the move.
 */
#include "agent/base/mem.h"
#include "agent/target_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define TARGET_EARLIER TARGET_HOME "/earlier"

enum { SAME_TIME_MAX = 1000 }; /* restores that end within one second */

static int refuse_again(const struct target_dir *first, const char *folder, struct err *e)
{
    (void)err_set(e, ERR_REFUSED,
                  "target '%s': this restore was finished there before, and another one after it",
                  first->path);
    return err_hint(e, "to do it once more, move '" TARGET_HOME "/%s' away first", folder);
}

struct search {
    const struct target *target;
    char *found; /* the folder below .penates/; NULL: none yet */
};

static int look_in_entry(void *ctx, const struct safe_entry *entry, struct err *e)
{
    struct search *const search = ctx;
    autofree char *folder = xasprintf("earlier/%s", entry->name);
    autofree char *name = xasprintf("%s/restored", folder);
    autobuf struct buf stamp = BUF_INIT(TARGET_STAMP_MAX);
    const int there = target_dir_read(&search->target->dirs[0], name, &stamp, e);
    if (there == 1 && search->found == NULL && stamp_is_of(search->target, buf_str(&stamp))) {
        search->found = TAKE_PTR(folder);
    }
    return there < 0 ? -1 : 1;
}

int earlier_find(const struct target *target, char **ret_folder, struct err *e)
{
    struct search search = {.target = target};
    const int home = target->dirs[0].home;
    if (home >= 0 && safe_path_scan(home, "earlier", look_in_entry, &search, e) < 0) {
        free(search.found);
        return -1;
    }
    *ret_folder = search.found;
    return 0;
}

/* A list of errands that is run again from its start must not add a table twice, nor swap one for
 * an old state a second time; that it is finished cannot be said either, for what came after it may
 * have undone it. */
int earlier_check(const struct target *target, struct err *e)
{
    autofree char *folder = NULL;
    if (earlier_find(target, &folder, e) < 0) {
        return -1;
    }
    return folder == NULL ? 0 : refuse_again(&target->dirs[0], folder, e);
}

/* When the restore of a stamp was finished, as the stamp has it. */
static char *time_of(const char *stamp)
{
    static const char FIELD[] = "\"finished\":\"";
    const char *const found = strstr(stamp, FIELD);
    const char *const text = found == NULL ? "" : found + sizeof FIELD - 1;
    const size_t size = strspn(text, "0123456789-:TZ.");
    return size == 0 ? xstrdup("unknown") : xstrndup(text, size);
}

/* A folder that no other stamp lies in: one that has none may be of this very move. */
static char *choose_folder(const struct target_dir *first, const char *stamp)
{
    autofree char *time = time_of(stamp);
    char *folder = xasprintf(TARGET_EARLIER "/%s", time);
    for (unsigned i = 2; i < SAME_TIME_MAX; i++) {
        autofree char *path = xasprintf("%s/restored", folder);
        autofd int fd = safe_path_open(first->root, path, O_PATH);
        if (fd < 0) {
            return folder;
        }
        free(folder);
        folder = xasprintf(TARGET_EARLIER "/%s-%u", time, i);
    }
    return folder; /* the move will say that it is there */
}

static int put_away(const struct target *target, const struct target_dir *dir, const char *folder,
                    const char *name, struct err *e)
{
    bool made = false;
    if (faccessat(dir->home, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT) {
        return 0;
    }
    autofd int to = safe_path_make(dir->root, folder, target->config, &made);
    if (to < 0 || (made && syncfs(dir->root) < 0) ||
        renameat2(dir->home, name, to, name, RENAME_NOREPLACE) < 0 || fsync(to) < 0 ||
        fsync(dir->home) < 0) {
        return target_disk_err(e, errno, "moving '%s/" TARGET_HOME "/%s' to '%s'", dir->path, name,
                               folder);
    }
    return 0;
}

int earlier_put_away(struct target *target, struct err *e)
{
    ASSERT(target->earlier_stamp != NULL && target->journal == NULL);
    const struct target_dir *const first = &target->dirs[0];
    autobuf struct buf stamp = BUF_INIT(TARGET_STAMP_MAX);
    const int there = target_dir_read(first, "restored", &stamp, e);
    if (there < 0) {
        return -1;
    }
    if (there == 0 || strcmp(buf_str(&stamp), target->earlier_stamp) != 0) {
        (void)err_set(e, ERR_REFUSED, "target '%s': another restore used it just now", first->path);
        e->sys = EBUSY;
        return err_hint(e, "run again to see where that one stands");
    }
    autofree char *folder = choose_folder(first, target->earlier_stamp);
    for (unsigned i = 0; i < target->dir_count; i++) {
        if (put_away(target, &target->dirs[i], folder, "replaced", e) < 0) {
            return -1;
        }
    }
    static const char *const NAMES[] = {"journal", "report.json", "after", "restored"};
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
        if (put_away(target, first, folder, NAMES[i], e) < 0) {
            return -1;
        }
    }
    return 0;
}
