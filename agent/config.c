#include "agent/config.h"

#include <errno.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/config_own.h"
#include "agent/config_settle.h"
#include "agent/config_values.h"
#include "agent/ring/ring_slot.h"
#include "s3/wait_handle.h"

#define DEFAULT_FILE "/etc/penates/penates.conf"

/* For a quick answer; once through a name server that loses the first question (5 s,
 * resolv.conf(5)) has to be enough. */
enum { DOCTOR_RETRY_MS = 8000 };

static struct config *config_new(void)
{
    struct config *config = (struct config *)xcalloc(1, sizeof(*config));
    config->own = (struct config_memory *)xcalloc(1, sizeof(*config->own));
    config->own->strings = arena_new();
    return config;
}

void config_free(struct config *config)
{
    if (config == NULL) {
        return;
    }
    free((void *)config->selection.tokens.names);
    free((void *)config->selection.include.names);
    free((void *)config->selection.exclude.names);
    free((void *)config->replace.names);
    free((void *)config->after.names);
    free((void *)config->rack_zones.names);
    free((void *)config->slot_ips.names);
    ring_choice_free(config->chosen);
    free((void *)config->table_map.names);
    free(config->map.items);
    free(config->selection.pins);
    for (size_t i = 0; i < config->own->text_count; i++) {
        free(config->own->texts[i]);
    }
    free(config->own->texts);
    arena_free(config->own->strings);
    free(config->own);
    free(config);
}

static void set_defaults(struct config *config)
{
    const unsigned cores = config_cores();
    config->selection.at_latest = true;
    config->mode = 0640;
    config->dir_mode = 0750;
    config->sample = 1;
    /* Two decoders even on one core: one waits for the disk while the other works. */
    config->threads = cores < 2 ? 2 : cores;
    config->net_threads = cores / 4 < 1 ? 1 : cores / 4 > 16 ? 16 : cores / 4;
    /* Small objects wait for the network, not for a core; S3 answers 5,500 GETs a second for each
     * prefix, and what is too much for it, it says. */
    config->connections = cores * 64 < 512 ? cores * 64 : 512;
    config->part_size = UINT64_C(8) << 20;
    /* Longer than a failover of the store, shorter than an operator's patience. */
    config->retry_for_ms = UINT64_C(10) * 60 * 1000;
    config->log_level = LOG_INFO;
}

/* Flags came first; now what speaks when they do not. A second call does nothing. */
static int read_weaker(struct option_bag *bag, struct err *e)
{
    if (bag->has_weaker) {
        return 0;
    }
    bag->has_weaker = true;
    option_bag_read_environment(bag, environ);
    const struct option_value *file = option_bag_last(bag, OPTION_CONFIG);
    if (file != NULL || access(DEFAULT_FILE, F_OK) == 0) {
        if (option_bag_read_file(bag, file == NULL ? DEFAULT_FILE : file->text, e) != 0) {
            return -1;
        }
    }
    const struct option_value *priam = option_bag_last(bag, OPTION_PRIAM_PROPERTIES);
    return priam == NULL ? 0 : option_bag_read_priam(bag, priam->text, e);
}

static int take_values(struct config *config, const struct option_bag *bag, struct err *e)
{
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        const enum option_id id = (enum option_id)i;
        if (options_takes(id, config->command) && config_take_value(config, id, bag, e) != 0) {
            return -1;
        }
    }
    return 0;
}

static const char *join_words(struct config *config, const struct option_bag *bag)
{
    autofree char *name = xasprintf("%s %s", bag->words[0], bag->words[1]);
    return config_own_text(config, name);
}

static void take_words(struct config *config, const struct option_bag *bag)
{
    config->argument = bag->word_count > 0 ? bag->words[0] : NULL;
    switch (config->command) {
    case COMMAND_LIST:
    case COMMAND_PLAN:
    case COMMAND_RESTORE:
    case COMMAND_VERIFY:
    case COMMAND_POLICY:
    case COMMAND_DOCTOR:
    case COMMAND_RING_PLAN:
        config->source = config->argument != NULL ? config->argument : bag->source;
        break;
    case COMMAND_HELP: /* a command's name can be two words */
        config->argument = bag->word_count < 2 ? config->argument : join_words(config, bag);
        break;
    case COMMAND_DECODE:
    case COMMAND_STATUS:
    case COMMAND_RING_STATUS:
    case COMMAND_RING_CLAIM:
    case COMMAND_SIGNAL:
    case COMMAND_VERSION:
        break;
    }
}

