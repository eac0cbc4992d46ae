/*
 * table_map: what --as and --table-map make of a table's name in the backup. Parsed with the
 * options, constant afterwards; the strings are the config's.
 */
#ifndef PENATES_TABLE_MAP_H
#define PENATES_TABLE_MAP_H

#include <stddef.h>

enum { TABLE_ID_SIZE = 32 }; /* hex digits of a table's id in the name of its directory */

struct table_mapping {
    const char *from;     /* as an entry of --include; NULL: the table that is selected (--as) */
    const char *keyspace; /* of the target */
    const char *table;    /* of the target; NULL: each keeps its name (KS.*=KS2.*) */
    const char *id;       /* of the target's directory; NULL: looked up there */
};

struct table_map {
    struct table_mapping *items;
    size_t count;
};

/* What becomes of a table; NULL: it keeps its name. Of several entries the most exact one counts:
 * KS.TABLE-ID, then KS.TABLE, then KS.*. */
const struct table_mapping *table_map_find(const struct table_map *map, const char *keyspace,
                                           const char *table_dir);

#endif
