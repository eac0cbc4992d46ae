#include "agent/backup_key.h"
#include "tests/unit/unit.h"

/* Nothing of a slice may reach outside the key that it borrows. */
static void assert_inside(struct slice slice, const char *key)
{
    const uint8_t *from = (const uint8_t *)key;
    assert_true(slice.size == 0 ||
                (slice.data >= from && slice.data + slice.size <= from + strlen(key)));
}

struct good {
    const char *base, *key;
    enum key_kind kind;
    const char *region, *cluster, *token;
    int64_t time_ms;
    const char *keyspace, *table_dir, *index_dir;
    enum codec_claim claim;
    const char *file;
};

#define MS_2012 INT64_C(1329234360000) /* 2012-02-14T15:46Z */
#define MS_2018 INT64_C(1524602520000) /* 2018-04-24T20:42Z */
#define MS_2014 INT64_C(1391196660000) /* 2014-01-31T19:31Z */
#define MS_2023 INT64_C(1685577600000) /* 2023-06-01T00:00Z */
#define MS_V2 INT64_C(1313043000000)

static const struct good GOOD[] = {
    /* Cassandra 1.0: no table directory. */
    {"test_backup/",
     "test_backup/eu-west-1/cass_test/37809151880104273718152734159458104939/201202141546/SNAP/"
     "MyKeyspace/MyCF-g-265-Data.db",
     KEY_SNAP, "eu-west-1", "cass_test", "37809151880104273718152734159458104939", MS_2012,
     "MyKeyspace", "MyCF", "", CODEC_CLAIM_UNKNOWN, "MyCF-g-265-Data.db"},
    {"b/", "b/r/c/1/201202141546/SST/ks/users.by_mail-g-5-Data.db", KEY_SST, "r", "c", "1", MS_2012,
     "ks", "users", "", CODEC_CLAIM_UNKNOWN, "users.by_mail-g-5-Data.db"},
    {"b/", "b/r/c/1/201202141546/SNAP/ks/users.json", KEY_SNAP, "r", "c", "1", MS_2012, "ks",
     "users", "", CODEC_CLAIM_UNKNOWN, "users.json"},
    /* v1 */
    {"content_backups/",
     "content_backups/us-east-1/content/56713727820156410577229101240436610842/201804242042/META/"
     "meta.json",
     KEY_META, "us-east-1", "content", "56713727820156410577229101240436610842", MS_2018, "", "",
     "", CODEC_CLAIM_UNKNOWN, "meta.json"},
    {"priam-backup/",
     "priam-backup/us-east-1/my cluster/113427455640312821154458202479064646084/201401311931/SST/"
     "system/schema_columnfamilies/system-schema_columnfamilies-ic-5-Summary.db",
     KEY_SST, "us-east-1", "my cluster", "113427455640312821154458202479064646084", MS_2014,
     "system", "schema_columnfamilies", "", CODEC_CLAIM_UNKNOWN,
     "system-schema_columnfamilies-ic-5-Summary.db"},
    {"backup/",
     "backup/us-east-1/cass_cluster/-6148914689427941606/202306010000/SNAP/ks1/"
     "cf1-5a1c395eb41f11e6bb4d2d6e/mc-42-big-Data.db",
     KEY_SNAP, "us-east-1", "cass_cluster", "-6148914689427941606", MS_2023, "ks1",
     "cf1-5a1c395eb41f11e6bb4d2d6e", "", CODEC_CLAIM_UNKNOWN, "mc-42-big-Data.db"},
    {"backup/", "backup/us-east-1/c/0/202306010000/CL/CommitLog-6-1795420683782.log", KEY_COMMITLOG,
     "us-east-1", "c", "0", MS_2023, "", "", "", CODEC_CLAIM_UNKNOWN,
     "CommitLog-6-1795420683782.log"},
    {"backup/", "backup/us-east-1/c/0/202306010000/META/meta_cf1_202306010000.json", KEY_META,
     "us-east-1", "c", "0", MS_2023, "", "", "", CODEC_CLAIM_UNKNOWN, "meta_cf1_202306010000.json"},
    /* No base, a deep base, a base whose own slash was kept. */
    {"", "r/c/1/202306010000/META/meta.json", KEY_META, "r", "c", "1", MS_2023, "", "", "",
     CODEC_CLAIM_UNKNOWN, "meta.json"},
    {"a/b/c/", "a/b/c/r/c/1/202306010000/META/meta.json", KEY_META, "r", "c", "1", MS_2023, "", "",
     "", CODEC_CLAIM_UNKNOWN, "meta.json"},
    {"b/", "b///r/c/1/202306010000/META/meta.json", KEY_META, "r", "c", "1", MS_2023, "", "", "",
     CODEC_CLAIM_UNKNOWN, "meta.json"},
    /* v2 */
    {"test_backup/",
     "test_backup/1049_fake-app/1808575600/SST_V2/1313043000000/ks1/cf1/SNAPPY/PLAINTEXT/"
     "me-3-big-Data.db",
     KEY_SST_V2, "", "fake-app", "1808575600", MS_V2, "ks1", "cf1", "", CODEC_CLAIM_SNAPPY,
     "me-3-big-Data.db"},
    {"casstestbackup/",
     "casstestbackup/1049_fake-app/1808575600/SECONDARY_INDEX_V2/1313043000001/keyspace1/"
     "columnfamily1/.columnfamily1_field1_idx/NONE/PLAINTEXT/mc-1234-Data.db",
     KEY_SECONDARY_INDEX_V2, "", "fake-app", "1808575600", MS_V2 + 1, "keyspace1", "columnfamily1",
     ".columnfamily1_field1_idx", CODEC_CLAIM_NONE, "mc-1234-Data.db"},
    {"casstestbackup/",
     "casstestbackup/1049_fake-app/1808575600/META_V2/1313043000000/SNAPPY/PLAINTEXT/"
     "meta_v2_201801011201.json",
     KEY_META_V2, "", "fake-app", "1808575600", MS_V2, "", "", "", CODEC_CLAIM_SNAPPY,
     "meta_v2_201801011201.json"},
    {"", "-6717_random_fake_app/-5/SST_V2/0/ks/cf-1/NONE/PLAINTEXT/schema.cql", KEY_SST_V2, "",
     "random_fake_app", "-5", 0, "ks", "cf-1", "", CODEC_CLAIM_NONE, "schema.cql"},
    /* v2 of release 3.1.68 */
    {"backup/", "backup/1049_fake-app/18/SST_V2/1313043000000/ks1/cf1-1/mc-3-big-Data.db.SNAPPY",
     KEY_SST_V2, "", "fake-app", "18", MS_V2, "ks1", "cf1-1", "", CODEC_CLAIM_SNAPPY,
     "mc-3-big-Data.db"},
    {"backup/", "backup/1049_fake-app/18/META_V2/1313043000000/meta_v2_201801011201.json.SNAPPY",
     KEY_META_V2, "", "fake-app", "18", MS_V2, "", "", "", CODEC_CLAIM_SNAPPY,
     "meta_v2_201801011201.json"},
    {"backup/", "backup/1049_fake-app/18/META_V2/1313043000000/meta_v2_201801011201.json.NONE",
     KEY_META_V2, "", "fake-app", "18", MS_V2, "", "", "", CODEC_CLAIM_NONE,
     "meta_v2_201801011201.json"},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(GOOD); i++) {
        const struct good *want = &GOOD[i];
        struct backup_key key;
        const char *why = "";
        if (!backup_key_parse(want->base, want->key, &key, &why)) {
            fail_msg("%s: %s", want->key, why);
        }
        assert_int_equal(key.kind, want->kind);
        assert_int_equal(key.time_ms, want->time_ms);
        assert_int_equal(key.claim, want->claim);
        assert_true(slice_is(key.region, want->region));
        assert_true(slice_is(key.cluster, want->cluster));
        assert_true(slice_is(key.token, want->token));
        assert_true(slice_is(key.keyspace, want->keyspace));
        assert_true(slice_is(key.table_dir, want->table_dir));
        assert_true(slice_is(key.index_dir, want->index_dir));
        assert_true(slice_is(key.file, want->file));
        assert_inside(key.file, want->key);
        assert_inside(key.table_dir, want->key);
    }
}

