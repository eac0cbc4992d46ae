/*
 * The claim protocol against the world. PENATES_MODEL_SEED=N runs that one run again,
 * PENATES_MODEL_RUNS=N so many.
 */
#include "unit.h"

#include "agent/base/parse.h"
#include "claim_world.h"

enum { RUNS = 4000 };

static uint64_t number_of(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    uint64_t number;
    return text != NULL && parse_u64(text, strlen(text), &number) ? number : otherwise;
}

static struct world_result run(uint64_t seed)
{
    static const uint64_t LEASES_MS[] = {900000, 60000, 15000};
    const unsigned slots = WORLD_RACKS * (1 + (unsigned)(seed % 4));
    return world_run(seed, slots, (unsigned)(seed / 4 % 3), LEASES_MS[seed / 12 % 3]);
}

static void test_whatever_happens(void **state)
{
    (void)state;
    const uint64_t first = number_of("PENATES_MODEL_SEED", 1);
    const uint64_t runs =
        getenv("PENATES_MODEL_SEED") != NULL ? 1 : number_of("PENATES_MODEL_RUNS", RUNS);
    struct world_result sum = {.wrong = ""};
    for (uint64_t seed = first; seed < first + runs; seed++) {
        const struct world_result result = run(seed);
        if (result.wrong[0] != '\0') {
            fail_msg("PENATES_MODEL_SEED=%llu: %s", (unsigned long long)seed, result.wrong);
        }
        sum.hands += result.hands > 0 ? 1 : 0;
        sum.kills += result.kills;
        sum.freezes += result.freezes;
        sum.outages += result.outages;
        sum.takeovers += result.takeovers;
        sum.lost += result.lost;
        sum.expired += result.expired;
        sum.releases += result.releases;
        sum.starts += result.starts;
        sum.events += result.events;
    }
    print_message("%llu runs from seed %llu: %llu events, %u starts, %u kills, %u freezes, %u "
                  "outages, %u takeovers, %u lost, %u expired, %u releases, %u with a hand\n",
                  (unsigned long long)runs, (unsigned long long)first,
                  (unsigned long long)sum.events, sum.starts, sum.kills, sum.freezes, sum.outages,
                  sum.takeovers, sum.lost, sum.expired, sum.releases, sum.hands);
    if (runs >= RUNS) { /* what never happens is not shown to be harmless */
        assert_true(sum.kills > 0 && sum.freezes > 0 && sum.outages > 0 && sum.takeovers > 0);
        assert_true(sum.hands < runs / 100); /* by a write of a dead node's that took its time */
        assert_true(sum.lost > 0 && sum.expired > 0 && sum.releases > 0);
    }
}

static void test_a_run_can_be_had_again(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 20; seed++) {
        const struct world_result once = run(seed), again = run(seed);
        assert_memory_equal(&once.kills, &again.kills,
                            sizeof(once) - offsetof(struct world_result, kills));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whatever_happens),
        cmocka_unit_test(test_a_run_can_be_had_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