static bool needs_source(const struct config *config)
{
    switch (config->command) {
    case COMMAND_LIST:
    case COMMAND_VERIFY:
    case COMMAND_POLICY:
    case COMMAND_RING_PLAN:
        return true;
    case COMMAND_PLAN:
    case COMMAND_DOCTOR:
    case COMMAND_RESTORE:
        return config->plan_in == NULL && config->ring == NULL;
    case COMMAND_DECODE:
    case COMMAND_STATUS:
    case COMMAND_RING_STATUS:
    case COMMAND_RING_CLAIM:
    case COMMAND_SIGNAL:
    case COMMAND_HELP:
    case COMMAND_VERSION:
        break;
    }
    return false;
}

/* A loader finds the id of its table itself. */
static int check_ids(const struct config *config, struct err *e)
{
    for (size_t i = 0; i < config->map.count && config->layout == LAYOUT_LOADER; i++) {
        const struct table_mapping *item = &config->map.items[i];
        if (item->id != NULL) {
            err_set(e, ERR_CONFIG, "--layout loader: has no place for the id of %s.%s-%s",
                    item->keyspace, item->table, item->id);
            return err_hint(e, "leave the id out");
        }
    }
    return 0;
}

static int check_role(const struct config *config, struct err *e)
{
    if (config->external_id != NULL && config->role_arn == NULL) {
        err_set(e, ERR_CONFIG, "--external-id: there is no --role-arn that it could be for");
        return err_hint(e, "give --role-arn, or external_id beside role_arn in the profile");
    }
    if (config->role_arn != NULL && config->no_sign) {
        return err_set(e, ERR_CONFIG, "--role-arn: no role is assumed with --no-sign");
    }
    return 0;
}

static int check_ring(const struct config *config, struct err *e)
{
    const bool claims = config->command == COMMAND_RING_CLAIM ||
                        (config->slot != NULL && strcmp(config->slot, "claim") == 0);
    if ((config->ring == NULL) != (config->slot == NULL)) {
        err_set(e, ERR_CONFIG, "--ring and --slot: one of the two is missing");
        return err_hint(e, "give both, as --ring s3://BUCKET/PREFIX/plans/ID.json --slot auto");
    }
    if (!claims && (config->rack != NULL || config->lease_ms != 0)) {
        err_set(e, ERR_CONFIG, "--%s: is for --slot claim alone",
                config->rack != NULL ? "rack" : "lease");
        return err_hint(e, "leave it out; the slot itself says which rack it is in");
    }
    if (config->take != NULL && config->release != NULL) {
        err_set(e, ERR_CONFIG, "--release: excludes --take");
        return err_hint(e, "give either");
    }
    if (config->gone != NULL && config->take == NULL && config->release == NULL) {
        err_set(e, ERR_CONFIG, "--gone: there is no --take or --release that it could be for");
        return err_hint(e, "name the token, too");
    }
    return 0;
}

/* Reports name these as they are. */
static int check_places(const struct config *config, struct err *e)
{
    const char *const places[] = {config->source, config->ring, config->argument};
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        if (places[i] != NULL && wait_handle_is_url(places[i])) {
            err_set(e, ERR_CONFIG, "%s: a presigned URL is no place of a backup or a ring",
                    options_command(config->command)->name);
            return err_hint(e, "write s3://BUCKET/..., and a wait condition's as --wait-handle");
        }
    }
    return 0;
}

static int check_whole(const struct config *config, struct err *e)
{
    const char *name = options_command(config->command)->name;
    if (check_role(config, e) != 0 || check_places(config, e) != 0) {
        return -1;
    }
    if (needs_source(config) && (config->source == NULL || config->source[0] == '\0')) {
        err_set(e, ERR_CONFIG, "%s: no SOURCE was given", name);
        return err_hint(e, "give s3://BUCKET/BASE or a directory, or --priam-properties FILE");
    }
    if (config->command == COMMAND_STATUS && config->argument == NULL) {
        err_set(e, ERR_CONFIG, "status: no DIR was given");
        return err_hint(e, "name a directory that was restored to");
    }
    if (config->command == COMMAND_RESTORE && config->target_count == 0) {
        err_set(e, ERR_CONFIG, "restore: no --into DIR was given");
        return err_hint(e, "name the data directory to restore to");
    }
    if (check_ring(config, e) != 0) {
        return -1;
    }
    if (config->ring_size != 0 && config->ring == NULL) {
        err_set(e, ERR_CONFIG, "--ring-size: there is no --ring");
        return err_hint(e, "give the ring's plan, or leave it out");
    }
    if (config->command != COMMAND_RESTORE && config->slot != NULL &&
        strcmp(config->slot, "claim") == 0) {
        err_set(e, ERR_CONFIG, "%s: a slot is claimed by the restore alone, since that writes",
                name);
        return err_hint(e, "give --slot N to look at one");
    }
    if (config->plan_schema && (config->json || config->plan_out != NULL)) {
        err_set(e, ERR_CONFIG, "--schema: prints CQL in place of a plan, not with %s",
                config->json ? "--json" : "--out");
        return err_hint(e, "leave one of the two out");
    }
    if (config->layout == LAYOUT_LOADER &&
        (config->apply_yaml != NULL || config->set_aside_stale)) {
        err_set(e, ERR_CONFIG, "%s: no node starts on the files of --layout loader",
                config->apply_yaml != NULL ? "--apply-yaml" : "--set-aside-stale");
        return err_hint(e, "leave one of the two out");
    }
    if (config->memory < 2 * config->part_size) {
        err_set(e, ERR_CONFIG, "--memory: %llu bytes hold less than two parts of %llu bytes",
                (unsigned long long)config->memory, (unsigned long long)config->part_size);
        return err_hint(e, "raise --memory or lower --part-size");
    }
    ASSERT(config->threads > 0 && config->net_threads > 0 && config->connections > 0);
    return check_ids(config, e);
}

