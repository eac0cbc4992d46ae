#include "agent/base/parse.h"
#include "agent/base/thread.h"
#include "agent/catalog.h"
#include "tests/unit/tree.h"

#define ALL_TIMES INT64_MIN, INT64_MAX

static struct source *open_source(const char *path)
{
    const struct config config = {.source = path};
    struct source *source = NULL;
    struct err e = ERR_INIT;
    if (source_open(&config, &source, &e) != 0) {
        fail_msg("%s", e.text);
    }
    return source;
}

/* The nodes as lines "v1 region/cluster/token prefix". */
static void expect_nodes(struct source *source, const struct selection *selection, const char *want)
{
    struct catalog *catalog = NULL;
    struct err e = ERR_INIT;
    if (catalog_find_nodes(selection, source, &catalog, &e) != 0) {
        fail_msg("%s", e.text);
    }
    autobuf struct buf lines = BUF_INIT(65536);
    for (size_t i = 0; i < catalog->count; i++) {
        const struct catalog_node *node = &catalog->nodes[i];
        assert_true(buf_appendf(&lines, "%s %s/%s/%s %s\n", node->v2 ? "v2" : "v1", node->region,
                                node->cluster, node->token, node->prefix));
    }
    assert_string_equal(buf_str(&lines), want);
    catalog_free(catalog);
}

static void expect_none(struct source *source, const struct selection *selection, const char *text,
                        const char *hint)
{
    struct catalog *catalog = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(catalog_find_nodes(selection, source, &catalog, &e), -1);
    assert_null(catalog);
    assert_int_equal(e.kind, ERR_NO_BACKUP);
    autofree char *whole = xasprintf("%s: %s", source->name, text);
    assert_string_equal(e.text, whole);
    assert_string_equal(e.hint, hint);
}

/* The manifests as lines "time key". */
static void expect_manifests(struct source *source, const struct catalog_node *node,
                             int64_t from_ms, int64_t to_ms, size_t most, int64_t offset_ms,
                             const char *want)
{
    struct catalog_manifests found = {0};
    struct err e = ERR_INIT;
    if (catalog_find_manifests(node, source, from_ms, to_ms, most, offset_ms, &found, &e) != 0) {
        fail_msg("%s", e.text);
    }
    autobuf struct buf lines = BUF_INIT(65536);
    for (size_t i = 0; i < found.count; i++) {
        char time[TIME_TEXT_SIZE];
        assert_true(buf_appendf(&lines, "%s %s\n", format_time(found.items[i].time_ms, time),
                                found.items[i].key + strlen(node->prefix)));
        assert_memory_equal(found.items[i].etag, "mtime-", 6);
        assert_true(found.items[i].size > 0);
    }
    assert_string_equal(buf_str(&lines), want);
    catalog_manifests_done(&found);
}

static const struct selection ANY = {.format = DIALECT_AUTO};

/* Two clusters in two regions, both dialects, big and negative tokens; and what is no backup. */
static struct tree many_clusters(void)
{
    static const char *const FILES[] = {
        "us-east-1/shop/113427455640312821154458202479064646084/202306010000/META/meta.json",
        "us-east-1/shop/56713727820156410577229101240436610842/202306010000/SNAP/k/t/manifest.json",
        "us-east-1/shop/-9/202306010000/SNAP/k/t/mc-1-big-Data.db",
        "us-east-1/blog/5/202306010000/SST/k/t/mc-1-big-Data.db",
        "eu-west-1/shop/5/202306010000/SST/k/t/mc-1-big-Data.db",
        "1049_fake-app/7/META_V2/1313043000000/NONE/PLAINTEXT/meta_v2_201108110610.json",
        "1049_fake-app/-7/SST_V2/1313043000000/k/t/NONE/PLAINTEXT/mc-1-big-Data.db",
        /* Index files of a node in v1 mode; a wrong hash; no minutes; no token; no folder. */
        "1049_fake-app/8/SECONDARY_INDEX_V2/1313043000000/k/t/.i/NONE/PLAINTEXT/mc-1-big-Data.db",
        "1048_fake-app/9/META_V2/1313043000000/NONE/PLAINTEXT/meta_v2_201108110610.json",
        "us-east-1/shop/6/20230601/SNAP/k/t/mc-1-big-Data.db",
        "us-east-1/shop/6x/202306010000/META/meta.json",
        "us-east-1/shop/-/202306010000/META/meta.json",
        "us-east-1/shop/202306010000/META/meta.json",
        "logs/2023/06/01/access.log",
        "README",
    };
    const struct tree tree = tree_new();
    for (size_t i = 0; i < ARRAY_SIZE(FILES); i++) {
        tree_file(&tree, FILES[i], "x");
    }
    return tree;
}

