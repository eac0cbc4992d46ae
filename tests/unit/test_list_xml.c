#include "s3/list_token.h"
#include "tests/unit/unit.h"

struct seen {
    char text[2048]; /* one line an entry */
    unsigned stop_after;
    unsigned count;
};

static int on_record(void *ctx, const struct list_record *record, struct err *e)
{
    (void)e;
    const struct s3_entry *const entry = &record->entry;
    struct seen *seen = ctx;
    if (entry->version_id[0] != '\0') {
        const size_t size = strlen(seen->text);
        (void)snprintf(seen->text + size, sizeof(seen->text) - size, "%s %s%s: ", entry->version_id,
                       record->is_marker ? "marker" : "version",
                       record->is_latest ? ", latest" : "");
    }
    const size_t used = strlen(seen->text);
    if (entry->is_folder) {
        (void)snprintf(seen->text + used, sizeof(seen->text) - used, "folder %s\n", entry->key);
    } else {
        (void)snprintf(seen->text + used, sizeof(seen->text) - used, "%s|%ju|%s|%jd|%s|%d%s\n",
                       entry->key, (uintmax_t)entry->size, entry->etag,
                       (intmax_t)entry->modified_ms, entry->storage_class, (int)entry->checksum,
                       entry->checksum_composite ? "c" : "");
    }
    seen->count++;
    return seen->count == seen->stop_after ? 1 : 0;
}

static int parse_kind(const char *text, enum list_kind kind, struct seen *seen,
                      struct list_page *page, struct err *e)
{
    return list_xml_parse(slice_of(text, strlen(text)), kind, on_record, seen, page, e);
}

static int parse(const char *text, struct seen *seen, struct list_page *page, struct err *e)
{
    return parse_kind(text, LIST_OBJECTS, seen, page, e);
}

static void check_kind(const char *text, enum list_kind kind, const char *entries)
{
    struct seen seen = {.count = 0};
    struct err e = ERR_INIT;
    struct list_page page = LIST_PAGE_INIT;
    const int outcome = parse_kind(text, kind, &seen, &page, &e);
    if (outcome != 0) {
        print_error("%s\n", e.text);
    }
    assert_int_equal(outcome, 0);
    assert_string_equal(seen.text, entries);
    assert_int_equal(page.entries, seen.count);
    list_page_done(&page);
}

static void check(const char *text, const char *entries)
{
    check_kind(text, LIST_OBJECTS, entries);
}

#define LIST(inner) "<ListBucketResult>" inner "</ListBucketResult>"
#define URL "<EncodingType>url</EncodingType>"
#define KEY(key) "<Contents><Key>" key "</Key><Size>1</Size></Contents>"

static void test_aws_page(void **state)
{
    (void)state;
    check("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
          "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>"
          "<Prefix>p/</Prefix><KeyCount>3</KeyCount><MaxKeys>1000</MaxKeys>"
          "<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"
          "<Contents><Key>p/a+b%2Bc%20d%2Fe%C3%A9%01</Key>"
          "<LastModified>2026-11-23T08:00:00.000Z</LastModified>"
          "<ETag>&quot;9b2cf535f27731c974343645a3985328-2&quot;</ETag>"
          "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>COMPOSITE</ChecksumType>"
          "<Size>5368709120</Size><StorageClass>GLACIER</StorageClass></Contents>\n"
          "<Contents><Key>p/b</Key><LastModified>soon</LastModified><ETag>\"x\"</ETag>"
          "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
          "<Size>0</Size><Owner><ID>i</ID><Key>not this</Key></Owner></Contents>"
          "<CommonPrefixes><Prefix>p/c+d/</Prefix></CommonPrefixes></ListBucketResult>",
          "p/a b+c d/e\xc3\xa9\x01|5368709120|9b2cf535f27731c974343645a3985328-2|1795420800000|"
          "GLACIER|1c\n"
          "p/b|0|x|-1||3\n"
          "folder p/c d/\n");
}

