#include "agent/config_take.h"

#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/parse.h"
#include "agent/base/words.h"
#include "agent/config_own.h"

static void add_name(struct name_list *list, const char *name)
{
    list->names = (const char **)xrealloc((void *)list->names, list->count + 1, sizeof(char *));
    list->names[list->count] = name;
    list->count++;
}

/* Entries of comma lists live in one writable copy, cut in place. */
void config_split_list(char *text, struct name_list *list)
{
    char *rest = text;
    while (rest != NULL) {
        char *entry = rest + strspn(rest, " ");
        rest = strchr(entry, ',');
        if (rest != NULL) {
            *rest = '\0';
            rest++;
        }
        entry[strcspn(entry, " ")] = '\0';
        if (entry[0] != '\0') {
            add_name(list, entry);
        }
    }
}

bool config_is_table_name(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot != NULL && dot != name && dot[1] != '\0' && strchr(dot + 1, '.') == NULL &&
           strchr(name, '/') == NULL;
}

int config_take_tables(const struct config_field *field, struct config *config,
                       const struct option_values *values, struct err *e)
{
    struct name_list *list = (struct name_list *)config_field_place(field, config);
    for (size_t i = 0; i < values->count; i++) {
        const struct option_value *value = &values->items[i];
        const size_t first = list->count;
        config_split_list(config_own_text(config, value->text), list);
        for (size_t n = first; n < list->count; n++) {
            if (!config_is_table_name(list->names[n])) {
                err_set(e, ERR_CONFIG, "%s: '%s' is not a table", value->origin, list->names[n]);
                return err_hint(e, "write KEYSPACE.TABLE or KEYSPACE.*");
            }
        }
        if (list->count == first) {
            err_set(e, ERR_CONFIG, "%s: names no table", value->origin);
            return err_hint(e, "write KEYSPACE.TABLE or KEYSPACE.*");
        }
    }
    return 0;
}

int config_take_commands(const struct config_field *field, struct config *config,
                         const struct option_values *values, struct err *e)
{
    struct name_list *list = (struct name_list *)config_field_place(field, config);
    for (size_t i = 0; i < values->count; i++) {
        const struct option_value *value = &values->items[i];
        struct words words __attribute__((cleanup(words_done))) = {0};
        const char *why;
        if (!words_split(value->text, &words, &why)) {
            err_set(e, ERR_CONFIG, "%s: %s", value->origin, why); /* not the text: see after.h */
            return err_hint(e,
                            "write a program and its arguments, as \"systemctl start cassandra\"");
        }
        add_name(list, value->text);
    }
    return 0;
}

int config_take_pairs(const struct config_field *field, struct config *config,
                      const struct option_values *values, struct err *e)
{
    struct name_list *list = (struct name_list *)config_field_place(field, config);
    for (size_t i = 0; i < values->count; i++) {
        const struct option_value *value = &values->items[i];
        const char *equals = strchr(value->text, '=');
        if (equals == NULL || equals == value->text || equals[1] == '\0') {
            return config_bad_value(value, "is not of the form NAME=VALUE", "write a=b", e);
        }
        add_name(list, value->text);
    }
    return 0;
}

int config_take_tokens(const struct config_field *field, struct config *config,
                       const struct option_values *values, struct err *e)
{
    struct selection *selection = (struct selection *)config_field_place(field, config);
    for (size_t i = 0; i < values->count; i++) {
        const struct option_value *value = &values->items[i];
        const size_t first = selection->tokens.count;
        config_split_list(config_own_text(config, value->text), &selection->tokens);
        for (size_t n = first; n < selection->tokens.count; n++) {
            const char *token = selection->tokens.names[n];
            selection->all_tokens = selection->all_tokens || strcmp(token, "all") == 0;
            if (strchr(token, '/') != NULL) {
                return config_bad_value(value, "is not a token", "penates list shows the tokens",
                                        e);
            }
        }
        if (selection->tokens.count == first) {
            return config_bad_value(value, "is not a token", "penates list shows the tokens", e);
        }
    }
    if (selection->all_tokens && selection->tokens.count > 1) {
        err_set(e, ERR_CONFIG, "%s: 'all' stands beside other tokens", config_last(values)->origin);
        return err_hint(e, "give either");
    }
    if (selection->all_tokens) {
        selection->tokens.count = 0; /* the flag says it */
    }
    return 0;
}

