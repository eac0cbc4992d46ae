#include <openssl/crypto.h>
#include <string.h>

#include "s3/creds_provider.h"

void creds_value_wipe(struct creds_value *value)
{
    OPENSSL_cleanse(value, sizeof(*value));
}

static int copy_part(char *ret, size_t room, const char *text, const char *what, struct err *e)
{
    ASSERT(room > 0 && what != NULL);
    const size_t size = strlen(text);
    if (size >= room) {
        return err_set(e, ERR_CONFIG, "the %s is longer than %zu characters", what, room - 1);
    }
    for (size_t i = 0; i < size; i++) {
        /* These go into HTTP headers: anything else would be a header of the attacker's making. */
        if (text[i] < '!' || text[i] > '~') {
            return err_set(e, ERR_CONFIG,
                           "the %s has a character that cannot be in one (number %zu)", what,
                           i + 1);
        }
    }
    memcpy(ret, text, size + 1);
    return 0;
}

static int fill(struct creds_value *ret, const char *id, const char *secret, const char *token,
                struct err *e)
{
    if (id[0] == '\0' || secret[0] == '\0') {
        return err_set(e, ERR_CONFIG, "the %s is empty",
                       id[0] == '\0' ? "access key id" : "secret access key");
    }
    if (copy_part(ret->id, sizeof(ret->id), id, "access key id", e) != 0 ||
        copy_part(ret->secret, sizeof(ret->secret), secret, "secret access key", e) != 0) {
        return -1;
    }
    return token == NULL ? 0 : copy_part(ret->token, sizeof(ret->token), token, "session token", e);
}

int creds_value_set(struct creds_value *ret, const char *source, const char *id, const char *secret,
                    const char *token, int64_t expires_ms, struct err *e)
{
    ASSERT(ret != NULL && source != NULL && id != NULL && secret != NULL);
    ASSERT(expires_ms >= 0);
    struct creds_value value = {.expires_ms = expires_ms};
    (void)snprintf(value.source, sizeof(value.source), "%s", source); /* cut: it is for reading */
    const int rc = fill(&value, id, secret, token, e);
    if (rc == 0) {
        *ret = value;
    } else {
        (void)err_wrap(e, "%s", source);
    }
    creds_value_wipe(&value);
    return rc;
}
