#include "agent/manifest.h"

#include <inttypes.h>
#include <malloc.h>

#include "agent/base/mem.h"
#include "tests/unit/codec_rig.h"
#include "tests/unit/unit.h"

enum { TEXT_SIZE_MAX = 1 << 20 };

/* What the parser told, one line an entry: "KEY SIZE" or "KEY -". */
struct told {
    struct buf lines;
    uint64_t count;
    uint64_t fail_at; /* the entry that the callback refuses; 0: none */
};

static int tell(void *ctx, const struct manifest_entry *entry, struct err *e)
{
    struct told *told = ctx;
    if (++told->count == told->fail_at) {
        return err_set(e, ERR_REFUSED, "enough");
    }
    autofree char *size = entry->has_size ? xasprintf("%" PRIu64, entry->plain_size) : xstrdup("-");
    assert_true(buf_appendf(&told->lines, "%s %s\n", entry->key, size));
    return 0;
}

/* Pushes `text` in pieces of `split` bytes; the kind of failure, or ERR_NONE. */
static enum err_kind parse(bool v2, struct slice text, size_t split, struct told *told,
                           struct err *e)
{
    struct manifest_parser *parser = manifest_parser_new(v2, tell, told);
    *e = ERR_INIT;
    int result = 0;
    for (size_t at = 0; at < text.size && result == 0; at += split) {
        const size_t left = text.size - at;
        autofree uint8_t *piece = xcalloc(split, 1); /* of its own: reads past its end are seen */
        const size_t size = left < split ? left : split;
        memcpy(piece, text.data + at, size);
        result = manifest_parser_push(parser, slice_of(piece, size), e);
    }
    if (result == 0) {
        result = manifest_parser_finish(parser, e);
    }
    manifest_parser_free(parser);
    assert_true((result == 0) == (e->kind == ERR_NONE));
    return e->kind;
}

static struct told told_new(void)
{
    return (struct told){.lines = BUF_INIT(TEXT_SIZE_MAX)};
}

#define V2(component)                                                                              \
    "{\"info\":{\"version\":1,\"backupIdentifier\":[\"1\"]},\"data\":[{\"keyspaceName\":\"k\","    \
    "\"sstables\":[{\"prefix\":\"me-3-big\",\"sstableComponents\":[" component "]}]}]}"

/* One case: the dialect, the document, what is told, and how it ends. */
struct document {
    bool v2;
    const char *text;
    const char *lines;
    enum err_kind kind;
};

