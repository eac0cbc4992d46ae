#include <string.h>

#include "agent/plan_work.h"

static bool meets_table(const struct plan *plan, const char *from)
{
    for (uint32_t i = 0; i < plan->table_count; i++) {
        if (selection_entry_matches(from, plan->tables[i].keyspace, plan->tables[i].table_dir)) {
            return true;
        }
    }
    return false;
}

/* A name that is written wrong would leave the table its own. */
static int check_met(const struct plan *plan, const struct table_map *map, struct err *e)
{
    for (size_t i = 0; i < map->count; i++) {
        const char *from = map->items[i].from;
        if (from != NULL && !meets_table(plan, from)) {
            (void)err_set(e, ERR_CONFIG, "--table-map %s: no table of this restore has that name",
                          from);
            return err_hint(e, "'penates plan' shows the names, without --table-map");
        }
    }
    return 0;
}

/* --as has one name to give. */
static int check_single(const struct plan *plan, const struct table_map *map, struct err *e)
{
    const bool single = map->count == 1 && map->items[0].from == NULL;
    for (uint32_t i = 1; i < plan->table_count && single; i++) {
        const struct plan_table *a = &plan->tables[0], *b = &plan->tables[i];
        if (a->keyspace != b->keyspace || a->table != b->table) {
            (void)err_set(e, ERR_CONFIG, "--as: several tables are selected: %s.%s, %s.%s%s",
                          a->keyspace, a->table, b->keyspace, b->table,
                          i + 1 < plan->table_count ? ", ..." : "");
            return err_hint(e, "take one with --include KS.TABLE, or use --table-map");
        }
    }
    return 0;
}

static int check_pair(const struct plan_table *a, const struct plan_table *b, struct err *e)
{
    if ((!a->mapped && !b->mapped) || a->node != b->node || a->as_keyspace != b->as_keyspace ||
        a->as_table != b->as_table) {
        return 0;
    }
    (void)err_set(e, ERR_CONFIG, "--table-map: %s.%s and %s.%s would both be %s.%s", a->keyspace,
                  a->table_dir, b->keyspace, b->table_dir, a->as_keyspace, a->as_table);
    return err_hint(e, "give each a name of its own, or restore them one by one");
}

int plan_map_check(const struct plan *plan, const struct config *config, struct err *e)
{
    const struct table_map *map = &config->map;
    if (map->count == 0) {
        return 0;
    }
    if (check_met(plan, map, e) < 0 || check_single(plan, map, e) < 0) {
        return -1;
    }
    for (uint32_t i = 0; i < plan->table_count; i++) {
        const struct plan_table *table = &plan->tables[i];
        if (table->mapped && table->replace) {
            (void)err_set(e, ERR_CONFIG, "--replace %s.%s: the table is restored as %s.%s",
                          table->keyspace, table->table, table->as_keyspace, table->as_table);
            return err_hint(e,
                            "leave --replace out; TRUNCATE %.80s.%.80s before, to be rid of "
                            "what it holds",
                            table->as_keyspace, table->as_table);
        }
        for (uint32_t k = 0; k < i; k++) {
            if (check_pair(&plan->tables[k], table, e) < 0) {
                return -1;
            }
        }
    }
    return 0;
}
