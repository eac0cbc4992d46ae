#include "agent/suggest.h"

#include <stdint.h>
#include <string.h>

#include "agent/base/err.h"

struct suggest suggest_start(const char *word)
{
    return (struct suggest){.word = word, .distance = SIZE_MAX};
}

void suggest_consider(struct suggest *suggest, const char *name)
{
    const size_t distance = suggest_distance(suggest->word, name);
    if (distance < suggest->distance) {
        suggest->best = name;
        suggest->distance = distance;
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The optimal string alignment distance: a swap of neighbours, the commonest slip, costs one. */
size_t suggest_distance(const char *a, const char *b)
{
    const size_t a_size = strnlen(a, SUGGEST_SIZE_MAX);
    const size_t b_size = strnlen(b, SUGGEST_SIZE_MAX);
    size_t cost[SUGGEST_SIZE_MAX + 1][SUGGEST_SIZE_MAX + 1];
    for (size_t i = 0; i <= a_size; i++) {
        for (size_t j = 0; j <= b_size; j++) {
            if (i == 0 || j == 0) {
                cost[i][j] = i + j;
                continue;
            }
            const size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
            cost[i][j] =
                least(least(cost[i - 1][j], cost[i][j - 1]) + 1, cost[i - 1][j - 1] + change);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                cost[i][j] = least(cost[i][j], cost[i - 2][j - 2] + 1);
            }
        }
    }
    ASSERT(cost[a_size][b_size] <= a_size + b_size);
    return cost[a_size][b_size];
}
