/*
 * words: one text cut into the words of a command, as a shell would without ever asking one: blanks
 * part words; '...' is taken as it is; in "..." a backslash keeps '"' and '\' what they are, and
 * elsewhere it does so with any character. Nothing is expanded: $, *, ~, | and ; are characters
 * like others. Pure.
 */
#ifndef PENATES_BASE_WORDS_H
#define PENATES_BASE_WORDS_H

#include "agent/base/cleanup.h"

struct words {
    char **items; /* `count` words and a NULL: an argv */
    size_t count; /* at least 1 */
    char *text;   /* what they live in */
};

/* False: no word, or one that does not end; *ret_why is a literal. */
bool words_split(const char *text, struct words *ret, const char **ret_why);
void words_done(struct words *words);

#endif
