#include "agent/source.h"

#include "agent/base/mem.h"
#include "tests/unit/tree.h"

/* What the S3 client was made with; the client itself is none. */
static struct {
    bool fail;
    char *bucket, *region;
    bool has_creds;
    unsigned clients, creds;
    bool cancelled;
} seen;

int __wrap_s3_client_new(const struct s3_options *options, struct s3_client **ret, struct err *e);
int __wrap_s3_list(struct s3_client *client, const struct s3_list *list, s3_entry_fn *fn, void *ctx,
                   struct err *e);
void __wrap_s3_submit(struct s3_client *client, struct s3_get *get);
void __wrap_s3_client_cancel(struct s3_client *client);
struct s3_stats __wrap_s3_client_stats(struct s3_client *client);
void __wrap_s3_client_free(struct s3_client *client);
struct creds *__wrap_creds_new(const struct creds_options *options);
void __wrap_creds_free(struct creds *creds);
char *__wrap_creds_region(struct creds *creds);

int __wrap_s3_client_new(const struct s3_options *options, struct s3_client **ret, struct err *e)
{
    if (seen.fail) {
        return err_set(e, ERR_CONFIG, "endpoint: told to fail");
    }
    free(seen.bucket);
    free(seen.region);
    seen.bucket = xstrdup(options->bucket);
    seen.region = xstrdup(options->region == NULL ? "(none)" : options->region);
    seen.has_creds = options->creds != NULL;
    assert_true(options->stall_ms > 0);
    assert_int_equal(options->no_sign, options->creds == NULL);
    seen.clients++;
    *ret = (struct s3_client *)&seen;
    return 0;
}

void __wrap_s3_client_free(struct s3_client *client)
{
    seen.clients -= client != NULL;
}

int __wrap_s3_list(struct s3_client *client, const struct s3_list *list, s3_entry_fn *fn, void *ctx,
                   struct err *e)
{
    assert_ptr_equal(client, &seen);
    return fn(ctx, &(struct s3_entry){.key = list->prefix}, e);
}

void __wrap_s3_submit(struct s3_client *client, struct s3_get *get)
{
    assert_ptr_equal(client, &seen);
    get->err = ERR_INIT;
    get->done(get);
}

void __wrap_s3_client_cancel(struct s3_client *client)
{
    assert_ptr_equal(client, &seen);
    seen.cancelled = true;
}

struct s3_stats __wrap_s3_client_stats(struct s3_client *client)
{
    assert_ptr_equal(client, &seen);
    return (struct s3_stats){.requests = 3, .retries = 2, .bytes = 1};
}

struct creds *__wrap_creds_new(const struct creds_options *options)
{
    assert_string_equal(options->profile, "dr");
    seen.creds++;
    return (struct creds *)&seen;
}

void __wrap_creds_free(struct creds *creds)
{
    seen.creds -= creds != NULL;
}

char *__wrap_creds_region(struct creds *creds)
{
    assert_non_null(creds);
    return xstrdup("eu-west-1");
}

static struct config config_for(const char *source)
{
    return (struct config){.source = source, .profile = "dr", .net_threads = 1, .connections = 4};
}

#define POINT_ARN "arn:aws:s3:us-west-2:123456789012:accesspoint/point"
#define POINT "s3://" POINT_ARN

