#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>

#include "agent/base/parse.h"
#include "agent/plan_work.h"

enum { NAME_SIZE = 1024 }; /* longer than any: the preflight refuses what its file system does */

/* By directory; side files, then SSTables by their new name. */
static int compare_sets(const void *a, const void *b, void *ctx)
{
    const struct plan_work *work = (const struct plan_work *)ctx;
    const struct plan_set *x = (const struct plan_set *)a;
    const struct plan_set *y = (const struct plan_set *)b;
    if (x->dir != y->dir) {
        return work_dir(work, x->dir)->rank < work_dir(work, y->dir)->rank ? -1 : 1;
    }
    if (x->side != y->side) {
        return x->side ? -1 : 1;
    }
    return strcmp(work_candidate(work, x->first)->name, work_candidate(work, y->first)->name);
}

static int compare_targets(const void *a, const void *b)
{
    return strcmp(((const struct plan_file *)a)->target_name,
                  ((const struct plan_file *)b)->target_name);
}

/* Puts the sets that are taken first, in order; returns how many they are. */
static uint32_t sort_sets(struct plan_work *work)
{
    uint32_t taken = 0;
    for (uint32_t i = 0; i < work->set_count; i++) {
        if (!work->sets[i].dropped && work->sets[i].count > 0) {
            work->sets[taken++] = work->sets[i];
        }
    }
    if (taken > 0) {
        qsort_r(work->sets, taken, sizeof(*work->sets), compare_sets, work);
    }
    return taken;
}

static const char *intern(const struct plan_work *work, const char *text)
{
    return arena_intern(work->plan->strings, text, strlen(text));
}

/* Below --into. */
static const char *table_folder(const struct plan_work *work, const char *keyspace,
                                const char *table_dir)
{
    autofree char *path = xasprintf("%s%s%s/%s", work->by_token ? work->node->token : "",
                                    work->by_token ? "/" : "", keyspace, table_dir);
    return intern(work, path);
}

static const char *set_folder(const struct plan_work *work, const struct candidate_dir *dir,
                              const char *table)
{
    if (dir->index_dir[0] == '\0') {
        return table;
    }
    autofree char *path = xasprintf("%s/%s", table, dir->index_dir);
    return intern(work, path);
}

static bool is_replaced(const struct plan_work *work, const struct candidate_dir *dir)
{
    /* The names of --replace mean tables as those of --include do. */
    const struct selection replaced = {.include = work->config->replace};
    const char *why;
    return replaced.include.count > 0 &&
           selection_takes_table(&replaced, dir->keyspace, dir->table_dir, &why);
}

static void map_table(const struct plan_work *work, const struct table_mapping *mapping,
                      struct plan_table *table)
{
    const bool loader = work->config->layout == LAYOUT_LOADER;
    table->mapped = true;
    table->added = !loader;
    table->as_keyspace = intern(work, mapping->keyspace);
    table->as_table = mapping->table == NULL ? table->table : intern(work, mapping->table);
    autofree char *name = xasprintf("%s%s%s", table->as_table, mapping->id == NULL ? "" : "-",
                                    mapping->id == NULL ? "" : mapping->id);
    table->target_folder = table_folder(work, table->as_keyspace, loader ? table->as_table : name);
}

static uint32_t place_table(struct plan_work *work, const struct candidate_dir *dir)
{
    struct plan *plan = work->plan;
    const uint32_t node = plan->node_count - 1;
    struct plan_table *last = plan->table_count == 0 ? NULL : &plan->tables[plan->table_count - 1];
    if (last != NULL && last->node == node && last->keyspace == dir->keyspace &&
        last->table_dir == dir->table_dir) {
        return plan->table_count - 1;
    }
    plan->tables =
        (struct plan_table *)xrealloc(plan->tables, plan->table_count + 1, sizeof(*plan->tables));
    const bool loader = work->config->layout == LAYOUT_LOADER;
    plan->tables[plan->table_count] = (struct plan_table){
        .node = node,
        .keyspace = dir->keyspace,
        .table = dir->table,
        .table_dir = dir->table_dir,
        .as_keyspace = dir->keyspace,
        .as_table = dir->table,
        .target_folder = table_folder(work, dir->keyspace, loader ? dir->table : dir->table_dir),
        .replace = is_replaced(work, dir),
    };
    const struct table_mapping *mapping =
        table_map_find(&work->config->map, dir->keyspace, dir->table_dir);
    if (mapping != NULL) {
        map_table(work, mapping, &plan->tables[plan->table_count]);
    }
    return plan->table_count++;
}

/* Up to Cassandra 2.1 the names of SSTables say whose they are. */
static const char *target_name(const struct plan_work *work, const struct plan_table *table,
                               const char *name)
{
    char text[NAME_SIZE];
    struct sstable_name parsed;
    if (!table->mapped || !sstable_name_parse(slice_of(name, strlen(name)), &parsed) ||
        !sstable_name_reown(&parsed, table->as_keyspace, table->as_table, text, sizeof(text))) {
        return name;
    }
    return intern(work, text);
}

static void place_file(struct plan_work *work, const struct candidate *c, uint32_t table,
                       uint32_t sstable, const char *folder)
{
    struct plan *plan = work->plan;
    plan->files[plan->file_count++] = (struct plan_file){
        .key_folder = c->key_folder,
        .key_name = c->key_name,
        .target_folder = folder,
        .target_name = target_name(work, &plan->tables[table], c->name),
        .etag = c->etag,
        .version_id = c->version_id,
        .size = c->size,
        .plain_size = c->plain_size,
        .table = table,
        .sstable = sstable,
        .claim = c->claim,
        .component = c->component,
        .checksum = c->checksum,
        .checksum_composite = c->checksum_composite,
        .incremental = !c->from_manifest,
        .archive = (uint8_t)c->archive,
    };
}

