/*
 * config: one validated, constant description of what was asked for, from flags, PENATES_*
 * variables, a configuration file and Priam's properties, in that order of precedence.
 *
 * options.c holds the table of options (name, argument, which commands take it, help text);
 * config.c merges the sources and validates; nothing else reads argv or PENATES_*.
 */
#ifndef PENATES_CONFIG_H
#define PENATES_CONFIG_H

#include "agent/base/err.h"
#include "agent/base/log.h"
#include "agent/selection.h"
#include "agent/sstable_version.h"
#include "agent/table_map.h"

enum command {
    COMMAND_LIST,
    COMMAND_PLAN,
    COMMAND_RESTORE,
    COMMAND_VERIFY,
    COMMAND_DECODE,
    COMMAND_STATUS,
    COMMAND_POLICY,
    COMMAND_DOCTOR,
    COMMAND_RING_PLAN,
    COMMAND_RING_STATUS,
    COMMAND_RING_CLAIM,
    COMMAND_SIGNAL,
    COMMAND_HELP,
    COMMAND_VERSION,
};

enum layout { LAYOUT_DATA, LAYOUT_LOADER };
enum thaw_tier { THAW_STANDARD, THAW_EXPEDITED, THAW_BULK };
enum signal_auth { SIGNAL_AUTH_INSTANCE, SIGNAL_AUTH_SIGV4 };
enum signal_status { SIGNAL_SUCCESS, SIGNAL_FAILURE };
enum progress_mode { PROGRESS_AUTO, PROGRESS_ALWAYS, PROGRESS_NEVER };

enum {
    CONFIG_TARGETS_MAX = 16,
    RING_SIZE_MAX = 10000, /* the most slots of a plan, see ring_plan.h */
};

struct config {
    enum command command;
    const char *argument; /* SOURCE, DIR, FILE or the command to explain; NULL: none */
    const char *source;   /* SOURCE of list, plan, restore, verify, policy, doctor */

    struct selection selection;

    /* Target */
    const char *targets[CONFIG_TARGETS_MAX]; /* --into */
    unsigned target_count;
    enum layout layout;
    bool set_owner;
    bool owner_given; /* by --owner; else it is that of the directory */
    uid_t owner;
    gid_t group;
    bool set_mode, set_dir_mode;
    mode_t mode, dir_mode;      /* 0640 and 0750 unless told */
    struct name_list replace;   /* --replace KS.TABLE */
    const char *as;             /* --as KS.TABLE[-ID]; NULL: not given */
    struct name_list table_map; /* --table-map FROM=TO, as given */
    struct table_map map;       /* what these two say */
    struct name_list after;     /* --after COMMAND, in order; words_split() takes each */
    const char *history;        /* --history DIR: the stamp on the root volume; NULL: none */
    const char *restore_id;     /* --restore-id; NULL: none, or the ring plan's */
    const char *plan_in;        /* restore --plan FILE */
    const char *plan_id;        /* the id of that plan; NULL: none was given */
    const char *plan_out;       /* plan --out FILE */
    bool plan_schema;           /* plan --schema */
    const char *decode_out;     /* decode -o; NULL or "-": stdout */
    bool decode_raw;            /* decode --raw: no magic means one raw Snappy block */
    double sample;              /* verify --sample: share of files in (0, 1] */
    uint64_t seed;              /* verify --seed */

    /* A ring: what one plan says for all of its nodes */
    const char *ring;            /* the plan: s3://BUCKET/PREFIX/plans/ID.json or a file */
    const char *slot;            /* restore --slot: its number, "auto" or "claim" */
    unsigned ring_size;          /* restore --ring-size: slots that the plan has; 0: any number */
    const char *node;            /* --node: this node's name; NULL: found */
    const char *rack;            /* --rack: whose slots are claimed; NULL: by the zone */
    uint64_t lease_ms;           /* --lease; 0: the default */
    const char *take, *release;  /* ring claim --take, --release TOKEN */
    const char *gone;            /* ring claim --gone NODE */
    const char *state;           /* ring plan --state: where plans, reports and claims are kept */
    const char *identities;      /* ring plan --identities FILE */
    struct name_list rack_zones; /* ring plan --rack-zone RACK=ZONE */
    struct name_list slot_ips;   /* ring plan --slot-ip SLOT=IP */
    struct ring_choice *chosen;  /* set from the plan, before a restore: its slot; else NULL */

    /* CloudFormation */
    const char *stack, *stack_resource; /* NULL: as the instance's tags say */
    enum signal_auth signal_auth;
    const char *wait_handle;          /* a secret, see s3/wait_handle.h; NULL: none */
    enum signal_status signal_status; /* signal --status */
    const char *reason, *data;        /* signal --reason, --data; NULL: none */
    const char *unique_id;            /* signal --unique-id; NULL: the instance's */

    /* The node that the files are for */
    struct cassandra_version cassandra_version; /* --cassandra-version */
    const char *apply_yaml;                     /* --apply-yaml FILE */
    bool allow_same_cluster_name;               /* --allow-same-cluster-name */
    bool set_aside_stale;                       /* --set-aside-stale */

    /* Limits */
    uint64_t memory;  /* bytes for data in flight; default from RAM and cgroup */
    unsigned threads; /* decoding workers */
    unsigned net_threads;
    unsigned connections;
    uint64_t bandwidth; /* bytes per second, 0: none */
    uint64_t part_size;
    uint64_t retry_for_ms;

    /* Looks */
    enum progress_mode progress;
    bool json;
    const char *report;  /* --report FILE */
    const char *metrics; /* --metrics FILE */
    enum log_level log_level;

    /* AWS */
    const char *region, *endpoint, *profile, *role_arn, *external_id;
    const char *request_payer, *expected_bucket_owner, *ca_file, *sse_c_key_file;
    bool path_style, dualstack, fips, no_sign;
    unsigned thaw_days;       /* --thaw; 0: archived objects are refused */
    enum thaw_tier thaw_tier; /* --thaw-tier */

    struct config_memory *own; /* what the strings above live in */
};

/*
 * Reads argv, the environment and the files they name. ERR_CONFIG names the option, says what is
 * wrong with it and, for an unknown one, the nearest that exists. *ret is owned by the caller, also
 * after a failure: then it holds the command, if there is one, and, for a restore, who is to be
 * told that it failed: what is good of the options for CloudFormation and of those they need.
 */
int config_load(int argc, char **argv, struct config **ret, struct err *e) MUST_CHECK;
void config_free(struct config *config); /* NULL is fine */

/* Bytes that --memory defaults to: clamp(RAM / 8, 64 MiB, 4 GiB), RAM meaning the cgroup's limit
 * where that is lower. */
uint64_t config_default_memory(void);

#endif