#define BLOG "v1 us-east-1/blog/5 us-east-1/blog/5/\n"
#define FAKE "v2 /fake-app/-7 1049_fake-app/-7/\nv2 /fake-app/7 1049_fake-app/7/\n"
#define SHOP_EU "v1 eu-west-1/shop/5 eu-west-1/shop/5/\n"
#define SHOP_US                                                                                    \
    "v1 us-east-1/shop/-9 us-east-1/shop/-9/\n"                                                    \
    "v1 us-east-1/shop/56713727820156410577229101240436610842 "                                    \
    "us-east-1/shop/56713727820156410577229101240436610842/\n"                                     \
    "v1 us-east-1/shop/113427455640312821154458202479064646084 "                                   \
    "us-east-1/shop/113427455640312821154458202479064646084/\n"

static void test_nodes(void **state)
{
    (void)state;
    const struct tree tree = many_clusters();
    struct source *source = open_source(tree.root);
    static const struct {
        struct selection selection;
        const char *nodes;
    } CASES[] = {
        {{.format = DIALECT_AUTO}, BLOG FAKE SHOP_EU SHOP_US},
        {{.format = DIALECT_V1}, BLOG SHOP_EU SHOP_US},
        {{.format = DIALECT_V2}, FAKE},
        {{.cluster = "shop"}, SHOP_EU SHOP_US},
        {{.cluster = "fake-app"}, FAKE},
        {{.cluster = "fake-app", .format = DIALECT_V2}, FAKE},
        {{.cluster = "shop", .source_region = "us-east-1"}, SHOP_US},
        {{.cluster = "shop", .source_region = "us-east-1", .format = DIALECT_V1}, SHOP_US},
        {{.source_region = "eu-west-1", .format = DIALECT_V1}, SHOP_EU},
        {{.source_region = "eu-west-1"}, FAKE SHOP_EU},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        expect_nodes(source, &CASES[i].selection, CASES[i].nodes);
    }
    source_free(source);
    tree_free(&tree);
}

/* Whoever names cluster and region pays for their listings only. */
static void test_straight(void **state)
{
    (void)state;
    const struct tree tree = many_clusters();
    struct source *source = open_source(tree.root);
    const struct selection straight = {
        .cluster = "blog", .source_region = "us-east-1", .format = DIALECT_V1};
    expect_nodes(source, &straight, BLOG);
    assert_int_equal(source_stats(source).requests, 2); /* the tokens, then the one's minutes */
    /* Of several tokens the named ones alone are looked into; where one is not, all are. */
    static const char *const CASES[][3] = {
        {"-9", NULL, "v1 us-east-1/shop/-9 us-east-1/shop/-9/\n"},
        {"-9", "404", SHOP_US},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const char *names[] = {CASES[i][0], CASES[i][1]};
        const struct selection shop = {.cluster = "shop",
                                       .source_region = "us-east-1",
                                       .format = DIALECT_V1,
                                       .tokens = {names, names[1] == NULL ? 1 : 2}};
        const uint64_t before = source_stats(source).requests;
        expect_nodes(source, &shop, CASES[i][2]);
        assert_int_equal(source_stats(source).requests - before, i == 0 ? 2 : 6);
    }
    source_free(source);
    tree_free(&tree);
}