static const struct document DOCUMENTS[] = {
    /* v1: an array of keys, and nothing else */
    {false, "[]", "", ERR_NONE},
    {false, " [ ] \n", "", ERR_NONE},
    {false, "[\"a\\/b\",\"c\"]", "a/b -\nc -\n", ERR_NONE},
    {false, "[\"\\u00e9\"]", "\xc3\xa9 -\n", ERR_NONE},
    {false, "", "", ERR_TRUNCATED},
    {false, "  ", "", ERR_TRUNCATED},
    {false, "[", "", ERR_TRUNCATED},
    {false, "[\"a\"", "a -\n", ERR_TRUNCATED},
    {false, "[\"a", "", ERR_TRUNCATED},
    {false, "[\"a\",", "a -\n", ERR_TRUNCATED},
    {false, "{}", "", ERR_CORRUPT},
    {false, "\"a\"", "", ERR_CORRUPT},
    {false, "null", "", ERR_CORRUPT},
    {false, "12", "", ERR_CORRUPT},
    {false, "[1]", "", ERR_CORRUPT},
    {false, "[null]", "", ERR_CORRUPT},
    {false, "[true]", "", ERR_CORRUPT},
    {false, "[[]]", "", ERR_CORRUPT},
    {false, "[{}]", "", ERR_CORRUPT},
    {false, "[\"\"]", "", ERR_CORRUPT},
    {false, "[\"a\\u0000b\"]", "", ERR_CORRUPT},
    {false, "[\"a\xff\"]", "", ERR_CORRUPT}, /* not UTF-8 */
    {false, "[\"a\n\"]", "", ERR_CORRUPT},
    {false, "[\"a\"]x", "a -\n", ERR_CORRUPT},
    {false, "[\"a\"][]", "a -\n", ERR_CORRUPT},
    {false, "<Error/>", "", ERR_CORRUPT},
    {false, "[\"a\" \"b\"]", "a -\n", ERR_CORRUPT},
    /* v2: fields in any order, unknown ones ignored */
    {true, V2(""), "", ERR_NONE},
    {true, V2("{\"backupPath\":\"p\"}"), "p -\n", ERR_NONE},
    {true, V2("{\"backupPath\":\"p\",\"fileSizeOnDisk\":7}"), "p 7\n", ERR_NONE},
    {true, V2("{\"fileSizeOnDisk\":0,\"isUploaded\":false,\"backupPath\":\"p\"}"), "p 0\n",
     ERR_NONE},
    {true, V2("{\"backupPath\":\"p\"},{\"backupPath\":\"q\",\"fileSizeOnDisk\":1}"), "p -\nq 1\n",
     ERR_NONE},
    {true, V2("{\"backupPath\":\"p\",\"fileSizeOnDisk\":9223372036854775807}"),
     "p 9223372036854775807\n", ERR_NONE},
    {true, V2("{\"new\":{\"backupPath\":\"x\",\"fileSizeOnDisk\":[null]},\"backupPath\":\"p\"}"),
     "p -\n", ERR_NONE},
    {true, "{\"data\":[],\"info\":{}}", "", ERR_NONE},
    {true, "{\"data\":[{}]}", "", ERR_NONE},
    {true, "{\"data\":[{\"sstables\":[{}]}]}", "", ERR_NONE},
    {true, "{\"more\":{\"data\":[{\"sstables\":[{\"sstableComponents\":[{}]}]}]},\"data\":[]}", "",
     ERR_NONE},
    {true, "{\"data\":[{\"data\":[7],\"sstables\":[{\"sstables\":null}]}]}", "", ERR_NONE},
    {true, V2("{}"), "", ERR_CORRUPT},
    {true, V2("{\"fileSizeOnDisk\":7}"), "", ERR_CORRUPT},
    {true, V2("{\"backupPath\":\"p\"},{}"), "p -\n", ERR_CORRUPT},
    {true, V2("{\"backupPath\":null}"), "", ERR_CORRUPT},
    {true, V2("{\"backupPath\":[\"p\"]}"), "", ERR_CORRUPT},
    {true, V2("{\"backupPath\":\"p\",\"backupPath\":\"q\"}"), "", ERR_CORRUPT},
    {true, V2("{\"backupPath\":\"p\",\"fileSizeOnDisk\":7,\"fileSizeOnDisk\":7}"), "", ERR_CORRUPT},
    {true, V2("{\"backupPath\":\"p\",\"fileSizeOnDisk\":-1}"), "", ERR_CORRUPT},
    {true, V2("{\"backupPath\":\"p\",\"fileSizeOnDisk\":1.5}"), "", ERR_CORRUPT},
    {true, V2("{\"backupPath\":\"p\",\"fileSizeOnDisk\":1e3}"), "", ERR_CORRUPT},
    {true, V2("{\"backupPath\":\"p\",\"fileSizeOnDisk\":9223372036854775808}"), "", ERR_CORRUPT},
    {true, V2("{\"backupPath\":\"p\",\"fileSizeOnDisk\":99999999999999999999}"), "", ERR_CORRUPT},
    {true, V2("{\"backupPath\":\"p\",\"fileSizeOnDisk\":\"7\"}"), "", ERR_CORRUPT},
    {true, V2("{\"backupPath\":\"p\",\"fileSizeOnDisk\":true}"), "", ERR_CORRUPT},
    {true, V2("\"p\""), "", ERR_CORRUPT},
    {true, V2("[]"), "", ERR_CORRUPT},
    {true, "[]", "", ERR_CORRUPT},
    {true, "{}", "", ERR_CORRUPT},
    {true, "{\"info\":{}}", "", ERR_CORRUPT},
    {true, "{\"data\":{}}", "", ERR_CORRUPT},
    {true, "{\"data\":null}", "", ERR_CORRUPT},
    {true, "{\"data\":[7]}", "", ERR_CORRUPT},
    {true, "{\"data\":[{\"sstables\":7}]}", "", ERR_CORRUPT},
    {true, "{\"data\":[{\"sstables\":[[]]}]}", "", ERR_CORRUPT},
    {true, "{\"data\":[{\"sstables\":[{\"sstableComponents\":{}}]}]}", "", ERR_CORRUPT},
    {true, "{\"data\":[", "", ERR_TRUNCATED},
    {true, "{\"data\":[]}}", "", ERR_CORRUPT},
    {true, "{\"data\":[],\"x\":tru", "", ERR_TRUNCATED},
    {true, "{\"data\":[],\"x\":troo}", "", ERR_CORRUPT},
    /* depth: 16 is allowed, 17 is not */
    {true, "{\"data\":[],\"x\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}", "", ERR_NONE},
    {true, "{\"data\":[],\"x\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}", "", ERR_LIMIT},
};

