/*
 * A store and a client, simulated: the client holds so many gets at once (as the agent does),
 * starts them as flow and connections allow, and asks refused ones again after retry's delay.
 * Seeded: the same every time.
 */
#include "s3/flow.h"
#include "s3/retry.h"
#include "tests/unit/unit.h"

enum { GETS_MAX = 1024, END_MS = 300 * 1000 };

struct scenario {
    const char *name;
    unsigned connections, latency_ms, requests;
    unsigned chance_percent;    /* refused whatever the load */
    unsigned allowed;           /* requests a second, the rest is refused; 0: all */
    uint64_t from_ms, until_ms; /* when chance and allowance hold */
    uint64_t ideal_ms;          /* as the store allows; 0: as a run without any refusal takes */
    unsigned time_percent;      /* of the ideal, most */
    unsigned asked_percent;     /* of the requests, most */
};

enum place { FREE, QUEUED, ON_WIRE, WAITING };

struct simulated_get {
    enum place place;
    unsigned tries;
    bool refused;
    uint64_t due_ms;
};

struct world {
    const struct scenario *scenario;
    struct random random;
    struct flow flow;
    struct simulated_get gets[GETS_MAX];
    unsigned on_wire, unsent, done, asked;
    double tokens;
    uint64_t now_ms;
};

static bool store_refuses(struct world *w)
{
    const struct scenario *const s = w->scenario;
    if (w->now_ms < s->from_ms || w->now_ms >= s->until_ms) {
        return false;
    }
    if (s->allowed > 0 && w->tokens < 1) {
        return true;
    }
    w->tokens -= 1;
    return random_below(&w->random, 100) < s->chance_percent;
}

static void start_some(struct world *w)
{
    for (unsigned i = 0; i < GETS_MAX; i++) {
        struct simulated_get *const get = &w->gets[i];
        if (w->on_wire == w->scenario->connections || flow_due_ms(&w->flow) > w->now_ms) {
            return;
        }
        if (get->place == QUEUED) {
            flow_start(&w->flow, w->now_ms);
            get->place = ON_WIRE;
            get->tries++;
            get->refused = store_refuses(w);
            get->due_ms = w->now_ms + w->scenario->latency_ms;
            w->on_wire++;
            w->asked++;
        }
    }
}

static void end_try(struct world *w, struct simulated_get *get)
{
    w->on_wire--;
    flow_answer(&w->flow, get->refused, w->now_ms);
    if (!get->refused) {
        get->place = FREE;
        w->done++;
        return;
    }
    const struct retry_try last = {.tries = get->tries, .budget_ms = UINT64_MAX, .slow_down = true};
    uint64_t delay_ms = 0;
    assert_true(retry_delay(&last, &w->random, &delay_ms));
    get->place = WAITING;
    get->due_ms = w->now_ms + delay_ms;
}

static void tick(struct world *w)
{
    const struct scenario *const s = w->scenario;
    const unsigned held = s->connections + s->connections / 4;
    for (unsigned i = 0; i < held; i++) {
        struct simulated_get *const get = &w->gets[i];
        if (get->place == ON_WIRE && get->due_ms <= w->now_ms) {
            end_try(w, get);
        } else if (get->place == WAITING && get->due_ms <= w->now_ms) {
            get->place = QUEUED;
        }
        if (get->place == FREE && w->unsent > 0) {
            *get = (struct simulated_get){.place = QUEUED};
            w->unsent--;
        }
    }
    start_some(w);
    w->now_ms++;
    w->tokens += s->allowed / 1000.0;
    w->tokens = w->tokens < s->allowed / 10.0 ? w->tokens : s->allowed / 10.0;
}

static struct world simulate(const struct scenario *scenario)
{
    struct world w = {.scenario = scenario, .random = {.state = 1}, .unsent = scenario->requests};
    while (w.done < scenario->requests && w.now_ms < END_MS) {
        tick(&w);
    }
    assert_int_equal(w.done, scenario->requests);
    return w;
}

static uint64_t quiet_ms(const struct scenario *scenario)
{
    struct scenario quiet = *scenario;
    quiet.chance_percent = 0;
    quiet.allowed = 0;
    const struct world w = simulate(&quiet);
    assert_int_equal(w.asked, quiet.requests);
    assert_int_equal(w.flow.rate, 0);
    return w.now_ms;
}

/* The percents are what was seen, and a little more. A store that is far below what is asked is
 * found in steps of a half a second, and one that was closed is gone back to in steps, too. */
