#include "s3/creds_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "agent/base/mem.h"

/* Real ones have some KiB; a bound keeps a mistaken path from eating the memory. */
enum { FILE_SIZE_MAX = 1024 * 1024 };

static const struct {
    const char *variable;
    const char *usual; /* below HOME */
} locations[] = {
    [CREDS_FILE_CREDENTIALS] = {"AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"},
    [CREDS_FILE_CONFIG] = {"AWS_CONFIG_FILE", ".aws/config"},
};
_Static_assert(ARRAY_SIZE(locations) == CREDS_FILES, "one place for each file");

void creds_shared_done(struct creds_shared *shared)
{
    for (unsigned i = 0; i < CREDS_FILES; i++) {
        struct creds_shared_file *file = &shared->files[i];
        if (file->text != NULL) {
            OPENSSL_cleanse(file->text, file->size);
        }
        free(file->text);
        free(file->path);
    }
    *shared = (struct creds_shared){.files = {{.path = NULL}}};
}

static char *find_path(const struct creds_system *system, enum creds_file file)
{
    const char *given = creds_env(system, locations[file].variable);
    const char *home = creds_env(system, "HOME");
    if (given != NULL && (strncmp(given, "~/", 2) != 0 || home == NULL)) {
        return xstrdup(given);
    }
    return home == NULL
               ? NULL
               : xasprintf("%s/%s", home, given != NULL ? given + 2 : locations[file].usual);
}

/* Whole, so that no copy of a secret is left behind by growing: calloc's untouched pages cost
 * nothing. */
static int read_all(int fd, const char *path, char *text, size_t size_max, size_t *ret_size,
                    struct err *e)
{
    while (*ret_size < size_max) {
        const ssize_t n = read(fd, text + *ret_size, size_max - *ret_size);
        if (n == 0) {
            return 0;
        }
        if (n > 0) {
            *ret_size += (size_t)n;
        } else if (errno != EINTR) {
            return err_set_sys(e, ERR_CONFIG, errno, "reading '%s'", path);
        }
    }
    return err_set(e, ERR_CONFIG, "reading '%s': it has %zu bytes or more", path, size_max);
}

int creds_read_text(const char *path, size_t size_max, char **ret_text, size_t *ret_size,
                    struct err *e)
{
    ASSERT(path != NULL && size_max > 0);
    /* A pipe that nobody writes to would be waited for without an end. */
    autofd const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        const bool is_missing = errno == ENOENT || errno == ENOTDIR;
        return err_set_sys(e, is_missing ? ERR_NOT_FOUND : ERR_CONFIG, errno, "reading '%s'", path);
    }
    autofree char *text = xcalloc(size_max + 1, 1);
    size_t size = 0;
    if (read_all(fd, path, text, size_max, &size, e) != 0) {
        OPENSSL_cleanse(text, size);
        return -1;
    }
    *ret_text = TAKE_PTR(text);
    *ret_size = size;
    return 0;
}

const char *creds_shared_name(const struct creds_system *system, const char *option,
                              bool *ret_named)
{
    static const char *const variables[] = {"AWS_DEFAULT_PROFILE", "AWS_PROFILE"}; /* botocore */
    const char *named = option;
    for (size_t i = 0; i < ARRAY_SIZE(variables) && named == NULL; i++) {
        named = creds_env(system, variables[i]);
    }
    *ret_named = named != NULL;
    return named != NULL ? named : "default";
}

static int load_file(struct creds_shared *shared, enum creds_file which, struct err *e)
{
    struct creds_shared_file *file = &shared->files[which];
    if (creds_read_text(file->path, FILE_SIZE_MAX, &file->text, &file->size, e) != 0) {
        return e->kind == ERR_NOT_FOUND ? 0 : -1;
    }
    if (creds_profile_add(&shared->profile, which, file->text, file->size, e) != 0) {
        return err_wrap(e, "reading '%s'", file->path);
    }
    return 0;
}

int creds_shared_load(const struct creds_system *system, const char *name, struct creds_shared *ret,
                      struct err *e)
{
    ASSERT(system != NULL && name != NULL);
    ASSERT(ret->profile.name == NULL);
    ret->profile.name = name;
    for (unsigned i = 0; i < CREDS_FILES; i++) {
        ret->files[i].path = find_path(system, (enum creds_file)i);
        ret->profile.paths[i] = ret->files[i].path;
        if (ret->files[i].path != NULL && load_file(ret, (enum creds_file)i, e) != 0) {
            return -1;
        }
    }
    return 0;
}

static const char *or_nowhere(const char *path)
{
    return path == NULL ? "nowhere (HOME is not set)" : path;
}

int creds_shared_missing(const struct creds_shared *shared, enum err_kind kind, struct err *e)
{
    ASSERT(!creds_profile_exists(&shared->profile));
    (void)err_set(e, kind, "profile '%.100s': neither in %.150s nor in %.150s",
                  shared->profile.name, or_nowhere(shared->files[CREDS_FILE_CREDENTIALS].path),
                  or_nowhere(shared->files[CREDS_FILE_CONFIG].path));
    return kind == ERR_CONFIG ? err_hint(e, "check the profile's name: aws configure list-profiles")
                              : -1;
}

char *creds_shared_setting(const struct creds_system *system, const char *option,
                           const char *variable, enum creds_property property)
{
    const char *said = variable == NULL ? NULL : creds_env(system, variable);
    if (said != NULL) {
        return xstrdup(said);
    }
    bool is_named = false;
    struct creds_shared shared = {.files = {{.path = NULL}}};
    struct err ignored = ERR_INIT; /* creds_get tells it */
    if (creds_shared_load(system, creds_shared_name(system, option, &is_named), &shared,
                          &ignored) == 0) {
        said = creds_profile_get(&shared.profile, property);
    }
    char *copy = said == NULL ? NULL : xstrdup(said);
    creds_shared_done(&shared);
    return copy;
}

bool creds_shared_is_true(const struct creds_system *system, const char *option,
                          const char *variable, enum creds_property property)
{
    autofree char *value = creds_shared_setting(system, option, variable, property);
    return value != NULL && strcasecmp(value, "true") == 0;
}
