#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/history.h"
#include "agent/running.h"
#include "agent/safe_path.h"
#include "agent/target_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

int target_disk_err(struct err *e, int sys, const char *fmt, ...)
{
    char what[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args); /* a cut text is better than none */
    va_end(args);
    const bool denied = sys == EACCES || sys == EPERM || sys == EROFS;
    const bool full = sys == ENOSPC || sys == EDQUOT;
    return err_set_sys(e, denied || full ? ERR_CREATE : ERR_DISK, sys, "%s", what);
}

int target_dress_file(int fd, const struct config *config)
{
    /* Owner before mode: chown clears set-id bits. */
    if (config->set_owner && fchown(fd, config->owner, config->group) < 0) {
        return -1;
    }
    return config->set_mode ? fchmod(fd, config->mode) : 0;
}

void target_commit_folder(const struct plan *plan, uint32_t file, struct buf *out)
{
    buf_clear(out);
    const char *const folder = plan->files[file].target_folder;
    const bool fits = target_is_staged(plan, file) ? buf_appendf(out, TARGET_STAGE "/%s", folder)
                                                   : buf_append_str(out, folder);
    ASSERT(fits); /* target_check has refused longer ones */
}

/* True when `path` is `folder` or lies in it; both are resolved. */
static bool lies_in(const char *path, const char *folder)
{
    const size_t size = strlen(folder);
    return strncmp(path, folder, size) == 0 &&
           (path[size] == '\0' || path[size] == '/' || folder[size - 1] == '/');
}

