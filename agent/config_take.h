/*
 * config_take: one function a kind of value: text in, field of struct config out. Each fails with
 * ERR_CONFIG and names the option as its source spelled it. Used by config_values.c only.
 */
#ifndef PENATES_CONFIG_TAKE_H
#define PENATES_CONFIG_TAKE_H

#include "agent/option_bag.h"

enum { CONFIG_WORDS_MAX = 4 };

struct config_field;

typedef int config_take_fn(const struct config_field *field, struct config *config,
                           const struct option_values *values, struct err *e);

/* How one option's text becomes one field. */
struct config_field {
    config_take_fn *take;
    size_t offset;     /* of the field in struct config */
    uint64_t min, max; /* of numbers, sizes and durations; modes: min are bits that must be set */
    const char *words[CONFIG_WORDS_MAX]; /* of an enum, by value */
};

/* config_take.c: plain kinds. */
config_take_fn config_take_text, config_take_flag, config_take_u64, config_take_unsigned,
    config_take_bytes, config_take_duration, config_take_word, config_take_mode;

/* config_take_lists.c: kinds with a grammar of their own. */
config_take_fn config_take_tables, config_take_tokens, config_take_at, config_take_time,
    config_take_range, config_take_system_auth, config_take_offset, config_take_into,
    config_take_out, config_take_sample, config_take_version, config_take_owner, config_take_url,
    config_take_account, config_take_commands, config_take_payer, config_take_id, config_take_pairs;

/* config_take_map.c */
config_take_fn config_take_as, config_take_table_map;

/* config_take_lists.c: cuts a comma list in place; the entries stay in `text`. */
void config_split_list(char *text, struct name_list *list);
/* "KS.TABLE" or "KS.*"; Cassandra's names hold no dot. */
bool config_is_table_name(const char *name);

/* config_take_stack.c */
config_take_fn config_take_stack, config_take_resource, config_take_wait_handle, config_take_data,
    config_take_unique_id;

/* For the functions above. */
void *config_field_place(const struct config_field *field, struct config *config);
const struct option_value *config_last(const struct option_values *values);
int config_bad_value(const struct option_value *value, const char *why, const char *hint,
                     struct err *e);

#endif