#define V2 "1049_fake-app/18/SST_V2/1313043000000/"
#define V1 "r/c/1/202306010000/"

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        const char *base, *key, *why;
    } CASES[] = {
        {"", "", "has an empty component"},
        {"b/", "x/" V1 "META/meta.json", "is not below the base"},
        {"b/", "b/", "has an empty component"},
        {"", "/" V1 "META/meta.json", "has an empty component"},
        {"b/", "b/r/c", "is not a backup key"},
        {"", "r/c/1/202306010000/META", "is not a backup key"},
        {"", "1/2/3/4/5/6/7/8/9/10/11", "is not a backup key"},
        /* Ways out of the directory. */
        {"", V1 "SNAP/../t/f", "has a '.' or '..' component"},
        {"", V1 "SNAP/ks/../f", "has a '.' or '..' component"},
        {"", V1 "SNAP/ks/t/..", "has a '.' or '..' component"},
        {"", V1 "SNAP/ks/./f", "has a '.' or '..' component"},
        {"", V1 "SNAP/ks//f", "has an empty component"},
        {"", V1 "SNAP/ks/t/", "has an empty component"},
        {"", V1 "SNAP//etc/passwd", "has an empty component"},
        {"", V1 "SNAP/ks/t/a\nb", "has a control character"},
        {"", V1 "SNAP/ks/t/a\x1b[2J", "has a control character"},
        {"", V1 "SNAP/ks/t/a\x7f", "has a control character"},
        {"", V2 "ks/../SNAPPY/PLAINTEXT/f", "has a '.' or '..' component"},
        {"", V2 "ks/t/...SNAPPY", "has a '.' or '..' component"},
        {"", V2 "ks/t/.SNAPPY", "has an empty component"},
        /* Times. */
        {"", "r/c/1/202302290000/META/meta.json", "has an unreadable time"},
        {"", "r/c/1/202306012400/META/meta.json", "has an unreadable time"},
        {"", "r/c/1/196912312359/META/meta.json", "has an unreadable time"},
        {"", "r/c/1/20230601000/META/meta.json", "has an unreadable time"},
        {"", "r/c/1/2023060100000/META/meta.json", "has an unreadable time"},
        {"", "r/c/1/+20230601000/META/meta.json", "has an unreadable time"},
        {"", "1049_fake-app/18/META_V2/-1/SNAPPY/PLAINTEXT/m.json", "has an unreadable time"},
        {"", "1049_fake-app/18/META_V2/1e9/SNAPPY/PLAINTEXT/m.json", "has an unreadable time"},
        {"", "1049_fake-app/18/META_V2/253402300800000/SNAPPY/PLAINTEXT/m.json",
         "has an unreadable time"},
        {"", "1049_fake-app/18/META_V2/99999999999999999999/SNAPPY/PLAINTEXT/m.json",
         "has an unreadable time"},
        /* Numbers of components, types. */
        {"", V1 "SNAP/ks", "is not a backup key"},
        {"", V1 "SNAP/ks/file", "is not a backup key"},
        {"", V1 "SNAP/ks/-g-1-Data.db", "is not a backup key"},
        {"", V1 "SNAP/ks/t/.i/f", "is not a backup key"},
        {"", V1 "META/x/meta.json", "is not a backup key"},
        {"", V1 "META_V2/meta_v2_202306010000.json", "is not a backup key"},
        {"", V1 "snap/ks/t/f", "is not a backup key"},
        {"", V2 "ks/t", "is not a backup key"},
        {"", V2 "ks/t/file", "is not a backup key"},
        {"", V2 "ks/t/SNAPPY/PLAINTEXT", "is not a backup key"},
        {"", V2 "ks/t/.i/SNAPPY/PLAINTEXT/f", "is not a backup key"},
        {"", "1049_fake-app/18/SECONDARY_INDEX_V2/1/ks/t/.i/f.SNAPPY", "is not a backup key"},
        {"", "1049_fake-app/18/SECONDARY_INDEX_V2/1/ks/t", "is not a backup key"},
        {"", "1049_fake-app/18/META_V2/1/SNAPPY/f", "is not a backup key"},
        /* Hash, token, compression, encryption. */
        {"", "1048_fake-app/18/META_V2/1/SNAPPY/PLAINTEXT/f",
         "has a hash that is not its cluster's"},
        {"", "fake-app/18/META_V2/1/SNAPPY/PLAINTEXT/f", "has a hash that is not its cluster's"},
        {"", "0_/18/META_V2/1/SNAPPY/PLAINTEXT/f", "has a hash that is not its cluster's"},
        {"", "1049_fake-app/1x/META_V2/1/SNAPPY/PLAINTEXT/f", "has a token that is not a number"},
        {"", "r/c/-/202306010000/META/meta.json", "has a token that is not a number"},
        {"", V2 "ks/t/LZ4/PLAINTEXT/f", "is LZ4, which Priam reserves and never writes"},
        {"", V2 "ks/t/ZSTD/PLAINTEXT/f", "has an unknown compression"},
        {"", V2 "ks/t/f.ZSTD", "has an unknown compression"},
        {"", V2 "ks/t/SNAPPY/PGP/f", "is encrypted (PGP)"},
        /* Folders that are ours or Cassandra's own. */
        {"", V2 ".penates/stage/NONE/PLAINTEXT/f", "has a keyspace or table that begins with '.'"},
        {"", V2 "ks/.t/NONE/PLAINTEXT/f", "has a keyspace or table that begins with '.'"},
        {"", V1 "SNAP/.penates/t/f", "has a keyspace or table that begins with '.'"},
        {"", V1 "SST/.penates/t-g-1-Data.db", "has a keyspace or table that begins with '.'"},
        {"", "1049_fake-app/18/SECONDARY_INDEX_V2/1/ks/t/backups/NONE/PLAINTEXT/f",
         "has an index folder that does not begin with '.'"},
        {"", V2 "ks/t/SNAPPY/ROT13/f", "has an unknown encryption"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct backup_key key = {.time_ms = 7};
        const char *why = "";
        if (backup_key_parse(CASES[i].base, CASES[i].key, &key, &why)) {
            fail_msg("%s is accepted", CASES[i].key);
        }
        assert_string_equal(why, CASES[i].why);
        assert_int_equal(key.time_ms, 7); /* untouched on failure */
    }
}

