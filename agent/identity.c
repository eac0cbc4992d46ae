#include "agent/identity.h"

#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/options.h"

/* Blanks and backslashes inside a value are escaped, so that no value can look like two words. */
static void put_word(FILE *file, const char *word)
{
    for (; *word != '\0'; word++) {
        if (*word == ' ' || *word == '\\') {
            (void)fputc('\\', file); /* memory only, here and below */
        }
        (void)fputc(*word, file);
    }
}

static void put_option(FILE *file, enum option_id id, const char *value)
{
    (void)fprintf(file, " --%s", options_info(id)->name);
    if (value != NULL) {
        (void)fputc(' ', file);
        put_word(file, value);
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_names(FILE *file, enum option_id id, const struct name_list *list)
{
    autofree const char **sorted = (const char **)xcalloc(list->count + 1, sizeof(char *));
    for (size_t i = 0; i < list->count; i++) {
        sorted[i] = list->names[i];
    }
    qsort((void *)sorted, list->count, sizeof(char *), compare_names);
    for (size_t i = 0; i < list->count; i++) {
        put_option(file, id, sorted[i]);
    }
}

static void put_time(FILE *file, const struct selection *selection)
{
    char start[TIME_TEXT_SIZE], end[TIME_TEXT_SIZE];
    if (selection->has_range && selection->range_default) {
        put_option(file, OPTION_RANGE, "default");
    } else if (selection->has_range) {
        autofree char *range = xasprintf("%s,%s", format_time(selection->range_start_ms, start),
                                         format_time(selection->range_end_ms, end));
        put_option(file, OPTION_RANGE, range);
    } else {
        put_option(file, OPTION_AT,
                   selection->at_latest ? "latest" : format_time(selection->at_ms, end));
    }
}

static void put_place(FILE *file, const struct selection *selection)
{
    if (selection->version_at_ms != 0) {
        char at[TIME_TEXT_SIZE];
        put_option(file, OPTION_SOURCE_VERSION_AT, format_time(selection->version_at_ms, at));
    }
    if (selection->cluster != NULL) {
        put_option(file, OPTION_CLUSTER, selection->cluster);
    }
    if (selection->source_region != NULL) {
        put_option(file, OPTION_SOURCE_REGION, selection->source_region);
    }
    if (selection->all_tokens) {
        put_option(file, OPTION_TOKEN, "all");
    }
    put_names(file, OPTION_TOKEN, &selection->tokens);
    if (selection->format != DIALECT_AUTO) {
        put_option(file, OPTION_FORMAT, selection->format == DIALECT_V1 ? "v1" : "v2");
    }
    if (selection->v1_offset_ms != 0) {
        autofree char *ms = xasprintf("%lld", (long long)selection->v1_offset_ms);
        put_option(file, OPTION_V1_UTC_OFFSET, ms);
    }
}

char *identity_of(const struct config *config, const char *source_name)
{
    const struct selection *selection = &config->selection;
    struct mem_file mem;
    FILE *const file = mem_file_open(&mem);
    put_word(file, source_name);
    put_time(file, selection);
    put_place(file, selection);
    put_names(file, OPTION_INCLUDE, &selection->include);
    put_names(file, OPTION_EXCLUDE, &selection->exclude);
    if (selection->snapshot_only) {
        put_option(file, OPTION_SNAPSHOT_ONLY, NULL);
    }
    if (selection->skip_system_auth) {
        put_option(file, OPTION_SYSTEM_AUTH, "keep");
    }
    if (selection->allow_incomplete) {
        put_option(file, OPTION_ALLOW_INCOMPLETE, NULL);
    }
    if (config->layout == LAYOUT_LOADER) {
        put_option(file, OPTION_LAYOUT, "loader");
    }
    put_names(file, OPTION_REPLACE, &config->replace);
    if (config->as != NULL) {
        put_option(file, OPTION_AS, config->as);
    }
    put_names(file, OPTION_TABLE_MAP, &config->table_map);
    if (config->restore_id != NULL) {
        put_option(file, OPTION_RESTORE_ID, config->restore_id);
    }
    return mem_file_close(&mem);
}
