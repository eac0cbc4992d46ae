#include "agent/candidates.h"

#include <string.h>

#include "agent/base/err.h"
#include "agent/plan.h"

enum { SLOTS_MIN = 64 };

_Static_assert(sizeof(void *) != 8 || sizeof(struct candidate) == 80, "no room is lost");

void candidates_init(struct candidates *set, struct arena *strings)
{
    ASSERT(strings != NULL);
    *set = (struct candidates){.strings = strings};
}

void candidates_done(struct candidates *set)
{
    free(set->items);
    free(set->dirs);
    free(set->by_key.items);
    free(set->by_dir.items);
    *set = (struct candidates){0};
}

void candidates_close(struct candidates *set)
{
    free(set->by_key.items);
    set->by_key = (struct candidate_slots){0};
}

/* FNV-1a with a separator, so that "ab","c" and "a","bc" differ. */
static uint64_t hash_slice(uint64_t hash, struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        hash = (hash ^ text.data[i]) * UINT64_C(0x100000001b3);
    }
    return (hash ^ 0xff) * UINT64_C(0x100000001b3);
}

static uint64_t hash_dir(const struct backup_key *key)
{
    uint64_t hash = hash_slice(UINT64_C(0xcbf29ce484222325), key->keyspace);
    hash = hash_slice(hash, key->table_dir);
    hash = hash_slice(hash, key->index_dir);
    return hash ^ (hash >> 32);
}

uint64_t candidates_hash(const struct backup_key *key)
{
    uint64_t hash = hash_slice(hash_dir(key), key->file);
    hash = hash_slice(hash, slice_of(&key->time_ms, sizeof(key->time_ms)));
    hash = hash_slice(hash, slice_of(&key->kind, sizeof(key->kind)));
    return hash ^ (hash >> 32);
}

static bool same_text(const char *text, struct slice slice)
{
    return strncmp(text, (const char *)slice.data, slice.size) == 0 && text[slice.size] == '\0';
}

static bool same_dir(const struct candidate_dir *dir, const struct backup_key *key)
{
    return same_text(dir->table_dir, key->table_dir) && same_text(dir->keyspace, key->keyspace) &&
           (key->index_dir.size == 0 ? dir->index_dir[0] == '\0'
                                     : same_text(dir->index_dir, key->index_dir));
}

static bool same_file(const struct candidates *set, uint32_t at, const struct backup_key *key)
{
    const struct candidate *c = &set->items[at];
    return c->time_ms == key->time_ms && c->kind == (uint8_t)key->kind &&
           same_text(c->name, key->file) && same_dir(&set->dirs[c->dir], key);
}

