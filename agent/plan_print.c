#include "agent/plan_print.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/statvfs.h>

#include "agent/apply_yaml.h"
#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/text_table.h"

uint64_t plan_get_requests(const struct plan *plan, uint64_t part_size)
{
    ASSERT(part_size > 0);
    uint64_t requests = 0;
    for (uint32_t i = 0; i < plan->file_count; i++) {
        const uint64_t size = plan->files[i].size;
        requests += size == 0 ? 1 : (size - 1) / part_size + 1;
    }
    return requests;
}

bool plan_free_space(const char *directory, uint64_t *ret_bytes)
{
    autofree char *path = xstrdup(directory);
    struct statvfs st;
    while (statvfs(path, &st) != 0) {
        char *slash = strrchr(path, '/');
        if (errno != ENOENT || strcmp(path, ".") == 0 || strcmp(path, "/") == 0) {
            return false;
        }
        if (slash == NULL) {
            (void)snprintf(path, strlen(path) + 1, "."); /* a name holds one character at least */
        } else {
            slash[slash == path ? 1 : 0] = '\0';
        }
    }
    *ret_bytes = (uint64_t)st.f_bavail * st.f_frsize;
    return true;
}

char *plan_print_instants(const struct plan *plan)
{
    char oldest[TIME_TEXT_SIZE], newest[TIME_TEXT_SIZE];
    const struct plan_instants instants = plan_instants(plan);
    return xasprintf(
        "states of %" PRIu32 " nodes: the oldest of %s, the newest of %s, %" PRId64 " s later",
        plan->node_count, format_time(instants.oldest_ms, oldest),
        format_time(instants.newest_ms, newest), (instants.newest_ms - instants.oldest_ms) / 1000);
}

char *plan_print_indexes(const struct plan *plan)
{
    static const char *const WORDS[] = {
        [INDEXES_COMPLETE] = "complete",
        [INDEXES_REBUILT] = "rebuilt by Cassandra",
        [INDEXES_REBUILD] = "to be rebuilt, where there are any, with nodetool rebuild_index"};
    const struct plan_node *node = plan_worst_indexes(plan);
    ASSERT((unsigned)node->indexes < ARRAY_SIZE(WORDS) && node->indexes_why != NULL);
    return xasprintf("secondary indexes: %s (%s)", WORDS[node->indexes], node->indexes_why);
}

static void print_nodes(const struct plan *plan, FILE *file)
{
    static const struct text_column COLUMNS[] = {
        {"CLUSTER", false},  {"TOKEN", false},  {"KIND", false},
        {"SNAPSHOT", false}, {"NEWEST", false}, {"MISSING", true},
    };
    char text[TIME_TEXT_SIZE];
    struct text_table *table = text_table_new(COLUMNS, ARRAY_SIZE(COLUMNS));
    for (uint32_t i = 0; i < plan->node_count; i++) {
        const struct plan_node *node = &plan->nodes[i];
        autofree char *kind = xasprintf("%s%s%s", node->v2 ? "v2" : "v1",
                                        node->region[0] == '\0' ? "" : ":", node->region);
        text_table_add(table, node->cluster);
        text_table_add(table, node->token);
        text_table_add(table, kind);
        text_table_add(table, format_time(node->snapshot_ms, text));
        text_table_add(table, format_time(node->newest_ms, text));
        text_table_add_u64(table, node->missing);
    }
    text_table_print(table, "", file);
    text_table_free(table);
    if (plan->node_count > 1) {
        autofree char *instants = plan_print_instants(plan);
        (void)fprintf(file, "%s\n", instants);
    }
    autofree char *indexes = plan_print_indexes(plan);
    (void)fprintf(file, "%s\n", indexes);
}

