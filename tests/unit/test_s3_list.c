#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "s3/s3.h"
#include "tests/unit/scripted_server.h"
#include "tests/unit/unit.h"

#define PAGE_HEAD(length) "HTTP/1.1 200 OK\r\nContent-Length: " length "\r\n\r\n"
/* PAGE_SIZE bytes with a key and a token of one byte each. */
#define PAGE(key, token)                                                                           \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult><IsTruncated>true"              \
    "</IsTruncated><NextContinuationToken>" token "</NextContinuationToken><Contents><Key>" key    \
    "</Key><Size>7</Size></Contents></ListBucketResult>"
#define PAGE_SIZE "202"

struct rig {
    struct scripted_server *server;
    struct s3_client *client;
    struct err err;
    char keys[64];                     /* of the entries, one after the other */
    unsigned enough_after, fail_after; /* 0: never */
    unsigned entries;
};

static void rig_start_at(struct rig *rig, int64_t version_at_ms, const struct exchange *script,
                         size_t count, bool repeat)
{
    memset(rig, 0, sizeof(*rig));
    rig->server = scripted_server_start(script, count, repeat);
    const struct s3_options options = {
        .bucket = "bucket",
        .endpoint = scripted_server_url(rig->server),
        .no_sign = true,
        .net_threads = 2,
        .connections = 4,
        .retry_for_ms = 3000,
        .stall_ms = 3000,
        .version_at_ms = version_at_ms,
    };
    assert_int_equal(s3_client_new(&options, &rig->client, &rig->err), 0);
}

static void rig_start(struct rig *rig, const struct exchange *script, size_t count, bool repeat)
{
    rig_start_at(rig, 0, script, count, repeat);
}

static size_t rig_stop(struct rig *rig)
{
    s3_client_free(rig->client);
    return scripted_server_stop(rig->server);
}

static int on_entry(void *ctx, const struct s3_entry *entry, struct err *e)
{
    struct rig *rig = ctx;
    rig->entries++;
    const size_t used = strlen(rig->keys);
    const bool has_version = entry->version_id[0] != '\0';
    (void)snprintf(rig->keys + used, sizeof(rig->keys) - used, "%s%s%s%s", entry->key,
                   has_version ? "=" : "", entry->version_id, has_version ? " " : "");
    if (rig->entries == rig->fail_after) {
        return err_set(e, ERR_REFUSED, "no more");
    }
    return rig->entries == rig->enough_after ? 1 : 0;
}

static int rig_list(struct rig *rig, const struct s3_list *list)
{
    return s3_list(rig->client, list, on_entry, rig, &rig->err);
}

static const struct s3_list PREFIX = {.prefix = "p/"};

static void test_pages(void **state)
{
    (void)state;
    static const struct exchange SCRIPT[] = {
        {.expect = {"GET /bucket?", "list-type=2", "encoding-type=url", "prefix=p%2F",
                    "start-after=p%2Fa%20b"},
         .refuse = "delimiter",
         .reply = PAGE_HEAD(PAGE_SIZE) PAGE("k", "+")},
        {.expect = {"continuation-token=%2B", "prefix=p%2F"},
         .refuse = "start-after",
         .reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "12\r\n<ListBucketResult>\r\n"
                  "2a\r\n<Contents><Key>l</Key><Size>0</Size></Cont\r\n"
                  "4f\r\nents><CommonPrefixes><Prefix>m/</Prefix></CommonPrefixes></ListBucket"
                  "Result>  \n\r\n0\r\n\r\n"},
    };
    struct rig rig;
    rig_start(&rig, SCRIPT, 2, false);
    const struct s3_list list = {.prefix = "p/", .start_after = "p/a b"};
    const int outcome = rig_list(&rig, &list);
    if (outcome != 0) {
        print_error("%s\n", rig.err.text);
    }
    assert_int_equal(outcome, 0);
    assert_string_equal(rig.keys, "klm/");
    assert_int_equal(rig_stop(&rig), 2);
}

static void test_by_folder(void **state)
{
    (void)state;
    static const struct exchange SCRIPT[] = {
        {.expect = {"delimiter=%2F"},
         .reply = PAGE_HEAD("37") "<ListBucketResult></ListBucketResult>"},
    };
    struct rig rig;
    rig_start(&rig, SCRIPT, 1, false);
    const struct s3_list list = {.prefix = "", .by_folder = true};
    assert_int_equal(rig_list(&rig, &list), 0);
    assert_int_equal(rig.entries, 0);
    assert_int_equal(rig_stop(&rig), 1);
}

