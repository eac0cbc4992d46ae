#include "agent/options.h"

#include <string.h>

#include "agent/suggest.h"

enum {
    LIST = 1u << COMMAND_LIST,
    PLAN = 1u << COMMAND_PLAN,
    RESTORE = 1u << COMMAND_RESTORE,
    VERIFY = 1u << COMMAND_VERIFY,
    DECODE = 1u << COMMAND_DECODE,
    STATUS = 1u << COMMAND_STATUS,
    POLICY = 1u << COMMAND_POLICY,
    DOCTOR = 1u << COMMAND_DOCTOR,
    RING_PLAN = 1u << COMMAND_RING_PLAN,
    RING_STATUS = 1u << COMMAND_RING_STATUS,
    RING_CLAIM = 1u << COMMAND_RING_CLAIM,
    SIGNAL = 1u << COMMAND_SIGNAL,
    /* Those that choose a restore point. */
    SELECT = PLAN | RESTORE | VERIFY | DOCTOR | RING_PLAN,
    /* Those that read the source. */
    READ = LIST | SELECT | RING_STATUS | RING_CLAIM,
    /* Those of them that read a backup. */
    BACKUP = LIST | SELECT,
    /* Those that move data. */
    MOVE = RESTORE | VERIFY,
    /* Those that have a target. */
    PUT = PLAN | RESTORE | DOCTOR,
    /* Those that know of a stack. */
    TELL = RESTORE | SIGNAL | DOCTOR,
    WORK = READ | DECODE | STATUS | POLICY | SIGNAL,
    EVERY = WORK | 1u << COMMAND_HELP | 1u << COMMAND_VERSION,
};

static const struct command_info commands[COMMAND_COUNT] = {
    [COMMAND_LIST] = {"list", "SOURCE", 0, 1,
                      "show the clusters, nodes and restore points of a backup"},
    [COMMAND_PLAN] = {"plan", "SOURCE", 0, 1, "show exactly what a restore would do"},
    [COMMAND_RESTORE] = {"restore", "SOURCE --into DIR", 0, 1,
                         "fetch, verify and put a restore point in place"},
    [COMMAND_VERIFY] = {"verify", "SOURCE", 0, 1,
                        "fetch and check what a restore would, keep nothing"},
    [COMMAND_DECODE] = {"decode", "[FILE|-]", 0, 1, "turn one compressed file into a plain one"},
    [COMMAND_STATUS] = {"status", "DIR", 1, 1, "show the state of the restore in DIR"},
    [COMMAND_POLICY] = {"policy", "SOURCE", 0, 1,
                        "print the least IAM policy that a restore needs"},
    [COMMAND_DOCTOR] = {"doctor", "SOURCE [--into DIR]", 0, 1,
                        "check one by one what a restore needs"},
    [COMMAND_RING_PLAN] = {"ring plan", "SOURCE", 0, 1,
                           "write down which node of a new ring restores what"},
    [COMMAND_RING_STATUS] = {"ring status", "RING", 1, 1,
                             "show how far each node of a ring is, from anywhere"},
    [COMMAND_RING_CLAIM] = {"ring claim", "RING", 1, 1,
                            "claim a slot of a ring for this node, or give one up"},
    [COMMAND_SIGNAL] = {"signal", "", 0, 0, "tell a CloudFormation stack how this node fares"},
    [COMMAND_HELP] = {"help", "[COMMAND]", 0, 2, "explain a command"},
    [COMMAND_VERSION] = {"version", "", 0, 0, "print the version and that of the libraries"},
};

