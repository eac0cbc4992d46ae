#include <string.h>

#include "agent/plan_work.h"

/* All candidates of one SSTable name in one directory, or its side files: work->candidates[at[0]],
 * [at[1]], ... by component, then time. */
struct family {
    const uint32_t *at;
    uint32_t count;
    uint32_t first_set; /* its sets are [first_set, work->set_count) */
};

/* A name has about ten components in a few versions. More is an attack on the loops below. */
enum { FAMILY_COUNT_MAX = 4096 };

static struct plan_set *add_set(struct plan_work *work, uint32_t dir, uint32_t sample)
{
    if (work->set_count == work->set_capacity) {
        work->set_capacity = work->set_capacity == 0 ? 64 : work->set_capacity * 2;
        work->sets =
            (struct plan_set *)xrealloc(work->sets, work->set_capacity, sizeof(*work->sets));
    }
    struct plan_set *set = &work->sets[work->set_count++];
    *set = (struct plan_set){.dir = dir,
                             .first = CANDIDATE_NONE,
                             .sample = sample,
                             .data = CANDIDATE_NONE,
                             .digest = CANDIDATE_NONE};
    return set;
}

static void link_candidate(struct plan_work *work, struct plan_set *set, uint32_t at)
{
    struct candidate *c = work_candidate(work, at);
    c->next = set->first;
    set->first = at;
    set->count++;
    set->parts |= plan_parts_of(c);
    if (c->component == COMPONENT_DATA) {
        set->data = at;
    } else if (c->component == COMPONENT_DIGEST) {
        set->digest = at;
    }
}

static void unlink_candidate(struct plan_work *work, struct plan_set *set, uint32_t at)
{
    uint32_t *link = &set->first;
    while (*link != at) {
        ASSERT(*link != CANDIDATE_NONE);
        link = &work_candidate(work, *link)->next;
    }
    *link = work_candidate(work, at)->next;
    set->count--;
    if (set->digest == at) {
        set->digest = CANDIDATE_NONE;
    }
    ASSERT(set->data != at); /* the one thing that a set never loses */
}

/* The set's version of a component; CANDIDATE_NONE: it has none yet. */
static uint32_t find_component(const struct plan_work *work, const struct plan_set *set,
                               const char *component)
{
    uint32_t at = set->first;
    while (at != CANDIDATE_NONE &&
           strcmp(candidate_component(work_candidate(work, at)), component) != 0) {
        at = work_candidate(work, at)->next;
    }
    return at;
}

static const char *describe(const struct plan_work *work, const struct plan_set *set,
                            struct buf *out)
{
    const struct candidate_dir *dir = work_dir(work, set->dir);
    const struct slice prefix = candidate_prefix(work_candidate(work, set->sample));
    buf_clear(out);
    /* Components are at most 255 bytes each: they fit. */
    (void)buf_appendf(out, "%s.%s%s%s %.*s", dir->keyspace, dir->table,
                      dir->index_dir[0] == '\0' ? "" : "/", dir->index_dir, (int)prefix.size,
                      (const char *)prefix.data);
    return buf_str(out);
}

uint64_t plan_group_bytes(const struct plan_work *work, const struct plan_set *set)
{
    uint64_t bytes = 0;
    for (uint32_t at = set->first; at != CANDIDATE_NONE; at = work_candidate(work, at)->next) {
        bytes += work_candidate(work, at)->size;
    }
    return bytes;
}

/* An index SSTable that is left out makes the index untrue. Up to Cassandra 2.1 they lie with their
 * table, as "ks-table.index-ka-7-Data.db". */
static void note_if_index(struct plan_work *work, uint32_t dir, uint32_t sample)
{
    const struct slice prefix = candidate_prefix(work_candidate(work, sample));
    work->index_incomplete |=
        work_dir(work, dir)->index_dir[0] != '\0' || memchr(prefix.data, '.', prefix.size) != NULL;
}

/* The manifest's set */

static int take_named(struct plan_work *work, struct plan_set *set, uint32_t at, struct err *e)
{
    const struct candidate *c = work_candidate(work, at);
    /* They come sorted by name: a file's equal is the one before it. */
    const struct candidate *o =
        set->first == CANDIDATE_NONE ? NULL : work_candidate(work, set->first);
    if (o != NULL && strcmp(o->name, c->name) == 0) {
        return err_set(e, ERR_REFUSED,
                       "the manifest names two objects for one file: '%s%s', '%s%s'", o->key_folder,
                       o->key_name, c->key_folder, c->key_name);
    }
    link_candidate(work, set, at);
    return 0;
}

/* A set without an essential part is left out whole: half an SSTable stops Cassandra. Without
 * another one it is kept, but not its TOC.txt, which would promise what is not there; Cassandra
 * writes a new one. */
