/* Whatever the text: an edit fails with a reason, or gives a text in which all keys have their
 * values, and that a second edit leaves alone. */
#include "agent/cassandra_yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct yaml_setting SETTINGS[] = {
    {"initial_token", "-3074457345618258603,5"},
    {"num_tokens", "1"},
    {"auto_bootstrap", "false"},
};

static void check_value(const struct buf *text, const struct yaml_setting *setting)
{
    struct err e = ERR_INIT;
    autofree char *value = NULL;
    const struct slice slice = slice_of(text->data, text->size);
    ASSERT(cassandra_yaml_value(slice, setting->key, &value, &e) == 0);
    ASSERT(value != NULL && strcmp(value, setting->value) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = ERR_INIT;
    autobuf struct buf once = BUF_INIT(YAML_TEXT_MAX), twice = BUF_INIT(YAML_TEXT_MAX);
    bool changed;
    if (cassandra_yaml_edit(slice_of(data, size), SETTINGS, ARRAY_SIZE(SETTINGS), &once, &changed,
                            &e) != 0) {
        ASSERT(e.kind == ERR_CONFIG || e.kind == ERR_LIMIT);
        ASSERT(e.text[0] != '\0');
        return 0;
    }
    ASSERT(changed || slice_is(slice_of(data, size), buf_str(&once)) || memchr(data, 0, size));
    for (size_t i = 0; i < ARRAY_SIZE(SETTINGS); i++) {
        check_value(&once, &SETTINGS[i]);
    }
    ASSERT(cassandra_yaml_edit(slice_of(once.data, once.size), SETTINGS, ARRAY_SIZE(SETTINGS),
                               &twice, &changed, &e) == 0);
    ASSERT(!changed && once.size == twice.size && memcmp(once.data, twice.data, once.size) == 0);
    return 0;
}