static void print_tables(const struct plan *plan, FILE *file)
{
    static const struct text_column COLUMNS[] = {
        {"TABLE", false}, {"FILES", true}, {"TO FETCH", true}, {"ON DISK", true}, {"AS", false},
    };
    char text[BYTES_TEXT_SIZE];
    struct text_table *table = text_table_new(COLUMNS, ARRAY_SIZE(COLUMNS));
    for (uint32_t i = 0; i < plan->table_count; i++) {
        const struct plan_table *row = &plan->tables[i];
        autofree char *name = xasprintf("%s.%s", row->keyspace, row->table);
        autofree char *place = xasprintf("%s%s", row->target_folder,
                                         row->replace ? " (replaced)"
                                         : row->added ? " (added to what is there)"
                                                      : "");
        text_table_add(table, name);
        text_table_add_u64(table, row->files);
        text_table_add_bytes(table, row->stored_bytes);
        text_table_add_bytes(table, row->plain_bytes);
        text_table_add(table, place);
    }
    text_table_add(table, "total");
    text_table_add_u64(table, plan->file_count);
    text_table_add_bytes(table, plan->stored_bytes);
    autofree char *on_disk = xasprintf("%s%s", plan->plain_bytes_exact ? "" : "at least ",
                                       format_bytes(plan->plain_bytes, text));
    text_table_add(table, on_disk);
    text_table_add(table, "");
    text_table_print(table, "", file);
    text_table_free(table);
}

static void add_note(struct text_table *table, const char *subject, uint64_t files, uint64_t bytes,
                     const char *why)
{
    text_table_add(table, subject);
    text_table_add_u64(table, files);
    if (bytes == PLAN_SIZE_UNKNOWN) {
        text_table_add(table, "-");
    } else {
        text_table_add_bytes(table, bytes);
    }
    text_table_add(table, why);
}

static const struct text_column NOTE_COLUMNS[] = {
    {"WHAT", false}, {"FILES", true}, {"BYTES", true}, {"WHY", false}};

/* One line for all tables that --include or --exclude leaves out, when they are more than a few. */
static void add_left_out(struct text_table *table, const struct plan *plan, const char *why)
{
    enum { FEW = 4 };
    uint64_t tables = 0, files = 0, bytes = 0;
    for (uint32_t i = 0; i < plan->skipped_count; i++) {
        const struct plan_note *note = &plan->skipped[i];
        if (strcmp(note->why, why) == 0) {
            tables += strchr(note->subject, '/') == NULL; /* not one of its indexes */
            files += note->files;
            bytes = plan_add_sizes(bytes, note->bytes);
        }
    }
    if (tables > FEW) {
        autofree char *subject = xasprintf("%" PRIu64 " tables", tables);
        add_note(table, subject, files, bytes, why);
        return;
    }
    for (uint32_t i = 0; i < plan->skipped_count; i++) {
        const struct plan_note *note = &plan->skipped[i];
        if (strcmp(note->why, why) == 0) {
            add_note(table, note->subject, note->files, note->bytes, note->why);
        }
    }
}

static void print_left_out(const struct plan *plan, FILE *file)
{
    if (plan->skipped_count == 0) {
        return;
    }
    (void)fputs("\nleft out:\n", file);
    struct text_table *table = text_table_new(NOTE_COLUMNS, ARRAY_SIZE(NOTE_COLUMNS));
    for (uint32_t i = 0; i < plan->skipped_count; i++) {
        const struct plan_note *note = &plan->skipped[i];
        if (strcmp(note->why, SELECTION_EXCLUDED) != 0 &&
            strcmp(note->why, SELECTION_NOT_INCLUDED) != 0) {
            add_note(table, note->subject, note->files, note->bytes, note->why);
        }
    }
    add_left_out(table, plan, SELECTION_EXCLUDED);
    add_left_out(table, plan, SELECTION_NOT_INCLUDED);
    text_table_print(table, "  ", file);
    text_table_free(table);
}

static void print_missing(const struct plan *plan, FILE *file)
{
    if (plan->missing_total == 0) {
        return;
    }
    (void)fputs("\nmissing:\n", file);
    struct text_table *table = text_table_new(NOTE_COLUMNS, ARRAY_SIZE(NOTE_COLUMNS));
    for (uint32_t i = 0; i < plan->missing_count; i++) {
        const struct plan_note *note = &plan->missing[i];
        add_note(table, note->subject, note->files, note->bytes, note->why);
    }
    text_table_print(table, "  ", file);
    text_table_free(table);
}

