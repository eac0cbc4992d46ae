/* The plans of the sample backups against what Priam's own restore put in place, for each of their
 * restore points, but for the differences that are meant. */
#include "tests/unit/unit.h"

#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/plan.h"

struct names {
    char **items;
    size_t count;
};

static void names_add(struct names *names, const char *name)
{
    names->items = xrealloc(names->items, names->count + 1, sizeof(*names->items));
    names->items[names->count++] = xstrdup(name);
}

static void names_free(struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->items[i]);
    }
    free(names->items);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct point {
    const char *backup; /* below TEST_DATA */
    const char *name, *start, *end;
    const char *not_restored;  /* Priam puts it in place, we do not; NULL: nothing */
    const char *also_restored; /* the other way round */
    unsigned also_count;
};

static void read_expected(const struct point *point, struct names *ret)
{
    char path[512], line[1024];
    (void)snprintf(path, sizeof(path), TEST_DATA "/%s/expected-%s.sha256", point->backup,
                   point->name);
    autofile FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        assert_true(strlen(line) > 66); /* SHA-256 in hex, two blanks */
        const char *name = line + 66;
        if (point->not_restored == NULL || strstr(name, point->not_restored) == NULL) {
            names_add(ret, name);
        }
    }
    qsort(ret->items, ret->count, sizeof(*ret->items), compare_names);
}

static void read_plan(const struct point *point, const struct plan *plan, struct names *ret)
{
    unsigned also = 0;
    autobuf struct buf target = BUF_INIT(4096);
    for (uint32_t i = 0; i < plan->file_count; i++) {
        plan_file_target(&plan->files[i], &target);
        if (point->also_restored != NULL && plan->files[i].incremental &&
            strstr(buf_str(&target), point->also_restored) != NULL) {
            also++;
        } else {
            names_add(ret, buf_str(&target));
        }
    }
    assert_int_equal(also, point->also_count);
    qsort(ret->items, ret->count, sizeof(*ret->items), compare_names);
}

static void same_names(const struct names *expected, const struct names *found)
{
    for (size_t i = 0; i < expected->count && i < found->count; i++) {
        assert_string_equal(found->items[i], expected->items[i]);
    }
    assert_int_equal(found->count, expected->count);
}

static void plan_is_sound(const struct plan *plan)
{
    uint64_t stored = 0;
    uint32_t in_sstables = 0;
    for (uint32_t i = 0; i < plan->file_count; i++) {
        const struct plan_file *file = &plan->files[i];
        stored += file->size;
        assert_true(file->table < plan->table_count);
        in_sstables += file->sstable == PLAN_NONE ? 0 : 1;
    }
    assert_int_equal(plan->stored_bytes, stored);
    for (uint32_t i = 0; i < plan->sstable_count; i++) {
        const struct plan_sstable *sstable = &plan->sstables[i];
        in_sstables -= sstable->count;
        assert_true(sstable->data != PLAN_NONE && sstable->toc != PLAN_NONE);
        assert_true(plan->files[sstable->data].sstable == i);
        assert_true(plan->files[sstable->first].sstable == i);
        assert_true(plan->files[sstable->first + sstable->count - 1].sstable == i);
    }
    assert_int_equal(in_sstables, 0);
    assert_int_equal(strlen(plan->id), 64);
    assert_int_equal(plan->missing_total, 0);
}

static const struct point POINTS[] = {
    /* v1 has no index SSTables to believe IndexInfo with. */
    {"priam-v1", "p1", "202611230758", "202611230759", "system/IndexInfo-", NULL, 0},
    {"priam-v1", "p2", "202611230758", "202611230800", "system/IndexInfo-", NULL, 0},
    {"priam-v1", "p3", "202611230758", "202611230802", "system/IndexInfo-", NULL, 0},
    /* Priam forgets index SSTables among incrementals. */
    {"priam-v2", "p1", "202611230752", "202611230753", NULL, "_idx/", 0},
    {"priam-v2", "p2", "202611230752", "202611230754", NULL, "_idx/", 8},
    {"priam-v2", "p3", "202611230752", "202611230756", NULL, "_idx/", 8},
};

static void test_points(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(POINTS); i++) {
        const struct point *point = &POINTS[i];
        struct config config = {.memory = UINT64_C(64) << 20, .part_size = 4096};
        config.selection.has_range = true;
        assert_true(parse_time_ms(point->start, &config.selection.range_start_ms));
        assert_true(parse_time_ms(point->end, &config.selection.range_end_ms));
        char path[512];
        (void)snprintf(path, sizeof(path), TEST_DATA "/%s/bucket/backup", point->backup);
        config.source = path;
        struct source *source = NULL;
        struct plan *plan = NULL;
        struct err e = ERR_INIT;
        assert_int_equal(source_open(&config, &source, &e), 0);
        if (plan_build(&config, source, &plan, &e) < 0) {
            fail_msg("%s %s: %s", point->backup, point->name, e.text);
        }
        struct names expected = {0};
        struct names found = {0};
        read_expected(point, &expected);
        read_plan(point, plan, &found);
        same_names(&expected, &found);
        plan_is_sound(plan);
        names_free(&expected);
        names_free(&found);
        plan_free(plan);
        source_free(source);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_points)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