static void index_sstable(struct plan *plan, uint32_t first)
{
    struct plan_sstable *sstable = &plan->sstables[plan->sstable_count++];
    *sstable = (struct plan_sstable){.first = first,
                                     .count = plan->file_count - first,
                                     .data = PLAN_NONE,
                                     .digest = PLAN_NONE,
                                     .toc = PLAN_NONE};
    for (uint32_t i = first; i < plan->file_count; i++) {
        switch ((enum component_kind)plan->files[i].component) {
        case COMPONENT_DATA:
            sstable->data = i;
            break;
        case COMPONENT_DIGEST:
            sstable->digest = i;
            break;
        case COMPONENT_TOC:
            sstable->toc = i;
            break;
        case COMPONENT_OTHER:
            break;
        }
    }
}

static int place_set(struct plan_work *work, const struct plan_set *set, struct err *e)
{
    struct plan *plan = work->plan;
    const struct candidate_dir *dir = work_dir(work, set->dir);
    const uint32_t table = place_table(work, dir);
    const char *folder = set_folder(work, dir, plan->tables[table].target_folder);
    const uint32_t first = plan->file_count;
    for (uint32_t at = set->first; at != CANDIDATE_NONE; at = work_candidate(work, at)->next) {
        place_file(work, work_candidate(work, at), table,
                   set->side ? PLAN_NONE : plan->sstable_count, folder);
    }
    ASSERT(plan->file_count - first == set->count);
    qsort(plan->files + first, set->count, sizeof(*plan->files), compare_targets);
    for (uint32_t i = first == 0 ? 1 : first; i < plan->file_count; i++) {
        const struct plan_file *a = &plan->files[i - 1];
        const struct plan_file *b = &plan->files[i];
        if (a->target_folder == b->target_folder && strcmp(a->target_name, b->target_name) == 0) {
            return err_set(e, ERR_REFUSED, "two objects for one file: '%s%s' and '%s%s'",
                           a->key_folder, a->key_name, b->key_folder, b->key_name);
        }
    }
    if (!set->side) {
        index_sstable(plan, first);
    }
    if (!set->from_manifest) {
        const int64_t time_ms = set->time_ms + work->v1_offset_ms;
        work->node->newest_ms = time_ms > work->node->newest_ms ? time_ms : work->node->newest_ms;
    }
    return 0;
}

int plan_place(struct plan_work *work, struct err *e)
{
    struct plan *plan = work->plan;
    ASSERT(plan->node_count > 0);
    const uint32_t taken = sort_sets(work);
    uint32_t files = plan->file_count;
    uint32_t sstables = plan->sstable_count;
    for (uint32_t i = 0; i < taken; i++) {
        files += work->sets[i].count;
        sstables += work->sets[i].side ? 0 : 1;
    }
    plan->files = (struct plan_file *)xrealloc(plan->files, files, sizeof(*plan->files));
    plan->sstables =
        (struct plan_sstable *)xrealloc(plan->sstables, sstables, sizeof(*plan->sstables));
    for (uint32_t i = 0; i < taken; i++) {
        if (place_set(work, &work->sets[i], e) < 0) {
            return -1;
        }
    }
    ASSERT(plan->file_count == files && plan->sstable_count == sstables);
    return 0;
}

static void digest_text(EVP_MD_CTX *digest, const char *text)
{
    /* With its NUL, so that the borders count. */
    ASSERT(EVP_DigestUpdate(digest, text, strlen(text) + 1) == 1);
}

static void make_id(struct plan *plan)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    ASSERT(digest != NULL && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1);
    for (uint32_t i = 0; i < plan->file_count; i++) {
        const struct plan_file *file = &plan->files[i];
        char size[24];
        (void)snprintf(size, sizeof(size), "%" PRIu64, file->size); /* 20 digits fit */
        digest_text(digest, file->key_folder);
        digest_text(digest, file->key_name);
        digest_text(digest, file->etag);
        digest_text(digest, size);
        if (file->version_id[0] != '\0') {
            digest_text(digest, file->version_id); /* no size, the next text is no folder */
        }
        digest_text(digest, file->target_folder);
        digest_text(digest, file->target_name);
    }
    uint8_t bytes[32];
    ASSERT(EVP_DigestFinal_ex(digest, bytes, NULL) == 1);
    EVP_MD_CTX_free(digest);
    format_hex(bytes, sizeof(bytes), plan->id);
}

void plan_place_finish(struct plan *plan)
{
    plan->plain_bytes_exact = true;
    for (uint32_t i = 0; i < plan->file_count; i++) {
        const struct plan_file *file = &plan->files[i];
        struct plan_table *table = &plan->tables[file->table];
        const bool known = file->plain_size != PLAN_SIZE_UNKNOWN || file->claim == CODEC_CLAIM_NONE;
        const uint64_t plain =
            file->plain_size != PLAN_SIZE_UNKNOWN ? file->plain_size : file->size;
        plan->plain_bytes_exact &= known;
        plan->stored_bytes += file->size;
        plan->plain_bytes += plain;
        table->files++;
        table->stored_bytes += file->size;
        table->plain_bytes += plain;
    }
    make_id(plan);
}
