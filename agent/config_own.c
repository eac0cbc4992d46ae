#include "agent/config_own.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/parse.h"

char *config_own_text(struct config *config, const char *text)
{
    struct config_memory *own = config->own;
    ASSERT(own != NULL);
    own->texts = (char **)xrealloc(own->texts, own->text_count + 1, sizeof(char *));
    own->texts[own->text_count] = xstrdup(text);
    own->text_count++;
    return own->texts[own->text_count - 1];
}

static bool parse_id(const char *text, uint32_t *ret)
{
    uint64_t id;
    /* The highest number means "leave it" to chown(2). */
    if (!parse_u64(text, strlen(text), &id) || id >= UINT32_MAX) {
        return false;
    }
    *ret = (uint32_t)id;
    return true;
}

enum { NAME_SERVICE_SIZE = 16384 }; /* a passwd or group entry; glibc suggests 1024 */

static bool find_user(const char *name, uid_t *ret_owner, gid_t *ret_group)
{
    autofree char *space = (char *)xcalloc(1, NAME_SERVICE_SIZE);
    struct passwd entry;
    struct passwd *found = NULL;
    if (getpwnam_r(name, &entry, space, NAME_SERVICE_SIZE, &found) != 0 || found == NULL) {
        return false;
    }
    *ret_owner = entry.pw_uid;
    *ret_group = entry.pw_gid;
    return true;
}

static bool find_group(const char *name, gid_t *ret_group)
{
    autofree char *space = (char *)xcalloc(1, NAME_SERVICE_SIZE);
    struct group entry;
    struct group *found = NULL;
    if (getgrnam_r(name, &entry, space, NAME_SERVICE_SIZE, &found) != 0 || found == NULL) {
        return false;
    }
    *ret_group = entry.gr_gid;
    return true;
}

bool config_find_owner(const char *text, uid_t *ret_owner, gid_t *ret_group, const char **ret_why)
{
    const char *colon = strchr(text, ':');
    autofree char *user = xstrndup(text, colon == NULL ? strlen(text) : (size_t)(colon - text));
    const char *group = colon == NULL ? NULL : colon + 1;
    uid_t owner;
    gid_t owner_group = 0;
    const bool named = find_user(user, &owner, &owner_group);
    if (!named && !parse_id(user, &owner)) {
        *ret_why = "names no user of this machine";
        return false;
    }
    if (group == NULL && !named) {
        *ret_why = "has no group, and the number is no user of this machine";
        return false;
    }
    if (group != NULL && !find_group(group, &owner_group) && !parse_id(group, &owner_group)) {
        *ret_why = "names no group of this machine";
        return false;
    }
    *ret_owner = owner;
    *ret_group = owner_group;
    return true;
}

unsigned config_cores(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    /* Affinity is what a container's cpuset shows; sysconf counts cores that we may not use. */
    const int cores = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    return cores < 1 ? 1 : (unsigned)cores;
}

uint64_t config_memory_for(uint64_t ram)
{
    const uint64_t least = UINT64_C(64) << 20;
    const uint64_t most = UINT64_C(4) << 30;
    const uint64_t share = ram / 8;
    return share < least ? least : share > most ? most : share;
}

uint64_t config_cgroup_limit(const char *text)
{
    uint64_t bytes;
    return parse_u64(text, strcspn(text, "\n"), &bytes) ? bytes : UINT64_MAX;
}

/* A small file of /proc or /sys, NUL-terminated; false: there is none. */
static bool read_small(const char *path, char *ret, size_t ret_size)
{
    ASSERT(ret_size > 1);
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    const ssize_t size = read(fd, ret, ret_size - 1);
    if (size < 0) {
        return false;
    }
    ret[size] = '\0';
    return true;
}

/*
 * The lowest memory limit on the way from `path` up to the root of the hierarchy: any of them
 * binds. `path` is cut in place.
 */
static uint64_t lowest_limit(const char *root, char *path, const char *file)
{
    uint64_t lowest = UINT64_MAX;
    for (;;) {
        char text[64];
        autofree char *name = xasprintf("%s%s/%s", root, path, file);
        const uint64_t limit =
            read_small(name, text, sizeof(text)) ? config_cgroup_limit(text) : UINT64_MAX;
        lowest = limit < lowest ? limit : lowest;
        char *slash = strrchr(path, '/');
        if (slash == NULL) {
            return lowest;
        }
        *slash = '\0';
    }
}

/*
 * /proc/self/cgroup holds "0::/path" for version 2 and "N:...,memory,...:/path" for version 1. In a
 * container the path is often that of the host while only its own end is mounted; the walk up ends
 * at the root of the mount, which is the container's limit.
 */
static uint64_t cgroup_limit(void)
{
    char text[4096];
    uint64_t lowest = UINT64_MAX;
    if (!read_small("/proc/self/cgroup", text, sizeof(text))) {
        return lowest;
    }
    for (char *line = text; *line != '\0';) {
        char *next = line + strcspn(line, "\n");
        next += *next == '\0' ? 0 : 1;
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
        if (path != NULL) {
            *path = '\0';
            path++;
            controllers++;
            uint64_t limit = UINT64_MAX;
            if (controllers[0] == '\0') {
                limit = lowest_limit("/sys/fs/cgroup", path, "memory.max");
            } else if (strstr(controllers, "memory") != NULL) {
                limit = lowest_limit("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes");
            }
            lowest = limit < lowest ? limit : lowest;
        }
        line = next;
    }
    return lowest;
}

bool config_owner_of(const char *path, uid_t *ret_owner, gid_t *ret_group)
{
    /* What a user namespace shows for an owner outside of it: nothing can be given to that one. */
    enum { OVERFLOW_ID = 65534 };
    autofree char *copy = xstrdup(path);
    const char *at = copy;
    struct stat st;
    while (stat(at, &st) != 0) {
        if (errno != ENOENT || strcmp(at, "/") == 0 || strcmp(at, ".") == 0) {
            return false;
        }
        at = dirname(copy); /* cuts the copy, or is "." */
    }
    *ret_owner = st.st_uid;
    *ret_group = st.st_gid;
    return st.st_uid != 0 && st.st_uid != OVERFLOW_ID && st.st_gid != OVERFLOW_ID;
}

uint64_t config_default_memory(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES);
    const long page_size = sysconf(_SC_PAGESIZE);
    ASSERT(pages > 0 && page_size > 0);
    const uint64_t ram = (uint64_t)pages * (uint64_t)page_size;
    const uint64_t limit = cgroup_limit();
    return config_memory_for(limit < ram ? limit : ram);
}