static void test_hash(void **state)
{
    (void)state;
    static const struct {
        const char *cluster;
        int hash;
    } CASES[] = {
        {"fake-app", 1049},
        {"cass_cluster", 1705},
        {"cass_test", 6819},
        {"my_cluster", -4057},
        {"test_cluster", -4675},
        {"clust\xc3\xa9r", 6246},
        {"random_fake_app", -6717},
        {"fix_v1", -4267},
        {"fix_v2", -4266},
        {"", 0},
        {"\xf0\x9f\x98\x80", 2899}, /* U+1F600: two code units, 0xd83d * 31 + 0xde00 */
        {"\xe2\x82\xac", 8364},     /* U+20AC */
        {"\xff", 5533},             /* U+FFFD for each byte that begins nothing */
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        assert_int_equal(backup_key_cluster_hash(CASES[i].cluster, strlen(CASES[i].cluster)),
                         CASES[i].hash);
    }
}

/* Overlong forms, surrogates, what is past U+10FFFF, and characters cut short. */
static void test_hash_invalid(void **state)
{
    (void)state;
    static const char *const CASES[] = {"\xc0\x80",     "\xed\xa0\x80",     "\xf4\x90\x80\x80",
                                        "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xe2\x82",
                                        "\xc3"};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        uint32_t hash = 0;
        for (size_t j = 0; j < strlen(CASES[i]); j++) {
            hash = hash * 31 + 0xfffd;
        }
        assert_int_equal(backup_key_cluster_hash(CASES[i], strlen(CASES[i])),
                         (int32_t)hash % 10000);
    }
}

