/* list: the restore points of a backup, as a table or as JSON (deploy/schema/list.schema.json). */
#include <inttypes.h>

#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/commands.h"
#include "agent/json_write.h"
#include "agent/out_file.h"
#include "agent/restore_point.h"
#include "agent/text_table.h"

static int put_row(void *ctx, const struct restore_point *point, struct err *e)
{
    struct text_table *table = (struct text_table *)ctx;
    const struct catalog_node *node = point->node;
    char text[TIME_TEXT_SIZE];
    autofree char *kind = xasprintf("%s%s%s", node->v2 ? "v2" : "v1",
                                    node->region[0] == '\0' ? "" : ":", node->region);
    autofree char *complete =
        point->complete ? xstrdup("yes") : xasprintf("no: %s", point->why_not);
    (void)e; /* a table of words cannot fail */
    text_table_add(table, node->cluster);
    text_table_add(table, node->token);
    text_table_add(table, format_time(point->time_ms, text));
    text_table_add(table, kind);
    text_table_add_u64(table, point->files);
    text_table_add_bytes(table, point->stored_bytes);
    text_table_add(table, complete);
    return 0;
}

static int list_table(const struct config *config, struct source *source, struct err *e)
{
    static const struct text_column COLUMNS[] = {
        {"CLUSTER", false}, {"TOKEN", false}, {"TIME", false},     {"KIND", false},
        {"FILES", true},    {"BYTES", true},  {"COMPLETE", false},
    };
    struct text_table *table = text_table_new(COLUMNS, ARRAY_SIZE(COLUMNS));
    const int result = restore_points_find(config, source, put_row, table, e);
    if (result == 0) {
        text_table_print(table, "", stdout);
    }
    text_table_free(table);
    return result;
}

static int put_object(void *ctx, const struct restore_point *point, struct err *e)
{
    struct json *json = (struct json *)ctx;
    const struct catalog_node *node = point->node;
    (void)e; /* the flush tells */
    json_open_object(json, NULL);
    json_string(json, "cluster", node->cluster);
    json_string(json, "region", node->region[0] == '\0' ? NULL : node->region);
    json_string(json, "token", node->token);
    json_time(json, "time", point->time_ms);
    json_string(json, "kind", node->v2 ? "v2" : "v1");
    json_string(json, "manifest", point->manifest_key);
    json_u64(json, "files", point->files);
    json_u64(json, "stored_bytes", point->stored_bytes);
    if (point->plain_known) {
        json_u64(json, "plain_bytes", point->plain_bytes);
    } else {
        json_null(json, "plain_bytes");
    }
    json_bool(json, "complete", point->complete);
    json_u64(json, "missing", point->missing);
    json_string(json, "missing_first", point->missing > 0 ? point->missing_first : NULL);
    json_string(json, "why", point->complete ? NULL : point->why_not);
    json_close(json);
    return 0;
}

/* Kept back until all is known: half a document on stdout would help nobody. */
static int list_json(const struct config *config, struct source *source, struct err *e)
{
    struct mem_file mem;
    struct json json = JSON_INIT(mem_file_open(&mem), true);
    json_open_object(&json, NULL);
    json_string(&json, "format", "penates-list");
    json_u64(&json, "version", 1);
    json_string(&json, "source", source->name);
    json_open_array(&json, "restore_points");
    const int result = restore_points_find(config, source, put_object, &json, e);
    json_close(&json);
    json_close(&json);
    json_end(&json);
    autofree char *text = mem_file_close(&mem);
    if (result == 0) {
        (void)fputs(text, stdout); /* the flush tells */
    }
    return result;
}

int list_run(const struct config *config, struct err *e)
{
    struct source *source = NULL;
    if (source_open(config, &source, e) != 0) {
        return -1;
    }
    const int result = config->json ? list_json(config, source, e) : list_table(config, source, e);
    source_free(source);
    return result == 0 ? out_file_flush_stdout(e) : -1;
}