static void test_bucket(void **state)
{
    (void)state;
    static const struct {
        const char *text, *bucket, *name, *base;
    } CASES[] = {
        {"s3://bkt", "bkt", "s3://bkt", ""},
        {"s3://bkt/", "bkt", "s3://bkt", ""},
        {"s3://my-bucket.old_1/backup", "my-bucket.old_1", "s3://my-bucket.old_1/backup",
         "backup/"},
        {"s3://bkt/backup/", "bkt", "s3://bkt/backup", "backup/"},
        {"s3://bkt/a/b c/%41", "bkt", "s3://bkt/a/b c/%41", "a/b c/%41/"},
        {POINT, POINT_ARN, POINT, ""},
        {POINT "/a/b:c/", POINT_ARN, POINT "/a/b:c", "a/b:c/"},
        {"s3://bkt//backup//", "bkt", "s3://bkt//backup/", "/backup//"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const struct config config = config_for(CASES[i].text);
        struct source *source = NULL;
        struct err e = ERR_INIT;
        assert_int_equal(source_open(&config, &source, &e), 0);
        assert_string_equal(seen.bucket, CASES[i].bucket);
        assert_string_equal(source->name, CASES[i].name);
        assert_string_equal(source->base, CASES[i].base);
        source_free(source);
        assert_int_equal(seen.clients, 0);
        assert_int_equal(seen.creds, 0);
    }
}

static void test_region_and_credentials(void **state)
{
    (void)state;
    struct config config = config_for("s3://bkt");
    struct source *source = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(source_open(&config, &source, &e), 0);
    assert_string_equal(seen.region, "eu-west-1");
    assert_true(seen.has_creds);
    source_free(source);
    config.region = "us-east-2";
    assert_int_equal(source_open(&config, &source, &e), 0);
    assert_string_equal(seen.region, "us-east-2");
    source_free(source);
    config.region = NULL;
    config.no_sign = true;
    assert_int_equal(source_open(&config, &source, &e), 0);
    assert_string_equal(seen.region, "(none)");
    assert_false(seen.has_creds);
    source_free(source);
    config.no_sign = false;
    seen.fail = true;
    source = NULL;
    assert_int_equal(source_open(&config, &source, &e), -1);
    assert_null(source);
    assert_int_equal(seen.creds, 0);
    seen.fail = false;
}

static int fail_entry(void *ctx, const struct s3_entry *entry, struct err *e)
{
    (void)ctx;
    return err_set(e, ERR_CORRUPT, "'%s': told to fail", entry->key);
}

/* Each call reaches the client. */
static void test_passed_on(void **state)
{
    (void)state;
    const struct config config = config_for("s3://bkt");
    struct source *source = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(source_open(&config, &source, &e), 0);
    assert_int_equal(source_list(source, &(struct s3_list){.prefix = "p/"}, fail_entry, NULL, &e),
                     -1);
    assert_string_equal(e.text, "'p/': told to fail");
    struct s3_get get = {.key = "k"};
    assert_int_equal(source_get_wait(source, &get, &e), 0);
    const struct s3_stats stats = source_stats(source);
    assert_true(stats.requests == 3 && stats.retries == 2 && stats.bytes == 1);
    assert_false(seen.cancelled);
    source_cancel(source);
    assert_true(seen.cancelled);
    source_free(source);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err_kind kind;
    } CASES[] = {
        {"s3://", ERR_CONFIG},
        {"s3:///backup", ERR_CONFIG},
        {"s3://bkt?x/backup", ERR_CONFIG},
        {"s3://bkt@host/backup", ERR_CONFIG},
        {"s3://arn:aws:s3:::bkt/backup", ERR_CONFIG},
        {"s3://bkt/a\nb", ERR_CONFIG},
        {"s3://bkt/a\x7f", ERR_CONFIG},
        {"gs://b/backup", ERR_CONFIG},
        {"https://b.s3.amazonaws.com/backup", ERR_CONFIG},
        {"file://host/backup", ERR_CONFIG},
        {"file://relative", ERR_CONFIG},
        {"file:///a%2", ERR_CONFIG},
        {"file:///a%zz", ERR_CONFIG},
        {"file:///a%00b", ERR_CONFIG},
        {"/nonexistent/directory", ERR_NOT_FOUND},
        {"file:///nonexistent/directory", ERR_NOT_FOUND},
        {"/dev/null", ERR_CONFIG},
        {"", ERR_NOT_FOUND},
    };
    char longest[600] = "s3://bkt/";
    memset(longest + 9, 'a', sizeof(longest) - 10);
    longest[sizeof(longest) - 1] = '\0';
    for (size_t i = 0; i <= ARRAY_SIZE(CASES); i++) {
        const bool last = i == ARRAY_SIZE(CASES);
        const struct config config = config_for(last ? longest : CASES[i].text);
        struct source *source = NULL;
        struct err e = ERR_INIT;
        assert_int_equal(source_open(&config, &source, &e), -1);
        assert_int_equal(e.kind, last ? ERR_CONFIG : CASES[i].kind);
        assert_null(source);
    }
}

static void test_directory(void **state)
{
    (void)state;
    const struct tree tree = tree_new();
    tree_file(&tree, "a b%/f", "x");
    autofree char *plain = xasprintf("%s/a b%%", tree.root);
    autofree char *slashes = xasprintf("%s/a b%%///", tree.root);
    autofree char *url = xasprintf("file://%s/a%%20b%%25", tree.root);
    autofree char *local = xasprintf("file://localhost%s/a b%%25", tree.root);
    const char *const texts[] = {plain, slashes, url, local};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        const struct config config = config_for(texts[i]);
        struct source *source = NULL;
        struct err e = ERR_INIT;
        assert_int_equal(source_open(&config, &source, &e), 0);
        assert_string_equal(source->name, plain);
        assert_string_equal(source->base, "");
        char into[2] = "";
        struct s3_get get = {.key = "f", .size = 1, .into = (uint8_t *)into};
        assert_int_equal(source_get_wait(source, &get, &e), 0);
        assert_string_equal(into, "x");
        source_free(source);
    }
    const struct config config = config_for("/");
    struct source *source = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(source_open(&config, &source, &e), 0);
    assert_string_equal(source->name, "/");
    source_free(source);
    source_free(NULL);
    tree_free(&tree);
}

static int forget(void **state)
{
    (void)state;
    free(seen.bucket);
    free(seen.region);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bucket),    cmocka_unit_test(test_region_and_credentials),
        cmocka_unit_test(test_passed_on), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_directory),
    };
    return cmocka_run_group_tests(tests, NULL, forget);
}