static void test_encodings(void **state)
{
    (void)state;
    check(LIST(KEY("a+b%20c")), "a+b%20c|1||-1||0\n");   /* raw keys stay */
    check(LIST(URL KEY("a+b%20c")), "a b c|1||-1||0\n"); /* both blanks */
    check(LIST(KEY("a+b%2fc") URL), "a b/c|1||-1||0\n"); /* told after the keys */
    check(LIST(KEY("a&amp;b &#60;&gt;")), "a&b <>|1||-1||0\n");
    check(LIST(KEY(" ")), " |1||-1||0\n");
    check(LIST(KEY("<![CDATA[a&b]]>")), "a&b|1||-1||0\n");
    check(LIST(""), "");
}

static void test_checksums(void **state)
{
    (void)state;
#define SUM(etag, rest)                                                                            \
    LIST("<Contents><Key>k</Key><Size>1</Size><ETag>" etag "</ETag>" rest "</Contents>")
    check(SUM("e-2", "<ChecksumAlgorithm>SHA256</ChecksumAlgorithm>"), "k|1|e-2|-1||5c\n");
    check(SUM("e", "<ChecksumAlgorithm>SHA1</ChecksumAlgorithm>"), "k|1|e|-1||4\n");
    check(SUM("e-2", "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>"), "k|1|e-2|-1||3\n");
    check(SUM("e-2", "<ChecksumAlgorithm>CRC32C</ChecksumAlgorithm>"
                     "<ChecksumType>FULL_OBJECT</ChecksumType>"),
          "k|1|e-2|-1||2\n");
    check(SUM("e", "<ChecksumAlgorithm>NEW</ChecksumAlgorithm>"
                   "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm>"
                   "<ChecksumAlgorithm>SHA1</ChecksumAlgorithm>"),
          "k|1|e|-1||1\n");
#undef SUM
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err_kind kind;
    } CASES[] = {
        {"", ERR_CORRUPT},
        {"junk", ERR_CORRUPT},
        {"<ListBucketResult>", ERR_CORRUPT},
        {LIST(KEY("a")) "x", ERR_CORRUPT},
        {"<Error><Code>x</Code></Error>", ERR_CORRUPT},
        {"<!DOCTYPE x><ListBucketResult/>", ERR_CORRUPT},
        {"<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>" LIST(KEY("&b;")), ERR_CORRUPT},
        {"<!DOCTYPE x SYSTEM \"file:///etc/passwd\">" LIST(""), ERR_CORRUPT},
        {LIST(KEY("&undeclared;")), ERR_CORRUPT},
        {LIST(URL KEY("a%zz")), ERR_CORRUPT},
        {LIST(URL KEY("a%00b")), ERR_CORRUPT},
        {LIST(URL KEY("a%2")), ERR_CORRUPT},
        {LIST(KEY("")), ERR_CORRUPT},
        {LIST(KEY("&#1;")), ERR_CORRUPT},
        {LIST("<Contents><Size>1</Size></Contents>"), ERR_CORRUPT},
        {LIST("<Contents><Key>a</Key></Contents>"), ERR_CORRUPT},
        {LIST("<Contents><Key>a</Key><Size>-1</Size></Contents>"), ERR_CORRUPT},
        {LIST("<Contents><Key>a</Key><Size></Size></Contents>"), ERR_CORRUPT},
        {LIST("<CommonPrefixes></CommonPrefixes>"), ERR_CORRUPT},
        {LIST("<IsTruncated>true</IsTruncated>"), ERR_CORRUPT},
        {LIST("<EncodingType> url</EncodingType><EncodingType>url</EncodingType >"), ERR_CORRUPT},
        {LIST("<a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a>"), ERR_LIMIT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct seen seen = {.count = 0};
        struct list_page page = LIST_PAGE_INIT;
        struct err e = ERR_INIT;
        if (parse(CASES[i].text, &seen, &page, &e) == 0 || e.kind != CASES[i].kind) {
            print_error("%s\n", CASES[i].text);
        }
        assert_int_equal(e.kind, CASES[i].kind);
        assert_int_equal(page.entries, 0); /* untouched */
    }
}

