#include "agent/table_map.h"

#include <string.h>

#include "agent/selection.h"

static unsigned exactness(const char *from)
{
    return from == NULL || strstr(from, ".*") != NULL ? 0 : strchr(from, '-') == NULL ? 1 : 2;
}

const struct table_mapping *table_map_find(const struct table_map *map, const char *keyspace,
                                           const char *table_dir)
{
    const struct table_mapping *best = NULL;
    for (size_t i = 0; i < map->count; i++) {
        const struct table_mapping *item = &map->items[i];
        if (item->from != NULL && !selection_entry_matches(item->from, keyspace, table_dir)) {
            continue;
        }
        if (best == NULL || exactness(item->from) > exactness(best->from)) {
            best = item;
        }
    }
    return best;
}
