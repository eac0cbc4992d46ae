/*
 * selection: which of what the backup holds. A plain value; the strings are the config's.
 */
#ifndef PENATES_SELECTION_H
#define PENATES_SELECTION_H

#include "agent/base/cleanup.h"

/* Borrowed strings; "KS.TABLE", "KS.TABLE-ID" or "KS.*" where tables are meant. */
struct name_list {
    const char **names;
    size_t count;
};

/* The end that an earlier run, or a saved plan, settled for one node: "latest" was another moment
 * for each. */
struct token_pin {
    const char *token;
    int64_t until_ms; /* inclusive */
};

enum dialect_choice { DIALECT_AUTO, DIALECT_V1, DIALECT_V2 };

struct selection {
    const char *cluster;       /* NULL: the only one */
    const char *source_region; /* v1 key component; NULL: the only one */
    struct name_list tokens;   /* --token; empty: the only one */
    bool all_tokens;           /* --token all */

    bool at_latest; /* --at latest, the default */
    int64_t at_ms;  /* --at TIME, inclusive */
    bool has_range; /* --range: Priam's own bounds (priam spec 4.2, 4.4, 2.6) */
    int64_t range_start_ms, range_end_ms;
    bool range_default; /* --range default: the bounds are those of the moment */

    int64_t version_at_ms; /* --source-version-at: the bucket as it was then; 0: as it is */

    struct token_pin *pins; /* for its node each outweighs the end that is said above */
    size_t pin_count;

    bool snapshot_only;
    enum dialect_choice format;
    struct name_list include, exclude;
    bool skip_system_auth; /* --system-auth keep */
    bool allow_incomplete;
    int64_t v1_offset_ms; /* --v1-utc-offset: old Priam wrote v1 times in local time; added to
                             a key's time to get UTC (priam spec 1.2) */
};

/* What --exclude and --include leave out. */
#define SELECTION_EXCLUDED "excluded"
#define SELECTION_NOT_INCLUDED "not included"

/* False: the table is left out; *ret_why says why, a literal. `table_dir` is the table's name, with
 * its id if it has one. */
bool selection_takes_table(const struct selection *selection, const char *keyspace,
                           const char *table_dir, const char **ret_why);

/* True for the keyspaces that every Cassandra makes itself. */
bool selection_is_system(const char *keyspace);

/* True for a node that --token names; for any when it names none. */
bool selection_takes_token(const struct selection *selection, const char *token);

/* True when an entry of --include or --exclude means the table: "KS.TABLE" means all that ever had
 * the name, "KS.TABLE-ID" the one of that id. (Priam cuts ids off its filters: spec 4.8.) */
bool selection_entry_matches(const char *entry, const char *keyspace, const char *table_dir);

#endif