static void test_nothing(void **state)
{
    (void)state;
    const struct tree tree = many_clusters();
    struct source *source = open_source(tree.root);
    expect_none(source, &(struct selection){.cluster = "shopp"},
                "no Priam backup of cluster 'shopp'; there is 'blog' (v1 in us-east-1), 'fake-app' "
                "(v2), 'shop' (v1 in eu-west-1)",
                "choose with --cluster, --source-region and --format");
    expect_none(source, &(struct selection){.cluster = "shop", .format = DIALECT_V2},
                "no Priam backup of form v2 of cluster 'shop'; there is 'blog' (v1 in us-east-1), "
                "'fake-app' (v2), 'shop' (v1 in eu-west-1)",
                "choose with --cluster, --source-region and --format");
    source_free(source);
    tree_free(&tree);
    const struct tree empty = tree_new();
    source = open_source(empty.root);
    expect_none(source, &(struct selection){.source_region = "us-west-2", .format = DIALECT_V1},
                "no Priam backup of form v1 in region 'us-west-2'; there are no folders",
                "give the folder whose children are regions or HASH_CLUSTER as SOURCE");
    for (char name[] = "f0/x"; name[1] <= '9'; name[1]++) {
        tree_file(&empty, name, "x");
    }
    expect_none(source, &ANY,
                "no Priam backup; the folders there are 'f0', 'f1', 'f2', 'f3', 'f4', 'f5', 'f6', "
                "'f7' and 2 more",
                "give the folder whose children are regions or HASH_CLUSTER as SOURCE");
    source_free(source);
    tree_free(&empty);
}

/* SOURCE is a level too high, or one or more too low. */
static void test_wrong_base(void **state)
{
    (void)state;
    struct source *source = open_source(TEST_DATA "/priam-v1/bucket");
    expect_none(source, &ANY,
                "no Priam backup; but below " TEST_DATA
                "/priam-v1/bucket/backup there is 'fix_v1' (v1 in us-east-1)",
                "give " TEST_DATA "/priam-v1/bucket/backup as SOURCE");
    static const char *const BASES[] = {"backup/us-east-1/", "backup/us-east-1/fix_v1/",
                                        "backup/-4267_fix_v1/"};
    for (size_t i = 0; i < ARRAY_SIZE(BASES); i++) {
        free(source->base);
        free(source->name);
        source->base = xstrdup(BASES[i]);
        source->name = xasprintf("s3://b/%.*s", (int)strlen(BASES[i]) - 1, BASES[i]);
        struct catalog *catalog = NULL;
        struct err e = ERR_INIT;
        assert_int_equal(catalog_find_nodes(&ANY, source, &catalog, &e), -1);
        assert_int_equal(e.kind, ERR_NO_BACKUP);
        assert_string_equal(e.hint, "give s3://b/backup as SOURCE");
    }
    source_free(source);
}

