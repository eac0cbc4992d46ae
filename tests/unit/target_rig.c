#include "tests/unit/target_rig.h"

#include "agent/base/err.h"
#include "agent/sstable_name.h"

/* Sorted by table, SSTable, name, as a plan's files are. */
static const struct {
    const char *folder, *name;
    uint32_t table, sstable;
} FILES[RIG_FILES] = {
    {"ks/users-1", "manifest.json", 0, PLAN_NONE},
    {"ks/users-1", "nb-1-big-Data.db", 0, 0},
    {"ks/users-1", "nb-1-big-Index.db", 0, 0},
    {"ks/users-1", "nb-1-big-TOC.txt", 0, 0},
    {"ks/users-1", "nb-2-big-Data.db", 0, 1},
    {"ks/users-1", "nb-2-big-TOC.txt", 0, 1},
    {"ks/users-1/.by_mail", "nb-1-big-Data.db", 0, 2},
    {"ks/users-1/.by_mail", "nb-1-big-TOC.txt", 0, 2},
    {"logs/events-2", "nb-7-big-Data.db", 1, 3},
    {"logs/events-2", "nb-7-big-Index.db", 1, 3},
    {"logs/events-2", "nb-7-big-TOC.txt", 1, 3},
    {"logs/events-2", "schema.cql", 1, PLAN_NONE},
};

static void fill_plan(struct rig *rig)
{
    for (uint32_t i = 0; i < RIG_FILES; i++) {
        struct plan_file *const file = &rig->files[i];
        *file = (struct plan_file){.key_folder = FILES[i].folder,
                                   .key_name = FILES[i].name,
                                   .target_folder = FILES[i].folder,
                                   .target_name = FILES[i].name,
                                   .etag = "\"e1\"",
                                   .version_id = "",
                                   .table = FILES[i].table,
                                   .sstable = FILES[i].sstable};
        autofree char *content = rig_content(rig, i);
        file->size = 10 + i;
        file->plain_size = strlen(content);
        if (file->sstable != PLAN_NONE) {
            struct plan_sstable *const sstable = &rig->sstables[file->sstable];
            if (sstable->count++ == 0) {
                *sstable = (struct plan_sstable){.first = i,
                                                 .count = 1,
                                                 .data = PLAN_NONE,
                                                 .digest = PLAN_NONE,
                                                 .toc = PLAN_NONE};
            }
        }
    }
    rig->tables[0] = (struct plan_table){
        .keyspace = "ks", .table = "users", .table_dir = "users-1", .target_folder = "ks/users-1"};
    rig->tables[1] = (struct plan_table){.keyspace = "logs",
                                         .table = "events",
                                         .table_dir = "events-2",
                                         .target_folder = "logs/events-2"};
    rig->node = (struct plan_node){.cluster = "c",
                                   .region = "",
                                   .token = "42",
                                   .manifest_key = "meta \"v2\".json",
                                   .manifest_etag = "\"m\"",
                                   .manifest_version_id = "",
                                   .snapshot_ms = 1000,
                                   .newest_ms = 2000,
                                   .until_ms = 3000};
    rig->plan = (struct plan){.files = rig->files,
                              .sstables = rig->sstables,
                              .tables = rig->tables,
                              .nodes = &rig->node,
                              .file_count = RIG_FILES,
                              .sstable_count = RIG_SSTABLES,
                              .table_count = RIG_TABLES,
                              .node_count = 1,
                              .plain_bytes_exact = true,
                              .id = "p1"};
}

void rig_init(struct rig *rig, unsigned dirs)
{
    *rig = (struct rig){.tree = tree_new()};
    assert_int_equal(chmod(rig->tree.root, 0755), 0);
    rig->config = (struct config){.mode = 0640, .dir_mode = 0750, .target_count = dirs};
    for (unsigned i = 0; i < dirs; i++) {
        rig->into[i] = xasprintf("%s/%c", rig->tree.root, 'a' + (int)i);
        rig->config.targets[i] = rig->into[i];
    }
    fill_plan(rig);
}

void rig_done(struct rig *rig)
{
    tree_free(&rig->tree);
    free(rig->into[0]);
    free(rig->into[1]);
}

void rig_replace(struct rig *rig)
{
    rig->tables[0].replace = true;
    rig->replace[0] = "ks.users";
    rig->config.replace = (struct name_list){.names = rig->replace, .count = 1};
}

