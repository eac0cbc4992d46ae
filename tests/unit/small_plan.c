#include "small_plan.h"

#define FILE_OF(name, bytes, plain, group)                                                         \
    {                                                                                              \
        .key_folder = "backup/1_c/5/SST_V2/1000/ks/t-1/SNAPPY/PLAINTEXT/", .key_name = (name),     \
        .target_folder = "ks/t-1", .target_name = (name), .etag = "e", .version_id = "",           \
        .size = (bytes), .plain_size = (plain), .sstable = (group)                                 \
    }

static struct plan_file files[SMALL_PLAN_FILES] = {
    FILE_OF("nb-1-big-Data.db", 100, 200, 0),
    FILE_OF("nb-1-big-TOC.txt", 10, 20, 0),
    FILE_OF("schema.cql", 0, PLAN_SIZE_UNKNOWN, PLAN_NONE),
    FILE_OF("nb-2-big-Data.db", 1000, 2000, 1),
    FILE_OF("nb-2-big-TOC.txt", 20, 30, 1),
};

static struct plan_sstable sstables[] = {
    {.first = 0, .count = 2, .data = 0, .digest = PLAN_NONE, .toc = 1},
    {.first = 3, .count = 2, .data = 3, .digest = PLAN_NONE, .toc = 4},
};

static struct plan_table tables[] = {{.keyspace = "ks",
                                      .table = "t",
                                      .table_dir = "t-1",
                                      .target_folder = "ks/t-1",
                                      .files = SMALL_PLAN_FILES,
                                      .stored_bytes = 1130,
                                      .plain_bytes = 2250}};

static struct plan_node nodes[] = {{.cluster = "c d",
                                    .region = "us-east-1",
                                    .token = "-5",
                                    .manifest_key = "backup/m",
                                    .manifest_etag = "m",
                                    .manifest_version_id = "",
                                    .snapshot_ms = 1000,
                                    .newest_ms = 2000,
                                    .until_ms = 3000,
                                    .indexes = INDEXES_REBUILT,
                                    .indexes_why = "is a test"}};

static struct plan_note skipped[] = {{.subject = "system.local", .why = "node-local", .files = 9}};
static struct plan_note warnings[] = {{.subject = "ks.t", .why = "is a test"}};

const struct plan small_plan = {
    .files = files,
    .sstables = sstables,
    .tables = tables,
    .nodes = nodes,
    .skipped = skipped,
    .warnings = warnings,
    .file_count = SMALL_PLAN_FILES,
    .sstable_count = 2,
    .table_count = 1,
    .node_count = 1,
    .skipped_count = 1,
    .warning_count = 1,
    .stored_bytes = 1130,
    .plain_bytes = 2250,
    .list_requests = 3,
    .id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
};