static void test_samples(void **state)
{
    (void)state;
    struct source *source = open_source(TEST_DATA "/priam-v1/bucket/backup");
    expect_nodes(source, &ANY,
                 "v1 us-east-1/fix_v1/-3074457345618258603 "
                 "us-east-1/fix_v1/-3074457345618258603/\n");
    const struct catalog_node v1 = {.cluster = "fix_v1",
                                    .region = "us-east-1",
                                    .token = "-3074457345618258603",
                                    .prefix = "us-east-1/fix_v1/-3074457345618258603/"};
    expect_manifests(source, &v1, ALL_TIMES, 0, 0,
                     "2026-11-23T08:00:00Z 202611230800/META/meta.json\n"
                     "2026-11-23T07:58:00Z 202611230758/META/meta.json\n");
    source_free(source);
    source = open_source(TEST_DATA "/priam-v2/bucket/backup");
    expect_nodes(source, &ANY,
                 "v2 /fix_v2/-3074457345618258603 -4266_fix_v2/-3074457345618258603/\n");
    const struct catalog_node v2 = {.v2 = true,
                                    .cluster = "fix_v2",
                                    .region = "",
                                    .token = "-3074457345618258603",
                                    .prefix = "-4266_fix_v2/-3074457345618258603/"};
#define NEWER                                                                                      \
    "2026-11-23T07:54:03Z META_V2/1795420443000/SNAPPY/PLAINTEXT/meta_v2_202611230754.json\n"
#define OLDER                                                                                      \
    "2026-11-23T07:52:07Z META_V2/1795420327000/SNAPPY/PLAINTEXT/meta_v2_202611230752.json\n"
    expect_manifests(source, &v2, ALL_TIMES, 0, 0, NEWER OLDER);
    expect_manifests(source, &v2, ALL_TIMES, 1, 0, NEWER);
    expect_manifests(source, &v2, INT64_C(1795420327000), INT64_C(1795420443000), 0, 0,
                     NEWER OLDER);
    expect_manifests(source, &v2, INT64_C(1795420327001), INT64_C(1795420443000), 0, 0, NEWER);
    expect_manifests(source, &v2, INT64_C(1795420327000), INT64_C(1795420442999), 0, 0, OLDER);
    source_free(source);
}

enum { MINUTE_MS = 60000 };

/* Many minutes, few of them with a manifest, and names that only look like one. */
static void test_v1_manifests(void **state)
{
    (void)state;
    const struct tree tree = tree_new();
    const int64_t start_ms = INT64_C(1685577600000); /* 2023-06-01T00:00Z */
    for (int64_t i = 0; i < 200; i++) {
        char minute[TIME_TEXT_SIZE];
        format_minute(start_ms + i * MINUTE_MS, minute);
        autofree char *sst = xasprintf("r/c/5/%s/SST/k/t/mc-1-big-Data.db", minute);
        autofree char *audit = xasprintf("r/c/5/%s/META/meta_t_%s.json", minute, minute);
        autofree char *meta = xasprintf("r/c/5/%s/META/META.json", minute);
        tree_file(&tree, sst, "x");
        tree_file(&tree, audit, "x");
        if (i % 60 == 0) {
            tree_file(&tree, meta, "x");
        }
    }
    tree_file(&tree, "r/c/5/202306010030/META_V2/meta_v2_202306010030.json", "x");
    tree_file(&tree, "r/c/5/202306010031/META/meta.json/x", "x");
    tree_file(&tree, "r/c/5/202313010030/META/meta.json", "x");
    tree_file(&tree, "r/c/5/not-a-minute/META/meta.json", "x");
    struct source *source = open_source(tree.root);
    const struct catalog_node node = {
        .cluster = "c", .region = "r", .token = "5", .prefix = "r/c/5/"};
#define AT(hour) "2023-06-01T0" #hour ":00:00Z 202306010" #hour "00/META/META.json\n"
    expect_manifests(source, &node, ALL_TIMES, 0, 0, AT(3) AT(2) AT(1) AT(0));
    expect_manifests(source, &node, ALL_TIMES, 1, 0, AT(3));
    expect_manifests(source, &node, ALL_TIMES, 2, 0, AT(3) AT(2));
    expect_manifests(source, &node, start_ms, start_ms + 120 * MINUTE_MS, 0, 0, AT(2) AT(1) AT(0));
    expect_manifests(source, &node, start_ms + 1, start_ms + 120 * MINUTE_MS - 1, 0, 0, AT(1));
    expect_manifests(source, &node, INT64_MIN, start_ms - 1, 0, 0, "");
    /* Keys in local time, two hours ahead of UTC. */
    expect_manifests(source, &node, start_ms, start_ms, 1, -120 * MINUTE_MS,
                     "2023-06-01T00:00:00Z 202306010200/META/META.json\n");
    expect_manifests(source, &node, ALL_TIMES, 1, -120 * MINUTE_MS,
                     "2023-06-01T01:00:00Z 202306010300/META/META.json\n");
    source_free(source);
    tree_free(&tree);
}

