#include "agent/base/mem.h"
#include "agent/base/random.h"
#include "s3/list_versions.h"
#include "tests/unit/unit.h"

enum { KEYS_MAX = 6, HISTORY_MAX = 5, SECONDS = 8 };

/* What happened to one key, newest first. */
struct history {
    char key[8];
    unsigned count;
    struct {
        bool is_marker;
        int64_t at_ms;
        char id[16];
    } items[HISTORY_MAX];
};

static const int64_t BEGIN_MS = 1795420800000;

/* Keys in any order, as some stores list them. Without ties no two things have the same second. */
static unsigned make_histories(struct random *random, bool ties, struct history *ret)
{
    const unsigned count = (unsigned)random_below(random, KEYS_MAX) + 1;
    for (unsigned i = 0; i < count; i++) {
        struct history *history = &ret[i];
        const char letter = (char)('a' + (i * 5 + 3) % 7);
        *history = (struct history){.key = {letter}};
        history->count = (unsigned)random_below(random, HISTORY_MAX) + 1;
        int64_t second = SECONDS;
        for (unsigned j = 0; j < history->count; j++) {
            second -= (int64_t)random_below(random, 2) + (ties ? 0 : 1);
            history->items[j].is_marker = random_below(random, 2) == 0;
            history->items[j].at_ms = BEGIN_MS + second * 1000;
            (void)snprintf(history->items[j].id, sizeof(history->items[j].id), "%u", j);
        }
    }
    return count;
}

/* The model: the first of the history that is not after the time decides. */
static void expect(const struct history *histories, unsigned count, int64_t at_ms, struct buf *ret)
{
    for (unsigned i = 0; i < count; i++) {
        const struct history *history = &histories[i];
        unsigned j = 0;
        while (j < history->count && history->items[j].at_ms > at_ms) {
            j++;
        }
        if (j < history->count && !history->items[j].is_marker) {
            assert_true(buf_appendf(ret, "%s=%s ", history->key, history->items[j].id));
        }
    }
}

static int on_entry(void *ctx, const struct s3_entry *entry, struct err *e)
{
    (void)e;
    assert_string_equal(entry->etag, "etag");
    assert_string_equal(entry->storage_class, "STANDARD");
    assert_true(buf_appendf(ctx, "%s=%s ", entry->key, entry->version_id));
    return 0;
}

static struct list_record record_of(const struct history *history, unsigned at)
{
    return (struct list_record){.entry = {.key = history->key,
                                          .etag = "etag",
                                          .storage_class = "STANDARD",
                                          .version_id = history->items[at].id,
                                          .modified_ms = history->items[at].at_ms},
                                .is_marker = history->items[at].is_marker,
                                .is_latest = at == 0};
}

static void give_page(struct list_versions *versions, const struct list_record *page, size_t size,
                      bool apart, const char *open)
{
    struct err e = ERR_INIT;
    for (unsigned turn = 0; turn < (apart ? 2 : 1); turn++) {
        for (size_t i = 0; i < size; i++) {
            if (!apart || page[i].is_marker == (turn == 0)) {
                assert_int_equal(list_versions_take(versions, &page[i], &e), 0);
            }
        }
    }
    assert_int_equal(list_versions_end_page(versions, open, &e), 0);
    assert_in_range(versions->count, 0, 2);
}

static void list_all(const struct history *histories, unsigned count, struct random *random,
                     bool apart, struct list_versions *versions)
{
    struct list_record records[KEYS_MAX * HISTORY_MAX];
    size_t total = 0;
    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = 0; j < histories[i].count; j++) {
            records[total++] = record_of(&histories[i], j);
        }
    }
    for (size_t at = 0; at < total;) {
        const size_t left = total - at;
        const size_t wish = (size_t)random_below(random, 9) + 1;
        const size_t size = wish < left ? wish : left;
        const char *const open = size < left ? records[at + size - 1].entry.key : "";
        give_page(versions, records + at, size, apart, open);
        at += size;
    }
}

/* Any history, in pages of any size, listed mixed or with the markers apart. */
static void test_like_the_model(void **state)
{
    (void)state;
    struct random random = {.state = 7};
    for (unsigned round = 0; round < 3000; round++) {
        const bool apart = round % 2 == 1;
        struct history histories[KEYS_MAX];
        const unsigned count = make_histories(&random, !apart, histories);
        for (int64_t second = -HISTORY_MAX - 5; second <= SECONDS; second++) {
            const int64_t at_ms = BEGIN_MS + second * 1000;
            autobuf struct buf wanted = BUF_INIT(1024);
            autobuf struct buf got = BUF_INIT(1024);
            expect(histories, count, at_ms, &wanted);
            struct list_versions versions = LIST_VERSIONS_INIT(at_ms, on_entry, &got);
            list_all(histories, count, &random, apart, &versions);
            list_versions_done(&versions);
            assert_string_equal(buf_str(&got), buf_str(&wanted));
        }
    }
}

/* A marker and a version of one second, listed apart: what is the latest now was it then. */
static void test_same_second(void **state)
{
    (void)state;
    for (unsigned latest = 0; latest < 2; latest++) {
        struct history history = {.key = "k", .count = 2};
        history.items[latest].is_marker = true;
        history.items[0].at_ms = history.items[1].at_ms = BEGIN_MS;
        const struct list_record page[] = {record_of(&history, 0), record_of(&history, 1)};
        autobuf struct buf got = BUF_INIT(64);
        struct list_versions versions = LIST_VERSIONS_INIT(BEGIN_MS, on_entry, &got);
        give_page(&versions, page, 2, true, "");
        list_versions_done(&versions);
        assert_string_equal(buf_str(&got), latest == 0 ? "" : "k= ");
    }
}

static int stop(void *ctx, const struct s3_entry *entry, struct err *e)
{
    (void)entry;
    const int outcome = *(const int *)ctx;
    return outcome < 0 ? err_set(e, ERR_REFUSED, "no more") : outcome;
}

static void test_outcomes(void **state)
{
    (void)state;
    for (int outcome = -1; outcome <= 1; outcome++) {
        struct err e = ERR_INIT;
        struct list_versions versions = LIST_VERSIONS_INIT(BEGIN_MS, stop, &outcome);
        struct list_record record = {.entry = {.key = "d/", .is_folder = true}};
        assert_int_equal(list_versions_take(&versions, &record, &e), outcome);
        struct history history = {.key = "k", .count = 1};
        record = record_of(&history, 0);
        assert_int_equal(list_versions_take(&versions, &record, &e), 0);
        assert_int_equal(list_versions_end_page(&versions, "", &e), outcome);
        record.entry.modified_ms = -1;
        assert_int_equal(list_versions_take(&versions, &record, &e), -1);
        assert_int_equal(e.kind, ERR_CORRUPT);
        list_versions_done(&versions);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_the_model),
        cmocka_unit_test(test_same_second),
        cmocka_unit_test(test_outcomes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
