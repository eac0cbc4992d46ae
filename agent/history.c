#include "agent/history.h"

#include <errno.h>
#include <fcntl.h>

#include "agent/base/mem.h"
#include "agent/target_internal.h"

#define HISTORY_NAME "history"

enum history_verdict history_decide(enum stamp_found data_stamp, enum stamp_found root_stamp,
                                    enum data_found data)
{
    if (data_stamp != STAMP_NONE) {
        return data_stamp == STAMP_SAME ? DO_NOTHING : REFUSE_OTHER;
    }
    /* Whichever restore it was: the machine had a node's data, and has it no longer. */
    if (root_stamp != STAMP_NONE) {
        return REFUSE_LOST;
    }
    switch (data) {
    case DATA_EMPTY:
        return DO_RESTORE;
    case DATA_OURS:
        return DO_RESUME;
    case DATA_FOREIGN:
        break;
    }
    return REFUSE_FOREIGN;
}

static int open_folder(const struct target *target, struct err *e)
{
    const char *const path = target->config->history;
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0) {
        (void)err_set_sys(e, ERR_CREATE, errno, "--history '%s'", path);
        if (fd >= 0) {
            (void)close(fd); /* a directory */
        }
        return err_hint(e, "make it, on the root volume, for the user who runs penates");
    }
    return fd;
}

/* *ret: what is in the open HISTORY. */
static int look_in(const struct target *target, int folder, enum stamp_found *ret, struct err *e)
{
    autofd int fd = safe_path_open(folder, HISTORY_NAME, O_RDONLY);
    if (fd < 0 && errno == ENOENT) {
        *ret = STAMP_NONE;
        return 0;
    }
    autofree char *text = xcalloc(1, TARGET_STAMP_MAX);
    const ssize_t size = fd < 0 ? -1 : pread(fd, text, TARGET_STAMP_MAX - 1, 0);
    if (size < 0) {
        return err_set_sys(e, ERR_CREATE, errno, "reading '%s/" HISTORY_NAME "'",
                           target->config->history);
    }
    *ret = stamp_is_of(target, text) ? STAMP_SAME : STAMP_OTHER;
    return 0;
}

int history_look(const struct target *target, enum stamp_found *ret, struct err *e)
{
    ASSERT(target->identity != NULL);
    if (target->config->history == NULL) {
        *ret = STAMP_NONE;
        return 0;
    }
    autofd int folder = open_folder(target, e);
    return folder < 0 ? -1 : look_in(target, folder, ret, e);
}

int history_refuse_lost(const struct target *target, struct err *e)
{
    ASSERT(target->config->history != NULL);
    (void)err_set(e, ERR_REFUSED,
                  "target '%s': its data is gone: '%s/" HISTORY_NAME
                  "' says that a restore was finished on this machine",
                  target->dirs[0].path, target->config->history);
    return err_hint(e,
                    "replace the node as Cassandra does (replace_address_first_boot); if it never "
                    "served, move '" HISTORY_NAME "' away");
}

int target_keep_history(const struct target *target, struct err *e)
{
    ASSERT(target->dir_count > 0);
    enum stamp_found found = STAMP_NONE;
    if (target->config->history == NULL) {
        return 0;
    }
    autofd int folder = open_folder(target, e);
    if (folder < 0 || look_in(target, folder, &found, e) != 0) {
        return -1;
    }
    if (found == STAMP_SAME) {
        return 0;
    }
    autofree char *text = stamp_of_history(target);
    if (target_dir_put(folder, HISTORY_NAME, text, target->config) < 0) {
        return target_disk_err(e, errno, "writing '%s/" HISTORY_NAME "'", target->config->history);
    }
    return 0;
}