/* A key of 1,024 bytes passes, one more does not; nor does a token or a text without end. */
static void test_limits(void **state)
{
    (void)state;
    static char text[100 * 1024];
    static const struct {
        const char *before, *after;
        size_t size;
        enum err_kind kind;
    } CASES[] = {
        {"<ListBucketResult><Contents><Key>", "</Key><Size>1</Size></Contents></ListBucketResult>",
         1024, ERR_NONE},
        {"<ListBucketResult><Contents><Key>", "</Key><Size>1</Size></Contents></ListBucketResult>",
         1025, ERR_CORRUPT},
        {"<ListBucketResult><NextContinuationToken>", "</NextContinuationToken></ListBucketResult>",
         LIST_TOKEN_MAX, ERR_NONE},
        {"<ListBucketResult><NextContinuationToken>", "</NextContinuationToken></ListBucketResult>",
         LIST_TOKEN_MAX + 1, ERR_LIMIT},
        {"<ListBucketResult><Other>", "</Other></ListBucketResult>", 64 * 1024 + 1, ERR_LIMIT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const size_t before = strlen(CASES[i].before);
        memcpy(text, CASES[i].before, before);
        memset(text + before, 'k', CASES[i].size);
        memcpy(text + before + CASES[i].size, CASES[i].after, strlen(CASES[i].after) + 1);
        struct seen seen = {.count = 0};
        struct list_page page = LIST_PAGE_INIT;
        struct err e = ERR_INIT;
        assert_int_equal(parse(text, &seen, &page, &e), CASES[i].kind == ERR_NONE ? 0 : -1);
        assert_int_equal(e.kind, CASES[i].kind);
        list_page_done(&page);
    }
}

static void test_stop(void **state)
{
    (void)state;
    struct seen seen = {.stop_after = 1};
    struct list_page page = LIST_PAGE_INIT;
    struct err e = ERR_INIT;
    assert_int_equal(parse("<ListBucketResult>" KEY("a") KEY("b") "junk", &seen, &page, &e), 0);
    assert_true(page.enough);
    assert_string_equal(seen.text, "a|1||-1||0\n");
    list_page_done(&page);
}

static void test_token(void **state)
{
    (void)state;
#define MORE(token)                                                                                \
    "<IsTruncated>true</IsTruncated><NextContinuationToken>" token "</NextContinuationToken>"
    static const struct {
        const char *text, *ahead, *parsed;
    } CASES[] = {
        {LIST(MORE("1/x+y==")), "1/x+y==", "1/x+y=="},
        {LIST(KEY("k") MORE("a&amp;b&#43;&quot;")), "a&b+\"", "a&b+\""},
        {LIST(MORE("<![CDATA[x]]>")), "", "x"}, /* not plain to see */
        {LIST(MORE("a&#x41;")), "", "aA"},
        {LIST("<IsTruncated>false</IsTruncated><NextContinuationToken>x</NextContinuationToken>"),
         "", "x"},
    };
#undef MORE
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct buf ahead = BUF_INIT(LIST_TOKEN_MAX);
        const bool found =
            list_token_find(slice_of(CASES[i].text, strlen(CASES[i].text)), LIST_OBJECTS, &ahead);
        assert_int_equal(found, CASES[i].ahead[0] != '\0');
        assert_string_equal(buf_str(&ahead), CASES[i].ahead);
        buf_done(&ahead);
        struct seen seen = {.count = 0};
        struct list_page page = LIST_PAGE_INIT;
        struct err e = ERR_INIT;
        assert_int_equal(parse(CASES[i].text, &seen, &page, &e), 0);
        assert_string_equal(buf_str(&page.token), CASES[i].parsed);
        list_page_done(&page);
    }
}

#define VERSIONS(inner) "<ListVersionsResult>" inner "</ListVersionsResult>"
#define VERSION(rest) "<Version><Key>k</Key><Size>1</Size>" rest "</Version>"

