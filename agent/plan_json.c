#include "agent/plan_json.h"

#include "agent/apply_yaml.h"
#include "agent/base/mem.h"
#include "agent/plan_print.h"
#include "agent/selection_json.h"

/* What a node with this token needs in its cassandra.yaml; texts, as they stand there. */
static void put_yaml(struct json *json, const char *token)
{
    struct yaml_setting settings[APPLY_YAML_SETTINGS];
    apply_yaml_settings(token, settings);
    json_open_object(json, "cassandra_yaml");
    for (size_t i = 0; i < APPLY_YAML_SETTINGS; i++) {
        json_string(json, settings[i].key, settings[i].value);
    }
    json_close(json);
}

static void put_version(struct json *json, const char *name, const char *version_id)
{
    json_string(json, name, version_id[0] == '\0' ? NULL : version_id);
}

void plan_json_nodes(struct json *json, const struct plan *plan)
{
    json_open_array(json, "nodes");
    for (uint32_t i = 0; i < plan->node_count; i++) {
        const struct plan_node *node = &plan->nodes[i];
        json_open_object(json, NULL);
        json_string(json, "cluster", node->cluster);
        json_string(json, "region", node->region[0] == '\0' ? NULL : node->region);
        json_string(json, "token", node->token);
        json_string(json, "kind", node->v2 ? "v2" : "v1");
        json_string(json, "manifest", node->manifest_key);
        json_string(json, "manifest_etag", node->manifest_etag);
        put_version(json, "manifest_version_id", node->manifest_version_id);
        json_time(json, "snapshot", node->snapshot_ms);
        json_time(json, "newest", node->newest_ms);
        json_time(json, "until", node->until_ms);
        json_u64(json, "missing", node->missing);
        json_string(json, "indexes", plan_indexes_name(node->indexes));
        json_string(json, "indexes_why", node->indexes_why);
        put_yaml(json, node->token);
        json_close(json);
    }
    json_close(json);
    const struct plan_instants instants = plan_instants(plan);
    json_open_object(json, "states");
    json_time(json, "oldest", instants.oldest_ms);
    json_time(json, "newest", instants.newest_ms);
    json_close(json);
}

void plan_json_tables(struct json *json, const struct plan *plan)
{
    json_open_array(json, "tables");
    for (uint32_t i = 0; i < plan->table_count; i++) {
        const struct plan_table *table = &plan->tables[i];
        json_open_object(json, NULL);
        json_string(json, "token", plan->nodes[table->node].token);
        json_string(json, "keyspace", table->keyspace);
        json_string(json, "table", table->table);
        json_string(json, "folder", table->target_folder);
        json_string(json, "as_keyspace", table->as_keyspace);
        json_string(json, "as_table", table->as_table);
        json_bool(json, "replace", table->replace);
        json_bool(json, "add", table->added);
        json_u64(json, "files", table->files);
        json_u64(json, "stored_bytes", table->stored_bytes);
        json_u64(json, "plain_bytes", table->plain_bytes);
        json_close(json);
    }
    json_close(json);
}

static void put_size(struct json *json, const char *name, uint64_t size)
{
    if (size == PLAN_SIZE_UNKNOWN) {
        json_null(json, name);
    } else {
        json_u64(json, name, size);
    }
}

static void put_notes(struct json *json, const char *name, const struct plan_note *notes,
                      uint32_t count)
{
    json_open_array(json, name);
    for (uint32_t i = 0; i < count; i++) {
        json_open_object(json, NULL);
        json_string(json, "subject", notes[i].subject);
        json_string(json, "why", notes[i].why);
        json_u64(json, "files", notes[i].files);
        put_size(json, "bytes", notes[i].bytes);
        json_close(json);
    }
    json_close(json);
}

void plan_json_notes(struct json *json, const struct plan *plan)
{
    put_notes(json, "skipped", plan->skipped, plan->skipped_count);
    json_u64(json, "missing_total", plan->missing_total);
    put_notes(json, "missing", plan->missing, plan->missing_count);
    put_notes(json, "warnings", plan->warnings, plan->warning_count);
}

static void put_files(struct json *json, const struct plan *plan)
{
    autobuf struct buf text = BUF_INIT(PLAN_PATH_SIZE_MAX);
    json_open_array(json, "files");
    for (uint32_t i = 0; i < plan->file_count; i++) {
        const struct plan_file *file = &plan->files[i];
        json_open_object(json, NULL);
        plan_file_key(file, &text);
        json_string(json, "key", buf_str(&text));
        plan_file_target(file, &text);
        json_string(json, "target", buf_str(&text));
        json_string(json, "etag", file->etag);
        put_version(json, "version_id", file->version_id);
        json_u64(json, "size", file->size);
        put_size(json, "plain_size", file->plain_size);
        json_bool(json, "incremental", file->incremental);
        json_string(json, "archived",
                    file->archive == ARCHIVE_NONE ? NULL
                                                  : archive_name((enum archive)file->archive));
        json_close(json);
    }
    json_close(json);
}

