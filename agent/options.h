/*
 * options: the one table of commands and options. The parser, --help, PENATES_* variables, the
 * configuration file and the test that reads the man page all go by it, so that an option exists
 * everywhere or nowhere. Constant data; any thread.
 */
#ifndef PENATES_OPTIONS_H
#define PENATES_OPTIONS_H

#include "agent/config.h"

enum { COMMAND_COUNT = COMMAND_VERSION + 1 };

struct command_info {
    const char *name;  /* "restore" */
    const char *words; /* "SOURCE", "[FILE|-]": what it takes beside options, for usage lines */
    unsigned words_min, words_max;
    const char *summary; /* one line */
};

enum option_id {
    OPTION_CLUSTER,
    OPTION_SOURCE_REGION,
    OPTION_TOKEN,
    OPTION_AT,
    OPTION_RANGE,
    OPTION_SOURCE_VERSION_AT,
    OPTION_SNAPSHOT_ONLY,
    OPTION_FORMAT,
    OPTION_INCLUDE,
    OPTION_EXCLUDE,
    OPTION_SYSTEM_AUTH,
    OPTION_ALLOW_INCOMPLETE,
    OPTION_V1_UTC_OFFSET,
    OPTION_INTO,
    OPTION_LAYOUT,
    OPTION_OWNER,
    OPTION_MODE,
    OPTION_DIR_MODE,
    OPTION_REPLACE,
    OPTION_APPLY_YAML,
    OPTION_ALLOW_SAME_CLUSTER_NAME,
    OPTION_SET_ASIDE_STALE,
    OPTION_CASSANDRA_VERSION,
    OPTION_AFTER,
    OPTION_AS,
    OPTION_TABLE_MAP,
    OPTION_HISTORY,
    OPTION_RESTORE_ID,
    OPTION_PLAN,
    OPTION_RING,
    OPTION_SLOT,
    OPTION_RING_SIZE,
    OPTION_NODE,
    OPTION_RACK,
    OPTION_LEASE,
    OPTION_TAKE,
    OPTION_RELEASE,
    OPTION_GONE,
    OPTION_STACK,
    OPTION_STACK_RESOURCE,
    OPTION_SIGNAL_AUTH,
    OPTION_WAIT_HANDLE,
    OPTION_STATUS,
    OPTION_REASON,
    OPTION_DATA,
    OPTION_UNIQUE_ID,
    OPTION_STATE,
    OPTION_RACK_ZONE,
    OPTION_SLOT_IP,
    OPTION_IDENTITIES,
    OPTION_OUT,
    OPTION_SCHEMA,
    OPTION_RAW,
    OPTION_SAMPLE,
    OPTION_SEED,
    OPTION_MEMORY,
    OPTION_THREADS,
    OPTION_NET_THREADS,
    OPTION_CONNECTIONS,
    OPTION_BANDWIDTH,
    OPTION_PART_SIZE,
    OPTION_RETRY_FOR,
    OPTION_PROGRESS,
    OPTION_JSON,
    OPTION_REPORT,
    OPTION_METRICS,
    OPTION_LOG_LEVEL,
    OPTION_QUIET,
    OPTION_VERBOSE,
    OPTION_REGION,
    OPTION_ENDPOINT,
    OPTION_PATH_STYLE,
    OPTION_PROFILE,
    OPTION_ROLE_ARN,
    OPTION_EXTERNAL_ID,
    OPTION_REQUEST_PAYER,
    OPTION_EXPECTED_BUCKET_OWNER,
    OPTION_SSE_C_KEY_FILE,
    OPTION_CA_FILE,
    OPTION_DUALSTACK,
    OPTION_FIPS,
    OPTION_NO_SIGN,
    OPTION_THAW,
    OPTION_THAW_TIER,
    OPTION_CONFIG,
    OPTION_PRIAM_PROPERTIES,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_COUNT, /* also: no such option */
};

enum option_group {
    GROUP_SELECTION,
    GROUP_TARGET,
    GROUP_STACK,
    GROUP_COMMAND, /* of one or two commands only */
    GROUP_LIMITS,
    GROUP_LOOKS,
    GROUP_AWS,
    GROUP_CONFIGURATION,
    GROUP_COUNT,
};

struct option_info {
    const char *name;     /* without dashes */
    char letter;          /* 0: no short form */
    const char *argument; /* its name in help; NULL: a flag */
    enum option_group group;
    unsigned commands; /* bits: 1u << enum command */
    const char *help;  /* one line */
};

const struct command_info *options_command(enum command command);
const struct option_info *options_info(enum option_id id);
const char *options_group_title(enum option_group group);

bool options_takes(enum option_id id, enum command command);

/* True for what a saved plan pins: the selection, the layout, and the names in the target. */
bool options_is_planned(enum option_id id);

/* True for what the boot of a ring's node goes by: its slot, what it changes beside the data, whom
 * it tells. */
bool options_is_of_boot(enum option_id id);

/* By whole name, without dashes; OPTION_COUNT: none. */
enum option_id options_find(const char *name, size_t size);
enum option_id options_find_letter(char letter);
/* "ring plan": some commands have a family's name before their own. */
bool options_is_family(const char *word);
/* By whole name; false: no such command. */
bool options_find_command(const char *name, enum command *ret);

/* The existing name that `name` resembles most; literals. */
const char *options_nearest(const char *name);
const char *options_nearest_command(const char *name);

/* "PENATES_PATH_STYLE" of path-style, into `ret`. */
enum { OPTION_VARIABLE_SIZE = 48 };
const char *options_variable(enum option_id id, char ret[OPTION_VARIABLE_SIZE]);

#endif