/* Root leaves nothing where it restores to that Cassandra, and the next boot's restore, may not
 * read. */
static void take_owner(struct config *config)
{
    if (config->target_count > 0 && !config->set_owner && geteuid() == 0) {
        config->set_owner = config_owner_of(config->targets[0], &config->owner, &config->group);
    }
}

static int fill(struct config *config, struct option_bag *bag, struct err *e)
{
    /* Asking for help never fails because of what else is wrong. */
    if (option_bag_last(bag, OPTION_HELP) != NULL && option_bag_last(bag, OPTION_VERSION) == NULL) {
        config->argument =
            config->command == COMMAND_HELP ? NULL : options_command(config->command)->name;
        config->command = COMMAND_HELP;
        return 0;
    }
    if (config->command == COMMAND_HELP || config->command == COMMAND_VERSION) {
        take_words(config, bag);
        return 0;
    }
    if (read_weaker(bag, e) != 0) {
        return -1;
    }
    const char *left_out = config_settle_boot(config, bag);
    if (config_settle(config, bag, e) != 0 || take_values(config, bag, e) != 0) {
        return -1;
    }
    if (left_out != NULL && config->log_level >= LOG_INFO) { /* the log's own is not set yet */
        log_info("%s: not used, since a SOURCE or a plan was given", left_out);
    }
    take_words(config, bag);
    take_owner(config);
    if (config->command == COMMAND_DOCTOR && option_bag_last(bag, OPTION_RETRY_FOR) == NULL) {
        config->retry_for_ms = DOCTOR_RETRY_MS;
    }
    if (config->memory == 0) {
        config->memory = config_default_memory();
    }
    if (config->seed == 0 && option_bag_last(bag, OPTION_SEED) == NULL) {
        config->seed = (uint64_t)clock_wall_ms();
    }
    return check_whole(config, e);
}

/* A parameter that is wrong has to reach the stack, too. What is wrong besides has been said. */
static void keep_for_stack(struct config *config, struct option_bag *bag)
{
    static const enum option_id NEEDED[] = {
        OPTION_STACK,       OPTION_STACK_RESOURCE, OPTION_SIGNAL_AUTH,
        OPTION_WAIT_HANDLE, OPTION_PROFILE,        OPTION_CA_FILE,
        OPTION_FIPS,        OPTION_RETRY_FOR,      OPTION_LOG_LEVEL,
    };
    struct err ignored = ERR_INIT;
    bool whole = read_weaker(bag, &ignored) == 0;
    (void)config_settle_boot(config, bag);
    for (size_t i = 0; i < ARRAY_SIZE(NEEDED); i++) {
        whole = config_take_value(config, NEEDED[i], bag, &ignored) == 0 && whole;
    }
    log_debug("options for the stack: %s", whole ? "all good" : ignored.text);
}

int config_load(int argc, char **argv, struct config **ret, struct err *e)
{
    struct config *config = config_new();
    struct option_bag bag
        __attribute__((cleanup(option_bag_done))) = {.strings = config->own->strings};
    set_defaults(config);
    *ret = config;
    if (option_bag_read_args(&bag, argc, argv, &config->command, e) == 0 &&
        fill(config, &bag, e) == 0) {
        return 0;
    }
    if (config->command == COMMAND_RESTORE) {
        keep_for_stack(config, &bag);
    }
    return -1;
}
