#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "s3/creds_profile.h"
#include "s3/creds_provider.h"

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

struct shared_file {
    char *path; /* owned; NULL: no variable and no HOME, so nowhere */
    char *text; /* owned, wiped; NULL: there is no such file */
    size_t size;
};

struct shared_files {
    struct shared_file each[CREDS_FILES];
};

static void free_files(struct shared_files *files)
{
    for (unsigned i = 0; i < CREDS_FILES; i++) {
        struct shared_file *file = &files->each[i];
        if (file->text != NULL) {
            OPENSSL_cleanse(file->text, file->size);
        }
        free(file->text);
        free(file->path);
    }
}

#define auto_files __attribute__((cleanup(free_files)))

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
static int read_all(int fd, struct shared_file *file, struct err *e)
{
    file->text = xcalloc(FILE_SIZE_MAX + 1, 1);
    while (file->size < FILE_SIZE_MAX) {
        const ssize_t n = read(fd, file->text + file->size, FILE_SIZE_MAX - file->size);
        if (n == 0) {
            return 0;
        }
        if (n > 0) {
            file->size += (size_t)n;
        } else if (errno != EINTR) {
            return err_set_sys(e, ERR_CONFIG, errno, "reading '%s'", file->path);
        }
    }
    return err_set(e, ERR_CONFIG, "reading '%s': it has %d bytes or more", file->path,
                   FILE_SIZE_MAX);
}

static int load_file(struct shared_file *file, struct err *e)
{
    if (file->path == NULL) {
        return 0;
    }
    autofd const int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR
                   ? 0
                   : err_set_sys(e, ERR_CONFIG, errno, "reading '%s'", file->path);
    }
    return read_all(fd, file, e);
}

static int load_profile(const struct creds_system *system, struct shared_files *files,
                        struct creds_profile *profile, struct err *e)
{
    for (unsigned i = 0; i < CREDS_FILES; i++) {
        struct shared_file *file = &files->each[i];
        file->path = find_path(system, (enum creds_file)i);
        if (load_file(file, e) != 0) {
            return -1;
        }
        if (file->text != NULL &&
            creds_profile_add(profile, (enum creds_file)i, file->text, file->size, e) != 0) {
            return err_wrap(e, "reading '%s'", file->path);
        }
    }
    return 0;
}

static const char *or_nowhere(const char *path)
{
    return path == NULL ? "nowhere (HOME is not set)" : path;
}

static int not_there(const struct shared_files *files, const struct creds_profile *profile,
                     bool is_named, struct err *e)
{
    (void)err_set(e, is_named ? ERR_CONFIG : ERR_NOT_FOUND,
                  "profile '%.100s': neither in %.150s nor in %.150s", profile->name,
                  or_nowhere(files->each[CREDS_FILE_CREDENTIALS].path),
                  or_nowhere(files->each[CREDS_FILE_CONFIG].path));
    return is_named ? err_hint(e, "check the profile's name: aws configure list-profiles") : -1;
}

int creds_file_read(const struct creds_system *system, const char *profile_name,
                    struct creds_value *ret, struct err *e)
{
    ASSERT(system != NULL && ret != NULL);
    const char *named = profile_name != NULL ? profile_name : creds_env(system, "AWS_PROFILE");
    struct creds_profile profile = {.name = named != NULL ? named : "default"};
    auto_files struct shared_files files = {.each = {{.path = NULL}}};
    if (load_profile(system, &files, &profile, e) != 0) {
        return -1;
    }
    if (!profile.exists[CREDS_FILE_CREDENTIALS] && !profile.exists[CREDS_FILE_CONFIG]) {
        return not_there(&files, &profile, named != NULL, e);
    }
    return creds_profile_value(&profile, ret, e);
}

char *creds_file_region(const struct creds_system *system, const char *profile_name)
{
    ASSERT(system != NULL);
    const char *named = profile_name != NULL ? profile_name : creds_env(system, "AWS_PROFILE");
    struct creds_profile profile = {.name = named != NULL ? named : "default"};
    auto_files struct shared_files files = {.each = {{.path = NULL}}};
    struct err ignored = ERR_INIT; /* creds_get tells it */
    if (load_profile(system, &files, &profile, &ignored) != 0) {
        return NULL;
    }
    const char *region = creds_profile_region(&profile);
    return region == NULL ? NULL : xstrdup(region);
}
