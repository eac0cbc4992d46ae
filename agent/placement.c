#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/target_internal.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/statvfs.h>

enum {
    JOURNAL_PER_FILE = 512,    /* a line has 200 to 400 bytes with usual names */
    SLACK_BYTES = 1024 * 1024, /* directories, report and stamp */
};

/* One file system; several directories may lie on it. */
struct volume {
    dev_t device;
    uint64_t unit;               /* bytes that space is given out in */
    uint64_t free, needed;       /* bytes */
    uint64_t inodes_free, files; /* inodes_free is UINT64_MAX where they are made on demand */
    const char *path;            /* of its first directory */
};

struct placement {
    struct target *target;
    const struct plan *plan;
    struct volume volumes[CONFIG_TARGETS_MAX];
    unsigned volume_count;
    unsigned volume_of[CONFIG_TARGETS_MAX]; /* of each directory */
    uint64_t assigned[CONFIG_TARGETS_MAX];  /* bytes, to each directory */
};

static int add_dir(struct placement *place, unsigned index, struct err *e)
{
    const struct target_dir *const dir = &place->target->dirs[index];
    autofree char *above = xstrndup(dir->path, dir->exists);
    struct statvfs fs;
    struct stat st;
    if (stat(above, &st) < 0 || statvfs(above, &fs) < 0) {
        return err_set_sys(e, ERR_CREATE, errno, "file system of '%s'", dir->path);
    }
    unsigned i = 0;
    while (i < place->volume_count && place->volumes[i].device != st.st_dev) {
        i++;
    }
    place->volume_of[index] = i;
    if (i == place->volume_count) {
        const uint64_t unit = fs.f_frsize > 0 ? fs.f_frsize : 4096;
        place->volumes[place->volume_count++] = (struct volume){
            .device = st.st_dev,
            .unit = unit,
            .free = fs.f_bavail * unit,
            .needed = SLACK_BYTES,
            .inodes_free = fs.f_files == 0 ? UINT64_MAX : fs.f_favail,
            .path = dir->path,
        };
    }
    return 0;
}

/* Bytes on disk of a file to come. */
static uint64_t file_need(const struct volume *volume, const struct plan_file *file)
{
    ASSERT(volume->unit > 0);
    const uint64_t size = file->plain_size == PLAN_SIZE_UNKNOWN ? file->size : file->plain_size;
    uint64_t up;
    /* A size that cannot be rounded up cannot be stored either: it fails the room check. */
    return add_u64(size, volume->unit - 1, &up) ? up / volume->unit * volume->unit : size;
}

static void put_file(struct placement *place, uint32_t index, unsigned dir)
{
    ASSERT(dir < place->target->dir_count);
    struct target_file *const file = &place->target->files[index];
    if (file->state == FILE_DONE) {
        return;
    }
    struct volume *const volume = &place->volumes[place->volume_of[dir]];
    const uint64_t need = file_need(volume, &place->plan->files[index]);
    file->dir = (uint8_t)dir;
    volume->files++;
    if (!add_u64(volume->needed, need, &volume->needed)) {
        volume->needed = UINT64_MAX;
    }
    if (!add_u64(place->assigned[dir], need, &place->assigned[dir])) {
        place->assigned[dir] = UINT64_MAX;
    }
}

static uint64_t room_left(const struct placement *place, unsigned dir)
{
    const struct volume *const volume = &place->volumes[place->volume_of[dir]];
    return volume->free > volume->needed ? volume->free - volume->needed : 0;
}

/* The directory with the most room; of those on one file system, the one that got the least. */
static unsigned roomiest(const struct placement *place)
{
    unsigned best = 0;
    for (unsigned i = 1; i < place->target->dir_count; i++) {
        const uint64_t room = room_left(place, i), most = room_left(place, best);
        if (room > most || (room == most && place->assigned[i] < place->assigned[best])) {
            best = i;
        }
    }
    return best;
}

/* Where an earlier run has put a part of the SSTable, there the rest goes. */
static unsigned sstable_dir(const struct placement *place, const struct plan_sstable *sstable)
{
    for (uint32_t i = 0; i < sstable->count; i++) {
        const struct target_file *const file = &place->target->files[sstable->first + i];
        if (file->state != FILE_TO_COME) {
            return file->dir;
        }
    }
    return roomiest(place);
}

static void put_all(struct placement *place)
{
    enum { NO_DIR = CONFIG_TARGETS_MAX };
    const struct plan *const plan = place->plan;
    autofree uint8_t *table_dir = xcalloc((size_t)plan->table_count + 1, 1);
    memset(table_dir, NO_DIR, plan->table_count);
    for (uint32_t i = 0; i < plan->sstable_count; i++) {
        const struct plan_sstable *const sstable = &plan->sstables[i];
        ASSERT(sstable->first + sstable->count <= plan->file_count);
        const unsigned dir = sstable_dir(place, sstable);
        for (uint32_t k = 0; k < sstable->count; k++) {
            put_file(place, sstable->first + k, dir);
        }
        const uint32_t table = plan->files[sstable->first].table;
        if (table_dir[table] == NO_DIR) {
            table_dir[table] = (uint8_t)dir;
        }
    }
    for (uint32_t i = 0; i < plan->file_count; i++) {
        const struct plan_file *const file = &plan->files[i];
        if (file->sstable != PLAN_NONE) {
            continue;
        }
        const struct target_file *const known = &place->target->files[i];
        if (known->state != FILE_TO_COME) {
            put_file(place, i, known->dir);
            continue;
        }
        if (table_dir[file->table] == NO_DIR) {
            table_dir[file->table] = (uint8_t)roomiest(place);
        }
        put_file(place, i, table_dir[file->table]);
    }
}

static int check_volume(const struct placement *place, const struct volume *volume, struct err *e)
{
    if (volume->needed > volume->free) {
        char needed[BYTES_TEXT_SIZE], free_text[BYTES_TEXT_SIZE];
        (void)err_set(e, ERR_CREATE, "target '%s': not enough space: %s%s needed, %s free",
                      volume->path, place->plan->plain_bytes_exact ? "" : "at least ",
                      format_bytes(volume->needed, needed), format_bytes(volume->free, free_text));
        return err_hint(e, "make room there, or add another --into on a disk that has it");
    }
    if (volume->files > volume->inodes_free) {
        (void)err_set(e, ERR_CREATE,
                      "target '%s': not enough inodes: %" PRIu64 " needed, %" PRIu64 " free",
                      volume->path, volume->files, volume->inodes_free);
        return err_hint(e, "use a file system made for more files");
    }
    return 0;
}

int placement_choose(struct target *target, const struct plan *plan, struct err *e)
{
    ASSERT(target->files != NULL);
    struct placement place = {.target = target, .plan = plan};
    for (unsigned i = 0; i < target->dir_count; i++) {
        if (add_dir(&place, i, e) < 0) {
            return -1;
        }
    }
    place.volumes[place.volume_of[0]].needed += JOURNAL_PER_FILE * (uint64_t)plan->file_count;
    put_all(&place);
    target->room_needed = 0;
    target->room_free = 0;
    for (unsigned i = 0; i < place.volume_count; i++) {
        if (!add_u64(target->room_needed, place.volumes[i].needed, &target->room_needed)) {
            target->room_needed = UINT64_MAX;
        }
        target->room_free += place.volumes[i].free;
    }
    for (unsigned i = 0; i < place.volume_count; i++) {
        if (check_volume(&place, &place.volumes[i], e) < 0) {
            return -1;
        }
    }
    return 0;
}