int config_take_at(const struct config_field *field, struct config *config,
                   const struct option_values *values, struct err *e)
{
    struct selection *selection = (struct selection *)config_field_place(field, config);
    const struct option_value *value = config_last(values);
    selection->at_latest = strcmp(value->text, "latest") == 0;
    if (!selection->at_latest && !parse_time_ms(value->text, &selection->at_ms)) {
        return config_bad_value(value, "is not a time",
                                "write latest, 2026-11-23T08:00:00Z or 202611230800", e);
    }
    return 0;
}

int config_take_time(const struct config_field *field, struct config *config,
                     const struct option_values *values, struct err *e)
{
    int64_t *const place = (int64_t *)config_field_place(field, config);
    const struct option_value *value = config_last(values);
    int64_t ms;
    if (!parse_time_ms(value->text, &ms) || ms <= 0) {
        return config_bad_value(value, "is not a time since 1970",
                                "write 2026-11-23T08:00:00Z or 202611230800", e);
    }
    *place = ms;
    return 0;
}

enum { RANGE_DEFAULT_MS = 24 * 60 * 60 * 1000 }; /* Priam's "default" (priam spec 4.2) */

int config_take_range(const struct config_field *field, struct config *config,
                      const struct option_values *values, struct err *e)
{
    static const char HINT[] = "write default, or START,END as 202611220800,202611230800";
    struct selection *selection = (struct selection *)config_field_place(field, config);
    const struct option_value *value = config_last(values);
    selection->has_range = true;
    if (strcasecmp(value->text, "default") == 0) {
        selection->range_default = true;
        selection->range_end_ms = clock_wall_ms();
        selection->range_start_ms = selection->range_end_ms - RANGE_DEFAULT_MS;
        return 0;
    }
    const char *comma = strchr(value->text, ',');
    const size_t start_size = comma == NULL ? 0 : (size_t)(comma - value->text);
    autofree char *start = xstrndup(value->text, start_size);
    if (comma == NULL || !parse_time_ms(start, &selection->range_start_ms) ||
        !parse_time_ms(comma + 1, &selection->range_end_ms)) {
        return config_bad_value(value, "is not a range of times", HINT, e);
    }
    if (selection->range_start_ms > selection->range_end_ms) {
        return config_bad_value(value, "ends before it starts", HINT, e);
    }
    return 0;
}

int config_take_system_auth(const struct config_field *field, struct config *config,
                            const struct option_values *values, struct err *e)
{
    const struct option_value *value = config_last(values);
    const bool keep = strcmp(value->text, "keep") == 0;
    if (!keep && strcmp(value->text, "restore") != 0) {
        return config_bad_value(value, "is none of its values", "choose one of: keep, restore", e);
    }
    *(bool *)config_field_place(field, config) = keep;
    return 0;
}

/* "+02:00": the zone that the keys were written in; their time minus it is UTC. */
int config_take_offset(const struct config_field *field, struct config *config,
                       const struct option_values *values, struct err *e)
{
    const struct option_value *value = config_last(values);
    const char *text = value->text;
    uint64_t hours, minutes;
    if (strlen(text) != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':' ||
        !parse_u64(text + 1, 2, &hours) || !parse_u64(text + 4, 2, &minutes) || hours > 14 ||
        minutes > 59) {
        return config_bad_value(value, "is not an offset from UTC", "write it as +02:00 or -05:30",
                                e);
    }
    const int64_t ms = (int64_t)(hours * 60 + minutes) * 60 * 1000;
    *(int64_t *)config_field_place(field, config) = text[0] == '+' ? -ms : ms;
    return 0;
}

int config_take_into(const struct config_field *field, struct config *config,
                     const struct option_values *values, struct err *e)
{
    (void)field; /* it sets two */
    for (size_t i = 0; i < values->count; i++) {
        const struct option_value *value = &values->items[i];
        if (value->text[0] == '\0') {
            return config_bad_value(value, "is not a directory", "name the directory to restore to",
                                    e);
        }
        if (config->target_count == CONFIG_TARGETS_MAX) {
            err_set(e, ERR_CONFIG, "%s: more than %d directories", value->origin,
                    CONFIG_TARGETS_MAX);
            return err_hint(e, "give fewer");
        }
        config->targets[config->target_count] = value->text;
        config->target_count++;
    }
    return 0;
}

