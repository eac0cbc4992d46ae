/*
 * suggest: which of the names that exist a mistyped one resembles most. Pure; on the stack.
 *
 *     struct suggest s = suggest_start("memroy");
 *     for each name: suggest_consider(&s, name);
 *     s.best is the nearest
 */
#ifndef PENATES_SUGGEST_H
#define PENATES_SUGGEST_H

#include <stddef.h>

struct suggest {
    const char *word;
    const char *best; /* the first of the nearest so far; NULL: none considered yet */
    size_t distance;  /* between the two */
};

struct suggest suggest_start(const char *word);
void suggest_consider(struct suggest *suggest, const char *name);

/* Insertions, deletions, substitutions and swaps of neighbours that make `b` of `a`. Only the first
 * SUGGEST_SIZE_MAX bytes of each count. */
enum { SUGGEST_SIZE_MAX = 48 };
size_t suggest_distance(const char *a, const char *b);

#endif