static void print_archived(const struct plan *plan, FILE *file)
{
    static const struct text_column COLUMNS[] = {{"CLASS", false},
                                                 {"FILES", true},
                                                 {"BYTES", true},
                                                 {"ON THE WAY BACK", true},
                                                 {"THE FIRST", false}};
    if (!plan_has_archived(plan)) {
        return;
    }
    (void)fputs("\narchived, to be thawed first:\n", file);
    struct text_table *table = text_table_new(COLUMNS, ARRAY_SIZE(COLUMNS));
    autobuf struct buf key = BUF_INIT(PLAN_PATH_SIZE_MAX);
    for (unsigned i = 0; i < ARCHIVE_COUNT; i++) {
        const struct plan_archive *sum = &plan->archives[i];
        if (sum->files > 0) {
            plan_file_key(sum->first, &key);
            text_table_add(table, archive_name((enum archive)i));
            text_table_add_u64(table, sum->files);
            text_table_add_bytes(table, sum->bytes);
            text_table_add_u64(table, sum->thawing);
            text_table_add(table, buf_str(&key));
        }
    }
    text_table_print(table, "  ", file);
    text_table_free(table);
}

static void print_warnings(const struct plan *plan, FILE *file)
{
    static const struct text_column COLUMNS[] = {{"WHAT", false}, {"WHY", false}};
    if (plan->warning_count == 0) {
        return;
    }
    (void)fputs("\nwarnings:\n", file);
    struct text_table *table = text_table_new(COLUMNS, ARRAY_SIZE(COLUMNS));
    for (uint32_t i = 0; i < plan->warning_count; i++) {
        text_table_add(table, plan->warnings[i].subject);
        text_table_add(table, plan->warnings[i].why);
    }
    text_table_print(table, "  ", file);
    text_table_free(table);
}

/* One set of lines a node. */
static void print_yaml(const struct plan *plan, FILE *file)
{
    struct yaml_setting settings[APPLY_YAML_SETTINGS];
    for (uint32_t i = 0; i < plan->node_count; i++) {
        (void)fprintf(file, "\ncassandra.yaml of node %s:\n", plan->nodes[i].token);
        apply_yaml_settings(plan->nodes[i].token, settings);
        for (size_t k = 0; k < APPLY_YAML_SETTINGS; k++) {
            (void)fprintf(file, "  %s: %s\n", settings[k].key, settings[k].value);
        }
    }
}

static void print_space(const struct config *config, const struct plan *plan, FILE *file)
{
    char text[BYTES_TEXT_SIZE], need[BYTES_TEXT_SIZE];
    if (config->target_count == 0) {
        return;
    }
    (void)fprintf(file, "\nroom needed: %s%s\n", plan->plain_bytes_exact ? "" : "at least ",
                  format_bytes(plan->plain_bytes, need));
    for (unsigned i = 0; i < config->target_count; i++) {
        uint64_t free_bytes;
        const bool known = plan_free_space(config->targets[i], &free_bytes);
        (void)fprintf(file, "room in %s: %s\n", config->targets[i],
                      known ? format_bytes(free_bytes, text) : "cannot be told");
    }
}

void plan_print(const struct config *config, const char *source_name, const struct plan *plan,
                FILE *file)
{
    char text[TIME_TEXT_SIZE];
    (void)fprintf(file, "source: %s\nplan: %s\n", source_name, plan->id);
    bool one_end = true; /* else each node's column says it */
    for (uint32_t i = 1; i < plan->node_count; i++) {
        one_end = one_end && plan->nodes[i].until_ms == plan->nodes[0].until_ms;
    }
    if (plan->node_count > 0 && one_end) {
        (void)fprintf(file, "until: %s\n", format_time(plan->nodes[0].until_ms, text));
    }
    (void)fputc('\n', file);
    print_nodes(plan, file);
    (void)fputc('\n', file);
    print_tables(plan, file);
    print_left_out(plan, file);
    print_missing(plan, file);
    print_archived(plan, file);
    print_warnings(plan, file);
    print_yaml(plan, file);
    print_space(config, plan, file);
    (void)fprintf(file, "\nrequests: %" PRIu64 " to list, %" PRIu64 " to fetch\n",
                  plan->list_requests, plan_get_requests(plan, config->part_size));
}
