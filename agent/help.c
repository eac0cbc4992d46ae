/* help: usage, from the table of options. */
#include <string.h>

#include "agent/commands.h"
#include "agent/options.h"
#include "agent/out_file.h"

/* What the table cannot say. */
static const struct {
    const char *text;
    const char *examples[2];
} TEACH[COMMAND_COUNT] = {
    [COMMAND_LIST] =
        {"Shows each restore point: cluster, token (node), time, kind (v1, v2), files, bytes, and\n"
         "whether it is complete. Writes nothing.",
         {"penates list s3://bucket/backup", "penates list /mnt/backup --cluster prod --json"}},
    [COMMAND_PLAN] =
        {"Shows what restore would do with the same options: files, bytes to fetch, bytes on "
         "disk,\n"
         "what is left out and why, what is missing. Ends as restore would when it would refuse.\n"
         "Writes nothing but the file of --out. With --schema, the tables' CQL instead.",
         {"penates plan s3://bucket/backup --cluster prod --token 1808575600 --into /data",
          "penates plan s3://bucket/backup --include 'shop.*' --token all --schema | cqlsh HOST"}},
    [COMMAND_RESTORE] =
        {"Plans, checks the target, fetches, verifies and puts in place. Nothing is written "
         "before\n"
         "plan and checks pass; files get their names only when verified and on disk. After an\n"
         "interruption the same command goes on; after success it says so and ends.",
         {"penates restore s3://bucket/backup --into /var/lib/cassandra/data",
          "penates restore s3://bucket/backup --cluster prod --token 1808575600 "
          "--at 202611230800\n      --include shop.orders --into /restore"}},
    [COMMAND_VERIFY] =
        {"The restore drill: fetches, decodes and checks all that restore would, and keeps\n"
         "nothing.",
         {"penates verify s3://bucket/backup --token all",
          "penates verify s3://bucket/backup --sample 5% --report drill.json"}},
    [COMMAND_DECODE] =
        {"Turns one file that Priam compressed into the plain one, as a stream: what Priam's call\n"
         "cassadmin/decompress did. Without FILE, or with -, it reads standard input; without\n"
         "--out it writes standard output.",
         {"penates decode -o mc-1-big-Data.db mc-1-big-Data.db.snappy",
          "aws s3 cp s3://bucket/key - | penates decode > file"}},
    [COMMAND_STATUS] = {"Tells from the journal in DIR whether the restore is running, done,\n"
                        "interrupted or failed, and how far it is. Writes nothing.",
                        {"penates status /var/lib/cassandra/data",
                         "penates status /var/lib/cassandra/data --json"}},
    [COMMAND_POLICY] =
        {"Prints an IAM policy that allows what this restore needs, and no more: listing and\n"
         "getting below the prefixes of the cluster. Asks nobody.",
         {"penates policy s3://bucket/backup --cluster prod --source-region us-east-1",
          "penates policy s3://bucket/backup --cluster prod --format v2"}},
    [COMMAND_DOCTOR] =
        {"Checks credentials, endpoint, clock, region, listing, reading, encryption, target and "
         "disk,\neach on its own, with the options of the restore, and prints what works and "
         "what does not.\nEnds as the restore would at the first thing that fails. Writes "
         "nothing.",
         {"penates doctor s3://bucket/backup --into /var/lib/cassandra/data",
          "penates doctor s3://bucket/backup --cluster prod --json"}},
    [COMMAND_RING_PLAN] =
        {"Makes the plan of a whole ring: one slot a node, with its rack, token, restore point "
         "and\n"
         "bytes, and what is left out and why. Each node then restores its slot of it.",
         {"penates ring plan s3://bucket/backup --cluster prod --state s3://state/prod",
          "penates ring plan s3://bucket/backup --rack-zone us-east-1a=eu-west-1a --out "
          "ring.json"}},
    [COMMAND_RING_STATUS] = {"Shows what each node of a ring has last reported. Writes nothing.",
                             {"penates ring status s3://state/prod/plans/ID.json",
                              "penates ring status s3://state/prod/plans/ID.json --json"}},
    [COMMAND_RING_CLAIM] =
        {"Claims a slot of the ring for this node, one of its own rack, and prints it: what\n"
         "restore --slot claim does before it restores. It is this node's as long as the restore\n"
         "renews it, and goes to another node once a lease has passed without. With --release it\n"
         "is given up: a live one by its own node alone, what is restored by its node's name.",
         {"penates ring claim s3://state/prod/plans/ID.json",
          "penates ring claim s3://state/prod/plans/ID.json --release 1808575600 --gone i-0abc"}},
    [COMMAND_SIGNAL] =
        {"Tells the stack of this instance that the node is well, or with --status failure\n"
         "that it is not: a resource with a creation policy by SignalResource, and a wait\n"
         "condition by the URL of --wait-handle. Where nothing says whom, the instance's\n"
         "tags do. Ends with 0 when all of it was taken. A restore signals by itself.",
         {"penates signal --stack prod-ring --stack-resource Nodes",
          "penates signal --status failure --reason 'no disk for the data'"}},
    [COMMAND_HELP] = {"Explains a command, or lists them all.",
                      {"penates help", "penates help restore"}},
    [COMMAND_VERSION] = {"Prints the version of penates and of the libraries it runs with.",
                         {"penates --version", "penates version"}},
};

