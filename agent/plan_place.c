#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>

#include "agent/base/parse.h"
#include "agent/plan_work.h"

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

/* A table that was dropped and created again has two directories, and a loader's layout one place
 * for both. Which one the name meant at the time is not in the backup's names. */
static int check_loader(const struct plan_work *work, uint32_t taken, struct err *e)
{
    const struct candidate_dir *before = NULL;
    for (uint32_t i = 0; i < taken; i++) {
        const struct candidate_dir *dir = work_dir(work, work->sets[i].dir);
        if (before != NULL && strcmp(before->keyspace, dir->keyspace) == 0 &&
            strcmp(before->table, dir->table) == 0 && before->table_dir != dir->table_dir) {
            (void)err_set(e, ERR_REFUSED, "table %s.%s was created twice: '%s' and '%s'",
                          dir->keyspace, dir->table, before->table_dir, dir->table_dir);
            return err_hint(e, "leave it out with --exclude %s.%s, or use --layout data",
                            dir->keyspace, dir->table);
        }
        before = dir;
    }
    return 0;
}

static const char *table_folder(const struct plan_work *work, const struct candidate_dir *dir)
{
    const bool loader = work->config->layout == LAYOUT_LOADER;
    autofree char *path =
        xasprintf("%s%s%s/%s", work->by_token ? work->node->token : "", work->by_token ? "/" : "",
                  dir->keyspace, loader ? dir->table : dir->table_dir);
    return arena_intern(work->plan->strings, path, strlen(path));
}

static const char *set_folder(const struct plan_work *work, const struct candidate_dir *dir,
                              const char *table)
{
    if (dir->index_dir[0] == '\0') {
        return table;
    }
    autofree char *path = xasprintf("%s/%s", table, dir->index_dir);
    return arena_intern(work->plan->strings, path, strlen(path));
}

static bool is_replaced(const struct plan_work *work, const struct candidate_dir *dir)
{
    /* The names of --replace mean tables as those of --include do. */
    const struct selection replaced = {.include = work->config->replace};
    const char *why;
    return replaced.include.count > 0 &&
           selection_takes_table(&replaced, dir->keyspace, dir->table, &why);
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
    plan->tables[plan->table_count] = (struct plan_table){
        .node = node,
        .keyspace = dir->keyspace,
        .table = dir->table,
        .table_dir = dir->table_dir,
        .target_folder = table_folder(work, dir),
        .replace = is_replaced(work, dir),
    };
    return plan->table_count++;
}

static void place_file(struct plan_work *work, const struct candidate *c, uint32_t table,
                       uint32_t sstable, const char *folder)
{
    struct plan *plan = work->plan;
    plan->files[plan->file_count++] = (struct plan_file){
        .key_folder = c->key_folder,
        .key_name = c->key_name,
        .target_folder = folder,
        .target_name = c->name,
        .etag = c->etag,
        .size = c->size,
        .plain_size = c->plain_size,
        .table = table,
        .sstable = sstable,
        .claim = c->claim,
        .component = c->component,
        .checksum = c->checksum,
        .checksum_composite = c->checksum_composite,
        .incremental = !c->from_manifest,
    };
    if (c->archived && work->archived++ == 0) {
        autofree char *key = xasprintf("%s%s", c->key_folder, c->key_name);
        work->archived_first = arena_intern(plan->strings, key, strlen(key));
    }
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
    if (work->config->layout == LAYOUT_LOADER && check_loader(work, taken, e) < 0) {
        return -1;
    }
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