/* The second page is on its way while the first one is handed out. */
static int on_slow_entry(void *ctx, const struct s3_entry *entry, struct err *e)
{
    struct rig *rig = ctx;
    for (unsigned i = 0; i < 300 && rig->entries == 0; i++) {
        if (s3_client_stats(rig->client).requests >= 2) {
            break;
        }
        clock_sleep_ms(10);
    }
    if (rig->entries == 0) {
        assert_true(s3_client_stats(rig->client).requests >= 2);
    }
    return on_entry(ctx, entry, e);
}

#define VERSION(key, id, second)                                                                   \
    "<Version><Key>" key "</Key><VersionId>" id "</VersionId><Size>7</Size><LastModified>"         \
    "2026-11-23T08:00:0" second "Z</LastModified></Version>"
#define NEXT(key, id)                                                                              \
    "<IsTruncated>true</IsTruncated><NextKeyMarker>" key                                           \
    "</NextKeyMarker><NextVersionIdMarker>" id "</NextVersionIdMarker>"

static char *versions_page(const char *inner)
{
    autofree char *body = xasprintf("<ListVersionsResult>%s</ListVersionsResult>", inner);
    return xasprintf("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
}

/* Of a key that three pages share the second version counts; what came later does not. */
static void test_versions(void **state)
{
    (void)state;
    autofree char *first =
        versions_page(VERSION("p/j", "1", "0") VERSION("p/k", "3", "9") NEXT("p/k", "3"));
    autofree char *second =
        versions_page(VERSION("p/k", "2", "5") VERSION("p/k", "1", "1") NEXT("p/k", "1"));
    autofree char *last = versions_page(VERSION("p/k", "0", "0") VERSION("p/l", "1", "6"));
    const struct exchange script[] = {
        {.expect = {"GET /bucket?versions=&", "encoding-type=url", "prefix=p%2F",
                    "key-marker=p%2Fa"},
         .refuse = "version-id-marker",
         .reply = first},
        {.expect = {"key-marker=p%2Fk&version-id-marker=3"}, .reply = second},
        {.expect = {"key-marker=p%2Fk&version-id-marker=1"}, .reply = last},
    };
    struct rig rig;
    rig_start_at(&rig, 1795420805000, script, ARRAY_SIZE(script), false);
    const struct s3_list list = {.prefix = "p/", .start_after = "p/a"};
    const int outcome = rig_list(&rig, &list);
    if (outcome != 0) {
        print_error("%s\n", rig.err.text);
    }
    assert_int_equal(outcome, 0);
    assert_string_equal(rig.keys, "p/j=1 p/k=2 ");
    assert_int_equal(rig_stop(&rig), 3);
}

/* Pages on which nothing was there at the time are no empty ones; those that come again end. */
static void test_versions_that_do_not_end(void **state)
{
    (void)state;
    char *pages[12];
    struct exchange script[ARRAY_SIZE(pages)] = {{.reply = NULL}};
    for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
        autofree char *inner =
            xasprintf(VERSION("p/%02zu", "1", "9") "%s", i, i == 11 ? "" : NEXT("p/00", "1"));
        pages[i] = versions_page(inner);
        script[i].reply = pages[i];
        char *const marker = strstr(pages[i], "Marker>p/00");
        if (marker != NULL) {
            marker[9] = (char)('0' + i / 10);
            marker[10] = (char)('0' + i % 10);
        }
    }
    struct rig rig;
    rig_start_at(&rig, 1795420805000, script, ARRAY_SIZE(script), false);
    assert_int_equal(rig_list(&rig, &PREFIX), 0);
    assert_int_equal(rig.entries, 0);
    assert_int_equal(rig_stop(&rig), ARRAY_SIZE(script));

    rig_start_at(&rig, 1795420805000, script, 1, true);
    assert_int_equal(rig_list(&rig, &PREFIX), -1);
    assert_int_equal(rig.err.kind, ERR_CORRUPT);
    assert_non_null(strstr(rig.err.text, "listing does not end"));
    assert_in_range(rig_stop(&rig), 2, 3);
    for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
        free(pages[i]);
    }
}

