#include "agent/config_take.h"

#include <stddef.h>
#include <string.h>

#include "agent/base/parse.h"

void *config_field_place(const struct config_field *field, struct config *config)
{
    ASSERT(field->offset < sizeof(*config));
    return (char *)config + field->offset;
}

const struct option_value *config_last(const struct option_values *values)
{
    ASSERT(values->count > 0);
    return &values->items[values->count - 1];
}

int config_bad_value(const struct option_value *value, const char *why, const char *hint,
                     struct err *e)
{
    err_set(e, ERR_CONFIG, "%s: '%s' %s", value->origin, value->text, why);
    return err_hint(e, "%s", hint);
}

int config_take_text(const struct config_field *field, struct config *config,
                     const struct option_values *values, struct err *e)
{
    const struct option_value *value = config_last(values);
    if (value->text[0] == '\0') {
        err_set(e, ERR_CONFIG, "%s: is empty", value->origin);
        return err_hint(e, "give a value, or leave it out");
    }
    *(const char **)config_field_place(field, config) = value->text;
    return 0;
}

int config_take_flag(const struct config_field *field, struct config *config,
                     const struct option_values *values, struct err *e)
{
    const struct option_value *value = config_last(values);
    const bool on = strcmp(value->text, "true") == 0;
    if (!on && strcmp(value->text, "false") != 0) {
        return config_bad_value(value, "is neither 'true' nor 'false'", "it is a flag", e);
    }
    *(bool *)config_field_place(field, config) = on;
    return 0;
}

static int out_of_range(const struct config_field *field, const struct option_value *value,
                        const char *unit, struct err *e)
{
    err_set(e, ERR_CONFIG, "%s: '%s' is out of range", value->origin, value->text);
    return err_hint(e, "give %llu to %llu%s", (unsigned long long)field->min,
                    (unsigned long long)field->max, unit);
}

int config_take_u64(const struct config_field *field, struct config *config,
                    const struct option_values *values, struct err *e)
{
    const struct option_value *value = config_last(values);
    uint64_t number;
    if (!parse_u64(value->text, strlen(value->text), &number)) {
        return config_bad_value(value, "is not a number", "give decimal digits", e);
    }
    if (number < field->min || number > field->max) {
        return out_of_range(field, value, "", e);
    }
    *(uint64_t *)config_field_place(field, config) = number;
    return 0;
}

int config_take_unsigned(const struct config_field *field, struct config *config,
                         const struct option_values *values, struct err *e)
{
    const struct option_value *value = config_last(values);
    uint64_t number;
    ASSERT(field->max <= UINT32_MAX);
    if (!parse_u64(value->text, strlen(value->text), &number)) {
        return config_bad_value(value, "is not a number", "give decimal digits", e);
    }
    if (number < field->min || number > field->max) {
        return out_of_range(field, value, "", e);
    }
    *(unsigned *)config_field_place(field, config) = (unsigned)number;
    return 0;
}

int config_take_bytes(const struct config_field *field, struct config *config,
                      const struct option_values *values, struct err *e)
{
    const struct option_value *value = config_last(values);
    const size_t size = strlen(value->text);
    /* "/s" may stand where a rate is meant. */
    const bool rate = size > 2 && strcmp(value->text + size - 2, "/s") == 0;
    autofree char *text = xstrndup(value->text, rate ? size - 2 : size);
    uint64_t bytes;
    if (!parse_bytes(text, &bytes)) {
        return config_bad_value(value, "is not a number of bytes",
                                "write it as 4096, 512K, 64M or 2G", e);
    }
    if (bytes < field->min || bytes > field->max) {
        return out_of_range(field, value, " bytes", e);
    }
    *(uint64_t *)config_field_place(field, config) = bytes;
    return 0;
}

int config_take_duration(const struct config_field *field, struct config *config,
                         const struct option_values *values, struct err *e)
{
    const struct option_value *value = config_last(values);
    uint64_t ms;
    if (!parse_duration_ms(value->text, &ms)) {
        return config_bad_value(value, "is not a duration", "write it as 500ms, 90s, 15m or 2h", e);
    }
    if (ms < field->min || ms > field->max) {
        return out_of_range(field, value, " milliseconds", e);
    }
    *(uint64_t *)config_field_place(field, config) = ms;
    return 0;
}

int config_take_word(const struct config_field *field, struct config *config,
                     const struct option_values *values, struct err *e)
{
    const struct option_value *value = config_last(values);
    char allowed[128] = "";
    for (unsigned i = 0; i < CONFIG_WORDS_MAX && field->words[i] != NULL; i++) {
        if (strcmp(field->words[i], value->text) == 0) {
            /* Enumerators of the fields here are the index of their word, and as wide as int. */
            *(unsigned *)config_field_place(field, config) = i;
            return 0;
        }
        const size_t used = strlen(allowed);
        (void)snprintf(allowed + used, sizeof(allowed) - used, "%s%s", i == 0 ? "" : ", ",
                       field->words[i]); /* the words are ours and fit */
    }
    err_set(e, ERR_CONFIG, "%s: '%s' is none of its values", value->origin, value->text);
    return err_hint(e, "choose one of: %s", allowed);
}

int config_take_mode(const struct config_field *field, struct config *config,
                     const struct option_values *values, struct err *e)
{
    const struct option_value *value = config_last(values);
    uint64_t mode = 0;
    bool octal = value->text[0] != '\0' && strlen(value->text) <= 4;
    for (const char *c = value->text; *c != '\0' && octal; c++) {
        octal = *c >= '0' && *c <= '7';
        mode = mode * 8 + (uint64_t)(*c - '0');
    }
    if (!octal || mode > 0777) {
        return config_bad_value(value, "is not a mode", "write it in octal, as 0640", e);
    }
    if ((mode & field->min) != field->min) {
        return config_bad_value(value, "shuts out the owner", "let the owner read and write", e);
    }
    *(mode_t *)config_field_place(field, config) = (mode_t)mode;
    if (field->offset == offsetof(struct config, mode)) {
        config->set_mode = true;
    } else {
        config->set_dir_mode = true;
    }
    return 0;
}