static void settle_named(struct plan_work *work, struct plan_set *set, unsigned lost, bool any_lost)
{
    const char *gap = plan_parts_lacks(work, set, set->parts | lost);
    if (gap != NULL && (lost & PLAN_PARTS_ESSENTIAL) == 0) {
        autobuf struct buf text = BUF_INIT(2048);
        (void)describe(work, set, &text);
        /* Up to 3.1.51 Priam left out of the manifest what it failed to upload (priam spec 3.4). */
        (void)buf_appendf(&text, "-%s", gap);
        plan_notes_missing(work->plan, buf_str(&text), "not even named by the manifest");
        work->node->missing++;
    }
    if (gap != NULL || (lost & PLAN_PARTS_ESSENTIAL) != 0) {
        autobuf struct buf text = BUF_INIT(2048);
        plan_notes_warn(work->plan, describe(work, set, &text), set->count,
                        plan_group_bytes(work, set), "SSTable of the snapshot left out: not whole");
        note_if_index(work, set->dir, set->sample);
        set->dropped = true;
        return;
    }
    const uint32_t toc = any_lost ? find_component(work, set, "TOC.txt") : CANDIDATE_NONE;
    if (toc != CANDIDATE_NONE) {
        unlink_candidate(work, set, toc);
    }
}

static int open_named(struct plan_work *work, const struct family *family, struct err *e)
{
    struct plan_set *set = NULL;
    unsigned lost = 0;
    bool any_lost = false;
    for (uint32_t i = 0; i < family->count; i++) {
        const struct candidate *c = work_candidate(work, family->at[i]);
        if (!c->from_manifest) {
            continue;
        }
        if (set == NULL) {
            set = add_set(work, c->dir, family->at[i]);
            set->from_manifest = true;
            set->side = candidate_is_side_file(c);
        }
        if (c->etag == NULL) {
            lost |= plan_parts_of(c);
            any_lost = true;
        } else if (take_named(work, set, family->at[i], e) < 0) {
            return -1;
        }
    }
    if (set == NULL) {
        return 0;
    }
    set->time_ms = work->snapshot_ms;
    if (work->choice->node->v2 && set->data != CANDIDATE_NONE) {
        set->time_ms = work_candidate(work, set->data)->time_ms;
    }
    if (!set->side) {
        settle_named(work, set, lost, any_lost);
    }
    return 0;
}

/* Incremental sets */

static int64_t distance(int64_t a, int64_t b)
{
    return a < b ? b - a : a - b;
}

/* True when other, unchanging components were written with this one: it is not a rewritten part of
 * an earlier SSTable but the beginning of another one. */
static bool has_company(const struct plan_work *work, const struct family *family, int64_t time_ms)
{
    for (uint32_t i = 0; i < family->count; i++) {
        const struct candidate *c = work_candidate(work, family->at[i]);
        if (!c->from_manifest && !plan_parts_is_rewritable(c) &&
            distance(c->time_ms, time_ms) <= PLAN_SPREAD_MS) {
            return true;
        }
    }
    return false;
}

/* The incremental set that a component belongs to: the one whose Data.db was written with it; a
 * rewritten one, the newest before it. NULL: its Data.db is not there. */
static struct plan_set *owner_of(struct plan_work *work, const struct family *family,
                                 const struct candidate *c)
{
    struct plan_set *nearest = NULL;
    struct plan_set *newest_before = NULL;
    for (uint32_t i = family->first_set; i < work->set_count; i++) {
        struct plan_set *set = &work->sets[i];
        if (set->from_manifest) {
            continue;
        }
        if (nearest == NULL ||
            distance(set->time_ms, c->time_ms) < distance(nearest->time_ms, c->time_ms)) {
            nearest = set;
        }
        if (set->time_ms <= c->time_ms) {
            newest_before = set;
        }
    }
    if (nearest != NULL && distance(nearest->time_ms, c->time_ms) <= PLAN_SPREAD_MS) {
        return nearest;
    }
    return plan_parts_is_rewritable(c) && !has_company(work, family, c->time_ms) ? newest_before
                                                                                 : NULL;
}

/* Of several versions of a component the newest up to the end is taken, else the oldest past it
 * (priam spec 11.1.2, 11.1.3). They come in order of time. */
static void take_version(struct plan_work *work, struct plan_set *set, uint32_t at)
{
    const struct candidate *c = work_candidate(work, at);
    const uint32_t other = find_component(work, set, candidate_component(c));
    if (other == CANDIDATE_NONE) {
        link_candidate(work, set, at);
    } else if (c->time_ms <= work->to_ms) {
        unlink_candidate(work, set, other);
        link_candidate(work, set, at);
    }
}

/* An upload that had not ended. What repeats a file of the manifest, or only rewrites one, is not
 * worth a word. */
static bool is_news(const struct plan_work *work, const struct family *family,
                    const struct candidate *c)
{
    if (c->time_ms < work->from_ms || c->time_ms > work->to_ms) {
        return false;
    }
    for (uint32_t i = 0; i < family->count; i++) {
        const struct candidate *named = work_candidate(work, family->at[i]);
        if (named->from_manifest && named->etag != NULL &&
            strcmp(candidate_component(named), candidate_component(c)) == 0 &&
            (plan_parts_is_rewritable(c) ||
             (named->size == c->size && strcmp(named->etag, c->etag) == 0))) {
            return false;
        }
    }
    return true;
}