char *rig_content(const struct rig *rig, uint32_t file)
{
    const struct plan_file *const planned = &rig->files[file];
    return xasprintf("%s of %s/%s %*s", planned->etag, planned->target_folder, planned->target_name,
                     (int)(37 * file), "end");
}

static int write_file(struct rig *rig, struct target *target, struct commit *commit, uint32_t file,
                      struct err *e)
{
    struct file_sink *sink = NULL;
    const struct plan *const plan = &rig->plan;
    if (file_sink_open(target, plan, file, plan->files[file].plain_size, &sink, e) < 0) {
        return -1;
    }
    autofree char *content = rig_content(rig, file);
    const size_t size = strlen(content), half = size / 2;
    if (file_sink_write(sink, half, slice_of(content + half, size - half), e) < 0 ||
        file_sink_write(sink, 0, slice_of(content, half), e) < 0) {
        file_sink_abandon(sink);
        return -1;
    }
    commit_file(commit, sink,
                &(struct commit_record){.file = file, .plain_size = size, .checks = 5});
    rig->written++;
    return 0;
}

static void count_done(void *ctx, const struct commit_record *record)
{
    unsigned *const done = ctx;
    assert_int_equal(record->checks, 5);
    (*done)++;
}

int rig_write(struct rig *rig, struct target *target, struct err *e)
{
    unsigned done = 0;
    rig->written = 0;
    struct commit *const commit = commit_start(target, &rig->plan, count_done, &done);
    int result = 0;
    for (uint32_t i = 0; i < RIG_FILES && result == 0; i++) {
        struct commit_record before;
        if (!commit_done_before(target, &rig->plan, i, &before)) {
            result = write_file(rig, target, commit, i, e);
        }
        if (rig->after_file != NULL) {
            rig->after_file(i);
        }
    }
    struct err late;
    if (commit_stop(commit, &late) < 0) {
        *e = late;
        return -1;
    }
    if (result == 0) {
        assert_int_equal(done, rig->written);
    }
    return result;
}

int rig_fill(struct rig *rig, struct target *target, struct err *e)
{
    if (target_check(target, &rig->plan, e) < 0 || target_begin(target, &rig->plan, e) < 0) {
        return -1;
    }
    return rig_write(rig, target, e);
}

int rig_run(struct rig *rig, struct target *target, struct err *e)
{
    if (rig_fill(rig, target, e) < 0 || target_put_in_place(target, &rig->plan, e) < 0) {
        return -1;
    }
    return target_finish(target, &rig->plan, "{\"report\":1}\n", e);
}

int rig_restore(struct rig *rig, struct err *e)
{
    struct target *target = NULL;
    enum target_state state;
    if (target_open(&rig->config, RIG_IDENTITY, &target, &state, e) < 0) {
        return -1;
    }
    int result = state == TARGET_DONE ? 1 : rig_run(rig, target, e);
    if (result < 0) {
        target_record_failure(target, e->text);
    }
    target_free(target);
    return result;
}

char *rig_read(const struct rig *rig, const char *path)
{
    autofree char *whole =
        path[0] == '/' ? xstrdup(path) : xasprintf("%s/%s", rig->tree.root, path);
    return tree_read(whole);
}

bool rig_exists(const struct rig *rig, const char *path)
{
    autofree char *whole = xasprintf("%s/%s", rig->tree.root, path);
    struct stat st;
    return lstat(whole, &st) == 0;
}

#define PEOPLE "ks/people-0123456789abcdef0123456789abcdef"
#define LINES "logs/lines-fedcba9876543210fedcba9876543210"
#define EARLIER "a/.penates/earlier/2026-11-23T08:00:00Z"

/* What is in the way of rig_add, and what becomes of the second ones. */
static const char *const OLD_PEOPLE[][2] = {
    {"a/" PEOPLE "/nb-2-big-Data.db", "old data"},
    {"a/" PEOPLE "/nb-2-big-TOC.txt", "old toc"},
    {"a/" PEOPLE "/nb-9-big-Data.db", "old 9"},
    {"a/" PEOPLE "/.by_mail/nb-40-big-Data.db", "old index"},
};
static const char *const OLD_HOME[][2] = {
    {"journal", "not read"},
    {"report.json", "an old report"},
    {"after", "an old command"},
    {"restored", "{\"format\":1,\"restore\":\"s3://other\",\"plan\":\"p\","
                 "\"finished\":\"2026-11-23T08:00:00Z\"}\n"},
    {"replaced/ks/t-1/nb-1-big-Data.db", "replaced"},
};