static void test_hashed_cluster(void **state)
{
    (void)state;
    static const struct {
        const char *folder, *cluster;
    } CASES[] = {{"-4266_fix_v2", "fix_v2"},
                 {"1705_cass_cluster", "cass_cluster"},
                 {"4266_fix_v2", NULL},
                 {"us-east-1", NULL},
                 {"0_", NULL},
                 {"_x", NULL},
                 {"", NULL},
                 {"99999999999999999999_x", NULL}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct slice cluster;
        const struct slice folder = slice_of(CASES[i].folder, strlen(CASES[i].folder));
        const bool ok = backup_key_hashed_cluster(folder, &cluster);
        assert_int_equal(ok, CASES[i].cluster != NULL);
        assert_true(!ok || slice_is(cluster, CASES[i].cluster));
    }
}

static void test_safe_component(void **state)
{
    (void)state;
    char name[257];
    memset(name, 'a', sizeof(name));
    const char *why = "";
    assert_true(backup_key_safe_component(slice_of(name, 255), &why));
    assert_false(backup_key_safe_component(slice_of(name, 256), &why));
    assert_string_equal(why, "has a component of more than 255 bytes");
    assert_false(backup_key_safe_component(slice_of("a/b", 3), &why));
    assert_string_equal(why, "has a '/' inside a component");
    assert_false(backup_key_safe_component(slice_of("a\0b", 3), &why));
    assert_string_equal(why, "has a control character");
    assert_true(backup_key_safe_component(slice_of("...", 3), &why));
    assert_true(backup_key_safe_component(slice_of(".idx", 4), &why));
    assert_true(backup_key_safe_component(slice_of("\xc3\xa9", 2), &why));
}

