#include "agent/config_settle.h"

#include <string.h>

#include "agent/plan_json.h"

static const struct option_value *plan_given(const struct config *config,
                                             const struct option_bag *bag)
{
    return options_takes(OPTION_PLAN, config->command) ? option_bag_last(bag, OPTION_PLAN) : NULL;
}

const char *config_settle_boot(const struct config *config, struct option_bag *bag)
{
    const struct option_value *ring = option_bag_last(bag, OPTION_RING);
    if (!options_takes(OPTION_RING, config->command) || ring == NULL ||
        bag->values[OPTION_RING].rank == RANK_FLAG) {
        return NULL;
    }
    const enum option_rank ring_rank = bag->values[OPTION_RING].rank;
    const bool names_plan =
        plan_given(config, bag) != NULL && bag->values[OPTION_PLAN].rank < ring_rank;
    if (bag->word_count == 0 && !names_plan) {
        return NULL;
    }
    const char *origin = ring->origin; /* the arena's, not the bag's */
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        const enum option_id id = (enum option_id)i;
        if (options_is_of_boot(id) && bag->values[id].rank >= ring_rank) {
            option_bag_drop(bag, id);
        }
    }
    return origin;
}

/*
 * A saved plan carries its own selection: a flag beside it could only contradict, and what weaker
 * sources say is not meant for it.
 */
static int read_plan(struct config *config, struct option_bag *bag, struct err *e)
{
    const struct option_value *plan = plan_given(config, bag);
    const struct option_value *ring = option_bag_last(bag, OPTION_RING);
    if (plan == NULL && ring == NULL) {
        return 0;
    }
    if (plan != NULL && ring != NULL) {
        err_set(e, ERR_CONFIG, "%s: excludes %s", ring->origin, plan->origin);
        return err_hint(e, "give either");
    }
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        const enum option_id id = (enum option_id)i;
        const struct option_value *value = option_bag_last(bag, id);
        if (value == NULL || !options_is_planned(id)) {
            continue;
        }
        if (bag->values[id].rank == RANK_FLAG) {
            err_set(e, ERR_CONFIG, "%s: the saved plan says it already", value->origin);
            return err_hint(e, "leave it out, or give a SOURCE in place of %s",
                            plan == NULL ? ring->origin : plan->origin);
        }
        option_bag_drop(bag, id);
    }
    /* A ring's plan may lie in S3: it is read once it is known how to get there. */
    return plan == NULL ? 0 : plan_json_load(bag, plan->text, config, e);
}

/* Of two that exclude each other the stronger source wins; from one source it is a mistake. */
static int settle_range(struct option_bag *bag, struct err *e)
{
    const struct option_value *at = option_bag_last(bag, OPTION_AT);
    const struct option_value *range = option_bag_last(bag, OPTION_RANGE);
    if (at == NULL || range == NULL) {
        return 0;
    }
    const enum option_rank at_rank = bag->values[OPTION_AT].rank;
    const enum option_rank range_rank = bag->values[OPTION_RANGE].rank;
    if (at_rank == range_rank) {
        err_set(e, ERR_CONFIG, "%s: excludes %s", range->origin, at->origin);
        return err_hint(e, "give either");
    }
    option_bag_drop(bag, at_rank < range_rank ? OPTION_RANGE : OPTION_AT);
    return 0;
}

/* No node starts on the files of a loader: weaker sources mean another restore. */
static void settle_layout(struct option_bag *bag)
{
    static const enum option_id FOR_NODES[] = {OPTION_APPLY_YAML, OPTION_SET_ASIDE_STALE};
    const struct option_value *layout = option_bag_last(bag, OPTION_LAYOUT);
    if (layout == NULL || strcmp(layout->text, "loader") != 0) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(FOR_NODES); i++) {
        if (bag->values[OPTION_LAYOUT].rank < bag->values[FOR_NODES[i]].rank) {
            option_bag_drop(bag, FOR_NODES[i]);
        }
    }
}

int config_settle(struct config *config, struct option_bag *bag, struct err *e)
{
    if (options_takes(OPTION_RING, config->command) && read_plan(config, bag, e) != 0) {
        return -1;
    }
    settle_layout(bag);
    return settle_range(bag, e);
}