static void test_prefetch(void **state)
{
    (void)state;
    static const struct exchange SCRIPT[] = {
        {.reply = PAGE_HEAD(PAGE_SIZE) PAGE("k", "t")},
        {.expect = {"continuation-token=t"},
         .reply = PAGE_HEAD("37") "<ListBucketResult></ListBucketResult>"},
    };
    struct rig rig;
    rig_start(&rig, SCRIPT, 2, false);
    assert_int_equal(s3_list(rig.client, &PREFIX, on_slow_entry, &rig, &rig.err), 0);
    assert_string_equal(rig.keys, "k");
    assert_int_equal(rig_stop(&rig), 2);
}

static void test_enough(void **state)
{
    (void)state;
    static const struct exchange SCRIPT[] = {
        {.reply = PAGE_HEAD(PAGE_SIZE) PAGE("k", "t")},
        {.reply = "", .after = AFTER_STALL}, /* asked for ahead, and not waited for */
    };
    struct rig rig;
    rig_start(&rig, SCRIPT, 2, true);
    rig.enough_after = 1;
    const uint64_t begin_ms = clock_mono_ms();
    assert_int_equal(rig_list(&rig, &PREFIX), 0);
    assert_true(clock_mono_ms() - begin_ms < 1000);
    assert_string_equal(rig.keys, "k");
    assert_in_range(rig_stop(&rig), 1, 2);

    rig_start(&rig, SCRIPT, 2, true);
    rig.fail_after = 1;
    assert_int_equal(rig_list(&rig, &PREFIX), -1);
    assert_int_equal(rig.err.kind, ERR_REFUSED);
    assert_in_range(rig_stop(&rig), 1, 2);
}

static void test_endless(void **state)
{
    (void)state;
    static const struct exchange SAME[] = {{.reply = PAGE_HEAD(PAGE_SIZE) PAGE("k", "t")}};
    /* From the start again, under a token that is new each time. */
    static const struct exchange OVER[] = {
        {.reply = PAGE_HEAD(PAGE_SIZE) PAGE("k", "a")},
        {.reply = PAGE_HEAD(PAGE_SIZE) PAGE("k", "b")},
    };
    static const struct exchange CYCLE[] = {
        {.reply = PAGE_HEAD(PAGE_SIZE) PAGE("A", "a")},
        {.reply = PAGE_HEAD(PAGE_SIZE) PAGE("B", "b")},
        {.reply = PAGE_HEAD(PAGE_SIZE) PAGE("C", "c")},
        {.reply = PAGE_HEAD(PAGE_SIZE) PAGE("D", "d")},
        {.reply = PAGE_HEAD(PAGE_SIZE) PAGE("E", "e")},
        {.reply = PAGE_HEAD(PAGE_SIZE) PAGE("C", "c")},
        {.reply = PAGE_HEAD(PAGE_SIZE) PAGE("D", "d")},
        {.reply = PAGE_HEAD(PAGE_SIZE) PAGE("E", "e")},
        {.reply = PAGE_HEAD(PAGE_SIZE) PAGE("C", "c")},
        {.reply = PAGE_HEAD(PAGE_SIZE) PAGE("D", "d")},
    };
    static const struct {
        const struct exchange *script;
        size_t count;
        const char *words;
    } CASES[] = {{SAME, 1, "begins as the one before"},
                 {OVER, ARRAY_SIZE(OVER), "begins as the one before"},
                 {CYCLE, ARRAY_SIZE(CYCLE), "twice"}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct rig rig;
        rig_start(&rig, CASES[i].script, CASES[i].count, true);
        assert_int_equal(rig_list(&rig, &PREFIX), -1);
        assert_int_equal(rig.err.kind, ERR_CORRUPT);
        assert_non_null(strstr(rig.err.text, "list s3://bucket/p/: listing does not end"));
        assert_non_null(strstr(rig.err.text, CASES[i].words));
        assert_in_range(rig_stop(&rig), 2, 12);
    }
}

