/* option_args: the command line of option_bag.h. */
#include "agent/option_bag.h"

#include <string.h>

/* A walk over argv. */
struct args {
    int argc, at;
    char **argv;
    bool only_words;    /* after "--" */
    const char *family; /* "ring", when the next word completes the command's name; else NULL */
    bool has_command;
    enum command command;
};

static int take_command(struct args *args, const char *word, struct err *e)
{
    ASSERT(!args->has_command);
    if (args->family == NULL && options_is_family(word)) {
        args->family = word;
        return 0;
    }
    autofree char *name =
        args->family == NULL ? xstrdup(word) : xasprintf("%s %s", args->family, word);
    if (!options_find_command(name, &args->command)) {
        err_set(e, ERR_CONFIG, "%s: there is no such command", name);
        return err_hint(e, "the nearest is '%s'; see 'penates help'",
                        options_nearest_command(name));
    }
    args->has_command = true;
    return 0;
}

static int take_word(struct args *args, struct option_bag *bag, const char *word, struct err *e)
{
    if (!args->has_command) {
        return take_command(args, word, e);
    }
    const struct command_info *info = options_command(args->command);
    if (bag->word_count == info->words_max) {
        err_set(e, ERR_CONFIG, "%s: '%s' takes no further argument", word, info->name);
        return err_hint(e, "see 'penates help %s'", info->name);
    }
    ASSERT(bag->word_count < OPTION_WORDS_MAX);
    bag->words[bag->word_count] = arena_add(bag->strings, word, strlen(word));
    bag->word_count++;
    return 0;
}

/* `given` is "--memory" or "-q"; `inline_value` is what follows its '=', NULL: nothing does. */
static int take_option(struct args *args, struct option_bag *bag, enum option_id id,
                       const char *given, const char *inline_value, struct err *e)
{
    const struct option_info *info = options_info(id);
    const char *value = inline_value;
    if (value == NULL && info->argument == NULL) {
        value = "true";
    } else if (value == NULL) {
        /* Tokens and offsets may be negative, so one dash can start a value, two cannot. */
        const char *next = args->at < args->argc ? args->argv[args->at] : NULL;
        if (next == NULL || strncmp(next, "--", 2) == 0) {
            err_set(e, ERR_CONFIG, "%s: no value was given", given);
            return err_hint(e, "write %s %s", given, info->argument);
        }
        value = next;
        args->at++;
    }
    option_bag_add(bag, id, RANK_FLAG, value, given);
    return 0;
}

static int take_long(struct args *args, struct option_bag *bag, const char *arg, struct err *e)
{
    ASSERT(strncmp(arg, "--", 2) == 0);
    const char *name = arg + 2;
    const char *equals = strchr(name, '=');
    const size_t size = equals == NULL ? strlen(name) : (size_t)(equals - name);
    const enum option_id id = options_find(name, size);
    autofree char *given = xstrndup(arg, size + 2);
    if (id == OPTION_COUNT) {
        err_set(e, ERR_CONFIG, "%s: there is no such option", given);
        return err_hint(e, "the nearest is '--%s'; see 'penates help'", options_nearest(given + 2));
    }
    return take_option(args, bag, id, given, equals == NULL ? NULL : equals + 1, e);
}

static int take_short(struct args *args, struct option_bag *bag, const char *arg, struct err *e)
{
    ASSERT(arg[0] == '-' && arg[1] != '\0');
    const char given[] = {'-', arg[1], '\0'};
    const enum option_id id = options_find_letter(arg[1]);
    if (id == OPTION_COUNT) {
        err_set(e, ERR_CONFIG, "%s: there is no such option", arg);
        return err_hint(e, "the nearest is '--%s'; see 'penates help'", options_nearest(arg + 1));
    }
    if (arg[2] != '\0' && options_info(id)->argument == NULL) {
        err_set(e, ERR_CONFIG, "%s: short options are not joined", arg);
        return err_hint(e, "write them one by one");
    }
    return take_option(args, bag, id, given, arg[2] == '\0' ? NULL : arg + 2, e);
}

static int take_next(struct args *args, struct option_bag *bag, struct err *e)
{
    const char *arg = args->argv[args->at];
    args->at++;
    if (args->only_words || arg[0] != '-' || arg[1] == '\0') {
        return take_word(args, bag, arg, e);
    }
    if (strcmp(arg, "--") == 0) {
        args->only_words = true;
        return 0;
    }
    return arg[1] == '-' ? take_long(args, bag, arg, e) : take_short(args, bag, arg, e);
}

/* Options that the command has no use for are an error on the command line, where they are a
 * mistake; in the weaker sources they are meant for another command. */
static int check_taken(const struct option_bag *bag, enum command command, struct err *e)
{
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        const struct option_value *value = option_bag_last(bag, (enum option_id)i);
        if (value != NULL && !options_takes((enum option_id)i, command)) {
            const char *name = options_command(command)->name;
            err_set(e, ERR_CONFIG, "%s: '%s' does not take it", value->origin, name);
            return err_hint(e, "see 'penates help %s'", name);
        }
    }
    return 0;
}

int option_bag_read_args(struct option_bag *bag, int argc, char **argv, enum command *ret_command,
                         struct err *e)
{
    ASSERT(bag->word_count == 0);
    struct args args = {.argc = argc, .at = 1, .argv = argv};
    struct err first = ERR_INIT;
    while (args.at < args.argc) {
        struct err found = ERR_INIT;
        if (take_next(&args, bag, &found) != 0 && first.kind == ERR_NONE) {
            first = found;
        }
    }
    if (args.has_command) {
        *ret_command = args.command;
    }
    if (first.kind != ERR_NONE) {
        *e = first;
        return -1;
    }
    if (option_bag_last(bag, OPTION_VERSION) != NULL) {
        *ret_command = COMMAND_VERSION;
        return 0;
    }
    if (!args.has_command && option_bag_last(bag, OPTION_HELP) != NULL) {
        *ret_command = COMMAND_HELP;
        return 0;
    }
    if (!args.has_command && args.family != NULL) {
        err_set(e, ERR_CONFIG, "%s: is half a command's name", args.family);
        return err_hint(e, "see 'penates help'");
    }
    if (!args.has_command) {
        err_set(e, ERR_CONFIG, "command line: no command was given");
        return err_hint(e, "run 'penates help'");
    }
    return option_bag_last(bag, OPTION_HELP) == NULL ? check_taken(bag, args.command, e) : 0;
}
