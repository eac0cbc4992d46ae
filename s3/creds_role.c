#include "s3/creds_role.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/cleanup.h"

enum {
    ARN_MIN = 20, /* as the maxima in the header */
    ACCOUNT_SIZE = 12,
    NAME_MAX_SIZE = 64, /* of a role, without its path */
    EXTERNAL_ID_MIN = 2,
    EXTERNAL_ID_MAX = 1224,
    SESSION_MIN = 2,
    SECONDS_MIN = 900,
    SECONDS_MAX = 12 * 3600,
};

#define WORD "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
static const char name_alphabet[] = WORD "+=,.@-";
static const char external_id_alphabet[] = WORD "+=,.@:/-";
static const char digits[] = "0123456789";

static bool consists_of(const char *text, size_t size, const char *alphabet)
{
    return strspn(text, alphabet) >= size;
}

/* Takes "<size_min..size_max characters of the alphabet>:" off the front. */
static bool take_part(const char **at, size_t size_min, size_t size_max, const char *alphabet)
{
    const char *end = strchr(*at, ':');
    const size_t size = end == NULL ? 0 : (size_t)(end - *at);
    if (end == NULL || size < size_min || size > size_max || !consists_of(*at, size, alphabet)) {
        return false;
    }
    *at = end + 1;
    return true;
}

/* The path of a role may have any visible character (IAM API reference, CreateRole). */
static bool is_path(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '!' || text[i] > '~') {
            return false;
        }
    }
    return true;
}

/* arn:PARTITION:iam::ACCOUNT:role/[PATH/]NAME */
static bool is_role_arn(const char *arn)
{
    const size_t size = strlen(arn);
    const char *at = arn;
    if (size < ARN_MIN || size > CREDS_ROLE_ARN_MAX || strncmp(arn, "arn:aws", 7) != 0) {
        return false;
    }
    at += strlen("arn:");
    if (!take_part(&at, 3, NAME_MAX_SIZE, "abcdefghijklmnopqrstuvwxyz0123456789-") ||
        strncmp(at, "iam::", 5) != 0) {
        return false;
    }
    at += strlen("iam::");
    if (!take_part(&at, ACCOUNT_SIZE, ACCOUNT_SIZE, digits) || strncmp(at, "role/", 5) != 0) {
        return false;
    }
    at += strlen("role/");
    const char *name = creds_role_name(arn);
    const size_t name_size = strlen(name);
    return name >= at && is_path(at, (size_t)(name - at)) && name_size > 0 &&
           name_size <= NAME_MAX_SIZE && consists_of(name, name_size, name_alphabet);
}

static bool fits(const char *text, size_t size_min, size_t size_max, const char *alphabet)
{
    const size_t size = strlen(text);
    return size >= size_min && size <= size_max && consists_of(text, size, alphabet);
}

int creds_role_check(const struct creds_role *role, struct err *e)
{
    ASSERT(role->arn != NULL);
    if (!is_role_arn(role->arn)) {
        (void)err_set(e, ERR_CONFIG, "role '%.200s': not the ARN of a role", role->arn);
        return err_hint(e, "write arn:aws:iam::123456789012:role/NAME");
    }
    if (role->external_id != NULL &&
        !fits(role->external_id, EXTERNAL_ID_MIN, EXTERNAL_ID_MAX, external_id_alphabet)) {
        return err_set(e, ERR_CONFIG,
                       "role '%.200s': the external id is not one: 2 to 1224 letters, digits and "
                       "_+=,.@:/-",
                       role->arn);
    }
    if (role->session_name != NULL &&
        !fits(role->session_name, SESSION_MIN, CREDS_ROLE_SESSION_MAX, name_alphabet)) {
        return err_set(e, ERR_CONFIG,
                       "role '%.200s': the session's name is not one: 2 to 64 letters, digits and "
                       "_+=,.@-",
                       role->arn);
    }
    if (role->duration_s != 0 &&
        (role->duration_s < SECONDS_MIN || role->duration_s > SECONDS_MAX)) {
        return err_set(e, ERR_CONFIG, "role '%.200s': the duration is not within %d to %d seconds",
                       role->arn, SECONDS_MIN, SECONDS_MAX);
    }
    return 0;
}

const char *creds_role_name(const char *arn)
{
    const char *slash = strrchr(arn, '/');
    return slash == NULL ? arn : slash + 1;
}

void creds_role_session_of(const char *machine, char ret[CREDS_ROLE_SESSION_MAX + 1])
{
    ASSERT(machine != NULL);
    const int size = snprintf(ret, CREDS_ROLE_SESSION_MAX + 1, "penates-%s", machine);
    ASSERT(size >= SESSION_MIN);
    for (char *c = ret + strspn(ret, name_alphabet); *c != '\0'; c += strspn(c, name_alphabet)) {
        *c = '-';
    }
}

/* EC2 User Guide, "Detect whether a host is an EC2 instance": on Nitro the board's asset tag is the
 * instance's id. Asking the metadata service would cost a machine elsewhere seconds. */
static bool read_instance_id(char *ret, size_t size)
{
    autofd const int fd = open("/sys/devices/virtual/dmi/id/board_asset_tag", O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);
    if (n <= 0) {
        return false;
    }
    ret[n] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
    return strncmp(ret, "i-", 2) == 0;
}

void creds_role_session(char ret[CREDS_ROLE_SESSION_MAX + 1])
{
    char machine[256];
    if (!read_instance_id(machine, sizeof(machine)) &&
        gethostname(machine, sizeof(machine) - 1) != 0) {
        machine[0] = '\0';
    }
    machine[sizeof(machine) - 1] = '\0';
    creds_role_session_of(machine, ret);
}
