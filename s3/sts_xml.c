#include "s3/sts_xml.h"

#include <openssl/crypto.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "s3/creds_provider.h"
#include "s3/xml.h"

/* <AssumeRole[WithWebIdentity]Response><...Result><Credentials> and these four in it. */
enum { ID, SECRET, TOKEN, EXPIRATION, PARTS };
static const char *const part_names[PARTS] = {
    [ID] = "AccessKeyId",
    [SECRET] = "SecretAccessKey",
    [TOKEN] = "SessionToken",
    [EXPIRATION] = "Expiration",
};
enum { CREDENTIALS_DEPTH = 2 };

struct reading {
    bool is_answer, is_inside;
    bool has[PARTS];
    char texts[PARTS][CREDS_TOKEN_MAX]; /* the token is the longest */
};

static void on_begin(void *ctx, const char *name, unsigned depth)
{
    struct reading *reading = ctx;
    if (depth == 0) {
        reading->is_answer = strncmp(name, "AssumeRole", 10) == 0;
    } else if (depth == CREDENTIALS_DEPTH) {
        reading->is_inside = strcmp(name, "Credentials") == 0;
    }
}

static int take_part(struct reading *reading, unsigned part, const struct buf *text, struct err *e)
{
    if (reading->has[part]) {
        return err_set(e, ERR_CORRUPT, "%s for the second time", part_names[part]);
    }
    if (text->size >= sizeof(reading->texts[part])) {
        return err_set(e, ERR_CORRUPT, "%s is longer than %zu characters", part_names[part],
                       sizeof(reading->texts[part]) - 1);
    }
    reading->has[part] = true;
    memcpy(reading->texts[part], buf_str(text), text->size + 1);
    return 0;
}

static int on_end(void *ctx, const char *name, unsigned depth, const struct buf *text,
                  struct err *e)
{
    struct reading *reading = ctx;
    if (!reading->is_answer || !reading->is_inside || depth != CREDENTIALS_DEPTH + 1) {
        return 0;
    }
    for (unsigned i = 0; i < PARTS; i++) {
        if (strcmp(name, part_names[i]) == 0) {
            return take_part(reading, i, text, e);
        }
    }
    return 0;
}

static int take_whole(const struct reading *reading, const char *source, struct creds_value *ret,
                      struct err *e)
{
    if (!reading->is_answer) {
        return err_set(e, ERR_CORRUPT, "no answer of STS");
    }
    for (unsigned i = 0; i < PARTS; i++) {
        if (!reading->has[i]) {
            return err_set(e, ERR_CORRUPT, "no %s in it", part_names[i]);
        }
    }
    int64_t expires_ms = 0;
    if (!parse_time_ms(reading->texts[EXPIRATION], &expires_ms) || expires_ms <= 0) {
        return err_set(e, ERR_CORRUPT, "its Expiration is no time");
    }
    return creds_value_set(ret, source, reading->texts[ID], reading->texts[SECRET],
                           reading->texts[TOKEN], expires_ms, e);
}

int sts_xml_credentials(struct slice body, const char *source, struct creds_value *ret,
                        struct err *e)
{
    static const struct xml_events EVENTS = {.begin = on_begin, .end = on_end};
    ASSERT(source != NULL && ret != NULL);
    struct reading *reading = xcalloc(1, sizeof(*reading));
    int rc = xml_walk(body, &EVENTS, reading, e);
    if (rc == 0) {
        rc = take_whole(reading, source, ret, e);
    }
    OPENSSL_cleanse(reading, sizeof(*reading));
    free(reading);
    return rc;
}
