#include "agent/selection_json.h"

#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/options.h"

static const char *option_name(enum option_id id)
{
    return options_info(id)->name;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_names(struct json *json, enum option_id id, const struct name_list *list)
{
    if (list->count == 0) {
        return;
    }
    autofree const char **sorted = (const char **)xcalloc(list->count, sizeof(char *));
    memcpy((void *)sorted, (const void *)list->names, list->count * sizeof(char *));
    qsort((void *)sorted, list->count, sizeof(char *), compare_names);
    json_open_array(json, option_name(id));
    for (size_t i = 0; i < list->count; i++) {
        json_string(json, NULL, sorted[i]);
    }
    json_close(json);
}

static void put_time(struct json *json, const struct selection *selection)
{
    char start[TIME_TEXT_SIZE], end[TIME_TEXT_SIZE];
    if (selection->has_range && selection->range_default) {
        json_string(json, option_name(OPTION_RANGE), "default");
    } else if (selection->has_range) {
        char range[2 * TIME_TEXT_SIZE];
        (void)snprintf(range, sizeof(range), "%s,%s", format_time(selection->range_start_ms, start),
                       format_time(selection->range_end_ms, end)); /* both fit */
        json_string(json, option_name(OPTION_RANGE), range);
    } else if (selection->at_latest) {
        json_string(json, option_name(OPTION_AT), "latest");
    } else {
        json_time(json, option_name(OPTION_AT), selection->at_ms);
    }
}

static void put_offset(struct json *json, int64_t offset_ms)
{
    if (offset_ms == 0) {
        return;
    }
    /* The option names the zone, the field what to add to come back from it. */
    const int64_t minutes = (offset_ms < 0 ? -offset_ms : offset_ms) / 60000;
    ASSERT(minutes < 24 * 60);
    char text[16];
    (void)snprintf(text, sizeof(text), "%c%02d:%02d", offset_ms < 0 ? '+' : '-',
                   (int)(minutes / 60), (int)(minutes % 60)); /* six characters */
    json_string(json, option_name(OPTION_V1_UTC_OFFSET), text);
}

void selection_json(struct json *json, const char *name, const struct selection *selection,
                    const struct config *config)
{
    static const char *const DIALECTS[] = {
        [DIALECT_AUTO] = "auto", [DIALECT_V1] = "v1", [DIALECT_V2] = "v2"};
    json_open_object(json, name);
    if (selection->cluster != NULL) {
        json_string(json, option_name(OPTION_CLUSTER), selection->cluster);
    }
    if (selection->source_region != NULL) {
        json_string(json, option_name(OPTION_SOURCE_REGION), selection->source_region);
    }
    if (selection->all_tokens) {
        json_open_array(json, option_name(OPTION_TOKEN));
        json_string(json, NULL, "all");
        json_close(json);
    }
    put_names(json, OPTION_TOKEN, &selection->tokens);
    put_time(json, selection);
    if (selection->version_at_ms != 0) {
        json_time(json, option_name(OPTION_SOURCE_VERSION_AT), selection->version_at_ms);
    }
    json_bool(json, option_name(OPTION_SNAPSHOT_ONLY), selection->snapshot_only);
    json_string(json, option_name(OPTION_FORMAT), DIALECTS[selection->format]);
    put_names(json, OPTION_INCLUDE, &selection->include);
    put_names(json, OPTION_EXCLUDE, &selection->exclude);
    json_string(json, option_name(OPTION_SYSTEM_AUTH),
                selection->skip_system_auth ? "keep" : "restore");
    json_bool(json, option_name(OPTION_ALLOW_INCOMPLETE), selection->allow_incomplete);
    put_offset(json, selection->v1_offset_ms);
    json_string(json, option_name(OPTION_LAYOUT),
                config->layout == LAYOUT_DATA ? "data" : "loader");
    if (config->as != NULL) {
        json_string(json, option_name(OPTION_AS), config->as);
    }
    put_names(json, OPTION_TABLE_MAP, &config->table_map);
    json_close(json);
}
