#include "agent/ring/ring_tree.h"

#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/parse.h"

enum { DEPTH_MAX = 8 }; /* a ring plan nests four deep */

/* Brackets outside of strings; what is malformed besides is the parser's to find. */
static bool is_shallow(struct slice text)
{
    unsigned depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.size; i++) {
        const char c = (char)text.data[i];
        if (quoted) {
            i += c == '\\' ? 1 : 0;
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
        if (depth > DEPTH_MAX) {
            return false;
        }
    }
    return true;
}

yajl_val ring_tree_parse(struct slice text)
{
    if (memchr(text.data, '\0', text.size) != NULL || !is_shallow(text)) {
        return NULL;
    }
    autofree char *copy = xstrndup((const char *)text.data, text.size);
    char why[256]; /* asked for, or the library prints it */
    return yajl_tree_parse(copy, why, sizeof(why));
}

void ring_tree_cleanup(yajl_val *tree)
{
    yajl_tree_free(*tree); /* NULL is fine */
}

static yajl_val member(yajl_val object, const char *name, yajl_type type)
{
    const char *path[] = {name, NULL};
    return yajl_tree_get(object, path, type);
}

yajl_val ring_tree_array(yajl_val object, const char *name)
{
    return member(object, name, yajl_t_array);
}

yajl_val ring_tree_object(yajl_val object, const char *name)
{
    return member(object, name, yajl_t_object);
}

const char *ring_tree_text(yajl_val object, const char *name)
{
    return YAJL_GET_STRING(member(object, name, yajl_t_string));
}

bool ring_tree_u64(yajl_val object, const char *name, uint64_t *ret)
{
    const yajl_val value = member(object, name, yajl_t_number);
    /* The library's macro for this does not bear NULL, as those for the other kinds do. */
    const char *text = value == NULL ? NULL : YAJL_GET_NUMBER(value);
    return text != NULL && parse_u64(text, strlen(text), ret);
}

int64_t ring_tree_time(yajl_val object, const char *name)
{
    const char *text = ring_tree_text(object, name);
    int64_t ms;
    return text != NULL && parse_time_ms(text, &ms) ? ms : -1;
}
