#include "agent/ring/ring_store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent/ring/ring_copy.h"

static const char SCHEME[] = "s3://";

static bool is_s3(const char *url)
{
    return strncmp(url, SCHEME, strlen(SCHEME)) == 0;
}

int ring_store_open(const struct config *config, const char *url, struct source **ret,
                    struct err *e)
{
    if (!is_s3(url)) {
        err_set(e, ERR_CONFIG, "'%s': is no place for the state of a ring", url);
        return err_hint(e, "write it as s3://BUCKET/PREFIX");
    }
    struct config own = *config;
    own.source = url;
    own.region = NULL;
    own.role_arn = own.external_id = NULL;
    own.request_payer = own.expected_bucket_owner = own.sse_c_key_file = NULL;
    own.selection.version_at_ms = 0;
    return source_open(&own, ret, e);
}

char *ring_store_of(const char *ring)
{
    static const char FOLDER[] = "/plans";
    const char *name = strrchr(ring, '/');
    if (!is_s3(ring) || name == NULL || name < ring + strlen(SCHEME) + strlen(FOLDER) ||
        strncmp(name - strlen(FOLDER), FOLDER, strlen(FOLDER)) != 0) {
        return NULL;
    }
    return xstrndup(ring, (size_t)(name - ring) - strlen(FOLDER));
}

/* *get: what the answer told. */
static int read_whole(struct source *store, const char *key, struct buf *ret, struct s3_get *get,
                      struct err *e)
{
    autofree uint8_t *bytes = (uint8_t *)xcalloc(ret->size_max, 1);
    *get = (struct s3_get){.key = key, .whole = true, .size = ret->size_max, .into = bytes};
    if (source_get_wait(store, get, e) != 0) {
        return -1;
    }
    buf_clear(ret);
    ASSERT(buf_append(ret, bytes, (size_t)get->content_length));
    return 0;
}

int ring_store_get(struct source *store, const char *name, struct buf *ret, struct err *e)
{
    ASSERT(store != NULL && name != NULL);
    autofree char *key = xasprintf("%s%s", store->base, name);
    struct s3_get get;
    if (read_whole(store, key, ret, &get, e) != 0) {
        return -1;
    }
    return ret->size > 0 ? 0 : err_set(e, ERR_LIMIT, "'%s': has 0 bytes", key);
}

char *ring_store_report_name(const char *restore_id, size_t slot, const char *node)
{
    return xasprintf("nodes/%s/%zu%s%s.json", restore_id, slot, node == NULL ? "" : ".",
                     node == NULL ? "" : node);
}

int ring_store_put(struct source *store, const char *name, struct slice body, bool only_new,
                   struct err *e)
{
    ASSERT(store != NULL && body.size > 0);
    autofree char *key = xasprintf("%s%s", store->base, name);
    const struct s3_put put = {
        .body = body, .content_type = "application/json", .only_new = only_new};
    struct s3_get get = {.key = key, .put = &put};
    return source_get_wait(store, &get, e);
}

static int check_etag(const char *key, const char *etag, struct err *e)
{
    return etag[0] != '\0' ? 0
                           : err_set(e, ERR_CONFIG, "'%s': the store does not tell its ETag", key);
}

int ring_store_look(struct source *store, const char *name, struct buf *ret,
                    struct ring_version *ret_version, struct err *e)
{
    autofree char *key = xasprintf("%s%s", store->base, name);
    struct s3_get get;
    if (read_whole(store, key, ret, &get, e) != 0 || check_etag(key, get.answer_etag, e) != 0) {
        return -1;
    }
    const bool told = get.date_ms >= 0 && get.modified_ms >= 0;
    memcpy(ret_version->etag, get.answer_etag, sizeof(ret_version->etag));
    ret_version->age_ms = !told                           ? -1
                          : get.date_ms > get.modified_ms ? get.date_ms - get.modified_ms
                                                          : 0;
    return 0;
}

int ring_store_swap(struct source *store, const char *name, struct slice body, const char *etag,
                    char ret_etag[S3_ETAG_MAX], struct err *e)
{
    autofree char *key = xasprintf("%s%s", store->base, name);
    const struct s3_put put = {
        .body = body,
        .content_type = "application/json",
        .only_new = etag[0] == '\0',
        .if_match = etag[0] == '\0' ? NULL : etag,
    };
    struct s3_get get = {.key = key, .put = &put};
    if (source_get_wait(store, &get, e) != 0 || check_etag(key, get.answer_etag, e) != 0) {
        return -1;
    }
    memcpy(ret_etag, get.answer_etag, sizeof(get.answer_etag));
    return 0;
}

static int load_object(const struct config *config, const char *ring, struct buf *text,
                       struct err *e)
{
    autofree char *state = ring_store_of(ring);
    if (state == NULL) {
        err_set(e, ERR_CONFIG, "'%s': is no ring plan", ring);
        return err_hint(e, "write it as s3://BUCKET/PREFIX/plans/ID.json");
    }
    struct source *store = NULL;
    if (ring_store_open(config, state, &store, e) != 0) {
        return -1;
    }
    const int result = ring_store_get(store, ring + strlen(state) + 1, text, e);
    source_free(store);
    return result;
}

int ring_store_read_file(const char *path, struct buf *ret, struct err *e)
{
    enum { BLOCK_SIZE = 64 * 1024 };
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_set_sys(e, ERR_CONFIG, errno, "%s", path);
    }
    autofree char *block = (char *)xcalloc(1, BLOCK_SIZE);
    for (;;) {
        const ssize_t size = read(fd, block, BLOCK_SIZE);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0) {
            return err_set_sys(e, ERR_CONFIG, errno, "%s", path);
        }
        if (size == 0) {
            return 0;
        }
        if (!buf_append(ret, block, (size_t)size)) {
            return err_set(e, ERR_CONFIG, "%s: is too large", path);
        }
    }
}

/* What is under the name of a plan is that plan, or some nodes would go by another one. */
static int check_name(const char *url, const struct ring_plan *ring, struct err *e)
{
    char id[RING_ID_SIZE];
    if (!ring_copy_id(url, id) || strcmp(id, ring->id) == 0) {
        return 0;
    }
    err_set(e, ERR_REFUSED, "%s: is another plan, %.12s", url, ring->id);
    return err_hint(e, "put the plan of this name back, or name the other one by its own");
}

int ring_store_load(const struct config *config, const char *ring, struct ring_plan **ret,
                    struct err *e)
{
    autobuf struct buf text = BUF_INIT(RING_PLAN_SIZE_MAX);
    const bool fetched = is_s3(ring) && !ring_copy_read(config, ring, &text);
    const int result = fetched        ? load_object(config, ring, &text, e)
                       : !is_s3(ring) ? ring_store_read_file(ring, &text, e)
                                      : 0;
    struct ring_plan *read = NULL;
    if (result != 0 || ring_plan_read(ring, slice_of(buf_str(&text), text.size), &read, e) != 0) {
        return -1;
    }
    if (check_name(ring, read, e) != 0) {
        ring_plan_free(read);
        return -1;
    }
    read->text = fetched ? xstrndup(buf_str(&text), text.size) : NULL;
    *ret = read;
    return 0;
}
