#include "s3/creds_ini.h"

#include <string.h>

enum { SUB_NAME_MAX = 64 }; /* longer ones are cut, and nobody's then */

struct reader {
    creds_ini_fn *fn;
    void *ctx;
    unsigned line;
    const char *section; /* NULL before the first */
    bool has_property;   /* the section has one that an indented line could belong to */
    const char *parent;  /* its name when it has no value of its own; else NULL */
    size_t indent;       /* of the last line that was not such a one */
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static char *trim(char *text)
{
    while (is_space(*text)) {
        text++;
    }
    size_t size = strlen(text);
    while (size > 0 && is_space(text[size - 1])) {
        size--;
    }
    text[size] = '\0';
    return text;
}

static void to_lower(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text >= 'A' && *text <= 'Z') {
            *text = (char)(*text - 'A' + 'a');
        }
    }
}

static int read_section(struct reader *reader, char *line, struct err *e)
{
    char *end = strrchr(line, ']');
    if (end == NULL || end == line + 1) {
        return err_set(e, ERR_CONFIG, "line %u: no section's name in brackets", reader->line);
    }
    *end = '\0';
    reader->section = line + 1;
    reader->has_property = false;
    return reader->fn(reader->ctx, reader->line, reader->section, NULL, NULL, e);
}

static int read_property(struct reader *reader, char *line, struct err *e)
{
    const size_t name_size = strcspn(line, "=:");
    if (line[name_size] == '\0' || name_size == 0) {
        return err_set(e, ERR_CONFIG, "line %u: neither [section] nor name = value", reader->line);
    }
    if (reader->section == NULL) {
        return err_set(e, ERR_CONFIG, "line %u: a property before any [section]", reader->line);
    }
    line[name_size] = '\0';
    char *name = trim(line);
    to_lower(name);
    const char *value = trim(line + name_size + 1);
    reader->has_property = true;
    reader->parent = value[0] == '\0' ? name : NULL;
    return reader->fn(reader->ctx, reader->line, reader->section, name, value, e);
}

/* Below "s3 =" and the like; what is no property there is a value that goes on, which none does
 * that matters here. */
static int read_sub_property(struct reader *reader, char *line, struct err *e)
{
    const size_t name_size = strcspn(line, "=");
    if (reader->parent == NULL || line[name_size] == '\0') {
        return 0;
    }
    line[name_size] = '\0';
    char name[SUB_NAME_MAX];
    (void)snprintf(name, sizeof(name), "%s.%s", reader->parent, trim(line));
    to_lower(name);
    return reader->fn(reader->ctx, reader->line, reader->section, name, trim(line + name_size + 1),
                      e);
}

static int read_line(struct reader *reader, char *line, struct err *e)
{
    char *content = trim(line);
    if (content[0] == '\0' || content[0] == '#' || content[0] == ';') {
        return 0;
    }
    const size_t indent = (size_t)(content - line);
    if (reader->has_property && indent > reader->indent) {
        return read_sub_property(reader, content, e);
    }
    reader->indent = indent;
    return content[0] == '[' ? read_section(reader, content, e) : read_property(reader, content, e);
}

int creds_ini_read(char *text, size_t size, creds_ini_fn *fn, void *ctx, struct err *e)
{
    ASSERT(text != NULL && text[size] == '\0');
    ASSERT(fn != NULL);
    if (strlen(text) != size) {
        return err_set(e, ERR_CONFIG, "it has a NUL byte");
    }
    struct reader reader = {.fn = fn, .ctx = ctx};
    char *rest = text;
    while (rest != NULL) {
        char *line = strsep(&rest, "\n");
        reader.line++;
        if (read_line(&reader, line, e) != 0) {
            return -1;
        }
    }
    return 0;
}
