#include <string.h>

#include "agent/base/parse.h"
#include "agent/plan_work.h"

enum { NAMES_SIZE_MAX = 400 }; /* of a list of choices in one line */

struct names {
    const char **items; /* borrowed */
    size_t count;
};

static void names_append(struct names *names, const char *name)
{
    names->items = (const char **)xrealloc(names->items, names->count + 1, sizeof(*names->items));
    names->items[names->count++] = name;
}

static void names_add(struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i], name) == 0) {
            return;
        }
    }
    names_append(names, name);
}

/* "a, b, c", or as many as fit and "...". */
static void names_text(const struct names *names, struct buf *out)
{
    for (size_t i = 0; i < names->count; i++) {
        if (out->size + strlen(names->items[i]) + 8 > out->size_max) {
            (void)buf_append_str(out, ", ..."); /* room was left for it */
            return;
        }
        (void)buf_appendf(out, "%s%s", i == 0 ? "" : ", ", names->items[i]);
    }
}

static int refuse_several(const struct names *names, const struct source *source, const char *what,
                          const char *option, struct err *e)
{
    if (names->count <= 1) {
        return 0;
    }
    autobuf struct buf text = BUF_INIT(NAMES_SIZE_MAX);
    names_text(names, &text);
    (void)err_set(e, ERR_CONFIG, "'%s' has several %s: %s", source->name, what, buf_str(&text));
    return err_hint(e, "choose with %s", option);
}

static int check_cluster(const struct selection *selection, const struct source *source,
                         const struct catalog *catalog, struct err *e)
{
    struct names clusters = {0};
    struct names regions = {0};
    for (size_t i = 0; i < catalog->count; i++) {
        names_add(&clusters, catalog->nodes[i].cluster);
        if (!catalog->nodes[i].v2) {
            names_add(&regions, catalog->nodes[i].region);
        }
    }
    int result = 0;
    if (selection->cluster == NULL) {
        result = refuse_several(&clusters, source, "clusters", "--cluster", e);
    }
    if (result == 0 && selection->source_region == NULL) {
        result = refuse_several(&regions, source, "regions", "--source-region", e);
    }
    free(clusters.items);
    free(regions.items);
    return result;
}

static int compare_tokens(const void *a, const void *b)
{
    return backup_key_token_compare(*(const char *const *)a, *(const char *const *)b);
}

/* In numeric order; a token that has both dialects once. */
static void find_tokens(const struct catalog *catalog, struct names *ret)
{
    for (size_t i = 0; i < catalog->count; i++) {
        names_append(ret, catalog->nodes[i].token);
    }
    qsort(ret->items, ret->count, sizeof(*ret->items), compare_tokens);
    size_t count = 0;
    for (size_t i = 0; i < ret->count; i++) {
        if (count == 0 || strcmp(ret->items[count - 1], ret->items[i]) != 0) {
            ret->items[count++] = ret->items[i];
        }
    }
    ret->count = count;
}

static int unknown_token(const struct names *tokens, const char *wanted,
                         const struct source *source, struct err *e)
{
    size_t above = 0;
    while (above < tokens->count && backup_key_token_compare(tokens->items[above], wanted) < 0) {
        above++;
    }
    struct names nearest = {0};
    if (above > 0) {
        names_add(&nearest, tokens->items[above - 1]);
    }
    if (above < tokens->count) {
        names_add(&nearest, tokens->items[above]);
    }
    autobuf struct buf text = BUF_INIT(NAMES_SIZE_MAX);
    names_text(&nearest, &text);
    free(nearest.items);
    return err_set(e, ERR_CONFIG, "'%s' has no token %s: the nearest of its %zu: %s", source->name,
                   wanted, tokens->count, buf_str(&text));
}

static int pick_tokens(const struct selection *selection, const struct names *tokens,
                       const struct source *source, struct names *ret, struct err *e)
{
    if (selection->tokens.count == 0 || selection->all_tokens) {
        if (!selection->all_tokens &&
            refuse_several(tokens, source, "tokens", "--token TOKEN or --token all", e) < 0) {
            return -1;
        }
        for (size_t i = 0; i < tokens->count; i++) {
            names_append(ret, tokens->items[i]);
        }
        return 0;
    }
    for (size_t i = 0; i < selection->tokens.count; i++) {
        const char *wanted = selection->tokens.names[i];
        const void *found =
            bsearch(&wanted, tokens->items, tokens->count, sizeof(*tokens->items), compare_tokens);
        if (found == NULL) {
            return unknown_token(tokens, wanted, source, e);
        }
        names_add(ret, *(const char *const *)found);
    }
    return 0;
}

static const struct token_pin *find_pin(const struct selection *selection, const char *token)
{
    for (size_t i = 0; i < selection->pin_count; i++) {
        if (strcmp(selection->pins[i].token, token) == 0) {
            return &selection->pins[i];
        }
    }
    return NULL;
}

