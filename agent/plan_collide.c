#include <inttypes.h>
#include <string.h>

#include "agent/base/parse.h"
#include "agent/plan_work.h"

static bool same_object(const struct plan_work *work, uint32_t a, uint32_t b)
{
    if (a == CANDIDATE_NONE || b == CANDIDATE_NONE) {
        return false;
    }
    const struct candidate *x = work_candidate(work, a);
    const struct candidate *y = work_candidate(work, b);
    return x->size == y->size && x->etag[0] != '\0' && strcmp(x->etag, y->etag) == 0;
}

/* What both have is as long in one as in the other, but for what Cassandra rewrites. It decides
 * between sets of one time only, where ETags can differ for equal bytes (SSE-KMS). */
static bool same_sizes(const struct plan_work *work, const struct plan_set *a,
                       const struct plan_set *b)
{
    for (uint32_t i = a->first; i != CANDIDATE_NONE; i = work_candidate(work, i)->next) {
        const struct candidate *x = work_candidate(work, i);
        for (uint32_t j = b->first; j != CANDIDATE_NONE; j = work_candidate(work, j)->next) {
            const struct candidate *y = work_candidate(work, j);
            if (strcmp(x->name, y->name) == 0 && x->size != y->size &&
                !plan_parts_is_rewritable(x)) {
                return false;
            }
        }
    }
    return true;
}

static bool same_time(const struct plan_set *a, const struct plan_set *b)
{
    return a->time_ms - b->time_ms <= PLAN_SPREAD_MS && b->time_ms - a->time_ms <= PLAN_SPREAD_MS;
}

static bool same_sstable(const struct plan_work *work, const struct plan_set *a,
                         const struct plan_set *b)
{
    ASSERT(a->data != CANDIDATE_NONE && b->data != CANDIDATE_NONE);
    return (work->choice->node->v2 && a->time_ms == b->time_ms) ||
           same_object(work, a->data, b->data) || same_object(work, a->digest, b->digest) ||
           (same_time(a, b) && same_sizes(work, a, b));
}

static int refuse_pair(const struct plan_work *work, const struct plan_set *a,
                       const struct plan_set *b, const char *why, struct err *e)
{
    const struct candidate *x = work_candidate(work, a->data);
    const struct candidate *y = work_candidate(work, b->data);
    const struct candidate_dir *dir = work_dir(work, a->dir);
    (void)err_set(e, ERR_REFUSED, "two SSTables have one name, and %s: '%s%s' and '%s%s'", why,
                  x->key_folder, x->key_name, y->key_folder, y->key_name);
    return err_hint(e,
                    "leave the table out with --exclude %s.%s, or incrementals with "
                    "--snapshot-only",
                    dir->keyspace, dir->table);
}

bool plan_collide_repeats(const struct plan_work *work, uint32_t first, uint32_t at)
{
    ASSERT(first <= at && at < work->set_count);
    for (uint32_t i = first; i < at; i++) {
        if (!work->sets[i].dropped && same_sstable(work, &work->sets[i], &work->sets[at])) {
            return true;
        }
    }
    return false;
}

int plan_collide_judge(struct plan_work *work, uint32_t first, uint32_t at, struct err *e)
{
    ASSERT(first <= at && at < work->set_count);
    struct plan_set *set = &work->sets[at];
    for (uint32_t i = first; i < at; i++) {
        const struct plan_set *earlier = &work->sets[i];
        if (earlier->dropped) {
            continue;
        }
        if (same_time(earlier, set)) {
            /* A node is not replaced within minutes. Priam 3.11.73 to 3.11.78 filed index SSTables
             * under their table, where the name says nothing more (priam spec 11.2.11). */
            return refuse_pair(work, earlier, set,
                               "one of them may be an index's that Priam filed with its table", e);
        }
        set->clashes = true;
    }
    return 0;
}

static uint64_t generation_of(const struct candidate *c)
{
    struct sstable_name name;
    uint64_t generation;
    if (!sstable_name_parse(slice_of(c->name, strlen(c->name)), &name) || !name.numbered ||
        !parse_u64((const char *)name.generation.data, name.generation.size, &generation)) {
        return 0;
    }
    return generation;
}

static void find_highest(struct plan_work *work)
{
    for (uint32_t i = 0; i < work->candidates.count; i++) {
        const struct candidate *c = work_candidate(work, i);
        struct candidate_dir *dir = work_dir(work, c->dir);
        const uint64_t generation = generation_of(c);
        dir->generation_max = generation > dir->generation_max ? generation : dir->generation_max;
    }
}

/* The set that kept the name; sets of one name lie side by side. */
static const struct plan_set *name_holder(const struct plan_work *work, uint32_t at)
{
    const struct slice prefix = candidate_prefix(work_candidate(work, work->sets[at].sample));
    uint32_t holder = at;
    for (uint32_t i = at; i-- > 0 && work->sets[i].dir == work->sets[at].dir;) {
        if (work->sets[i].generation != 0) {
            continue; /* had the name, and has another now */
        }
        const struct slice other = candidate_prefix(work_candidate(work, work->sets[i].sample));
        if (other.size != prefix.size || memcmp(other.data, prefix.data, prefix.size) != 0) {
            break;
        }
        holder = work->sets[i].dropped || work->sets[i].clashes ? holder : i;
    }
    ASSERT(holder < at);
    return &work->sets[holder];
}

static bool rename_components(struct plan_work *work, const struct plan_set *set)
{
    for (uint32_t at = set->first; at != CANDIDATE_NONE; at = work_candidate(work, at)->next) {
        struct candidate *c = work_candidate(work, at);
        struct sstable_name name;
        char text[256];
        if (!sstable_name_parse(slice_of(c->name, strlen(c->name)), &name) || !name.numbered ||
            !sstable_name_renumber(&name, set->generation, text, sizeof(text))) {
            return false;
        }
        const size_t size = strlen(text);
        c->prefix_size = (uint8_t)(size - name.component.size - 1);
        c->name = arena_intern(work->plan->strings, text, size);
    }
    return true;
}

static int renumber(struct plan_work *work, uint32_t at, struct err *e)
{
    struct plan_set *set = &work->sets[at];
    struct candidate_dir *dir = work_dir(work, set->dir);
    const struct candidate *sample = work_candidate(work, set->sample);
    const struct slice prefix = candidate_prefix(sample);
    set->generation = dir->generation_max + 1;
    /* Cassandra reads the number into a Java int. */
    if (dir->generation_max >= INT32_MAX || !rename_components(work, set)) {
        return refuse_pair(work, name_holder(work, at), set, "the second cannot be renumbered", e);
    }
    dir->generation_max++;
    autofree char *subject = xasprintf("%s.%s %.*s", dir->keyspace, dir->table, (int)prefix.size,
                                       (const char *)prefix.data);
    plan_notes_warn(work->plan, subject, set->count, plan_group_bytes(work, set),
                    "a second SSTable of this name gets number %" PRIu64
                    ": numbers began anew when the node was replaced",
                    set->generation);
    return 0;
}

int plan_collide_renumber(struct plan_work *work, struct err *e)
{
    bool looked = false;
    for (uint32_t i = 0; i < work->set_count; i++) {
        if (work->sets[i].dropped || !work->sets[i].clashes) {
            continue;
        }
        if (!looked) {
            find_highest(work);
            looked = true;
        }
        if (renumber(work, i, e) < 0) {
            return -1;
        }
    }
    return 0;
}
