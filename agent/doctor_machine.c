#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/doctor.h"
#include "agent/identity.h"
#include "agent/target.h"
#include "agent/target_dir.h"

enum {
    /* Beside a descriptor for each connection: files under way, libraries, the journal. */
    FILES_SPARE = 256,
    KIND_SIZE = 16,
};

/* What a restore asks of the directories before it knows its plan. Looks only. */
static bool check_target(const struct doctor *doctor)
{
    const struct config *const config = &doctor->config;
    const char *const name = doctor->source != NULL ? doctor->source->name : doctor->config.source;
    autofree char *identity = identity_of(config, name);
    struct target *target = NULL;
    enum target_state state = TARGET_NEW;
    struct err e = ERR_INIT;
    const bool good = target_open(config, identity, &target, &state, &e) == 0 &&
                      target_check_rights(target, &e) == 0;
    if (!good) {
        findings_fail(doctor->findings, "target", &e);
    } else if (state == TARGET_DONE) {
        findings_ok(doctor->findings, "target", "%s: holds this restore already",
                    config->targets[0]);
    } else if (state == TARGET_INTERRUPTED) {
        findings_ok(doctor->findings, "target", "%s: a restore goes on with one that was cut short",
                    config->targets[0]);
    } else {
        findings_ok(doctor->findings, "target", "%s: nothing in the way, no Cassandra at work",
                    config->targets[0]);
    }
    target_free(target);
    return good;
}

/* The kinds that statfs(2) tells by number and that a data directory may lie on. */
static const char *disk_kind(const struct statfs *fs, char text[KIND_SIZE])
{
    static const struct {
        uint64_t magic;
        const char *name;
    } KINDS[] = {
        {0xef53, "ext4"},      {0x58465342, "xfs"},     {0x9123683e, "btrfs"},
        {0x01021994, "tmpfs"}, {0x794c7630, "overlay"}, {0x6969, "nfs"},
        {0x65735546, "fuse"},  {0x2fc12fc1, "zfs"},     {0xf2f52010, "f2fs"},
    };
    const uint64_t magic = (uint64_t)fs->f_type;
    for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++) {
        if (KINDS[i].magic == magic) {
            return KINDS[i].name;
        }
    }
    (void)snprintf(text, KIND_SIZE, "0x%" PRIx64, magic & UINT32_MAX); /* fits */
    return text;
}

/* Written, synced and given away as a restored file is; its names are gone at once. */
static int try_file(const struct config *config, const char *folder, bool *ret_links, struct err *e)
{
    autofree char *name = xasprintf("%s/.penates-doctor-%ld", folder, (long)getpid());
    autofree char *other = xasprintf("%s-link", name);
    autofd int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return err_set_sys(e, ERR_CREATE, errno, "cannot make a file in '%s'", folder);
    }
    *ret_links = link(name, other) == 0 && unlink(other) == 0;
    if (unlink(name) != 0) {
        return err_set_sys(e, ERR_CREATE, errno, "cannot remove '%s'", name);
    }
    if (config->set_owner && fchown(fd, config->owner, config->group) != 0) {
        return err_set_sys(e, ERR_CREATE, errno, "--owner: cannot give a file in '%s' away",
                           folder);
    }
    static const char PAGE[4096];
    const ssize_t size = write(fd, PAGE, sizeof(PAGE));
    if (size != (ssize_t)sizeof(PAGE)) {
        return err_set_sys(e, ERR_CREATE, size < 0 ? errno : ENOSPC, "cannot write in '%s'",
                           folder);
    }
    return fsync(fd) == 0 ? 0
                          : err_set_sys(e, ERR_DISK, errno, "cannot sync a file in '%s'", folder);
}

static int look_at_disk(const struct config *config, const char *path, const char *folder,
                        bool may_write, char **ret_text, struct err *e)
{
    struct statfs fs;
    struct statvfs vfs;
    if (statfs(folder, &fs) != 0 || statvfs(folder, &vfs) != 0) {
        return err_set_sys(e, ERR_CREATE, errno, "file system of '%s'", path);
    }
    bool links = true;
    if (may_write && try_file(config, folder, &links, e) != 0) {
        return -1;
    }
    char free_text[BYTES_TEXT_SIZE], kind[KIND_SIZE], inodes[48] = "";
    if (vfs.f_files > 0) { /* else they are made on demand */
        (void)snprintf(inodes, sizeof(inodes), ", %" PRIu64 " inodes free",
                       (uint64_t)vfs.f_favail); /* fits */
    }
    *ret_text = xasprintf("%s: %s free%s, %s%s%s", path,
                          format_bytes((uint64_t)vfs.f_bavail * vfs.f_frsize, free_text), inodes,
                          disk_kind(&fs, kind), may_write ? ", takes and syncs files" : "",
                          links ? "" : ", no hard links");
    return 0;
}

static void check_disk(const struct doctor *doctor, const char *given, bool may_write)
{
    struct target_dir dir = TARGET_DIR_INIT;
    struct err e = ERR_INIT;
    autofree char *text = NULL;
    if (target_dir_open(&dir, given, &e) != 0) {
        findings_fail(doctor->findings, "disk", &e);
        target_dir_done(&dir);
        return;
    }
    autofree char *folder = xstrndup(dir.path, dir.exists);
    if (look_at_disk(&doctor->config, dir.path, folder, may_write, &text, &e) != 0) {
        findings_fail(doctor->findings, "disk", &e);
    } else {
        findings_ok(doctor->findings, "disk", "%s", text);
    }
    target_dir_done(&dir);
}

static void check_limits(const struct doctor *doctor)
{
    const struct config *const config = &doctor->config;
    struct rlimit files = {.rlim_max = RLIM_INFINITY};
    (void)getrlimit(RLIMIT_NOFILE, &files); /* cannot fail for this resource */
    char memory[BYTES_TEXT_SIZE], open_files[32] = "unlimited";
    if (files.rlim_max != RLIM_INFINITY) {
        (void)snprintf(open_files, sizeof(open_files), "%" PRIu64, (uint64_t)files.rlim_max);
    }
    autofree char *text =
        xasprintf("%s of memory, %u decoding and %u network threads, %u connections, %s open files",
                  format_bytes(config->memory, memory), config->threads, config->net_threads,
                  config->connections, open_files);
    if (files.rlim_max < (rlim_t)config->connections + FILES_SPARE) {
        findings_warn(doctor->findings, "limits",
                      "raise the limit (ulimit -n, LimitNOFILE=), or give fewer --connections",
                      "%s", text);
    } else {
        findings_ok(doctor->findings, "limits", "%s", text);
    }
}

void doctor_machine(const struct doctor *doctor)
{
    const struct config *const config = &doctor->config;
    if (config->target_count == 0) {
        findings_skip(doctor->findings, "target", "no --into was given");
    } else {
        /* Nothing is tried out where a restore would not write. */
        const bool may_write = check_target(doctor);
        for (unsigned i = 0; i < config->target_count; i++) {
            check_disk(doctor, config->targets[i], may_write);
        }
    }
    check_limits(doctor);
}