static void test_token_compare(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        int order;
    } CASES[] = {
        {"0", "0", 0},
        {"-0", "0", 0},
        {"007", "7", 0},
        {"9", "10", -1},
        {"-9", "-10", 1},
        {"-1", "0", -1},
        {"-1", "1", -1},
        {"170141183460469231731687303715884105727", "170141183460469231731687303715884105728", -1},
        {"56713727820156410577229101240436610842", "113427455640312821154458202479064646084", -1},
        {"-6148914689427941606", "-3074457345618258603", -1},
        {"a", "b", -1},
        {"10", "9x", -1},
        {"-", "1", -1},
        {"", "", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        assert_int_equal(backup_key_token_compare(CASES[i].a, CASES[i].b), CASES[i].order);
        assert_int_equal(backup_key_token_compare(CASES[i].b, CASES[i].a), -CASES[i].order);
    }
}

static void test_table_name(void **state)
{
    (void)state;
    static const struct {
        const char *dir, *name;
    } CASES[] = {{"users-9fdcab30e71311f1b649316984ca392d", "users"},
                 {"users", "users"},
                 {"a-b-c", "a"},
                 {"-x", ""},
                 {"", ""}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const struct slice dir = slice_of(CASES[i].dir, strlen(CASES[i].dir));
        assert_true(slice_is(backup_key_table_name(dir), CASES[i].name));
    }
}

/* Every key that Priam wrote into the two sample backups. */
static void test_samples(void **state)
{
    (void)state;
    static const char *const LISTS[] = {TEST_DATA "/priam-v1/objects.tsv",
                                        TEST_DATA "/priam-v2/objects.tsv"};
    size_t keys = 0;
    for (size_t i = 0; i < ARRAY_SIZE(LISTS); i++) {
        autofile FILE *list = fopen(LISTS[i], "re");
        assert_non_null(list);
        autofree char *line = NULL;
        size_t capacity = 0;
        assert_true(getline(&line, &capacity, list) > 0); /* the names of the columns */
        while (getline(&line, &capacity, list) > 0) {
            line[strcspn(line, "\t")] = '\0';
            struct backup_key key;
            const char *why = "";
            if (!backup_key_parse("backup/", line, &key, &why)) {
                fail_msg("%s: %s", line, why);
            }
            assert_true(slice_is(key.token, "-3074457345618258603"));
            keys++;
        }
    }
    assert_int_equal(keys, 1123 + 1028);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),           cmocka_unit_test(test_bad),
        cmocka_unit_test(test_hash),           cmocka_unit_test(test_hash_invalid),
        cmocka_unit_test(test_hashed_cluster), cmocka_unit_test(test_safe_component),
        cmocka_unit_test(test_token_compare),  cmocka_unit_test(test_table_name),
        cmocka_unit_test(test_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
