#include "agent/selection.h"

#include <string.h>

#include "agent/backup_key.h"
#include "agent/base/err.h"

/* What a node knows about itself and its peers, useless or harmful to another one: Priam's own list
 * over all its releases, each name once (priam spec 1.6). */
static bool is_node_local(const char *keyspace, struct slice table)
{
    static const char *const TABLES[] = {"local",        "peers", "peers_v2",
                                         "LocationInfo", "hints", "compactions_in_progress"};
    if (strcmp(keyspace, "system") != 0) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(TABLES); i++) {
        if (slice_is(table, TABLES[i])) {
            return true;
        }
    }
    return false;
}

bool selection_entry_matches(const char *entry, const char *keyspace, const char *table_dir)
{
    const size_t keyspace_size = strlen(keyspace);
    if (strncmp(entry, keyspace, keyspace_size) != 0 || entry[keyspace_size] != '.') {
        return false;
    }
    const char *wanted = entry + keyspace_size + 1;
    if (strcmp(wanted, "*") == 0) {
        return true;
    }
    if (strchr(wanted, '-') != NULL) {
        return strcmp(wanted, table_dir) == 0;
    }
    return slice_is(backup_key_table_name(slice_of(table_dir, strlen(table_dir))), wanted);
}

static bool list_matches(const struct name_list *list, const char *keyspace, const char *table_dir)
{
    for (size_t i = 0; i < list->count; i++) {
        if (selection_entry_matches(list->names[i], keyspace, table_dir)) {
            return true;
        }
    }
    return false;
}

bool selection_takes_table(const struct selection *selection, const char *keyspace,
                           const char *table_dir, const char **ret_why)
{
    ASSERT(selection != NULL && keyspace != NULL && table_dir != NULL);
    const char *why = NULL;
    if (is_node_local(keyspace, backup_key_table_name(slice_of(table_dir, strlen(table_dir))))) {
        why = "node-local";
    } else if (selection->skip_system_auth && strcmp(keyspace, "system_auth") == 0) {
        why = "system_auth is kept";
    } else if (list_matches(&selection->exclude, keyspace, table_dir)) {
        why = SELECTION_EXCLUDED;
    } else if (selection->include.count > 0 &&
               !list_matches(&selection->include, keyspace, table_dir)) {
        why = SELECTION_NOT_INCLUDED;
    }
    if (why != NULL) {
        *ret_why = why;
    }
    return why == NULL;
}

bool selection_is_system(const char *keyspace)
{
    static const char *const KEYSPACES[] = {"system", "system_auth", "system_distributed",
                                            "system_schema", "system_traces"};
    for (size_t i = 0; i < ARRAY_SIZE(KEYSPACES); i++) {
        if (strcmp(keyspace, KEYSPACES[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool selection_takes_token(const struct selection *selection, const char *token)
{
    for (size_t i = 0; i < selection->tokens.count; i++) {
        if (backup_key_token_compare(selection->tokens.names[i], token) == 0) {
            return true;
        }
    }
    return selection->tokens.count == 0 || selection->all_tokens;
}