static const struct option_info options[OPTION_COUNT] = {
    [OPTION_CLUSTER] = {"cluster", 0, "NAME", GROUP_SELECTION, BACKUP | POLICY,
                        "cluster in the backup; default: the only one"},
    [OPTION_SOURCE_REGION] = {"source-region", 0, "REGION", GROUP_SELECTION, BACKUP | POLICY,
                              "region in the keys of a v1 backup; default: the only one"},
    [OPTION_TOKEN] = {"token", 0, "TOKEN", GROUP_SELECTION, BACKUP,
                      "node to restore; repeatable; 'all' for every node; default: the only one"},
    [OPTION_AT] =
        {"at", 0, "TIME", GROUP_SELECTION, SELECT,
         "newest complete state not after TIME: RFC 3339, yyyyMMddHHmm or 'latest' (default)"},
    [OPTION_RANGE] = {"range", 0, "START,END", GROUP_SELECTION, SELECT,
                      "Priam's own form and bounds; 'default' is the last 24 hours; excludes --at"},
    [OPTION_SOURCE_VERSION_AT] =
        {"source-version-at", 0, "TIME", GROUP_SELECTION, BACKUP | POLICY,
         "read a versioned bucket as it was at TIME: what was deleted since comes back"},
    [OPTION_SNAPSHOT_ONLY] = {"snapshot-only", 0, NULL, GROUP_SELECTION, SELECT,
                              "leave the incrementals out"},
    [OPTION_FORMAT] = {"format", 0, "auto|v1|v2", GROUP_SELECTION, BACKUP | POLICY,
                       "dialect of the backup; default: auto"},
    [OPTION_INCLUDE] = {"include", 0, "KS.TABLE", GROUP_SELECTION, SELECT,
                        "only these tables; KS.* allowed; comma list; repeatable"},
    [OPTION_EXCLUDE] = {"exclude", 0, "KS.TABLE", GROUP_SELECTION, SELECT,
                        "all but these tables; wins over --include"},
    [OPTION_SYSTEM_AUTH] =
        {"system-auth", 0, "keep|restore", GROUP_SELECTION, SELECT,
         "restore the system_auth keyspace, or keep the target's; default: restore"},
    [OPTION_ALLOW_INCOMPLETE] = {"allow-incomplete", 0, NULL, GROUP_SELECTION, SELECT,
                                 "use a restore point with missing objects; the report names them"},
    [OPTION_V1_UTC_OFFSET] =
        {"v1-utc-offset", 0, "OFFSET", GROUP_SELECTION, BACKUP,
         "zone of the times in v1 keys of an old Priam, as +02:00; default: UTC"},

    [OPTION_INTO] = {"into", 0, "DIR", GROUP_TARGET, PUT,
                     "data directory; repeat for several: each SSTable stays whole in one of them"},
    [OPTION_LAYOUT] =
        {"layout", 0, "data|loader", GROUP_TARGET, PUT,
         "DIR/KS/TABLE-ID/FILE (data, default), or DIR/[TOKEN/]KS/TABLE/FILE (loader)"},
    [OPTION_OWNER] =
        {"owner", 0, "USER[:GROUP]", GROUP_TARGET, PUT,
         "owner of what is created; default: who runs penates, and for root the owner of DIR"},
    [OPTION_MODE] = {"mode", 0, "OCTAL", GROUP_TARGET, PUT,
                     "permissions of created files; default: 0640"},
    [OPTION_DIR_MODE] = {"dir-mode", 0, "OCTAL", GROUP_TARGET, PUT,
                         "permissions of created directories; default: 0750"},
    [OPTION_REPLACE] = {"replace", 0, "KS.TABLE", GROUP_TARGET, PUT,
                        "swap this populated table for the restored one once that is verified"},
    [OPTION_APPLY_YAML] = {"apply-yaml", 0, "FILE", GROUP_TARGET, PLAN | RESTORE,
                           "write the node's token into this cassandra.yaml at the end"},
    [OPTION_ALLOW_SAME_CLUSTER_NAME] =
        {"allow-same-cluster-name", 0, NULL, GROUP_TARGET, RESTORE,
         "let a node of --ring keep the backup's cluster_name in --apply-yaml"},
    [OPTION_SET_ASIDE_STALE] = {"set-aside-stale", 0, NULL, GROUP_TARGET, PLAN | RESTORE,
                                "move old commit logs, hints and saved caches aside"},
    [OPTION_CASSANDRA_VERSION] = {"cassandra-version", 0, "VERSION", GROUP_TARGET, SELECT,
                                  "refuse SSTables that this Cassandra, as 4.1, cannot read"},
    [OPTION_AFTER] = {"after", 0, "COMMAND", GROUP_TARGET, RESTORE,
                      "run this program, without a shell, when all is in place; repeatable"},
    [OPTION_AS] = {"as", 0, "KS.TABLE", GROUP_TARGET, PUT,
                   "add the one selected table to this one of the target; KS.TABLE-ID allowed"},
    [OPTION_TABLE_MAP] = {"table-map", 0, "KS.TABLE=KS2.TABLE2", GROUP_TARGET, PUT,
                          "as --as for this table; KS.*=KS2.* allowed; comma list; repeatable"},
    [OPTION_HISTORY] = {"history", 0, "DIR", GROUP_TARGET, PUT,
                        "a second stamp in DIR, on the root volume: a lost data volume is refused"},
    [OPTION_RESTORE_ID] = {"restore-id", 0, "ID", GROUP_TARGET,
                           PUT | RING_STATUS | RING_CLAIM | POLICY,
                           "name of this restore; another name means another restore"},
    [OPTION_PLAN] = {"plan", 0, "FILE", GROUP_TARGET, RESTORE,
                     "run this saved plan; refused when the source no longer matches it"},

    [OPTION_RING] = {"ring", 0, "RING", GROUP_TARGET, PUT,
                     "take source, token and instant from this ring plan: s3://... or a file"},
    [OPTION_SLOT] = {"slot", 0, "N|auto|claim", GROUP_TARGET, PUT,
                     "which node of --ring this is; auto: its tag restore.slot, or its address; "
                     "claim: a free one of its rack"},
    [OPTION_RING_SIZE] = {"ring-size", 0, "N", GROUP_TARGET, RESTORE,
                          "nodes that there are: a --ring of another number is refused"},
    [OPTION_NODE] = {"node", 0, "NAME", GROUP_TARGET, RESTORE | RING_CLAIM,
                     "this node's name, the same after a reboot; default: instance id, host name"},
    [OPTION_RACK] = {"rack", 0, "NAME", GROUP_TARGET, RESTORE | RING_CLAIM,
                     "whose slots are claimed; default: the rack of this instance's zone"},
    [OPTION_LEASE] = {"lease", 0, "DURATION", GROUP_TARGET, RESTORE | RING_CLAIM,
                      "within which a claim is renewed, or lost; default: 15m"},
    [OPTION_TAKE] = {"take", 0, "TOKEN", GROUP_COMMAND, RING_CLAIM,
                     "claim this one, if it is free or has lapsed"},
    [OPTION_RELEASE] = {"release", 0, "TOKEN", GROUP_COMMAND, RING_CLAIM,
                        "give this one up, if it is this node's or has lapsed"},
    [OPTION_GONE] = {"gone", 0, "NODE", GROUP_COMMAND, RING_CLAIM,
                     "this node is gone for good: take or release what it has restored"},

    [OPTION_STACK] = {"stack", 0, "NAME|ARN", GROUP_STACK, TELL | POLICY,
                      "stack to signal; default: the instance's tag aws:cloudformation:stack-id"},
    [OPTION_STACK_RESOURCE] = {"stack-resource", 0, "LOGICAL-ID", GROUP_STACK, TELL,
                               "resource whose creation policy waits; default of signal: the tag "
                               "aws:cloudformation:logical-id"},
    [OPTION_SIGNAL_AUTH] = {"signal-auth", 0, "instance|sigv4", GROUP_STACK, TELL | POLICY,
                            "who signals the resource: the instance (default) or its credentials"},
    [OPTION_WAIT_HANDLE] = {"wait-handle", 0, "URL", GROUP_STACK, TELL,
                            "a wait condition's handle: a secret, for the configuration file"},
    [OPTION_STATUS] = {"status", 0, "success|failure", GROUP_COMMAND, SIGNAL,
                       "what to tell; default: success"},
    [OPTION_REASON] = {"reason", 0, "TEXT", GROUP_COMMAND, SIGNAL,
                       "why, for the wait condition and the stack's events"},
    [OPTION_DATA] = {"data", 0, "TEXT", GROUP_COMMAND, SIGNAL,
                     "data for the wait condition, up to 4096 bytes"},
    [OPTION_UNIQUE_ID] = {"unique-id", 0, "ID", GROUP_COMMAND, SIGNAL,
                          "who tells it; default: the id of the instance, else the host's name"},

    [OPTION_STATE] = {"state", 0, "s3://BUCKET/PREFIX", GROUP_COMMAND, RING_PLAN | POLICY,
                      "the ring's own place: its plan, and what its nodes report and claim"},
    [OPTION_RACK_ZONE] = {"rack-zone", 0, "RACK=ZONE", GROUP_COMMAND, RING_PLAN,
                          "availability zone of a rack's new nodes; default: the rack; repeatable"},
    [OPTION_SLOT_IP] = {"slot-ip", 0, "SLOT=IP", GROUP_COMMAND, RING_PLAN,
                        "private address of the new node in this slot; repeatable"},
    [OPTION_IDENTITIES] = {"identities", 0, "FILE", GROUP_COMMAND, RING_PLAN,
                           "Priam's InstanceIdentity, as 'aws sdb select' prints it: racks"},
    [OPTION_OUT] = {"out", 'o', "FILE", GROUP_COMMAND, PLAN | DECODE | RING_PLAN,
                    "write the plan as JSON, or the plain bytes, to FILE"},
    [OPTION_SCHEMA] = {"schema", 0, NULL, GROUP_COMMAND, PLAN,
                       "print the tables' definitions as CQL, in place of the plan"},
    [OPTION_RAW] = {"raw", 0, NULL, GROUP_COMMAND, DECODE,
                    "without a magic, take the input for one raw Snappy block"},
    [OPTION_SAMPLE] = {"sample", 0, "P%", GROUP_COMMAND, VERIFY,
                       "check this share of the SSTables, each of them whole; default: 100%"},
    [OPTION_SEED] = {"seed", 0, "N", GROUP_COMMAND, VERIFY,
                     "picks the same sample again; default: a new one, which the report names"},

    [OPTION_MEMORY] = {"memory", 0, "BYTES", GROUP_LIMITS, READ | DECODE,
                       "memory for data in flight; default: RAM/8, from 64M to 4G"},
    [OPTION_THREADS] = {"threads", 0, "N", GROUP_LIMITS, MOVE | DOCTOR | DECODE,
                        "decoding threads; default: one a core, at least 2"},
    [OPTION_NET_THREADS] = {"net-threads", 0, "N", GROUP_LIMITS, READ,
                            "network threads; default: a quarter of the cores, from 1 to 16"},
    [OPTION_CONNECTIONS] = {"connections", 0, "N", GROUP_LIMITS, READ,
                            "most requests in flight; default: 64 a core, at most 512"},
    [OPTION_BANDWIDTH] = {"bandwidth", 0, "BYTES/s", GROUP_LIMITS, READ,
                          "most bytes a second from the source; default: no limit"},
    [OPTION_PART_SIZE] = {"part-size", 0, "BYTES", GROUP_LIMITS, MOVE | DOCTOR,
                          "bytes that one request fetches, from 1M to 64M; default: 8M"},
    [OPTION_RETRY_FOR] = {"retry-for", 0, "DURATION", GROUP_LIMITS, READ | SIGNAL,
                          "how long an outage of the source may last, as 90s or 15m; default: 10m"},

    [OPTION_PROGRESS] = {"progress", 0, "auto|always|never", GROUP_LOOKS, MOVE,
                         "progress on stderr; default: auto, which suits terminal and pipe"},
    [OPTION_JSON] = {"json", 0, NULL, GROUP_LOOKS, READ | STATUS,
                     "JSON on stdout; of restore and verify one line at the end"},
    [OPTION_REPORT] = {"report", 0, "FILE", GROUP_LOOKS, MOVE, "write the full report as JSON"},
    [OPTION_METRICS] = {"metrics", 0, "FILE", GROUP_LOOKS, MOVE,
                        "write a Prometheus textfile at the end"},
    [OPTION_LOG_LEVEL] = {"log-level", 0, "error|warn|info|debug", GROUP_LOOKS, WORK,
                          "how much to say on stderr; default: info"},
    [OPTION_QUIET] = {"quiet", 'q', NULL, GROUP_LOOKS, WORK, "errors only"},
    [OPTION_VERBOSE] = {"verbose", 'v', NULL, GROUP_LOOKS, WORK,
                        "everything, as --log-level debug"},

    [OPTION_REGION] = {"region", 0, "REGION", GROUP_AWS, READ | POLICY,
                       "of the bucket; default: AWS_REGION, the profile, or what the bucket says"},
    [OPTION_ENDPOINT] = {"endpoint", 0, "URL", GROUP_AWS, READ, "S3 server other than AWS"},
    [OPTION_PATH_STYLE] = {"path-style", 0, NULL, GROUP_AWS, READ,
                           "bucket in the path of the URL, not in the host name"},
    [OPTION_PROFILE] = {"profile", 0, "NAME", GROUP_AWS, READ | SIGNAL, "profile of the AWS files"},
    [OPTION_ROLE_ARN] = {"role-arn", 0, "ARN", GROUP_AWS, READ | POLICY,
                         "role to assume with the credentials there are"},
    [OPTION_EXTERNAL_ID] = {"external-id", 0, "ID", GROUP_AWS, READ,
                            "external id that the role of --role-arn asks for"},
    [OPTION_REQUEST_PAYER] = {"request-payer", 0, "requester", GROUP_AWS, READ,
                              "agree to pay for requests to a requester-pays bucket"},
    [OPTION_EXPECTED_BUCKET_OWNER] = {"expected-bucket-owner", 0, "ACCOUNT", GROUP_AWS, READ,
                                      "fail unless this account owns the bucket"},
    [OPTION_SSE_C_KEY_FILE] =
        {"sse-c-key-file", 0, "FILE", GROUP_AWS, READ,
         "key of SSE-C that the objects are encrypted with: 32 bytes, or base64"},
    [OPTION_CA_FILE] = {"ca-file", 0, "FILE", GROUP_AWS, READ | SIGNAL,
                        "certificates to trust instead of the system's"},
    [OPTION_DUALSTACK] = {"dualstack", 0, NULL, GROUP_AWS, READ, "IPv4 and IPv6 endpoints"},
    [OPTION_FIPS] = {"fips", 0, NULL, GROUP_AWS, READ | SIGNAL, "FIPS endpoints"},
    [OPTION_NO_SIGN] = {"no-sign", 0, NULL, GROUP_AWS, READ,
                        "send unsigned requests, for public buckets"},
    [OPTION_THAW] = {"thaw", 0, "DAYS", GROUP_AWS, MOVE | POLICY,
                     "have S3 bring archived objects back for so long, wait, and go on"},
    [OPTION_THAW_TIER] = {"thaw-tier", 0, "standard|expedited|bulk", GROUP_AWS, MOVE | POLICY,
                          "how fast S3 does that, and at what price; default: standard"},

    [OPTION_CONFIG] = {"config", 0, "FILE", GROUP_CONFIGURATION, WORK,
                       "lines 'option = value'; default: /etc/penates/penates.conf if it exists"},
    [OPTION_PRIAM_PROPERTIES] = {"priam-properties", 0, "FILE", GROUP_CONFIGURATION,
                                 BACKUP | POLICY, "Priam's properties, for what nothing else says"},
    [OPTION_HELP] = {"help", 'h', NULL, GROUP_CONFIGURATION, EVERY, "explain the command"},
    [OPTION_VERSION] = {"version", 0, NULL, GROUP_CONFIGURATION, EVERY,
                        "print the version and that of the libraries"},
};

