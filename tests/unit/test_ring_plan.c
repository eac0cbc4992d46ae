#include "unit.h"

#include "agent/ring/ring_check.h"
#include "agent/ring/ring_plan.h"
#include "config_rig.h"

static const char MAY[] = "2023-05-01T00:00:00Z";
enum { MAY_S = 1682899200 };

/* `count` slots at even distances of RandomPartitioner's ring, in racks a, b, c, a, ... */
static struct ring_plan *ring_of(const char *const *tokens, const char *const *racks, size_t count)
{
    static const struct ring_rack RACKS[] = {{"a", "zone-a"}, {"b", "zone-b"}, {"c", "zone-c"}};
    struct ring_plan *ring = ring_plan_new();
    ring->source = "s3://bucket/backup";
    ring->cluster = "prod";
    ring->created_ms = INT64_C(1000) * MAY_S;
    ring->racks = (struct ring_rack *)xcalloc(ARRAY_SIZE(RACKS), sizeof(*ring->racks));
    memcpy(ring->racks, RACKS, sizeof(RACKS));
    ring->rack_count = ARRAY_SIZE(RACKS);
    ring->slots = (struct ring_slot *)xcalloc(count, sizeof(*ring->slots));
    for (size_t i = 0; i < count; i++) {
        ring->slots[i] = (struct ring_slot){
            .rack = racks[i],
            .ip = i == 0 ? "10.0.0.1" : NULL,
            .token = tokens[i],
            .manifest_key = "backup/key",
            .manifest_etag = "etag",
            .time_ms = ring->created_ms,
            .newest_ms = ring->created_ms + 1000 * (int64_t)i,
            .until_ms = ring->created_ms,
            .files = i + 1,
            .stored_bytes = 10,
            .plain_bytes = 20,
        };
    }
    ring->slot_count = count;
    return ring;
}

/* The thirds of 2^127, and what Priam adds for the region. */
#define THIRDS_0 "1808575600"
#define THIRDS_1 "56713727820156410577229101242532205976"
#define THIRDS_2 "113427455640312821154458202483255836352"
static const char *const THIRDS[] = {THIRDS_0, THIRDS_1, THIRDS_2};
static const char *const ABC[] = {"a", "b", "c"};

static char *write_thirds(void)
{
    struct config *config = rig_load_good(
        WORDS("ring", "plan", "s3://bucket/backup", "--include=ks.t", "--exclude=ks.u,x.*"));
    struct ring_plan *ring = ring_of(THIRDS, ABC, 3);
    char *text = ring_plan_write(ring, config);
    assert_non_null(strstr(text, ring->id));
    ring_plan_free(ring);
    config_free(config);
    return text;
}

static void test_round_trip(void **state)
{
    (void)state;
    autofree char *text = write_thirds();
    struct ring_plan *ring = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(ring_plan_read("x", slice_of(text, strlen(text)), &ring, &e), 0);
    assert_int_equal(ring->slot_count, 3);
    assert_string_equal(ring->source, "s3://bucket/backup");
    assert_string_equal(ring->cluster, "prod");
    assert_string_equal(ring->slots[2].token, THIRDS[2]);
    assert_string_equal(ring->slots[0].ip, "10.0.0.1");
    assert_null(ring->slots[1].ip);
    assert_null(ring->slots[1].region);
    assert_int_equal(ring->slots[1].files, 2);
    assert_string_equal(ring_plan_zone(ring, "b"), "zone-b");
    const struct ring_states states = ring_plan_states(ring);
    assert_int_equal(states.newest_ms - states.oldest_ms, 2000);
    size_t excludes = 0;
    for (size_t i = 0; i < ring->setting_count; i++) {
        excludes += strcmp(ring->settings[i].name, "exclude") == 0;
    }
    assert_int_equal(excludes, 2);
    ring_plan_free(ring);
}

/* Whatever byte of it is another one, it is no longer a plan to go by. */
static void test_every_change_is_seen(void **state)
{
    (void)state;
    autofree char *text = write_thirds();
    const size_t size = strlen(text);
    assert_non_null(strstr(text, MAY));
    for (size_t i = 0; i < size; i++) {
        const char kept = text[i];
        text[i] = kept == '1' ? '2' : '1';
        struct ring_plan *ring = NULL;
        struct err e = ERR_INIT;
        assert_int_equal(ring_plan_read("x", slice_of(text, size), &ring, &e), -1);
        assert_null(ring);
        assert_true(e.kind == ERR_CONFIG || e.kind == ERR_REFUSED);
        text[i] = kept;
    }
    for (size_t cut = 1; cut < size; cut += 97) {
        struct ring_plan *ring = NULL;
        struct err e = ERR_INIT;
        assert_int_equal(ring_plan_read("x", slice_of(text, size - cut), &ring, &e), -1);
    }
}

struct check_case {
    const char *tokens[4], *racks[4];
    const char *warning; /* NULL: none */
};

static void test_spread_and_racks(void **state)
{
    (void)state;
    static const struct check_case CASES[] = {
        {{THIRDS_0, THIRDS_1, THIRDS_2}, {"a", "b", "c"}, NULL},
        {{THIRDS_0, THIRDS_2}, {"a", "b"}, "is a token before it missing?"},
        {{"-9223372036854775808", "-3074457345618258603", "3074457345618258602"},
         {"a", "b", "c"},
         NULL},
        {{"0", "42535295865117307932921825928971026432", "85070591730234615865843651857942052864",
          "127605887595351923798765477786913079296"},
         {"a", "b", "c", "a"},
         "do not split evenly"},
        {{THIRDS_0, "1808575700", THIRDS_1, THIRDS_2},
         {"a", "b", "c", "a"},
         "is it of an earlier ring?"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        size_t count = 0;
        while (count < 4 && CASES[i].tokens[count] != NULL) {
            count++;
        }
        struct ring_plan *ring = ring_of(CASES[i].tokens, CASES[i].racks, count);
        ring->rack_count = count < 3 ? count : 3;
        ring_check(ring);
        bool found = false;
        for (size_t k = 0; k < ring->warning_count && CASES[i].warning != NULL; k++) {
            found = found || strstr(ring->warnings[k].why, CASES[i].warning) != NULL;
        }
        assert_int_equal(found, CASES[i].warning != NULL);
        assert_int_equal(ring->warning_count > 0, CASES[i].warning != NULL);
        ring_plan_free(ring);
    }
}

/* Six tokens over three racks: the second round must go as the first one. */
static void test_order_of_racks(void **state)
{
    (void)state;
    static const char *const SIXTHS[] = {"-9223372036854775808", "-6148914691236517206",
                                         "-3074457345618258603", "0",
                                         "3074457345618258602",  "6148914691236517205"};
    static const char *const GOOD[] = {"a", "b", "c", "a", "b", "c"};
    static const char *const BAD[] = {"a", "b", "c", "b", "a", "c"};
    struct ring_plan *ring = ring_of(SIXTHS, GOOD, 6);
    ring_check(ring);
    assert_int_equal(ring->warning_count, 0);
    ring_plan_free(ring);
    ring = ring_of(SIXTHS, BAD, 6);
    ring_check(ring);
    assert_int_equal(ring->warning_count, 2);
    assert_string_equal(ring->warnings[0].token, "0");
    assert_string_equal(ring->warnings[0].why, "is in rack b where the order of racks has a");
    ring_plan_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_change_is_seen),
        cmocka_unit_test(test_spread_and_racks),
        cmocka_unit_test(test_order_of_racks),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