static void test_v2_manifests(void **state)
{
    (void)state;
    static const char *const FILES[] = {
        "1049_fake-app/7/META_V2/1313043000000/SNAPPY/PLAINTEXT/meta_v2_201108110610.json",
        "1049_fake-app/7/META_V2/1313043000001/meta_v2_201108110610.json.SNAPPY",
        "1049_fake-app/7/META_V2/1313043000002/SNAPPY/PLAINTEXT/meta.json",
        "1049_fake-app/7/META_V2/1313043000003/SNAPPY/PLAINTEXT/meta_v2_201108110610.txt",
        "1049_fake-app/7/META_V2/1313043000004/LZ4/PLAINTEXT/meta_v2_201108110610.json",
        "1049_fake-app/7/META_V2/999/NONE/PLAINTEXT/meta_v2_197001010000.json",
    };
    const struct tree tree = tree_new();
    for (size_t i = 0; i < ARRAY_SIZE(FILES); i++) {
        tree_file(&tree, FILES[i], "x");
    }
    struct source *source = open_source(tree.root);
    const struct catalog_node node = {.v2 = true,
                                      .cluster = "fake-app",
                                      .region = "",
                                      .token = "7",
                                      .prefix = "1049_fake-app/7/"};
    expect_manifests(
        source, &node, ALL_TIMES, 0, 0,
        "2011-08-11T06:10:00.001Z META_V2/1313043000001/meta_v2_201108110610.json.SNAPPY\n"
        "2011-08-11T06:10:00Z META_V2/1313043000000/SNAPPY/PLAINTEXT/meta_v2_201108110610.json\n"
        "1970-01-01T00:00:00.999Z META_V2/999/NONE/PLAINTEXT/meta_v2_197001010000.json\n");
    source_free(source);
    tree_free(&tree);
}

/* A source whose listings fail from one on, or whose ETags are what no store sends. */
struct bad_source {
    struct source face;
    struct source *inner;
    pthread_mutex_t lock;
    size_t lists_left; /* under lock */
    bool long_etags;
};

struct bad_listing {
    s3_entry_fn *fn;
    void *ctx;
    bool long_etags;
};

static int pass_bad_entry(void *ctx, const struct s3_entry *entry, struct err *e)
{
    const struct bad_listing *listing = (const struct bad_listing *)ctx;
    struct s3_entry bad = *entry;
    char etag[129];
    memset(etag, 'e', 128);
    etag[128] = '\0';
    if (listing->long_etags) {
        bad.etag = etag;
    }
    return listing->fn(listing->ctx, &bad, e);
}

static int bad_list(struct source *source, const struct s3_list *list, s3_entry_fn *fn, void *ctx,
                    struct err *e)
{
    struct bad_source *bad = (struct bad_source *)source;
    mutex_lock(&bad->lock);
    const bool fails = bad->lists_left == 0;
    bad->lists_left -= !fails;
    mutex_unlock(&bad->lock);
    if (fails) {
        return err_set(e, ERR_RETRY, "listing: told to fail");
    }
    struct bad_listing listing = {.fn = fn, .ctx = ctx, .long_etags = bad->long_etags};
    return source_list(bad->inner, list, pass_bad_entry, &listing, e);
}

