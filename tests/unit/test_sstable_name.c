#include "agent/sstable_name.h"
#include "tests/unit/unit.h"

#define UUID "3gp1_0kd1_4w3k2cpidnirvjy7kz"

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *file, *prefix, *version, *generation, *component;
        enum component_kind kind;
        bool numbered;
    } CASES[] = {
        {"MyCF-g-265-Data.db", "MyCF-g-265", "g", "265", "Data.db", COMPONENT_DATA, true},
        {"ks-cf-ic-5-Data.db", "ks-cf-ic-5", "ic", "5", "Data.db", COMPONENT_DATA, true},
        {"system-schema_columnfamilies-ic-5-Summary.db", "system-schema_columnfamilies-ic-5", "ic",
         "5", "Summary.db", COMPONENT_OTHER, true},
        {"ks-cf.idx-ka-7-Data.db", "ks-cf.idx-ka-7", "ka", "7", "Data.db", COMPONENT_DATA, true},
        {"ks-cf-jb-1-Digest.sha1", "ks-cf-jb-1", "jb", "1", "Digest.sha1", COMPONENT_DIGEST, true},
        {"la-7-big-TOC.txt", "la-7-big", "la", "7", "TOC.txt", COMPONENT_TOC, true},
        {"mc-42-big-Data.db", "mc-42-big", "mc", "42", "Data.db", COMPONENT_DATA, true},
        {"la-1-big-Digest.adler32", "la-1-big", "la", "1", "Digest.adler32", COMPONENT_DIGEST,
         true},
        {"nb-1-big-SI_users_idx.db", "nb-1-big", "nb", "1", "SI_users_idx.db", COMPONENT_OTHER,
         true},
        {"nb-" UUID "-big-Data.db", "nb-" UUID "-big", "nb", UUID, "Data.db", COMPONENT_DATA,
         false},
        {"da-" UUID "-bti-Rows.db", "da-" UUID "-bti", "da", UUID, "Rows.db", COMPONENT_OTHER,
         false},
        {"da-3-bti-Digest.crc32", "da-3-bti", "da", "3", "Digest.crc32", COMPONENT_DIGEST, true},
        {"da-3-bti-Digest.", "da-3-bti", "da", "3", "Digest.", COMPONENT_OTHER, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct sstable_name name;
        if (!sstable_name_parse(slice_of(CASES[i].file, strlen(CASES[i].file)), &name)) {
            fail_msg("%s is refused", CASES[i].file);
        }
        assert_true(slice_is(name.prefix, CASES[i].prefix));
        assert_true(slice_is(name.version, CASES[i].version));
        assert_true(slice_is(name.generation, CASES[i].generation));
        assert_true(slice_is(name.component, CASES[i].component));
        assert_int_equal(name.kind, CASES[i].kind);
        assert_int_equal(name.numbered, CASES[i].numbered);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const CASES[] = {
        "",
        "-",
        "----",
        "manifest.json",
        "schema.cql",
        "users.json",
        "Data.db",
        "1-Data.db",
        "mc-1-Data.db",
        "-mc-1-Data.db",
        "mc-1-big-",
        "mc-x-big-Data.db",
        "tmp-mc-1-big-Data.db",
        "m-1-big-Data.db",
        "MC-1-big-Data.db",
        "mc-1-BIG-Data.db",
        "mc-1--Data.db",
        "mc--big-Data.db",
        "cf-abc-1-Data.db",
        "cf-1c-1-Data.db",
        "nb-3gp1_0kd1_4w3k2cpidnirvjy7k-big-Data.db",  /* 27 characters */
        "nb-3gp1x0kd1_4w3k2cpidnirvjy7kz-big-Data.db", /* no '_' */
        "nb-3GP1_0kd1_4w3k2cpidnirvjy7kz-big-Data.db",
        "CommitLog-6-1795420683782.log",
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct sstable_name name;
        if (sstable_name_parse(slice_of(CASES[i], strlen(CASES[i])), &name)) {
            fail_msg("%s is accepted", CASES[i]);
        }
    }
}

static void test_renumber(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        uint64_t generation;
        const char *renamed;
    } CASES[] = {
        {"mc-42-big-Data.db", 7, "mc-7-big-Data.db"},
        {"ks-cf.idx-ka-7-Data.db", UINT64_MAX, "ks-cf.idx-ka-18446744073709551615-Data.db"},
        {"5-5-ic-5-Data.db", 6, "5-5-ic-6-Data.db"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct sstable_name name;
        assert_true(sstable_name_parse(slice_of(CASES[i].file, strlen(CASES[i].file)), &name));
        char renamed[64];
        assert_true(sstable_name_renumber(&name, CASES[i].generation, renamed, sizeof(renamed)));
        assert_string_equal(renamed, CASES[i].renamed);
        const size_t size = strlen(CASES[i].renamed);
        assert_true(sstable_name_renumber(&name, CASES[i].generation, renamed, size + 1));
        for (size_t room = 0; room <= size; room++) {
            assert_false(sstable_name_renumber(&name, CASES[i].generation, renamed, room));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_renumber),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
