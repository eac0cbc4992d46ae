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
                    enum layout layout)
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
    json_bool(json, option_name(OPTION_SNAPSHOT_ONLY), selection->snapshot_only);
    json_string(json, option_name(OPTION_FORMAT), DIALECTS[selection->format]);
    put_names(json, OPTION_INCLUDE, &selection->include);
    put_names(json, OPTION_EXCLUDE, &selection->exclude);
    json_string(json, option_name(OPTION_SYSTEM_AUTH),
                selection->skip_system_auth ? "keep" : "restore");
    json_bool(json, option_name(OPTION_ALLOW_INCOMPLETE), selection->allow_incomplete);
    put_offset(json, selection->v1_offset_ms);
    json_string(json, option_name(OPTION_LAYOUT), layout == LAYOUT_DATA ? "data" : "loader");
    json_close(json);
}

char *selection_identity(const struct config *config, const char *source_name)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    ASSERT(file != NULL);
    struct json json = JSON_INIT(file, false);
    json_open_object(&json, NULL);
    json_string(&json, "source", source_name);
    selection_json(&json, "selection", &config->selection, config->layout);
    put_names(&json, OPTION_REPLACE, &config->replace);
    json_close(&json);
    const int failed = fclose(file);
    ASSERT(failed == 0); /* memory only */
    return text;
}

struct selection selection_pinned(const struct selection *asked, const struct plan *plan,
                                  const char ***token_space)
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
    *token_space = tokens;
    return pinned;
}
