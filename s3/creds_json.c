#include "s3/creds_json.h"

#include <string.h>

#include "agent/base/parse.h"

/* Every function takes the position and returns the one after what it read, NULL when that is not
 * there. The NUL at the end matches nothing, so none runs past it. */

static char *skip_space(char *at)
{
    return at + strspn(at, " \t\r\n");
}

static char *skip_char(char *at, char c)
{
    at = skip_space(at);
    return *at == c ? at + 1 : NULL;
}

static char *read_unicode(char *at, char *ret)
{
    uint8_t bytes[2];
    if (strnlen(at, 4) != 4 || !parse_hex(at, 4, bytes, sizeof(bytes))) {
        return NULL;
    }
    const bool is_ascii = bytes[0] == 0 && bytes[1] > 0 && bytes[1] < 0x80;
    *ret = (char)(is_ascii ? bytes[1] : 0x7f);
    return at + 4;
}

/* `at` stands behind the backslash. */
static char *read_escape(char *at, char *ret)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    if (*at == 'u') {
        return read_unicode(at + 1, ret);
    }
    const char *name = *at == '\0' ? NULL : strchr(names, *at);
    if (name == NULL) {
        return NULL;
    }
    *ret = values[name - names];
    return at + 1;
}

struct value {
    const char *text;
    size_t size;
    bool is_number; /* or true, false, null: they are not looked into */
};

/* Decoded text is never longer than its source, so it is written over it. */
static char *read_string(char *at, struct value *ret)
{
    at = skip_char(at, '"');
    if (at == NULL) {
        return NULL;
    }
    char *const start = at;
    char *end = at;
    while (*at != '"') {
        if ((uint8_t)*at < 0x20) {
            return NULL; /* the end too */
        }
        char c = *at++;
        if (c == '\\') {
            at = read_escape(at, &c);
            if (at == NULL) {
                return NULL;
            }
        }
        *end++ = c;
    }
    *end = '\0';
    *ret = (struct value){.text = start, .size = (size_t)(end - start)};
    return at + 1;
}

static char *read_value(char *at, struct value *ret)
{
    at = skip_space(at);
    if (*at == '"') {
        return read_string(at, ret);
    }
    const size_t size = strspn(at, "+-.0123456789Eaeflnrstu");
    *ret = (struct value){.text = at, .size = size, .is_number = true};
    return size == 0 ? NULL : at + size;
}

static bool keep_field(const char *name, const struct value *value, struct creds_json_field *fields,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct creds_json_field *field = &fields[i];
        if (strcmp(field->name, name) == 0 && field->is_number == value->is_number) {
            if (field->value != NULL) {
                return false;
            }
            field->value = value->text;
            field->size = value->size;
        }
    }
    return true;
}

static char *read_member(char *at, struct creds_json_field *fields, size_t count)
{
    struct value name = {.text = NULL};
    struct value value = {.text = NULL};
    at = read_string(at, &name);
    at = at == NULL ? NULL : skip_char(at, ':');
    at = at == NULL ? NULL : read_value(at, &value);
    return at != NULL && keep_field(name.text, &value, fields, count) ? at : NULL;
}

static char *read_members(char *at, struct creds_json_field *fields, size_t count)
{
    for (;;) {
        at = read_member(at, fields, count);
        if (at == NULL) {
            return NULL;
        }
        at = skip_space(at);
        if (*at != ',') {
            return skip_char(at, '}');
        }
        at++;
    }
}

int creds_json_read(char *text, size_t size, struct creds_json_field *fields, size_t count,
                    struct err *e)
{
    ASSERT(text != NULL && text[size] == '\0');
    ASSERT(fields != NULL && count > 0);
    for (size_t i = 0; i < count; i++) {
        fields[i].value = NULL;
        fields[i].size = 0;
    }
    char *at = skip_char(text, '{');
    if (at != NULL) {
        char *const empty_end = skip_char(at, '}');
        at = empty_end != NULL ? empty_end : read_members(at, fields, count);
    }
    if (at == NULL || skip_space(at) != text + size) {
        return err_set(e, ERR_CORRUPT, "not a flat JSON object");
    }
    return 0;
}