/* Whichever listing fails, the failure arrives as it is, and nothing leaks. */
static void test_listing_fails(void **state)
{
    (void)state;
    static const struct source_ops OPS = {.list = bad_list};
    const struct tree tree = many_clusters();
    char base[] = "";
    struct bad_source bad = {.face = {.ops = &OPS, .name = base, .base = base},
                             .inner = open_source(tree.root)};
    mutex_init(&bad.lock);
    const struct catalog_node v1 = {.cluster = "shop",
                                    .region = "us-east-1",
                                    .token = "113427455640312821154458202479064646084",
                                    .prefix =
                                        "us-east-1/shop/113427455640312821154458202479064646084/"};
    const struct catalog_node v2 = {.v2 = true,
                                    .cluster = "fake-app",
                                    .region = "",
                                    .token = "7",
                                    .prefix = "1049_fake-app/7/"};
    const struct catalog_node *const nodes[] = {&v1, &v2};
    size_t failures = 0;
    for (size_t lists = 0;; lists++) {
        bad.lists_left = lists;
        struct catalog *catalog = NULL;
        struct err e = ERR_INIT;
        if (catalog_find_nodes(&ANY, &bad.face, &catalog, &e) == 0) {
            catalog_free(catalog);
            break;
        }
        assert_int_equal(e.kind, ERR_RETRY);
        assert_string_equal(e.text, "listing: told to fail");
        failures++;
    }
    assert_true(failures > 10);
    for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
        struct catalog_manifests found = {.count = 7};
        struct err e = ERR_INIT;
        for (size_t lists = 0; lists < (nodes[i]->v2 ? 1 : 2); lists++) {
            bad.lists_left = lists;
            assert_int_equal(
                catalog_find_manifests(nodes[i], &bad.face, ALL_TIMES, 0, 0, &found, &e), -1);
            assert_int_equal(e.kind, ERR_RETRY);
        }
        bad.lists_left = SIZE_MAX;
        bad.long_etags = true;
        assert_int_equal(catalog_find_manifests(nodes[i], &bad.face, ALL_TIMES, 0, 0, &found, &e),
                         -1);
        assert_int_equal(e.kind, ERR_LIMIT);
        assert_int_equal(found.count, 7); /* untouched on failure */
        bad.long_etags = false;
    }
    mutex_done(&bad.lock);
    source_free(bad.inner);
    tree_free(&tree);
}

static void test_rebase(void **state)
{
    (void)state;
    static const struct catalog_node V1 = {.prefix = "copy/r/c/5/"};
    static const struct catalog_node V1_BARE = {.prefix = "r/c/5/"};
    static const struct catalog_node V2 = {.v2 = true, .prefix = "-4266_fix_v2/5/"};
    static const struct {
        const struct catalog_node *node;
        const char *key, *rebased;
    } CASES[] = {
        {&V1, "backup/r/c/5/202306010000/SNAP/k/t/f", "copy/r/c/5/202306010000/SNAP/k/t/f"},
        {&V1, "r/c/5/x", "copy/r/c/5/x"},
        {&V1, "a/b//r/c/5/x", "copy/r/c/5/x"},
        {&V1, "xr/c/5/r/c/5/x", "copy/r/c/5/x"},
        {&V1, "copy/r/c/5/x", "copy/r/c/5/x"},
        {&V1, "backup/r/c/50/x", NULL},
        {&V1, "backup/r/d/5/x", NULL},
        {&V1, "backup/xr/c/5/x", NULL},
        {&V1, "", NULL},
        {&V1_BARE, "backup/r/c/5/x", "r/c/5/x"},
        {&V2, "backup/-4266_fix_v2/5/SST_V2/1", "-4266_fix_v2/5/SST_V2/1"},
        {&V2, "backup/4266_fix_v2/5/SST_V2/1", NULL},
        {&V2, "backup/-4266_fix_v2/-5/SST_V2/1", NULL},
    };
    autobuf struct buf out = BUF_INIT(1024);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        assert_int_equal(catalog_rebase_key(CASES[i].node, CASES[i].key, &out),
                         CASES[i].rebased != NULL);
        if (CASES[i].rebased != NULL) {
            assert_string_equal(buf_str(&out), CASES[i].rebased);
        }
    }
    autobuf struct buf small = BUF_INIT(12);
    assert_false(catalog_rebase_key(&V1, "r/c/5/xyz", &small));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes),        cmocka_unit_test(test_straight),
        cmocka_unit_test(test_nothing),      cmocka_unit_test(test_wrong_base),
        cmocka_unit_test(test_samples),      cmocka_unit_test(test_v1_manifests),
        cmocka_unit_test(test_v2_manifests), cmocka_unit_test(test_listing_fails),
        cmocka_unit_test(test_rebase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