/* Whole and byte by byte, the same is told and it ends the same way. */
static void test_documents(void **state)
{
    (void)state;
    static const size_t SPLITS[] = {1, 3, 100000};
    for (size_t i = 0; i < ARRAY_SIZE(DOCUMENTS); i++) {
        for (size_t s = 0; s < ARRAY_SIZE(SPLITS); s++) {
            const struct document *document = &DOCUMENTS[i];
            struct told told = told_new();
            struct err e;
            const struct slice text = slice_of(document->text, strlen(document->text));
            const enum err_kind kind = parse(document->v2, text, SPLITS[s], &told, &e);
            if (kind != document->kind || strcmp(buf_str(&told.lines), document->lines) != 0) {
                print_message("%s: %s\n", document->text, e.text);
            }
            assert_int_equal(kind, document->kind);
            assert_string_equal(buf_str(&told.lines), document->lines);
            buf_done(&told.lines);
        }
    }
}

static void test_words(void **state)
{
    (void)state;
    static const struct {
        bool v2;
        const char *text, *words;
    } CASES[] = {
        {false, "[", "it ends early, after 1 bytes"},
        {false, "[\"a\",7]", "component 2: its key is not a string"},
        {true, "{}", "it has no \"data\""},
        {true, V2("{\"backupPath\":\"p\"},{}"), "component 2: it has no backupPath"},
        {true, "{\"data\":[],\"x\":?}", "byte 16: lexical error: invalid char in json text."},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct told told = told_new();
        struct err e;
        (void)parse(CASES[i].v2, slice_of(CASES[i].text, strlen(CASES[i].text)), 4096, &told, &e);
        assert_string_equal(e.text, CASES[i].words);
        buf_done(&told.lines);
    }
}

/* Every cut of a good document is truncation, never corruption and never success. */
static void test_every_truncation(void **state)
{
    (void)state;
    static const char TEXT[] = V2("{\"fileSizeOnDisk\":12,\"a\":[true,null],\"backupPath\":\"p\"}");
    for (size_t size = 0; size < sizeof TEXT - 1; size++) {
        struct told told = told_new();
        struct err e;
        assert_int_equal(parse(true, slice_of(TEXT, size), 7, &told, &e), ERR_TRUNCATED);
        buf_done(&told.lines);
    }
}

/* 4096 bytes are a string, 4097 are not; nor is a name, nor bytes without end. */
static void test_string_limit(void **state)
{
    (void)state;
    static const size_t SPLITS[] = {1, 1000, 1 << 20};
    for (size_t s = 0; s < ARRAY_SIZE(SPLITS); s++) {
        for (size_t size = 4096; size <= 4097; size++) {
            autofree char *key = xcalloc(size + 1, 1);
            memset(key, 'k', size);
            autofree char *v1 = xasprintf("[\"%s\"]", key);
            autofree char *v1_escaped = xasprintf("[\"\\u0041%s\"]", key + 1);
            autofree char *v2 = xasprintf("{\"%s\":1,\"data\":[]}", key);
            const char *const texts[] = {v1, v1_escaped, v2};
            for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                struct told told = told_new();
                struct err e;
                const enum err_kind kind =
                    parse(i == 2, slice_of(texts[i], strlen(texts[i])), SPLITS[s], &told, &e);
                assert_int_equal(kind, size == 4096 ? ERR_NONE : ERR_LIMIT);
                buf_done(&told.lines);
            }
        }
    }
}