static void warn_incomplete(struct plan_work *work, uint32_t dir, uint32_t sample, uint64_t files,
                            uint64_t bytes, const char *gap)
{
    const struct plan_set name = {.dir = dir, .sample = sample};
    autobuf struct buf text = BUF_INIT(2048);
    plan_notes_warn(work->plan, describe(work, &name, &text), files, bytes,
                    "incremental SSTable left out: no %s, its upload had not ended", gap);
    note_if_index(work, dir, sample);
}

static void assign_components(struct plan_work *work, const struct family *family)
{
    uint64_t files = 0, bytes = 0;
    uint32_t sample = CANDIDATE_NONE;
    for (uint32_t i = 0; i < family->count; i++) {
        const struct candidate *c = work_candidate(work, family->at[i]);
        if (c->from_manifest || c->component == COMPONENT_DATA) {
            continue;
        }
        struct plan_set *set = owner_of(work, family, c);
        if (set != NULL) {
            take_version(work, set, family->at[i]);
        } else if (is_news(work, family, c)) {
            sample = family->at[i];
            files++;
            bytes += c->size;
        }
    }
    if (sample != CANDIDATE_NONE) {
        warn_incomplete(work, work_candidate(work, sample)->dir, sample, files, bytes, "Data.db");
    }
}

static int settle_incrementals(struct plan_work *work, const struct family *family, struct err *e)
{
    for (uint32_t i = family->first_set; i < work->set_count; i++) {
        struct plan_set *set = &work->sets[i];
        if (set->from_manifest) {
            continue;
        }
        if (set->time_ms < work->from_ms || set->time_ms > work->to_ms) {
            set->dropped = true; /* another time's; only its neighbours were wanted */
            continue;
        }
        if (plan_collide_repeats(work, family->first_set, i)) {
            set->dropped = true;
            continue;
        }
        const char *gap = plan_parts_lacks(work, set, set->parts);
        if (gap != NULL) {
            warn_incomplete(work, set->dir, set->sample, set->count, plan_group_bytes(work, set),
                            gap);
            set->dropped = true;
        } else if (plan_collide_judge(work, family->first_set, i, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int group_family(struct plan_work *work, struct family *family, struct err *e)
{
    ASSERT(family->count > 0);
    if (family->count > FAMILY_COUNT_MAX &&
        !candidate_is_side_file(work_candidate(work, family->at[0]))) {
        const struct candidate *c = work_candidate(work, family->at[0]);
        return err_set(e, ERR_LIMIT, "'%s%s': %u objects for one SSTable, at most %d are taken",
                       c->key_folder, c->key_name, family->count, FAMILY_COUNT_MAX);
    }
    family->first_set = work->set_count;
    if (open_named(work, family, e) < 0) {
        return -1;
    }
    for (uint32_t i = 0; i < family->count; i++) {
        const struct candidate *c = work_candidate(work, family->at[i]);
        if (!c->from_manifest && c->component == COMPONENT_DATA) {
            struct plan_set *set = add_set(work, c->dir, family->at[i]);
            set->time_ms = c->time_ms;
            link_candidate(work, set, family->at[i]);
        }
    }
    assign_components(work, family);
    return settle_incrementals(work, family, e);
}

static int compare_family(const struct plan_work *work, const struct candidate *a,
                          const struct candidate *b)
{
    if (a->dir != b->dir) {
        return work_dir(work, a->dir)->rank < work_dir(work, b->dir)->rank ? -1 : 1;
    }
    const uint8_t size = a->prefix_size < b->prefix_size ? a->prefix_size : b->prefix_size;
    const int order = memcmp(a->name, b->name, size);
    return order != 0 ? order : (int)a->prefix_size - (int)b->prefix_size;
}

static int compare_candidates(const void *a, const void *b, void *ctx)
{
    const struct plan_work *work = (const struct plan_work *)ctx;
    const struct candidate *x = work_candidate(work, *(const uint32_t *)a);
    const struct candidate *y = work_candidate(work, *(const uint32_t *)b);
    int order = compare_family(work, x, y);
    if (order == 0) {
        order = strcmp(x->name, y->name);
    }
    if (order == 0) {
        order = (x->time_ms > y->time_ms) - (x->time_ms < y->time_ms);
    }
    return order;
}

int plan_group(struct plan_work *work, struct err *e)
{
    ASSERT(work->set_count == 0);
    const uint32_t count = work->candidates.count;
    candidates_rank_dirs(&work->candidates);
    autofree uint32_t *order = (uint32_t *)xcalloc(count, sizeof(*order));
    for (uint32_t i = 0; i < count; i++) {
        order[i] = i;
    }
    qsort_r(order, count, sizeof(*order), compare_candidates, work);
    for (uint32_t first = 0, end; first < count; first = end) {
        const struct candidate *c = work_candidate(work, order[first]);
        end = first + 1;
        while (end < count && compare_family(work, c, work_candidate(work, order[end])) == 0) {
            end++;
        }
        struct family family = {.at = order + first, .count = end - first};
        if (group_family(work, &family, e) < 0) {
            return -1;
        }
    }
    plan_parts_warn_toc(work);
    return 0;
}