static const char *const group_titles[GROUP_COUNT] = {
    [GROUP_SELECTION] = "Selection",
    [GROUP_TARGET] = "Target",
    [GROUP_STACK] = "CloudFormation",
    [GROUP_COMMAND] = "This command",
    [GROUP_LIMITS] = "Limits",
    [GROUP_LOOKS] = "Looks",
    [GROUP_AWS] = "AWS",
    [GROUP_CONFIGURATION] = "Configuration",
};

const struct command_info *options_command(enum command command)
{
    ASSERT((unsigned)command < COMMAND_COUNT);
    return &commands[command];
}

const struct option_info *options_info(enum option_id id)
{
    ASSERT((unsigned)id < OPTION_COUNT);
    ASSERT(options[id].name != NULL);
    return &options[id];
}

const char *options_group_title(enum option_group group)
{
    ASSERT((unsigned)group < GROUP_COUNT);
    return group_titles[group];
}

bool options_takes(enum option_id id, enum command command)
{
    return (options_info(id)->commands & (1u << command)) != 0;
}

bool options_is_planned(enum option_id id)
{
    return options_info(id)->group == GROUP_SELECTION || id == OPTION_LAYOUT || id == OPTION_AS ||
           id == OPTION_TABLE_MAP;
}

bool options_is_of_boot(enum option_id id)
{
    static const enum option_id OF_BOOT[] = {
        OPTION_RING,
        OPTION_SLOT,
        OPTION_RING_SIZE,
        OPTION_NODE,
        OPTION_RACK,
        OPTION_LEASE,
        OPTION_APPLY_YAML,
        OPTION_AFTER,
        OPTION_ALLOW_SAME_CLUSTER_NAME,
        OPTION_SET_ASIDE_STALE,
        OPTION_HISTORY,
        OPTION_RESTORE_ID,
    };
    for (size_t i = 0; i < ARRAY_SIZE(OF_BOOT); i++) {
        if (OF_BOOT[i] == id) {
            return true;
        }
    }
    return options_info(id)->group == GROUP_STACK;
}