/* A token that never ends is refused while it is still small. */
static void test_endless_tokens(void **state)
{
    (void)state;
    static const char *const STARTS[] = {"[\"", "[1", "{\"data\":[],\"x\":1"};
    static const char FILL[] = {'k', '1', '1'};
    autofree char *fill = xcalloc(1 << 20, 1);
    for (size_t i = 0; i < ARRAY_SIZE(STARTS); i++) {
        struct told told = told_new();
        struct manifest_parser *parser = manifest_parser_new(i == 2, tell, &told);
        struct err e = ERR_INIT;
        assert_int_equal(manifest_parser_push(parser, slice_of(STARTS[i], strlen(STARTS[i])), &e),
                         0);
        memset(fill, FILL[i], 1 << 20);
        assert_int_equal(manifest_parser_push(parser, slice_of(fill, 1 << 20), &e), -1);
        assert_int_equal(e.kind, ERR_LIMIT);
        manifest_parser_free(parser);
        buf_done(&told.lines);
    }
}

static void test_total_limit(void **state)
{
    (void)state;
    const size_t size = 1 << 24;
    autofree char *spaces = xcalloc(size, 1);
    memset(spaces, ' ', size);
    struct told told = told_new();
    struct manifest_parser *parser = manifest_parser_new(false, tell, &told);
    struct err e = ERR_INIT;
    for (unsigned i = 0; i < 64; i++) { /* 1 GiB */
        assert_int_equal(manifest_parser_push(parser, slice_of(spaces, size), &e), 0);
    }
    assert_int_equal(manifest_parser_push(parser, slice_of("[", 1), &e), -1);
    assert_int_equal(e.kind, ERR_LIMIT);
    manifest_parser_free(parser);
    buf_done(&told.lines);
}

/* The callback's own words reach the caller, and no entry follows. */
static void test_callback_stops(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        "[\"a\",\"b\",\"c\"]",
        V2("{\"backupPath\":\"a\"},{\"backupPath\":\"b\"},{\"backupPath\":\"c\"}")};
    for (size_t i = 0; i < ARRAY_SIZE(TEXTS); i++) {
        struct told told = told_new();
        told.fail_at = 2;
        struct err e;
        assert_int_equal(parse(i == 1, slice_of(TEXTS[i], strlen(TEXTS[i])), 5, &told, &e),
                         ERR_REFUSED);
        assert_string_equal(e.text, "enough");
        assert_int_equal(told.count, 2);
        buf_done(&told.lines);
    }
}

static uint64_t count_of(const struct buf *text, const char *word)
{
    uint64_t count = 0;
    for (const char *at = strstr(buf_str(text), word); at != NULL; at = strstr(at + 1, word)) {
        count++;
    }
    return count;
}