static void put_archives(struct json *json, const struct plan *plan)
{
    autobuf struct buf key = BUF_INIT(PLAN_PATH_SIZE_MAX);
    json_open_array(json, "archived");
    for (unsigned i = 0; i < ARCHIVE_COUNT; i++) {
        const struct plan_archive *sum = &plan->archives[i];
        if (sum->files > 0) {
            plan_file_key(sum->first, &key);
            json_open_object(json, NULL);
            json_string(json, "class", archive_name((enum archive)i));
            json_u64(json, "files", sum->files);
            json_u64(json, "bytes", sum->bytes);
            json_u64(json, "thawing", sum->thawing);
            json_string(json, "first", buf_str(&key));
            json_close(json);
        }
    }
    json_close(json);
}

static void put_space(struct json *json, const struct config *config)
{
    json_open_array(json, "targets");
    for (unsigned i = 0; i < config->target_count; i++) {
        uint64_t free_bytes;
        json_open_object(json, NULL);
        json_string(json, "directory", config->targets[i]);
        if (plan_free_space(config->targets[i], &free_bytes)) {
            json_u64(json, "free_bytes", free_bytes);
        } else {
            json_null(json, "free_bytes");
        }
        json_close(json);
    }
    json_close(json);
}

/*
 * The selection that finds the plan's points again later: cluster, region, tokens, dialect and
 * instants as the plan resolved them. Borrows from both; *ret_tokens, which the caller frees, holds
 * its list of tokens.
 */
static struct selection pin_selection(const struct selection *asked, const struct plan *plan,
                                      const char ***ret_tokens)
{
    ASSERT(plan->node_count > 0);
    struct selection pinned = *asked;
    const char **tokens = (const char **)xcalloc(plan->node_count, sizeof(char *));
    bool one_dialect = true;
    int64_t until_ms = plan->nodes[0].until_ms;
    for (uint32_t i = 0; i < plan->node_count; i++) {
        const struct plan_node *node = &plan->nodes[i];
        tokens[i] = node->token;
        one_dialect = one_dialect && node->v2 == plan->nodes[0].v2;
        until_ms = node->until_ms > until_ms ? node->until_ms : until_ms;
        if (node->region[0] != '\0') {
            pinned.source_region = node->region;
        }
    }
    pinned.cluster = plan->nodes[0].cluster;
    pinned.tokens = (struct name_list){.names = tokens, .count = plan->node_count};
    pinned.all_tokens = false;
    if (one_dialect) {
        pinned.format = plan->nodes[0].v2 ? DIALECT_V2 : DIALECT_V1;
    }
    pinned.range_default = false; /* its bounds stand in the selection */
    if (!asked->has_range) {
        pinned.at_latest = false;
        pinned.at_ms = until_ms;
    }
    *ret_tokens = tokens;
    return pinned;
}

void plan_json_write(const struct config *config, const char *source_name, const struct plan *plan,
                     FILE *file)
{
    ASSERT(plan->node_count > 0);
    autofree const char **tokens = NULL;
    const struct selection pinned = pin_selection(&config->selection, plan, &tokens);
    struct json json = JSON_INIT(file, true);
    json_open_object(&json, NULL);
    json_string(&json, "format", "penates-plan");
    json_u64(&json, "version", 1);
    json_string(&json, "id", plan->id);
    json_string(&json, "source", source_name);
    selection_json(&json, "selection", &pinned, config);
    plan_json_nodes(&json, plan);
    json_open_object(&json, "totals");
    json_u64(&json, "files", plan->file_count);
    json_u64(&json, "sstables", plan->sstable_count);
    json_u64(&json, "stored_bytes", plan->stored_bytes);
    json_u64(&json, "plain_bytes", plan->plain_bytes);
    json_bool(&json, "plain_bytes_exact", plan->plain_bytes_exact);
    json_u64(&json, "list_requests", plan->list_requests);
    json_u64(&json, "get_requests", plan_get_requests(plan, config->part_size));
    json_close(&json);
    put_space(&json, config);
    plan_json_tables(&json, plan);
    plan_json_notes(&json, plan);
    put_archives(&json, plan);
    put_files(&json, plan);
    json_close(&json);
    json_end(&json);
}
