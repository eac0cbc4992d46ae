#include "agent/option_bag.h"

#include <string.h>

void option_bag_done(struct option_bag *bag)
{
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        option_bag_drop(bag, (enum option_id)i);
    }
}

void option_bag_drop(struct option_bag *bag, enum option_id id)
{
    ASSERT((unsigned)id < OPTION_COUNT);
    free(bag->values[id].items);
    bag->values[id] = (struct option_values){0};
}

void option_bag_add(struct option_bag *bag, enum option_id id, enum option_rank rank,
                    const char *text, const char *origin)
{
    /* -q and -v are short for a log level, so that a flag of either kind beats a weaker source of
     * either kind. */
    if (id == OPTION_QUIET || id == OPTION_VERBOSE) {
        const char *level = id == OPTION_QUIET ? "error" : "debug";
        option_bag_add(bag, OPTION_LOG_LEVEL, rank, strcmp(text, "true") == 0 ? level : "info",
                       origin);
        return;
    }
    ASSERT((unsigned)id < OPTION_COUNT);
    ASSERT(bag->strings != NULL);
    struct option_values *values = &bag->values[id];
    if (values->count > 0 && values->rank != rank) {
        ASSERT(values->rank < rank);
        return;
    }
    values->rank = rank;
    values->items = xrealloc(values->items, values->count + 1, sizeof(values->items[0]));
    values->items[values->count] = (struct option_value){
        .text = arena_add(bag->strings, text, strlen(text)),
        .origin = arena_add(bag->strings, origin, strlen(origin)),
    };
    values->count++;
}

const struct option_value *option_bag_last(const struct option_bag *bag, enum option_id id)
{
    ASSERT((unsigned)id < OPTION_COUNT);
    const struct option_values *values = &bag->values[id];
    return values->count == 0 ? NULL : &values->items[values->count - 1];
}

void option_bag_read_environment(struct option_bag *bag, char **environment)
{
    char name[OPTION_VARIABLE_SIZE];
    for (char **entry = environment; *entry != NULL; entry++) {
        const char *equals = strchr(*entry, '=');
        if (strncmp(*entry, "PENATES_", strlen("PENATES_")) != 0 || equals == NULL) {
            continue;
        }
        const size_t size = (size_t)(equals - *entry);
        unsigned id = 0;
        while (id < OPTION_COUNT && (strlen(options_variable((enum option_id)id, name)) != size ||
                                     memcmp(name, *entry, size) != 0)) {
            id++;
        }
        if (id == OPTION_COUNT || id == OPTION_HELP || id == OPTION_VERSION) {
            log_warn("%.*s: no option has this name; it is ignored", (int)size, *entry);
        } else if (equals[1] != '\0') {
            option_bag_add(bag, (enum option_id)id, RANK_ENVIRONMENT, equals + 1, name);
        }
    }
}
