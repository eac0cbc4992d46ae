/* config_take_map: --as and --table-map; see config_take.h. */
#include "agent/config_take.h"

#include <string.h>

#include "agent/config_own.h"

/* Cassandra's names are words: letters, digits and underscores. Ours become paths. */
static bool is_word(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const char c = text[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '_') {
            return false;
        }
    }
    return size > 0;
}

/* The node's own tables: nothing that is added to them does any good. */
static bool is_own_keyspace(const char *keyspace)
{
    return strcmp(keyspace, "system") == 0 || strcmp(keyspace, "system_schema") == 0;
}

/* Cuts "KS.TABLE" or "KS.TABLE-ID" in place; with `all` also "KS.*". */
static bool take_target(char *text, bool all, struct table_mapping *ret)
{
    char *dot = strchr(text, '.');
    if (dot == NULL || !is_word(text, (size_t)(dot - text))) {
        return false;
    }
    *dot = '\0';
    ret->keyspace = text;
    char *table = dot + 1;
    if (all) {
        return strcmp(table, "*") == 0;
    }
    char *dash = strchr(table, '-');
    if (dash != NULL) {
        *dash = '\0';
        ret->id = dash + 1;
        if (strlen(ret->id) != TABLE_ID_SIZE ||
            strspn(ret->id, "0123456789abcdef") != TABLE_ID_SIZE) {
            return false;
        }
    }
    ret->table = table;
    return is_word(table, strlen(table));
}

static int add_mapping(struct config *config, const char *from, char *to,
                       const struct option_value *value, const char *given, struct err *e)
{
    struct table_map *map = &config->map;
    struct table_mapping item = {.from = from};
    const bool all = from != NULL && strstr(from, ".*") != NULL;
    if (!take_target(to, all, &item)) {
        err_set(e, ERR_CONFIG, "%s: '%s' names no table of the target", value->origin, given);
        return err_hint(e, from == NULL ? "write KEYSPACE.TABLE or KEYSPACE.TABLE-ID"
                                        : "write KS.TABLE=KS2.TABLE2 or KS.*=KS2.*");
    }
    if (is_own_keyspace(item.keyspace)) {
        err_set(e, ERR_CONFIG, "%s: '%s': keyspace %s is the node's own", value->origin, given,
                item.keyspace);
        return err_hint(e, "choose a table of another keyspace");
    }
    if (map->count > 0 && (from == NULL || map->items[0].from == NULL)) {
        err_set(e, ERR_CONFIG, "%s: --as and --table-map exclude each other", value->origin);
        return err_hint(e, "give either");
    }
    for (size_t i = 0; i < map->count; i++) {
        if (strcmp(map->items[i].from, from) == 0) {
            err_set(e, ERR_CONFIG, "%s: '%s' is mapped twice", value->origin, from);
            return err_hint(e, "give each table one new name");
        }
    }
    map->items = (struct table_mapping *)xrealloc(map->items, map->count + 1, sizeof(item));
    map->items[map->count++] = item;
    return 0;
}

int config_take_as(const struct config_field *field, struct config *config,
                   const struct option_values *values, struct err *e)
{
    const struct option_value *value = config_last(values);
    char *text = config_own_text(config, value->text);
    return add_mapping(config, NULL, text, value, value->text, e) < 0
               ? -1
               : config_take_text(field, config, values, e);
}

int config_take_table_map(const struct config_field *field, struct config *config,
                          const struct option_values *values, struct err *e)
{
    struct name_list *list = (struct name_list *)config_field_place(field, config);
    for (size_t i = 0; i < values->count; i++) {
        const struct option_value *value = &values->items[i];
        const size_t first = list->count;
        config_split_list(config_own_text(config, value->text), list);
        for (size_t n = first; n < list->count; n++) {
            char *from = config_own_text(config, list->names[n]);
            char *equals = strchr(from, '=');
            if (equals != NULL) {
                *equals = '\0';
            }
            if (equals == NULL || !config_is_table_name(from)) {
                err_set(e, ERR_CONFIG, "%s: '%s' maps no table", value->origin, list->names[n]);
                return err_hint(e, "write KS.TABLE=KS2.TABLE2 or KS.*=KS2.*");
            }
            if (add_mapping(config, from, equals + 1, value, list->names[n], e) < 0) {
                return -1;
            }
        }
        if (list->count == first) {
            err_set(e, ERR_CONFIG, "%s: maps no table", value->origin);
            return err_hint(e, "write KS.TABLE=KS2.TABLE2 or KS.*=KS2.*");
        }
    }
    return 0;
}
