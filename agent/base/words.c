#include "agent/base/words.h"

#include <string.h>

#include "agent/base/err.h"
#include "agent/base/mem.h"

struct splitter {
    const char *in;
    char *out;       /* where the next byte goes; never ahead of `in`, byte for byte */
    const char *why; /* NULL: all is well */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void copy(struct splitter *s)
{
    *s->out++ = *s->in++;
}

static void take_quoted(struct splitter *s)
{
    const char quote = *s->in++;
    while (*s->in != '\0' && *s->in != quote) {
        if (quote == '"' && s->in[0] == '\\' && (s->in[1] == '"' || s->in[1] == '\\')) {
            s->in++;
        }
        copy(s);
    }
    if (*s->in == '\0') {
        s->why = "has a quote that does not end";
        return;
    }
    s->in++;
}

/* Up to the blank or the end after it. */
static void take_word(struct splitter *s)
{
    while (s->why == NULL && *s->in != '\0' && !is_blank(*s->in)) {
        if (*s->in == '\'' || *s->in == '"') {
            take_quoted(s);
            continue;
        }
        if (*s->in == '\\') {
            s->in++;
            if (*s->in == '\0') {
                s->why = "ends in a backslash";
                return;
            }
        }
        copy(s);
    }
    *s->out++ = '\0';
}

bool words_split(const char *text, struct words *ret, const char **ret_why)
{
    const size_t size = strlen(text);
    /* A word takes a byte and the blank after it, so there are at most half as many as bytes. */
    struct words words = {.items = (char **)xcalloc(size / 2 + 2, sizeof(char *)),
                          .text = (char *)xcalloc(size + 2, 1)};
    struct splitter s = {.in = text, .out = words.text};
    for (;;) {
        while (is_blank(*s.in)) {
            s.in++;
        }
        if (s.why != NULL || *s.in == '\0') {
            break;
        }
        words.items[words.count++] = s.out;
        take_word(&s);
    }
    ASSERT(words.count <= size / 2 + 1);
    if (s.why == NULL && (words.count == 0 || words.items[0][0] == '\0')) {
        s.why = "names no program";
    }
    if (s.why != NULL) {
        words_done(&words);
        *ret_why = s.why;
        return false;
    }
    *ret = words;
    return true;
}

void words_done(struct words *words)
{
    free(words->items);
    free(words->text);
    *words = (struct words){0};
}