/* The slot that holds the file, or the free one where it belongs. */
static uint32_t key_slot(const struct candidates *set, const struct backup_key *key)
{
    const uint32_t mask = set->by_key.size - 1;
    uint32_t slot = (uint32_t)candidates_hash(key) & mask;
    while (set->by_key.items[slot] != CANDIDATE_NONE &&
           !same_file(set, set->by_key.items[slot], key)) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

static uint32_t dir_slot(const struct candidates *set, const struct backup_key *key)
{
    const uint32_t mask = set->by_dir.size - 1;
    uint32_t slot = (uint32_t)hash_dir(key) & mask;
    while (set->by_dir.items[slot] != CANDIDATE_NONE &&
           !same_dir(&set->dirs[set->by_dir.items[slot]], key)) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

static struct slice slice_of_text(const char *text)
{
    return slice_of(text, strlen(text));
}

static struct backup_key key_of_dir(const struct candidate_dir *dir)
{
    return (struct backup_key){.keyspace = slice_of_text(dir->keyspace),
                               .table_dir = slice_of_text(dir->table_dir),
                               .index_dir = slice_of_text(dir->index_dir)};
}

static struct backup_key key_of_candidate(const struct candidates *set, uint32_t at)
{
    const struct candidate *c = &set->items[at];
    struct backup_key key = key_of_dir(&set->dirs[c->dir]);
    key.file = slice_of_text(c->name);
    key.time_ms = c->time_ms;
    key.kind = (enum key_kind)c->kind;
    return key;
}

/* True when there was no room for one more and the slots are empty now, to be filled again. */
static bool slots_grow(struct candidate_slots *slots, uint32_t count)
{
    ASSERT(count < UINT32_MAX / 8);
    if (slots->size > 0 && count < slots->size / 2) {
        return false;
    }
    slots->size = slots->size == 0 ? SLOTS_MIN : slots->size * 2;
    free(slots->items);
    slots->items = (uint32_t *)xcalloc(slots->size, sizeof(*slots->items));
    memset(slots->items, 0xff, slots->size * sizeof(*slots->items));
    return true;
}

static void reserve_key(struct candidates *set)
{
    if (slots_grow(&set->by_key, set->count)) {
        for (uint32_t i = 0; i < set->count; i++) {
            const struct backup_key key = key_of_candidate(set, i);
            set->by_key.items[key_slot(set, &key)] = i;
        }
    }
    if (set->count == set->capacity) {
        set->capacity = set->capacity == 0 ? SLOTS_MIN : set->capacity * 2;
        set->items = (struct candidate *)xrealloc(set->items, set->capacity, sizeof(*set->items));
    }
}

static void reserve_dir(struct candidates *set)
{
    if (slots_grow(&set->by_dir, set->dir_count)) {
        for (uint32_t i = 0; i < set->dir_count; i++) {
            const struct backup_key key = key_of_dir(&set->dirs[i]);
            set->by_dir.items[dir_slot(set, &key)] = i;
        }
    }
    if (set->dir_count == set->dir_capacity) {
        set->dir_capacity = set->dir_capacity == 0 ? SLOTS_MIN : set->dir_capacity * 2;
        set->dirs =
            (struct candidate_dir *)xrealloc(set->dirs, set->dir_capacity, sizeof(*set->dirs));
    }
}

uint32_t candidates_find(const struct candidates *set, const struct backup_key *key)
{
    return set->by_key.size == 0 ? CANDIDATE_NONE : set->by_key.items[key_slot(set, key)];
}

static const char *intern(const struct candidates *set, struct slice text)
{
    return arena_intern(set->strings, (const char *)text.data, text.size);
}

uint32_t candidates_dir(struct candidates *set, const struct backup_key *key, bool *ret_new)
{
    reserve_dir(set);
    const uint32_t slot = dir_slot(set, key);
    *ret_new = set->by_dir.items[slot] == CANDIDATE_NONE;
    if (*ret_new) {
        set->dirs[set->dir_count] = (struct candidate_dir){
            .keyspace = intern(set, key->keyspace),
            .table = intern(set, backup_key_table_name(key->table_dir)),
            .table_dir = intern(set, key->table_dir),
            .index_dir = key->index_dir.size == 0 ? "" : intern(set, key->index_dir),
            .note = CANDIDATE_NONE,
        };
        set->by_dir.items[slot] = set->dir_count++;
    }
    return set->by_dir.items[slot];
}

void candidates_move(struct candidates *set, uint32_t at, const struct backup_key *key,
                     const char *whole)
{
    ASSERT(at < set->count);
    const char *slash = strrchr(whole, '/');
    ASSERT(slash != NULL); /* a key of a backup has folders, or it would not have parsed */
    struct candidate *c = &set->items[at];
    c->key_folder = arena_intern(set->strings, whole, (size_t)(slash + 1 - whole));
    c->key_name = same_text(slash + 1, key->file)
                      ? c->name
                      : arena_intern(set->strings, slash + 1, strlen(slash + 1));
    c->claim = (uint8_t)key->claim;
}

uint32_t candidates_add(struct candidates *set, const struct backup_key *key, const char *whole)
{
    ASSERT(candidates_find(set, key) == CANDIDATE_NONE);
    bool is_new;
    const uint32_t dir = candidates_dir(set, key, &is_new);
    reserve_key(set);
    const uint32_t at = set->count;
    const uint32_t slot = key_slot(set, key);
    const char *name = intern(set, key->file);
    set->items[at] = (struct candidate){.name = name,
                                        .plain_size = PLAN_SIZE_UNKNOWN,
                                        .time_ms = key->time_ms,
                                        .dir = dir,
                                        .next = CANDIDATE_NONE,
                                        .component = COMPONENT_OTHER,
                                        .kind = (uint8_t)key->kind,
                                        .claim_named = (uint8_t)key->claim};
    set->count++;
    set->by_key.items[slot] = at;
    struct sstable_name parsed;
    if (sstable_name_parse(key->file, &parsed)) {
        ASSERT(parsed.prefix.size <= UINT8_MAX); /* a file name has at most 255 bytes */
        set->items[at].prefix_size = (uint8_t)parsed.prefix.size;
        set->items[at].component = (uint8_t)parsed.kind;
    }
    candidates_move(set, at, key, whole);
    return at;
}

static int compare_dirs(const void *a, const void *b, void *ctx)
{
    const struct candidates *set = (const struct candidates *)ctx;
    const struct candidate_dir *x = &set->dirs[*(const uint32_t *)a];
    const struct candidate_dir *y = &set->dirs[*(const uint32_t *)b];
    int order = strcmp(x->keyspace, y->keyspace);
    if (order == 0) {
        order = strcmp(x->table_dir, y->table_dir);
    }
    return order != 0 ? order : strcmp(x->index_dir, y->index_dir);
}

void candidates_rank_dirs(struct candidates *set)
{
    autofree uint32_t *order = (uint32_t *)xcalloc(set->dir_count, sizeof(*order));
    for (uint32_t i = 0; i < set->dir_count; i++) {
        order[i] = i;
    }
    qsort_r(order, set->dir_count, sizeof(*order), compare_dirs, set);
    for (uint32_t i = 0; i < set->dir_count; i++) {
        set->dirs[order[i]].rank = i;
    }
}