enum {
    COLUMN = 28, /* where the texts of options begin */
    WIDTH = 80,  /* where lines end: what a terminal has at least */
};

/* The text from COLUMN on, broken at spaces. */
static void print_wrapped(const char *text)
{
    while (strlen(text) > WIDTH - COLUMN) {
        size_t size = WIDTH - COLUMN;
        while (size > 1 && text[size] != ' ') {
            size--;
        }
        (void)printf("%.*s\n%*s", (int)size, text, COLUMN,
                     ""); /* the flush tells, here and below */
        text += size + 1;
    }
    (void)printf("%s\n", text);
}

static void print_option(const struct option_info *info)
{
    char left[80];
    const char letter[] = {'-', info->letter, ',', ' ', '\0'};
    const int size =
        snprintf(left, sizeof(left), "  %s--%s%s%s", info->letter == 0 ? "" : letter, info->name,
                 info->argument == NULL ? "" : " ", info->argument == NULL ? "" : info->argument);
    ASSERT(size > 0 && (size_t)size < sizeof(left));
    const bool fits = size + 1 < COLUMN;
    (void)printf("%-*s%s%*s", COLUMN - 1, left, fits ? " " : "\n", fits ? 0 : COLUMN, "");
    print_wrapped(info->help);
}

static void print_group(enum command command, enum option_group group)
{
    bool titled = false;
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        const struct option_info *info = options_info((enum option_id)i);
        if (info->group != group || !options_takes((enum option_id)i, command)) {
            continue;
        }
        if (!titled) {
            (void)printf("\n%s:\n", options_group_title(group));
            titled = true;
        }
        print_option(info);
    }
}

static void print_command(enum command command)
{
    const struct command_info *info = options_command(command);
    (void)printf("usage: penates %s%s%s [options]\n\n%s\n", info->name,
                 info->words[0] == '\0' ? "" : " ", info->words, TEACH[command].text);
    for (unsigned i = 0; i < GROUP_COUNT; i++) {
        print_group(command, (enum option_group)i);
    }
    (void)printf("\nExamples:\n  %s\n  %s\n", TEACH[command].examples[0],
                 TEACH[command].examples[1]);
}

static void print_overview(void)
{
    (void)printf("Restores Apache Cassandra backups that Netflix Priam wrote, from S3 or a "
                 "directory.\n\nusage: penates COMMAND [options]\n\nCommands:\n");
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        const struct command_info *info = options_command((enum command)i);
        (void)printf("  %-12s%-20s%s\n", info->name, info->words, info->summary);
    }
    (void)printf(
        "\nSOURCE is s3://BUCKET[/BASE] or a directory that mirrors such a base.\n"
        "Every option can also be given as PENATES_OPTION or in a configuration file.\n"
        "\nExit codes: 0 done, 64 usage, 65 corrupt, 66 no backup, 69 unreachable, 70 bug,\n"
        "73 cannot create, 74 disk, 75 interrupted (run again), 77 denied, 78 refused.\n"
        "\nFirst steps:\n  penates list s3://BUCKET/BASE\n"
        "  penates restore s3://BUCKET/BASE --into DIR\n"
        "\n'penates help COMMAND' explains a command; penates(1) is the manual.\n");
}

int help_run(const struct config *config, struct err *e)
{
    enum command command;
    if (config->argument == NULL) {
        print_overview();
    } else if (options_find_command(config->argument, &command)) {
        print_command(command);
    } else {
        err_set(e, ERR_CONFIG, "%s: there is no such command", config->argument);
        return err_hint(e, "the nearest is '%s'; see 'penates help'",
                        options_nearest_command(config->argument));
    }
    return out_file_flush_stdout(e);
}