static void add_table(struct rig *rig, uint32_t table, const char *keyspace, const char *name,
                      const char *folder)
{
    rig->tables[table].mapped = rig->tables[table].added = true;
    rig->tables[table].as_keyspace = keyspace;
    rig->tables[table].as_table = name;
    rig->tables[table].target_folder = folder;
    rig->mapping[table] = (struct table_mapping){
        .from = rig->tables[table].table, .keyspace = keyspace, .table = name};
    for (uint32_t i = 0; i < RIG_FILES; i++) {
        if (rig->files[i].table == table) {
            rig->files[i].target_folder = folder;
        }
    }
}

void rig_add(struct rig *rig)
{
    add_table(rig, 0, "ks", "people", "ks/people");
    add_table(rig, 1, "logs", "lines", LINES);
    rig->config.map = (struct table_map){.items = rig->mapping, .count = 2};
    /* No side file and no index is added: these are components and an SSTable of the tables. */
    rig->files[0].target_name = "nb-1-big-CompressionInfo.db";
    rig->files[0].sstable = 0;
    rig->sstables[0].first = 0;
    rig->sstables[0].count++;
    rig->files[10].target_name = "nb-7-big-Statistics.db";
    rig->files[11].target_name = "nb-7-big-TOC.txt";
    rig->files[11].sstable = 3;
    rig->sstables[3].count++;
    rig->files[6].target_name = "nb-3-big-Data.db";
    rig->files[7].target_name = "nb-3-big-TOC.txt";
    for (uint32_t i = 0; i < RIG_FILES; i++) {
        rig->files[i].component = strstr(rig->files[i].target_name, "-Data.db") != NULL
                                      ? COMPONENT_DATA
                                      : COMPONENT_OTHER;
        if (rig->files[i].component == COMPONENT_DATA) {
            rig->sstables[rig->files[i].sstable].data = i;
        }
        autofree char *content = rig_content(rig, i);
        rig->files[i].plain_size = strlen(content);
    }
    for (size_t i = 0; i < ARRAY_SIZE(OLD_PEOPLE); i++) {
        tree_file(&rig->tree, OLD_PEOPLE[i][0], OLD_PEOPLE[i][1]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(OLD_HOME); i++) {
        autofree char *path = xasprintf("a/.penates/%s", OLD_HOME[i][0]);
        tree_file(&rig->tree, path, OLD_HOME[i][1]);
    }
}

/* Below --into. */
static char *final_path(const struct rig *rig, uint32_t file)
{
    const struct plan_file *const planned = &rig->files[file];
    const char *name = planned->target_name;
    if (!rig->tables[planned->table].added) {
        return xasprintf("%s/%s", planned->target_folder, name);
    }
    if (planned->table == 1) {
        return xasprintf(LINES "/%s", name);
    }
    return strncmp(name, "nb-2-", 5) == 0 ? xasprintf(PEOPLE "/nb-10-%s", name + 5)
                                          : xasprintf(PEOPLE "/%s", name);
}

/* The content under a file's final name in any directory, or NULL. Never in two. */
static char *final_content(const struct rig *rig, uint32_t file)
{
    char *found = NULL;
    for (unsigned i = 0; i < rig->config.target_count; i++) {
        autofree char *below = final_path(rig, file);
        autofree char *path = xasprintf("%s/%s", rig->into[i], below);
        char *const text = rig_read(rig, path);
        if (text != NULL) {
            assert_null(found);
            found = text;
        }
    }
    return found;
}

void rig_assert_restored(const struct rig *rig)
{
    for (uint32_t i = 0; i < RIG_FILES; i++) {
        autofree char *wanted = rig_content(rig, i);
        autofree char *found = final_content(rig, i);
        assert_non_null(found);
        assert_string_equal(found, wanted);
    }
    assert_false(rig_exists(rig, "a/.penates/tmp"));
    assert_false(rig_exists(rig, "a/.penates/stage"));
    assert_true(rig_exists(rig, "a/.penates/journal"));
    autofree char *report = rig_read(rig, "a/.penates/report.json");
    assert_non_null(report);
    assert_string_equal(report, "{\"report\":1}\n");
    assert_true(rig_exists(rig, "a/.penates/restored"));
}

void rig_assert_nothing_partial(const struct rig *rig, const char *old)
{
    for (uint32_t i = 0; i < RIG_FILES; i++) {
        autofree char *wanted = rig_content(rig, i);
        autofree char *found = final_content(rig, i);
        if (found != NULL && (old == NULL || strcmp(found, old) != 0)) {
            assert_string_equal(found, wanted);
        }
    }
}

void rig_old_table(struct rig *rig)
{
    tree_file(&rig->tree, "a/ks/users-1/nb-1-big-Data.db", "old");
    tree_file(&rig->tree, "a/ks/users-1/nb-8-big-Data.db", "old 8");
    tree_file(&rig->tree, "a/ks/users-1/.by_mail/nb-3-big-Data.db", "old index");
    tree_file(&rig->tree, "a/ks/users-1/snapshots/s1/nb-8-big-Data.db", "snapshot");
    tree_file(&rig->tree, "a/ks/users-1/backups/nb-8-big-Data.db", "backup");
    tree_file(&rig->tree, "a/ks/other-3/nb-1-big-Data.db", "other");
}

void rig_assert_old_kept(const struct rig *rig)
{
    static const char *const OLD[][2] = {
        {"ks/users-1/nb-1-big-Data.db", "old"},
        {"ks/users-1/nb-8-big-Data.db", "old 8"},
        {"ks/users-1/.by_mail/nb-3-big-Data.db", "old index"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(OLD); i++) {
        autofree char *in_place = xasprintf("a/%s", OLD[i][0]);
        autofree char *aside = xasprintf("a/.penates/replaced/%s", OLD[i][0]);
        autofree char *here = rig_read(rig, in_place);
        autofree char *there = rig_read(rig, aside);
        const bool is_here = here != NULL && strcmp(here, OLD[i][1]) == 0;
        const bool is_there = there != NULL && strcmp(there, OLD[i][1]) == 0;
        assert_int_equal(is_here + is_there, 1);
    }
}

void rig_assert_swapped(const struct rig *rig)
{
    static const struct {
        const char *path, *content;
    } KEPT[] = {
        {"a/.penates/replaced/ks/users-1/nb-1-big-Data.db", "old"},
        {"a/.penates/replaced/ks/users-1/nb-8-big-Data.db", "old 8"},
        {"a/.penates/replaced/ks/users-1/.by_mail/nb-3-big-Data.db", "old index"},
        {"a/ks/users-1/snapshots/s1/nb-8-big-Data.db", "snapshot"},
        {"a/ks/users-1/backups/nb-8-big-Data.db", "backup"},
        {"a/ks/other-3/nb-1-big-Data.db", "other"},
    };
    rig_assert_restored(rig);
    for (size_t i = 0; i < ARRAY_SIZE(KEPT); i++) {
        autofree char *found = rig_read(rig, KEPT[i].path);
        assert_non_null(found);
        assert_string_equal(found, KEPT[i].content);
    }
    assert_false(rig_exists(rig, "a/ks/users-1/nb-8-big-Data.db"));
    assert_false(rig_exists(rig, "a/ks/users-1/.by_mail/nb-3-big-Data.db"));
}

static void assert_content(const struct rig *rig, const char *path, const char *wanted)
{
    autofree char *found = rig_read(rig, path);
    if (found == NULL) {
        fail_msg("'%s' is not there", path);
    }
    assert_string_equal(found, wanted);
}

void rig_assert_data_last(const struct rig *rig)
{
    for (uint32_t i = 0; i < RIG_SSTABLES; i++) {
        const struct plan_sstable *const sstable = &rig->sstables[i];
        bool has_data = false;
        unsigned found = 0;
        for (uint32_t k = sstable->first; k < sstable->first + sstable->count; k++) {
            autofree char *content = final_content(rig, k);
            found += content != NULL;
            has_data |= content != NULL && rig->files[k].component == COMPONENT_DATA;
        }
        assert_true(!has_data || found == sstable->count);
    }
    for (size_t i = 0; i < ARRAY_SIZE(OLD_PEOPLE); i++) {
        assert_content(rig, OLD_PEOPLE[i][0], OLD_PEOPLE[i][1]);
    }
}

void rig_assert_added(const struct rig *rig)
{
    rig_assert_restored(rig);
    rig_assert_data_last(rig);
    for (size_t i = 0; i < ARRAY_SIZE(OLD_HOME); i++) {
        autofree char *path = xasprintf(EARLIER "/%s", OLD_HOME[i][0]);
        assert_content(rig, path, OLD_HOME[i][1]);
    }
}
