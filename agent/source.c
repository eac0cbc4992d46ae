#include "agent/source.h"

#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/source_dir.h"
#include "agent/source_s3.h"
#include "s3/bucket.h"

static const char S3_SCHEME[] = "s3://";
static const char FILE_SCHEME[] = "file://";

/* Half of a key's 1024 bytes: what Priam puts below the base takes up to some 400. */
enum { BASE_SIZE_MAX = 512 };

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool has_scheme(const char *text)
{
    const size_t size =
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
    return size > 0 && starts_with(text + size, "://");
}

static bool has_control_character(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            return true;
        }
    }
    return false;
}

static int open_bucket(const struct config *config, struct source **ret, struct err *e)
{
    const char *url = config->source;
    const char *rest = url + strlen(S3_SCHEME);
    const size_t bucket_size = bucket_span(rest);
    autofree char *bucket = xstrndup(rest, bucket_size);
    struct bucket checked;
    if (bucket_size == 0) {
        (void)err_set(e, ERR_CONFIG, "source '%s': names no bucket", url);
        return err_hint(e, "write it as s3://BUCKET/BASE");
    }
    if (bucket_parse(bucket, &checked, e) != 0) {
        return -1;
    }
    const char *base = rest + bucket_size + (rest[bucket_size] == '/');
    const size_t base_size = strlen(base);
    if (base_size > BASE_SIZE_MAX || has_control_character(base)) {
        return err_set(e, ERR_CONFIG, "source '%s': cannot be the base of a backup", url);
    }
    struct source *source;
    if (source_s3_open(config, bucket, &source, e) != 0) {
        return -1;
    }
    /* One '/' is added or taken away, never more: a base with a slash too many is a base, too. */
    const bool has_slash = base_size > 0 && base[base_size - 1] == '/';
    source->base = xasprintf("%s%s", base, base_size == 0 || has_slash ? "" : "/");
    source->name = base_size == 0 ? xasprintf("%s%s", S3_SCHEME, bucket)
                                  : xasprintf("%s%s/%.*s", S3_SCHEME, bucket,
                                              (int)(base_size - has_slash), base);
    *ret = source;
    return 0;
}

static int open_directory(const char *path, struct source **ret, struct err *e)
{
    struct source *source;
    if (source_dir_open(path, &source, e) != 0) {
        return -1;
    }
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/') {
        size--;
    }
    source->name = xstrndup(path, size);
    source->base = xstrdup("");
    *ret = source;
    return 0;
}

/* In place. False: a '%' without two hex digits, or a NUL. */
static bool decode_percent(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        uint8_t byte;
        if (strlen(from) < 3 || !parse_hex(from + 1, 2, &byte, 1) || byte == '\0') {
            return false;
        }
        *to++ = (char)byte;
        from += 2;
    }
    *to = '\0';
    return true;
}

static int open_file_url(const char *url, struct source **ret, struct err *e)
{
    const char *rest = url + strlen(FILE_SCHEME);
    if (starts_with(rest, "localhost/")) {
        rest += strlen("localhost");
    }
    autofree char *path = xstrdup(rest);
    if (rest[0] != '/' || !decode_percent(path)) {
        (void)err_set(e, ERR_CONFIG, "source '%s': is not a file URL of this machine", url);
        return err_hint(e, "write it as file:///DIRECTORY, or give the directory itself");
    }
    return open_directory(path, ret, e);
}

int source_open(const struct config *config, struct source **ret, struct err *e)
{
    ASSERT(config->source != NULL && ret != NULL);
    const char *text = config->source;
    if (starts_with(text, S3_SCHEME)) {
        return open_bucket(config, ret, e);
    }
    const bool is_url = starts_with(text, FILE_SCHEME);
    if (!is_url && has_scheme(text)) {
        (void)err_set(e, ERR_CONFIG, "source '%s': is neither s3:// nor file://", text);
        return err_hint(e, "write it as s3://BUCKET/BASE, or give a directory");
    }
    if (config->selection.version_at_ms != 0) {
        (void)err_set(e, ERR_CONFIG, "source '%s': a directory has no versions", text);
        return err_hint(e, "leave --source-version-at out, or give s3://BUCKET/BASE");
    }
    return is_url ? open_file_url(text, ret, e) : open_directory(text, ret, e);
}

void source_free(struct source *source)
{
    if (source == NULL) {
        return;
    }
    free(source->name);
    free(source->base);
    source->ops->free(source);
}

int source_list(struct source *source, const struct s3_list *list, s3_entry_fn *fn, void *ctx,
                struct err *e)
{
    return source->ops->list(source, list, fn, ctx, e);
}

void source_get(struct source *source, struct s3_get *get)
{
    source->ops->get(source, get);
}

static void submit(void *ctx, struct s3_get *get)
{
    source_get((struct source *)ctx, get);
}

int source_get_wait(struct source *source, struct s3_get *get, struct err *e)
{
    return s3_get_wait(submit, source, get, e);
}

void source_cancel(struct source *source)
{
    source->ops->cancel(source);
}

struct s3_stats source_stats(struct source *source)
{
    return source->ops->stats(source);
}