static void test_versions(void **state)
{
    (void)state;
    check_kind(VERSIONS("<EncodingType>url</EncodingType>"
                        "<Version><Key>a%20b</Key><VersionId>v.2</VersionId><IsLatest>true"
                        "</IsLatest><LastModified>2026-11-23T08:00:00.000Z</LastModified>"
                        "<ETag>&quot;e&quot;</ETag><Size>5</Size></Version>"
                        "<DeleteMarker><Key>c</Key><VersionId>null</VersionId>"
                        "<LastModified>2026-11-23T08:00:01.000Z</LastModified></DeleteMarker>"
                        "<Contents><Key>not</Key></Contents>"
                        "<CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes>"),
               LIST_VERSIONS,
               "v.2 version, latest: a b|5|e|1795420800000||0\n"
               "null marker: c|0||1795420801000||0\n"
               "folder d/\n");
    static const char *const REFUSED[] = {
        LIST(""),
        VERSIONS(VERSION("")),
        VERSIONS(VERSION("<VersionId>a b</VersionId>")),
        VERSIONS(VERSION("<VersionId>a\xc3\xa9</VersionId>")),
        VERSIONS("<Version><Key>k</Key><VersionId>v</VersionId></Version>"),
        VERSIONS("<DeleteMarker><VersionId>v</VersionId></DeleteMarker>"),
        VERSIONS("<IsTruncated>true</IsTruncated>"),
        VERSIONS("<NextKeyMarker>k</NextKeyMarker>"
                 "<NextVersionIdMarker>a&#10;b</NextVersionIdMarker>"),
    };
    for (size_t i = 0; i < ARRAY_SIZE(REFUSED); i++) {
        struct seen seen = {.count = 0};
        struct list_page page = LIST_PAGE_INIT;
        struct err e = ERR_INIT;
        assert_int_equal(parse_kind(REFUSED[i], LIST_VERSIONS, &seen, &page, &e), -1);
        assert_int_equal(e.kind, ERR_CORRUPT);
    }
}

/* The two markers in one token; Swift encodes the keys and not the marker. */
static void test_version_markers(void **state)
{
    (void)state;
#define MORE(key, id)                                                                              \
    "<IsTruncated>true</IsTruncated><NextKeyMarker>" key "</NextKeyMarker>"                        \
    "<NextVersionIdMarker>" id "</NextVersionIdMarker>"
#define LAST(key) "<Version><Key>" key "</Key><VersionId>v</VersionId><Size>1</Size></Version>"
    static const struct {
        const char *text, *ahead, *parsed;
    } CASES[] = {
        {VERSIONS(MORE("a/b", "v1")), "v1\na/b", "v1\na/b"},
        {VERSIONS(MORE("a%20b", "v1")), "v1\na%20b", "v1\na%20b"},
        {VERSIONS(URL MORE("a%20b", "v1") LAST("a%20b")), "v1\na b", "v1\na b"},
        {VERSIONS(URL MORE("a%20b", "v1") LAST("a%2520b")), "v1\na b", "v1\na%20b"},
        {VERSIONS(URL MORE("a%", "v1") LAST("a%25")), "", "v1\na%"},
        {VERSIONS(MORE("a/", "")), "", "\na/"},
        {VERSIONS("<IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>"), "", "\nk"},
    };
#undef MORE
#undef LAST
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const struct slice text = slice_of(CASES[i].text, strlen(CASES[i].text));
        autobuf struct buf ahead = BUF_INIT(LIST_TOKEN_MAX);
        assert_int_equal(list_token_find(text, LIST_VERSIONS, &ahead), CASES[i].ahead[0] != '\0');
        assert_string_equal(buf_str(&ahead), CASES[i].ahead);
        struct seen seen = {.count = 0};
        struct list_page page = LIST_PAGE_INIT;
        struct err e = ERR_INIT;
        assert_int_equal(parse_kind(CASES[i].text, LIST_VERSIONS, &seen, &page, &e), 0);
        assert_string_equal(buf_str(&page.token), CASES[i].parsed);
        list_page_done(&page);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aws_page),        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_checksums),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),          cmocka_unit_test(test_stop),
        cmocka_unit_test(test_token),           cmocka_unit_test(test_versions),
        cmocka_unit_test(test_version_markers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