/* Manifests that Priam wrote, after their codec, at several splits. */
static void test_real_manifests(void **state)
{
    (void)state;
    static const struct {
        bool v2;
        const char *path, *mark; /* a text that each entry has once */
    } CASES[] = {
        {false,
         "priam-v1/bucket/backup/us-east-1/fix_v1/-3074457345618258603/202611230758/META/"
         "meta.json",
         "SNAP"},
        {false,
         "priam-v1/bucket/backup/us-east-1/fix_v1/-3074457345618258603/202611230800/META/"
         "meta.json",
         "SNAP"},
        {true,
         "priam-v2/bucket/backup/-4266_fix_v2/-3074457345618258603/META_V2/1795420327000/"
         "SNAPPY/PLAINTEXT/meta_v2_202611230752.json",
         "\"backupPath\""},
        {true,
         "priam-v2/bucket/backup/-4266_fix_v2/-3074457345618258603/META_V2/1795420443000/"
         "SNAPPY/PLAINTEXT/meta_v2_202611230754.json",
         "\"backupPath\""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        autofree char *path = xasprintf("%s/%s", TEST_DATA, CASES[i].path);
        autobuf struct buf stored = rig_read_file(path);
        const struct codec *codec = codec_detect(CODEC_CLAIM_UNKNOWN, rig_slice(&stored));
        struct rig_result plain = rig_decode_whole(codec, rig_slice(&stored));
        autobuf struct buf text = BUF_INIT(TEXT_SIZE_MAX);
        rig_add(&text, plain.plain, plain.size);
        struct told whole = told_new();
        struct err e;
        assert_int_equal(parse(CASES[i].v2, rig_slice(&text), text.size, &whole, &e), ERR_NONE);
        assert_int_equal(whole.count, count_of(&text, CASES[i].mark));
        assert_in_range(whole.count, 100, 10000);
        assert_int_equal(count_of(&whole.lines, " -\n"), CASES[i].v2 ? 0 : whole.count);
        for (size_t split = 1; split < 10; split++) {
            struct told told = told_new();
            assert_int_equal(parse(CASES[i].v2, rig_slice(&text), split, &told, &e), ERR_NONE);
            assert_string_equal(buf_str(&told.lines), buf_str(&whole.lines));
            buf_done(&told.lines);
        }
        buf_done(&whole.lines);
        rig_result_done(&plain);
    }
}

static int count_entry(void *ctx, const struct manifest_entry *entry, struct err *e)
{
    (void)e;
    *(uint64_t *)ctx += entry->plain_size;
    return 0;
}

/* 250,000 components of Priam's shape take no more memory than a few. */
static void test_constant_memory(void **state)
{
    (void)state;
    enum { COMPONENTS = 250000 };
    uint64_t sum = 0;
    struct manifest_parser *parser = manifest_parser_new(true, count_entry, &sum);
    struct err e = ERR_INIT;
    static const char HEAD[] =
        "{\"info\":{},\"data\":[{\"sstables\":[{\"sstableComponents\":[{\"backupPath\":\"a\"}";
    static const char TAIL[] = "]}]}]}";
    assert_int_equal(manifest_parser_push(parser, slice_of(HEAD, sizeof HEAD - 1), &e), 0);
    size_t before = 0;
    for (uint64_t i = 0; i < COMPONENTS; i++) {
        autobuf struct buf text = BUF_INIT(4096);
        assert_true(buf_appendf(&text,
                                ",{\n  \"fileName\": \"me-%" PRIu64 "-big-Data.db\",\n"
                                "  \"fileSizeOnDisk\": %" PRIu64 ",\n  \"isUploaded\": false,\n"
                                "  \"backupPath\": \"b/1_c/7/SST_V2/1/k/t/SNAPPY/PLAINTEXT/%" PRIu64
                                "\"\n}",
                                i, i, i));
        assert_int_equal(manifest_parser_push(parser, rig_slice(&text), &e), 0);
        if (i == COMPONENTS / 100) {
            before = mallinfo2().uordblks;
        }
    }
    assert_in_range(mallinfo2().uordblks, 0, before + 4096);
    assert_int_equal(manifest_parser_push(parser, slice_of(TAIL, sizeof TAIL - 1), &e), 0);
    assert_int_equal(manifest_parser_finish(parser, &e), 0);
    assert_int_equal(sum, (uint64_t)COMPONENTS * (COMPONENTS - 1) / 2);
    manifest_parser_free(parser);
    manifest_parser_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents),        cmocka_unit_test(test_words),
        cmocka_unit_test(test_every_truncation), cmocka_unit_test(test_string_limit),
        cmocka_unit_test(test_endless_tokens),   cmocka_unit_test(test_total_limit),
        cmocka_unit_test(test_callback_stops),   cmocka_unit_test(test_real_manifests),
        cmocka_unit_test(test_constant_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