enum option_id options_find(const char *name, size_t size)
{
    unsigned i = 0;
    while (i < OPTION_COUNT &&
           (strlen(options[i].name) != size || memcmp(options[i].name, name, size) != 0)) {
        i++;
    }
    return (enum option_id)i;
}

enum option_id options_find_letter(char letter)
{
    ASSERT(letter != 0);
    unsigned i = 0;
    while (i < OPTION_COUNT && options[i].letter != letter) {
        i++;
    }
    return (enum option_id)i;
}

bool options_is_family(const char *word)
{
    return strcmp(word, "ring") == 0;
}

bool options_find_command(const char *name, enum command *ret)
{
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            *ret = (enum command)i;
            return true;
        }
    }
    return false;
}

const char *options_nearest(const char *name)
{
    struct suggest suggest = suggest_start(name);
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        suggest_consider(&suggest, options[i].name);
    }
    return suggest.best;
}

const char *options_nearest_command(const char *name)
{
    struct suggest suggest = suggest_start(name);
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        suggest_consider(&suggest, commands[i].name);
    }
    return suggest.best;
}

const char *options_variable(enum option_id id, char ret[OPTION_VARIABLE_SIZE])
{
    const int size = snprintf(ret, OPTION_VARIABLE_SIZE, "PENATES_%s", options_info(id)->name);
    ASSERT(size > 0 && size < OPTION_VARIABLE_SIZE);
    for (char *c = ret; *c != '\0'; c++) {
        if (*c == '-') {
            *c = '_';
        } else if (*c >= 'a' && *c <= 'z') {
            *c = (char)(*c - 'a' + 'A');
        }
    }
    return ret;
}