int config_take_out(const struct config_field *field, struct config *config,
                    const struct option_values *values, struct err *e)
{
    if (config->command == COMMAND_DECODE) {
        config->decode_out = config_last(values)->text;
        return 0;
    }
    return config_take_text(field, config, values, e);
}

/* "5%", "0.5%": hundredths of the whole, with up to six decimals. */
int config_take_version(const struct config_field *field, struct config *config,
                        const struct option_values *values, struct err *e)
{
    const struct option_value *value = config_last(values);
    struct cassandra_version version;
    if (!cassandra_version_parse(value->text, &version)) {
        return config_bad_value(value, "is not a version of Cassandra from 2.0 on",
                                "write it as 3.11, 4.1 or 5.0.2", e);
    }
    *(struct cassandra_version *)config_field_place(field, config) = version;
    return 0;
}

int config_take_sample(const struct config_field *field, struct config *config,
                       const struct option_values *values, struct err *e)
{
    enum { DECIMALS = 6 };
    const struct option_value *value = config_last(values);
    const char *text = value->text;
    const size_t whole_size = strspn(text, "0123456789");
    const char *end = text + whole_size;
    const size_t decimals = *end == '.' ? strspn(end + 1, "0123456789") : 0;
    uint64_t whole, part = 0;
    bool valid = parse_u64(text, whole_size, &whole) && whole <= 100;
    if (*end == '.') {
        valid =
            valid && decimals > 0 && decimals <= DECIMALS && parse_u64(end + 1, decimals, &part);
        end += 1 + decimals;
    }
    end += *end == '%' ? 1 : 0;
    double share = 0;
    if (valid && *end == '\0') {
        double unit = 1;
        for (size_t i = 0; i < decimals; i++) {
            unit /= 10;
        }
        share = ((double)whole + (double)part * unit) / 100;
    }
    if (share <= 0 || share > 1) {
        return config_bad_value(value, "is not a share",
                                "write it as 5%; more than 0, at most 100%", e);
    }
    *(double *)config_field_place(field, config) = share;
    return 0;
}

int config_take_owner(const struct config_field *field, struct config *config,
                      const struct option_values *values, struct err *e)
{
    (void)field; /* it sets several */
    const struct option_value *value = config_last(values);
    const char *why;
    if (!config_find_owner(value->text, &config->owner, &config->group, &why)) {
        return config_bad_value(value, why, "write USER, USER:GROUP or UID:GID", e);
    }
    config->set_owner = true;
    config->owner_given = true;
    return 0;
}

int config_take_url(const struct config_field *field, struct config *config,
                    const struct option_values *values, struct err *e)
{
    const struct option_value *value = config_last(values);
    if (strncmp(value->text, "https://", 8) != 0 && strncmp(value->text, "http://", 7) != 0) {
        return config_bad_value(value, "is not a URL", "write it as https://HOST[:PORT]", e);
    }
    return config_take_text(field, config, values, e);
}

int config_take_account(const struct config_field *field, struct config *config,
                        const struct option_values *values, struct err *e)
{
    const struct option_value *value = config_last(values);
    if (strlen(value->text) != 12 || strspn(value->text, "0123456789") != 12) {
        return config_bad_value(value, "is not an AWS account", "give its 12 digits", e);
    }
    return config_take_text(field, config, values, e);
}

int config_take_payer(const struct config_field *field, struct config *config,
                      const struct option_values *values, struct err *e)
{
    const struct option_value *value = config_last(values);
    if (strcmp(value->text, "requester") != 0) {
        return config_bad_value(value, "is none of its values", "write requester", e);
    }
    return config_take_text(field, config, values, e);
}

/* It becomes part of names of objects. */
int config_take_id(const struct config_field *field, struct config *config,
                   const struct option_values *values, struct err *e)
{
    enum { ID_MAX = 128 }; /* twice a SHA-256 in hex */
    static const char GOOD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    const struct option_value *value = config_last(values);
    const size_t size = strlen(value->text);
    if (size == 0 || size > ID_MAX || value->text[0] == '.' || strspn(value->text, GOOD) != size) {
        return config_bad_value(value, "is no name",
                                "write up to 128 letters, digits, '-', '_' and '.'", e);
    }
    return config_take_text(field, config, values, e);
}