static void test_scenarios(void **state)
{
    (void)state;
    static const uint64_t EVER = UINT64_MAX;
    const struct scenario scenarios[] = {
        {"by chance", 128, 20, 20000, 5, 0, 0, EVER, 0, 120, 108},
        {"by chance, many connections", 512, 40, 60000, 5, 0, 0, EVER, 0, 120, 108},
        {"by chance, few connections", 4, 50, 2000, 5, 0, 0, EVER, 0, 120, 108},
        {"by chance, far away", 64, 200, 2000, 5, 0, 0, EVER, 0, 120, 108},
        {"a limit", 128, 20, 20000, 0, 1000, 0, EVER, 20000, 110, 112},
        {"a limit, and by chance", 128, 20, 20000, 5, 1000, 0, EVER, 20000, 115, 118},
        {"a limit, quickly refused", 128, 1, 20000, 0, 500, 0, EVER, 40000, 110, 115},
        {"a limit far below", 512, 20, 2000, 0, 50, 0, EVER, 40000, 110, 400},
        {"a limit from one moment on", 128, 20, 20000, 0, 500, 1000, EVER, 28300, 110, 112},
        {"a limit that is lifted", 128, 20, 60000, 0, 200, 0, 5000, 14300, 150, 105},
        {"closed for three seconds", 128, 20, 60000, 100, 0, 1000, 4000, 12400, 180, 105},
    };
    for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
        const struct scenario *const s = &scenarios[i];
        const uint64_t ideal_ms = s->ideal_ms == 0 ? quiet_ms(s) : s->ideal_ms;
        const struct world w = simulate(s);
        print_message("%s: %u requests of %u, %lu ms of %lu\n", s->name, w.asked, s->requests,
                      (unsigned long)w.now_ms, (unsigned long)ideal_ms);
        assert_true(w.now_ms * 100 <= ideal_ms * s->time_percent);
        assert_true((uint64_t)w.asked * 100 <= (uint64_t)s->requests * s->asked_percent);
    }
}

/* Answers from so many per ten, for so many seconds. */
static void answer(struct flow *flow, unsigned refused_of_ten, unsigned seconds, uint64_t *now_ms)
{
    for (unsigned i = 0; i < seconds * 100; i++) {
        *now_ms += 10;
        flow_answer(flow, i % 10 < refused_of_ten, *now_ms);
    }
}

static void test_border(void **state)
{
    (void)state;
    struct flow flow = {.rate = 0};
    uint64_t now_ms = 1000;
    answer(&flow, 1, 10, &now_ms);
    assert_int_equal(flow.rate, 0);
    assert_int_equal(flow_due_ms(&flow), 0);
    flow_start(&flow, now_ms);
    assert_int_equal(flow_due_ms(&flow), 0);
    answer(&flow, 3, 2, &now_ms);
    assert_in_range(flow.rate, 65, 75); /* what got through */
    answer(&flow, 10, 1, &now_ms);
    now_ms += 3000;
    answer(&flow, 10, 1, &now_ms);
    assert_in_range(flow.rate, 1, 50);
    for (unsigned i = 0; i < 20; i++) {
        answer(&flow, 10, 20, &now_ms);
    }
    assert_in_range(flow.rate, 45, 55); /* never less than half of what was answered */
    answer(&flow, 0, 30, &now_ms);
    assert_int_equal(flow.rate, 0); /* free again */
}

/* A long pause between two answers is no slow store. */
static void test_pause(void **state)
{
    (void)state;
    struct flow flow = {.rate = 0};
    uint64_t now_ms = 1000;
    flow_answer(&flow, false, now_ms);
    now_ms += 3600 * 1000;
    answer(&flow, 5, 2, &now_ms);
    assert_in_range(flow.rate, 45, 55);
}

static void test_starts(void **state)
{
    (void)state;
    struct flow flow = {.rate = 1000};
    uint64_t now_ms = 5000;
    unsigned started = 0;
    for (; now_ms < 6000; now_ms += 7) { /* a thread that comes late now and then */
        while (flow_due_ms(&flow) <= now_ms) {
            flow_start(&flow, now_ms);
            started++;
        }
    }
    assert_in_range(started, 990, 1040);
    started = 0;
    for (now_ms += 60000; flow_due_ms(&flow) <= now_ms; started++) {
        flow_start(&flow, now_ms);
    }
    assert_in_range(started, 2, 30); /* a pause is not made up for */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scenarios),
        cmocka_unit_test(test_border),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_starts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