/* Ten pages without a key are too many, nine are not. */
static void test_empty_pages(void **state)
{
    (void)state;
#define EMPTY(token)                                                                               \
    {                                                                                              \
        .reply = PAGE_HEAD("116") "<ListBucketResult><IsTruncated>true</IsTruncated>"              \
                                  "<NextContinuationToken>" token                                  \
                                  "</NextContinuationToken></ListBucketResult>"                    \
    }
    static const struct exchange PAGES[] = {
        EMPTY("a"), EMPTY("b"), EMPTY("c"), EMPTY("d"), EMPTY("e"), EMPTY("f"),
        EMPTY("g"), EMPTY("h"), EMPTY("i"), EMPTY("j"), EMPTY("k"),
    };
#undef EMPTY
    struct rig rig;
    rig_start(&rig, PAGES, ARRAY_SIZE(PAGES), true);
    assert_int_equal(rig_list(&rig, &PREFIX), -1);
    assert_int_equal(rig.err.kind, ERR_CORRUPT);
    assert_non_null(strstr(rig.err.text, "empty"));
    assert_in_range(rig_stop(&rig), 10, 11);

    struct exchange script[10];
    memcpy(script, PAGES, 9 * sizeof(script[0]));
    script[9] = (struct exchange){.reply = PAGE_HEAD("37") "<ListBucketResult></ListBucketResult>"};
    rig_start(&rig, script, ARRAY_SIZE(script), false);
    assert_int_equal(rig_list(&rig, &PREFIX), 0);
    assert_int_equal(rig_stop(&rig), 10);
}

/* Trouble on the way is retried; what stays wrong is named. */
static void test_trouble(void **state)
{
    (void)state;
    static const struct exchange RETRIED[] = {
        {.reply = "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"},
        {.reply = PAGE_HEAD("500") "<ListBucketResult><Contents><Key>half", .after = AFTER_RESET},
        {.reply = PAGE_HEAD("41") "<Error><Code>InternalError</Code></Error>"},
        /* A body whose end nobody told, and a status that is not the one of a page. */
        {.reply = "HTTP/1.1 200 OK\r\n\r\n<ListBucketResult></ListBucketResult>",
         .after = AFTER_CLOSE},
        {.reply =
             "HTTP/1.1 206 P\r\nContent-Length: 37\r\n\r\n<ListBucketResult></ListBucketResult>"},
        {.reply = PAGE_HEAD("37") "<ListBucketResult></ListBucketResult>"},
    };
    struct rig rig;
    rig_start(&rig, RETRIED, ARRAY_SIZE(RETRIED), false);
    assert_int_equal(rig_list(&rig, &PREFIX), 0);
    assert_int_equal(rig_stop(&rig), ARRAY_SIZE(RETRIED));

    static const struct {
        const char *reply;
        enum err_kind kind;
    } FINAL[] = {
        {"HTTP/1.1 403 X\r\nContent-Length: 40\r\n\r\n<Error><Code>AccessDenied</Code></Error>",
         ERR_AUTH},
        {"HTTP/1.1 404 X\r\nContent-Length: 40\r\n\r\n<Error><Code>NoSuchBucket</Code></Error>",
         ERR_NOT_FOUND},
        {PAGE_HEAD("4") "junk", ERR_CORRUPT},
        {PAGE_HEAD("6") "<html>", ERR_CONFIG},
        {PAGE_HEAD("13") "<html></html>", ERR_CONFIG},
        {PAGE_HEAD("18") "<ListBucketResult>", ERR_CORRUPT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(FINAL); i++) {
        const struct exchange script[] = {{.reply = FINAL[i].reply}};
        rig_start(&rig, script, 1, false);
        assert_int_equal(rig_list(&rig, &PREFIX), -1);
        assert_int_equal(rig.err.kind, FINAL[i].kind);
        assert_non_null(strstr(rig.err.text, "list s3://bucket/p/: "));
        assert_int_equal(rig_stop(&rig), 1);
    }
}

/* 16 MiB and no more. */
static void test_huge_page(void **state)
{
    (void)state;
    enum { SIZE = 17 << 20 };
    static const char HEAD[] = PAGE_HEAD("17825792");
    char *reply = xcalloc(1, sizeof(HEAD) + SIZE);
    memcpy(reply, HEAD, sizeof(HEAD));
    memset(reply + strlen(HEAD), ' ', SIZE);
    const struct exchange script[] = {{.reply = reply}};
    struct rig rig;
    rig_start(&rig, script, 1, false);
    assert_int_equal(rig_list(&rig, &PREFIX), -1);
    assert_int_equal(rig.err.kind, ERR_LIMIT);
    assert_int_equal(rig_stop(&rig), 1);
    free(reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),    cmocka_unit_test(test_by_folder),
        cmocka_unit_test(test_prefetch), cmocka_unit_test(test_enough),
        cmocka_unit_test(test_endless),  cmocka_unit_test(test_empty_pages),
        cmocka_unit_test(test_trouble),  cmocka_unit_test(test_huge_page),
        cmocka_unit_test(test_versions), cmocka_unit_test(test_versions_that_do_not_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
