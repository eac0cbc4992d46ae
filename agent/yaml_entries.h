/*
 * yaml_entries: a YAML file of one mapping, as Cassandra's is: each of its outermost keys, where
 * its value lies in the text, and all that it says in a form that can be compared. libyaml parses;
 * nothing is resolved: anchors, tags and styles stay what they are. Pure; any thread.
 */
#ifndef PENATES_YAML_ENTRIES_H
#define PENATES_YAML_ENTRIES_H

#include "agent/base/buf.h"
#include "agent/base/err.h"

enum {
    YAML_TEXT_MAX = 1 << 20, /* the one that comes with Cassandra 5.0 has 110 KB */
    YAML_DEPTH_MAX = 64,     /* the same: 4 */
};

struct yaml_entry {
    char *key;          /* NULL: not a text */
    struct buf content; /* key and value with all below them; may hold NULs */
    char *value;        /* of a scalar without anchor and tag, not a block; NULL: something else */
    size_t from, to;    /* bytes of that value in the text, quotes included; equal: an empty one */
};

struct yaml_entries {
    struct yaml_entry *items;
    size_t count;
    bool flow;       /* { key: value } */
    size_t inside;   /* the byte after the opening brace; of a block: 0 */
    size_t end;      /* where the mapping ends: the next key of it could stand here */
    unsigned column; /* of its first key */
};

/* ERR_CONFIG: not YAML in UTF-8, or not a single mapping; ERR_LIMIT: longer or deeper than above.
 * To be freed by yaml_entries_done(). */
int yaml_entries_read(struct slice text, struct yaml_entries *ret, struct err *e) MUST_CHECK;
void yaml_entries_done(struct yaml_entries *entries);

/* True when both say the same. */
bool yaml_entries_equal(const struct yaml_entry *a, const struct yaml_entry *b);

/* How many outermost keys are `key`; *ret is the first of them. */
size_t yaml_entries_find(const struct yaml_entries *entries, const char *key,
                         const struct yaml_entry **ret);

#endif