static int open_dirs(struct target *target, const struct config *config, struct err *e)
{
    ASSERT(config->target_count >= 1 && config->target_count <= CONFIG_TARGETS_MAX);
    for (unsigned i = 0; i < config->target_count; i++) {
        target->dirs[i] = TARGET_DIR_INIT;
        target->dir_count = i + 1;
        if (target_dir_open(&target->dirs[i], config->targets[i], e) < 0) {
            return -1;
        }
        for (unsigned k = 0; k < i; k++) {
            const char *const a = target->dirs[i].path, *const b = target->dirs[k].path;
            if (lies_in(a, b) || lies_in(b, a)) {
                (void)err_set(e, ERR_CONFIG, "--into '%s': the same as '%s', or one in the other",
                              a, b);
                return err_hint(e, "give directories that lie beside each other");
            }
        }
    }
    for (unsigned i = 0; i < target->dir_count; i++) {
        if (target_dir_lock(&target->dirs[i], false, e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* A directory may be the second of another restore, whose journal is elsewhere. */
static int check_first(const struct target *target, struct err *e)
{
    for (unsigned i = 0; i < target->dir_count; i++) {
        const struct target_dir *const dir = &target->dirs[i];
        autobuf struct buf first = BUF_INIT(2 * TARGET_PATH_MAX);
        const int there = target_dir_read(dir, "first", &first, e);
        if (there < 0) {
            return -1;
        }
        if (there == 1 && (i == 0 || strcmp(buf_str(&first), target->dirs[0].path) != 0)) {
            (void)err_set(e, ERR_REFUSED, "target '%s': part of a restore that is kept in '%s'",
                          dir->path, buf_str(&first));
            return err_hint(e, "give that directory as the first --into, or choose another");
        }
        if (i > 0 && dir->home >= 0 && faccessat(dir->home, "journal", F_OK, 0) == 0) {
            (void)err_set(e, ERR_REFUSED, "target '%s': holds another restore", dir->path);
            return err_hint(e, "choose another directory, or move '%.150s/" TARGET_HOME "' away",
                            dir->path);
        }
    }
    return 0;
}

static int load_begin(struct target *target, const struct journal_line *line, struct err *e)
{
    const char *const path = target->dirs[0].path;
    if (line->numbers[0] != TARGET_FORMAT) {
        (void)err_set(e, ERR_REFUSED, "target '%s': its journal is of format %" PRIu64 ", not %d",
                      path, line->numbers[0], TARGET_FORMAT);
        return err_hint(e, "go on with the version of penates that began it");
    }
    if (strcmp(line->fields[1], target->identity) != 0) {
        (void)err_set(e, ERR_REFUSED, "target '%s': holds another restore, not finished: %.300s",
                      path, line->fields[1]);
        return err_hint(e,
                        "choose another directory, or move '%.150s/" TARGET_HOME
                        "' away to give that one up",
                        path);
    }
    target->state = TARGET_INTERRUPTED;
    target->started_ms = (int64_t)line->numbers[2];
    return 0;
}

static int load_dir(const struct target *target, const struct journal_line *line, struct err *e)
{
    const uint64_t index = line->numbers[0];
    if (index < target->dir_count && strcmp(target->dirs[index].path, line->fields[1]) == 0) {
        return 0;
    }
    (void)err_set(e, ERR_REFUSED, "target '%s': the restore there also uses '%s'",
                  target->dirs[0].path, line->fields[1]);
    return err_hint(e, "give the same --into directories in the same order");
}

static int load_until(struct target *target, const struct journal_line *line, struct err *e)
{
    if (target->pin_count == TARGET_TOKENS_MAX) {
        return err_set(e, ERR_LIMIT, "journal of '%s': more than %d tokens", target->dirs[0].path,
                       TARGET_TOKENS_MAX);
    }
    target->pins = xrealloc(target->pins, target->pin_count + 1, sizeof *target->pins);
    target->pins[target->pin_count++] = (struct token_pin){
        .token = arena_intern(target->strings, line->fields[0], strlen(line->fields[0])),
        .until_ms = (int64_t)line->numbers[1],
    };
    return 0;
}

static int load_line(void *ctx, const struct journal_line *line, struct err *e)
{
    struct target *const target = ctx;
    if (line->kind == JOURNAL_BEGIN) {
        return load_begin(target, line, e);
    }
    if (target->state == TARGET_NEW) {
        return err_set(e, ERR_REFUSED, "journal of '%s': does not start with its beginning",
                       target->dirs[0].path);
    }
    switch (line->kind) {
    case JOURNAL_DIR:
        return load_dir(target, line, e);
    case JOURNAL_UNTIL:
        return load_until(target, line, e);
    case JOURNAL_BEGIN:
    case JOURNAL_RUN:
    case JOURNAL_FILE: /* target_check reads these, when the plan is known */
    case JOURNAL_CLEARED:
    case JOURNAL_NUMBER:
    case JOURNAL_ADDING:
    case JOURNAL_ADDED:
    case JOURNAL_FAIL:
        return 0;
    }
    return 0;
}

char *target_own(const struct target *target, const char *name)
{
    return target->kept_in == NULL ? xstrdup(name) : xasprintf("%s/%s", target->kept_in, name);
}

static int load_journal(struct target *target, struct err *e)
{
    const struct target_dir *const dir = &target->dirs[0];
    autofree char *name = target_own(target, "journal");
    autofd int fd = dir->home < 0 ? -1 : safe_path_open(dir->home, name, O_RDONLY);
    if (fd < 0) {
        return dir->home < 0 || errno == ENOENT
                   ? 0
                   : target_disk_err(e, errno, "reading '%s/" TARGET_HOME "/%s'", dir->path, name);
    }
    return journal_read(fd, load_line, target, &target->journal_size, e);
}

int target_check_running(struct target *target, bool allowed, struct err *e)
{
    target->running = false;
    for (unsigned i = 0; i < target->dir_count; i++) {
        struct err found = ERR_INIT;
        if (running_check("/proc", target->dirs[i].path, &found) < 0) {
            target->running = true;
            target->running_err = found;
        }
    }
    if (target->running && !allowed) {
        *e = target->running_err;
        return -1;
    }
    return 0;
}

/* Which stamp the data volume has; *ret_why: why another's is in the way. A finished restore of
 * another selection may also make room, or have come after this one. */
static int look_at_stamp(struct target *target, enum stamp_found *ret, struct err *ret_why,
                         struct err *e)
{
    const struct config *const config = target->config;
    const int stamped = stamp_look(target, &target->earlier_stamp, ret_why);
    if (stamped < 0 && target->earlier_stamp == NULL) {
        *e = *ret_why;
        return -1;
    }
    *ret = stamped > 0 ? STAMP_SAME : stamped < 0 ? STAMP_OTHER : STAMP_NONE;
    if (stamped <= 0 && config->history != NULL && earlier_find(target, &target->kept_in, e) < 0) {
        return -1;
    }
    if (target->kept_in != NULL) {
        *ret = STAMP_SAME; /* what was done by hand since is not for a boot to undo */
    } else if (stamped < 0 && target_may_stage(config)) {
        target->earlier_err = *ret_why;
        *ret_why = ERR_INIT;
        *ret = STAMP_NONE;
    }
    return 0;
}

static int check_empty(const struct target *target, struct err *e)
{
    if (target_may_stage(target->config)) {
        return earlier_check(target, e);
    }
    for (unsigned i = 0; i < target->dir_count; i++) {
        if (preflight_empty(&target->dirs[i], e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* What the directories hold beside a stamp; *ret_why: what is foreign. */
static int look_at_data(struct target *target, enum data_found *ret, struct err *ret_why,
                        struct err *e)
{
    if (target_check_running(target, target_may_add(target->config), e) < 0 ||
        check_first(target, e) < 0) {
        return -1;
    }
    /* The journal of an earlier restore has no say in this one. */
    bool good = target->earlier_stamp != NULL || load_journal(target, ret_why) == 0;
    *ret = good && target->state == TARGET_INTERRUPTED ? DATA_OURS : DATA_EMPTY;
    good = good && (*ret == DATA_OURS || check_empty(target, ret_why) == 0);
    if (!good && ret_why->kind != ERR_REFUSED) {
        *e = *ret_why;
        return -1;
    }
    *ret = good ? *ret : DATA_FOREIGN;
    return 0;
}

/* The token stands in the journal, and only --apply-yaml asks for it. */
static int open_done(struct target *target, struct err *e)
{
    if (target->config->apply_yaml != NULL && load_journal(target, e) < 0) {
        return -1;
    }
    target->state = TARGET_DONE;
    return 0;
}

static int open_all(struct target *target, struct err *e)
{
    enum stamp_found data_stamp, root_stamp;
    enum data_found data = DATA_EMPTY;
    struct err why = ERR_INIT;
    if (open_dirs(target, target->config, e) < 0 || history_look(target, &root_stamp, e) < 0 ||
        look_at_stamp(target, &data_stamp, &why, e) < 0 ||
        (data_stamp == STAMP_NONE && look_at_data(target, &data, &why, e) < 0)) {
        return -1;
    }
    switch (history_decide(data_stamp, root_stamp, data)) {
    case DO_RESTORE:
    case DO_RESUME:
        return 0;
    case DO_NOTHING:
        return open_done(target, e);
    case REFUSE_LOST:
        return history_refuse_lost(target, e);
    case REFUSE_FOREIGN:
    case REFUSE_OTHER:
        break;
    }
    *e = why;
    return -1;
}

int target_open(const struct config *config, const char *identity, struct target **ret,
                enum target_state *ret_state, struct err *e)
{
    if (strlen(identity) > TARGET_IDENTITY_MAX) {
        return err_set(e, ERR_LIMIT, "selection: longer than %d bytes", TARGET_IDENTITY_MAX);
    }
    struct target *const target = xcalloc(1, sizeof *target);
    target->config = config;
    target->identity = xstrdup(identity);
    target->strings = arena_new();
    if (open_all(target, e) < 0) {
        target_free(target);
        return -1;
    }
    *ret = target;
    *ret_state = target->state;
    return 0;
}

void target_forget_plan(struct target *target)
{
    for (uint32_t i = 0; i < target->table_count; i++) {
        free(target->tables[i].folder);
    }
    free(TAKE_PTR(target->files));
    free(TAKE_PTR(target->tables));
    free(TAKE_PTR(target->sstables));
    target->file_count = target->table_count = 0;
}

void target_free(struct target *target)
{
    if (target == NULL) {
        return;
    }
    journal_free(target->journal);
    for (unsigned i = 0; i < target->dir_count; i++) {
        target_dir_done(&target->dirs[i]);
    }
    free(target->pins);
    arena_free(target->strings);
    target_forget_plan(target);
    free(target->earlier_stamp);
    free(target->kept_in);
    free(target->identity);
    free(target);
}

bool target_pinned_until(const struct target *target, const char *token, int64_t *ret_ms)
{
    bool found = false;
    for (size_t i = 0; i < target->pin_count; i++) {
        const int64_t until_ms = target->pins[i].until_ms;
        const bool wanted = token == NULL || strcmp(target->pins[i].token, token) == 0;
        if (wanted && (!found || until_ms > *ret_ms)) {
            *ret_ms = until_ms;
            found = true;
        }
    }
    return found;
}

void target_pin(const struct target *target, struct selection *selection)
{
    selection->pins = target->pins;
    selection->pin_count = target->pin_count;
}

void target_room(const struct target *target, uint64_t *ret_needed, uint64_t *ret_free)
{
    *ret_needed = target->room_needed;
    *ret_free = target->room_free;
}

bool target_replaced(const struct target *target, uint32_t table, uint64_t *ret_files,
                     uint64_t *ret_bytes)
{
    ASSERT(target->tables != NULL && table < target->table_count);
    *ret_files = target->tables[table].replaced_files;
    *ret_bytes = target->tables[table].replaced_bytes;
    return *ret_files > 0;
}

bool target_added(const struct target *target, uint32_t table, struct target_added *ret)
{
    ASSERT(target->tables != NULL && table < target->table_count);
    const struct target_table *const found = &target->tables[table];
    if (found->folder == NULL) {
        return false;
    }
    *ret = (struct target_added){.folder = found->folder,
                                 .renumbered = found->renumbered,
                                 .indexed = found->indexed,
                                 .unfinished = found->unfinished,
                                 .running = target->running};
    return true;
}

void target_place(const struct target *target, const struct plan *plan, uint32_t file,
                  struct buf *out)
{
    const uint32_t table = plan->files[file].table;
    char name[ADDING_NAME_SIZE];
    if (!plan->tables[table].added) {
        plan_file_target(&plan->files[file], out);
        return;
    }
    adding_name(target, plan, file, name);
    buf_clear(out);
    const bool fits = buf_appendf(out, "%s/%s", adding_folder(target, plan, table), name);
    ASSERT(fits); /* target_check has refused longer ones */
}