void plan_select_bounds(const struct selection *selection, const struct catalog_node *node,
                        int64_t *ret_from_ms, int64_t *ret_to_ms)
{
    const struct token_pin *pin = find_pin(selection, node->token);
    *ret_from_ms = 0;
    *ret_to_ms = pin != NULL            ? pin->until_ms
                 : selection->at_latest ? PLAN_LAST_MS
                                        : selection->at_ms;
    if (!selection->has_range) {
        return;
    }
    /* The range of the moment moves back with its end. */
    const int64_t end = pin != NULL ? pin->until_ms : selection->range_end_ms;
    const int64_t start = end - (selection->range_end_ms - selection->range_start_ms);
    /* v2 keys hold whole seconds, so the start is cut to one. In v1 the end is exclusive, and the
     * start is taken even when it is the end. A pin's end is as it was settled. */
    *ret_from_ms = node->v2 ? start - start % 1000 : start;
    *ret_to_ms = node->v2 || pin != NULL || end == start ? end : end - 1;
}

static int no_point(const struct selection *selection, const char *token,
                    const struct source *source, struct err *e)
{
    char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE], seen[TIME_TEXT_SIZE];
    const bool was = selection->version_at_ms != 0;
    const char *const at = was ? format_time(selection->version_at_ms, seen) : "";
    autofree char *what = xasprintf("'%s'%s%s has no snapshot of token %s", source->name,
                                    was ? " as it was at " : "", at, token);
    if (selection->has_range) {
        (void)err_set(e, ERR_NO_BACKUP, "%s between %s and %s", what,
                      format_time(selection->range_start_ms, from),
                      format_time(selection->range_end_ms, to));
    } else if (selection->at_latest) {
        (void)err_set(e, ERR_NO_BACKUP, "%s", what);
    } else {
        (void)err_set(e, ERR_NO_BACKUP, "%s at or before %s", what,
                      format_time(selection->at_ms, to));
    }
    return err_hint(e, "see what there is with 'penates list %s%s%s'", source->name,
                    was ? " --source-version-at " : "", at);
}

/* The newest restore point of the token in either dialect; of two at one time the v2 one, for it
 * has sizes. */
static int choose_point(const struct config *config, struct source *source,
                        const struct catalog *catalog, const char *token, struct plan_choice *ret,
                        struct err *e)
{
    const struct selection *selection = &config->selection;
    struct plan_choice best = {0};
    for (size_t i = 0; i < catalog->count; i++) {
        const struct catalog_node *node = &catalog->nodes[i];
        if (strcmp(node->token, token) != 0) {
            continue;
        }
        int64_t from_ms, to_ms;
        plan_select_bounds(selection, node, &from_ms, &to_ms);
        struct plan_choice choice = {.node = node};
        if (catalog_find_manifests(node, source, from_ms, to_ms, 1, selection->v1_offset_ms,
                                   &choice.manifests, e) < 0) {
            catalog_manifests_done(&best.manifests);
            return -1;
        }
        const bool both = best.node != NULL && choice.manifests.count > 0;
        const bool newer =
            choice.manifests.count > 0 &&
            (best.node == NULL ||
             choice.manifests.items[0].time_ms > best.manifests.items[0].time_ms ||
             (choice.manifests.items[0].time_ms == best.manifests.items[0].time_ms && node->v2));
        catalog_manifests_done(newer ? &best.manifests : &choice.manifests);
        best = newer ? choice : best;
        best.both_dialects |= both;
    }
    if (best.node == NULL) {
        return no_point(selection, token, source, e);
    }
    *ret = best;
    return 0;
}

static int choose_points(const struct config *config, struct source *source,
                         const struct catalog *catalog, const struct names *wanted,
                         struct plan_choice **ret_choices, struct err *e)
{
    ASSERT(wanted->count > 0);
    struct plan_choice *choices =
        (struct plan_choice *)xcalloc(wanted->count, sizeof(struct plan_choice));
    for (size_t i = 0; i < wanted->count; i++) {
        if (choose_point(config, source, catalog, wanted->items[i], &choices[i], e) < 0) {
            plan_choices_free(choices, i);
            return -1;
        }
    }
    *ret_choices = choices;
    return 0;
}

int plan_select(const struct config *config, struct source *source, const struct catalog *catalog,
                struct plan_choice **ret_choices, size_t *ret_count, struct err *e)
{
    ASSERT(catalog->count > 0); /* catalog_find_nodes says so itself */
    struct names tokens = {0};
    struct names wanted = {0};
    find_tokens(catalog, &tokens);
    int result = check_cluster(&config->selection, source, catalog, e);
    if (result == 0) {
        result = pick_tokens(&config->selection, &tokens, source, &wanted, e);
    }
    if (result == 0) {
        result = choose_points(config, source, catalog, &wanted, ret_choices, e);
    }
    if (result == 0) {
        *ret_count = wanted.count;
    }
    free(tokens.items);
    free(wanted.items);
    return result;
}

void plan_choices_free(struct plan_choice *choices, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        catalog_manifests_done(&choices[i].manifests);
    }
    free(choices);
}
