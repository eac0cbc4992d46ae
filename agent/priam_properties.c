/*
 * priam_properties: what Priam's own configuration says about its backup (priam spec 8.3), as
 * values of our options. A property that is empty counts as absent, as in Priam.
 */
#include "agent/option_bag.h"

#include <string.h>

#include "agent/java_properties.h"

enum priam_property {
    PRIAM_BUCKET,
    PRIAM_BASE_DIR,
    PRIAM_CLUSTER,
    PRIAM_SNAPSHOT,
    PRIAM_PREFIX,
    PRIAM_INCLUDE,
    PRIAM_EXCLUDE,
    PRIAM_DATA_LOCATION,
    PRIAM_ROLE,
    PRIAM_COUNT,
};

static const char *const names[PRIAM_COUNT] = {
    [PRIAM_BUCKET] = "priam.s3.bucket",           [PRIAM_BASE_DIR] = "priam.s3.base_dir",
    [PRIAM_CLUSTER] = "priam.clustername",        [PRIAM_SNAPSHOT] = "priam.restore.snapshot",
    [PRIAM_PREFIX] = "priam.restore.prefix",      [PRIAM_INCLUDE] = "priam.restore.cf.include",
    [PRIAM_EXCLUDE] = "priam.restore.cf.exclude", [PRIAM_DATA_LOCATION] = "priam.data.location",
    [PRIAM_ROLE] = "priam.roleassumption.arn",
};

struct priam {
    char *values[PRIAM_COUNT]; /* the last of each, NULL: absent or empty */
};

static void priam_done(struct priam *priam)
{
    for (unsigned i = 0; i < PRIAM_COUNT; i++) {
        free(priam->values[i]);
    }
}

static void keep(void *ctx, const char *name, const char *value)
{
    struct priam *priam = (struct priam *)ctx;
    for (unsigned i = 0; i < PRIAM_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            free(priam->values[i]);
            priam->values[i] = value[0] == '\0' ? NULL : xstrdup(value);
        }
    }
}

static void offer(struct option_bag *bag, const char *path, enum option_id id,
                  enum priam_property property, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        autofree char *origin = xasprintf("%s: %s", path, names[property]);
        option_bag_add(bag, id, RANK_PRIAM, value, origin);
    }
}

static void offer_source(struct option_bag *bag, const char *source)
{
    if (bag->source == NULL) {
        bag->source = arena_add(bag->strings, source, strlen(source));
    }
}

/*
 * priam.restore.prefix is "bucket/base/region/cluster" for v1 and "bucket/base/HASH_cluster" for v2
 * (priam spec 4.7). Priam ignores what follows a v1 prefix, and so do we.
 */
static int take_prefix(struct option_bag *bag, const char *path, const char *prefix, struct err *e)
{
    const char *parts[4] = {0};
    size_t sizes[4] = {0};
    unsigned count = 0;
    for (const char *at = prefix; count < ARRAY_SIZE(parts) && *at != '\0';) {
        parts[count] = at;
        sizes[count] = strcspn(at, "/");
        at += sizes[count];
        at += *at == '/' ? 1 : 0;
        count++;
    }
    const char *underscore = count == 3 ? memchr(parts[2], '_', sizes[2]) : NULL;
    if (count < 3 || (count == 3 && underscore == NULL)) {
        err_set(e, ERR_CONFIG, "%s: %s: '%s' is not a prefix of a backup", path,
                names[PRIAM_PREFIX], prefix);
        return err_hint(e,
                        "write bucket/base/region/cluster (v1) or bucket/base/HASH_cluster (v2)");
    }
    autofree char *source =
        xasprintf("s3://%.*s/%.*s", (int)sizes[0], parts[0], (int)sizes[1], parts[1]);
    offer_source(bag, source);
    const char *cluster = count == 3 ? underscore + 1 : parts[3];
    const size_t cluster_size = count == 3 ? sizes[2] - (size_t)(cluster - parts[2]) : sizes[3];
    autofree char *cluster_text = xstrndup(cluster, cluster_size);
    offer(bag, path, OPTION_CLUSTER, PRIAM_PREFIX, cluster_text);
    if (count == 4) {
        autofree char *region = xstrndup(parts[2], sizes[2]);
        offer(bag, path, OPTION_SOURCE_REGION, PRIAM_PREFIX, region);
    }
    return 0;
}

/* Priam cuts ids off the entries of its lists (priam spec 4.8); ours mean one table by them. */
static void offer_tables(struct option_bag *bag, const char *path, enum option_id id,
                         enum priam_property property, const char *value)
{
    autofree char *text = value == NULL ? NULL : xstrdup(value);
    char *out = text;
    bool in_id = false;
    for (const char *in = value; in != NULL && *in != '\0'; in++) {
        in_id = *in != ',' && (in_id || *in == '-');
        if (!in_id) {
            *out++ = *in;
        }
    }
    if (out != NULL) {
        *out = '\0';
    }
    offer(bag, path, id, property, text);
}

static int take_values(struct option_bag *bag, const char *path, const struct priam *priam,
                       struct err *e)
{
    const char *const *values = (const char *const *)priam->values;
    if (values[PRIAM_PREFIX] != NULL) {
        if (take_prefix(bag, path, values[PRIAM_PREFIX], e) != 0) {
            return -1;
        }
    } else {
        if (values[PRIAM_BUCKET] != NULL) {
            const char *base = values[PRIAM_BASE_DIR] == NULL ? "backup" : values[PRIAM_BASE_DIR];
            autofree char *source = xasprintf("s3://%s/%s", values[PRIAM_BUCKET], base);
            offer_source(bag, source);
        }
        offer(bag, path, OPTION_CLUSTER, PRIAM_CLUSTER, values[PRIAM_CLUSTER]);
    }
    offer(bag, path, OPTION_RANGE, PRIAM_SNAPSHOT, values[PRIAM_SNAPSHOT]);
    offer_tables(bag, path, OPTION_INCLUDE, PRIAM_INCLUDE, values[PRIAM_INCLUDE]);
    offer_tables(bag, path, OPTION_EXCLUDE, PRIAM_EXCLUDE, values[PRIAM_EXCLUDE]);
    offer(bag, path, OPTION_INTO, PRIAM_DATA_LOCATION, values[PRIAM_DATA_LOCATION]);
    offer(bag, path, OPTION_ROLE_ARN, PRIAM_ROLE, values[PRIAM_ROLE]);
    return 0;
}

int option_bag_read_priam(struct option_bag *bag, const char *path, struct err *e)
{
    autobuf struct buf text = BUF_INIT(CONFIG_FILE_SIZE_MAX);
    if (config_read_text(path, &text, e) != 0) {
        return -1;
    }
    struct priam priam __attribute__((cleanup(priam_done))) = {0};
    unsigned line;
    if (!java_properties_parse(slice_of(buf_str(&text), text.size), keep, &priam, &line)) {
        return err_set(e, ERR_CONFIG, "%s line %u: a \\u escape is malformed", path, line);
    }
    return take_values(bag, path, &priam, e);
}
