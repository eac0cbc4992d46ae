/*
 * adding: tables that are added to those of the target (--as, --table-map); see target_internal.h.
 * Their files wait in .penates/stage/. When all are verified each SSTable keeps its name or gets a
 * free number, which is journaled before anything moves; then adding_move.c moves them in.
 */
#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/running.h"
#include "agent/sstable_name.h"
#include "agent/target_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

enum {
    GENERATION_MAX = INT32_MAX, /* Cassandra reads the number into a Java int */
    /* A running Cassandra writes its next SSTables under the next numbers, without looking; until
     * it was told to load ours, they must be out of its reach. One that was killed has left logs of
     * what it was writing and removing: at its start it removes SSTables by the names in there,
     * whose files may be gone, or does not start when they are not those that it knows. */
    FAR = 1000 * 1000,
    FLUSH_LINES = 4096, /* of the journal at a time */
    UUID_SIZE = 29,     /* of an SSTable's identifier, with its NUL */
};

void adding_files(const struct plan *plan, uint32_t table, uint32_t *ret_first, uint32_t *ret_end)
{
    uint32_t first = 0;
    while (first < plan->file_count && plan->files[first].table != table) {
        first++;
    }
    uint32_t end = first;
    while (end < plan->file_count && plan->files[end].table == table) {
        end++;
    }
    *ret_first = first;
    *ret_end = end;
}

const char *adding_folder(const struct target *target, const struct plan *plan, uint32_t table)
{
    const char *const resolved = target->tables[table].folder;
    return resolved != NULL ? resolved : plan->tables[table].target_folder;
}

void adding_name(const struct target *target, const struct plan *plan, uint32_t file,
                 char ret[ADDING_NAME_SIZE])
{
    const struct plan_file *const planned = &plan->files[file];
    const char *const name = planned->target_name;
    const uint32_t number =
        planned->sstable == PLAN_NONE ? 0 : target->sstables[planned->sstable].number;
    struct sstable_name parsed;
    bool fits = true;
    if (number == 0) {
        fits = snprintf(ret, ADDING_NAME_SIZE, "%s", name) < (int)ADDING_NAME_SIZE;
    } else {
        fits = sstable_name_parse(slice_of(name, strlen(name)), &parsed) &&
               sstable_name_renumber(&parsed, number, ret, ADDING_NAME_SIZE);
    }
    ASSERT(fits); /* names are as long as a file system allows, and a number has ten digits */
}

bool adding_is_placed(const struct target *target, const struct plan *plan, uint32_t file)
{
    const uint32_t sstable = plan->files[file].sstable;
    return sstable != PLAN_NONE && target->sstables[sstable].placed;
}

bool adding_is_done(const struct target *target, const struct plan *plan, uint32_t table)
{
    uint32_t first, end;
    adding_files(plan, table, &first, &end);
    while (first < end && adding_is_placed(target, plan, first)) {
        first++;
    }
    return first == end && target->tables[table].added;
}

/* The table's directory */

struct lookup {
    const char *table;
    char *found; /* its name in the keyspace's directory */
    char *other; /* another one */
};

static bool is_directory_of(const char *name, const char *table)
{
    const size_t size = strlen(table);
    if (strncmp(name, table, size) != 0) {
        return false;
    }
    const char *const id = name + size;
    /* Without an id up to Cassandra 2.0. */
    return *id == '\0' || (*id == '-' && strlen(id + 1) == TABLE_ID_SIZE &&
                           strspn(id + 1, "0123456789abcdef") == TABLE_ID_SIZE);
}

static int look_at(void *ctx, const struct safe_entry *entry, struct err *e)
{
    (void)e;
    struct lookup *const lookup = ctx;
    /* A symlink counts, too: check_names, which comes next, refuses it by its name. */
    if (!is_directory_of(entry->name, lookup->table)) {
        return 1;
    }
    if (lookup->found == NULL) {
        lookup->found = xstrdup(entry->name);
    } else if (lookup->other == NULL && strcmp(lookup->found, entry->name) != 0) {
        lookup->other = xstrdup(entry->name);
    }
    return 1;
}

static int judge_lookup(const struct target *target, const struct plan_table *table,
                        const struct lookup *lookup, struct err *e)
{
    const char *const path = target->dirs[0].path;
    if (lookup->found == NULL) {
        (void)err_set(e, ERR_REFUSED, "target '%s': has no directory of table %s.%s", path,
                      table->as_keyspace, table->as_table);
        return err_hint(
            e,
            "create the table first ('penates plan --schema' prints its definition), or give "
            "its id as %.48s.%.80s-ID",
            table->as_keyspace, table->as_table);
    }
    if (lookup->other != NULL) {
        (void)err_set(e, ERR_REFUSED, "target '%s': several directories of table %s.%s: '%s', '%s'",
                      path, table->as_keyspace, table->as_table, lookup->found, lookup->other);
        return err_hint(e,
                        "give the id of the one that is in use (id in system_schema.tables), as "
                        "%.48s.%.80s-ID",
                        table->as_keyspace, table->as_table);
    }
    return 0;
}

/* The id of a table is made where the table is created: it stands in the target only. */
static int resolve(struct target *target, const struct plan *plan, uint32_t index, struct err *e)
{
    const struct plan_table *const table = &plan->tables[index];
    const size_t name_at = strlen(table->as_keyspace) + 1;
    ASSERT(strlen(table->target_folder) > name_at);
    if (strchr(table->target_folder + name_at, '-') != NULL) {
        target->tables[index].folder = xstrdup(table->target_folder); /* the id was given */
        return 0;
    }
    struct lookup lookup = {.table = table->as_table};
    int result = 0;
    for (unsigned i = 0; i < target->dir_count && result == 0; i++) {
        const struct target_dir *const dir = &target->dirs[i];
        if (dir->root >= 0) {
            result = preflight_reach(dir, table->as_keyspace, e) < 0
                         ? -1
                         : safe_path_scan(dir->root, table->as_keyspace, look_at, &lookup, e);
        }
    }
    if (result == 0) {
        result = judge_lookup(target, table, &lookup, e);
    }
    if (result == 0) {
        target->tables[index].folder = xasprintf("%s/%s", table->as_keyspace, lookup.found);
    }
    free(lookup.found);
    free(lookup.other);
    return result;
}

int adding_resolve(struct target *target, const struct plan *plan, struct err *e)
{
    ASSERT(target->tables != NULL && target->table_count == plan->table_count);
    for (uint32_t i = 0; i < plan->table_count; i++) {
        if (plan->tables[i].added && target->tables[i].folder == NULL &&
            resolve(target, plan, i, e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Numbers */

/* What a table's directory holds. */
struct taken {
    uint64_t *numbers; /* of its SSTables */
    size_t number_count, number_capacity;
    char (*ids)[UUID_SIZE]; /* of those that have no number */
    size_t id_count, id_capacity;
    uint64_t highest; /* number, also of the plan's own */
    bool indexed;     /* it has secondary indexes */
    bool unfinished;  /* a log of a flush or a compaction is there, "nb_txn_flush_ID.log" */
};

static bool number_of(const struct sstable_name *name, uint64_t *ret)
{
    return name->numbered &&
           parse_u64((const char *)name->generation.data, name->generation.size, ret);
}

/* An identifier that is a UUID names one SSTable in the world; "" when it is none. */
static void id_of(const struct sstable_name *name, char ret[UUID_SIZE])
{
    const size_t size = name->numbered ? 0 : name->generation.size;
    ASSERT(size < UUID_SIZE);
    memcpy(ret, name->generation.data, size);
    ret[size] = '\0';
}

static void take_number(struct taken *taken, uint64_t number)
{
    if (taken->number_count == taken->number_capacity) {
        taken->number_capacity = taken->number_capacity == 0 ? 64 : taken->number_capacity * 2;
        taken->numbers = xrealloc(taken->numbers, taken->number_capacity, sizeof *taken->numbers);
    }
    taken->numbers[taken->number_count++] = number;
    taken->highest = number > taken->highest ? number : taken->highest;
}

static void take_id(struct taken *taken, const struct sstable_name *name)
{
    if (taken->id_count == taken->id_capacity) {
        taken->id_capacity = taken->id_capacity == 0 ? 64 : taken->id_capacity * 2;
        taken->ids = xrealloc(taken->ids, taken->id_capacity, sizeof *taken->ids);
    }
    id_of(name, taken->ids[taken->id_count++]);
}

static int take_entry(void *ctx, const struct safe_entry *entry, struct err *e)
{
    (void)e;
    struct taken *const taken = ctx;
    struct sstable_name name;
    uint64_t number;
    if (S_ISDIR(entry->type)) {
        taken->indexed = taken->indexed || entry->name[0] == '.';
        return 1;
    }
    if (!sstable_name_parse(slice_of(entry->name, strlen(entry->name)), &name)) {
        taken->unfinished = taken->unfinished || strstr(entry->name, "_txn_") != NULL;
        return 0;
    }
    if (!name.numbered) {
        take_id(taken, &name);
    } else if (number_of(&name, &number)) { /* else too large for Cassandra as well */
        take_number(taken, number);
    }
    return 0;
}

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool number_is_taken(const struct taken *taken, uint64_t number)
{
    return taken->number_count > 0 && bsearch(&number, taken->numbers, taken->number_count,
                                              sizeof *taken->numbers, compare_numbers) != NULL;
}

static bool id_is_taken(const struct taken *taken, const char *id)
{
    return taken->id_count > 0 &&
           bsearch(id, taken->ids, taken->id_count, sizeof *taken->ids, compare_ids) != NULL;
}

/* The name of an SSTable of the plan; false: `file` is not its first. */
static bool first_name(const struct plan *plan, uint32_t file, struct sstable_name *ret)
{
    const struct plan_file *const planned = &plan->files[file];
    return planned->sstable != PLAN_NONE && plan->sstables[planned->sstable].first == file &&
           sstable_name_parse(slice_of(planned->target_name, strlen(planned->target_name)), ret);
}

static int refuse_twice(const struct target *target, const struct sstable_name *name,
                        const char *folder, struct err *e)
{
    (void)err_set(e, ERR_REFUSED, "target '%s': SSTable '%.*s' is in '%s' already",
                  target->dirs[0].path, (int)name->prefix.size, (const char *)name->prefix.data,
                  folder);
    return err_hint(e, "it is the same one: leave the table out, or choose another target");
}

static int refuse_full(const struct target *target, const char *folder, struct err *e)
{
    (void)err_set(e, ERR_REFUSED, "target '%s': '%s' has no free number for another SSTable",
                  target->dirs[0].path, folder);
    return err_hint(e, "use --layout loader, and load the table with sstableloader");
}

/* SSTables of the table: files[first .. end). */
static int give_numbers(struct target *target, const struct plan *plan, uint32_t index,
                        struct taken *taken, struct err *e)
{
    struct target_table *const table = &target->tables[index];
    uint32_t first, end;
    uint64_t number;
    struct sstable_name name;
    adding_files(plan, index, &first, &end);
    for (uint32_t i = first; i < end; i++) {
        if (first_name(plan, i, &name) && number_of(&name, &number) && number > taken->highest) {
            taken->highest = number;
        }
    }
    const bool far = target->running || taken->unfinished;
    uint64_t next = taken->highest + (far ? FAR : 0);
    table->renumbered = 0;
    for (uint32_t i = first; i < end; i++) {
        char id[UUID_SIZE];
        if (!first_name(plan, i, &name)) {
            continue;
        }
        struct target_sstable *const own = &target->sstables[plan->files[i].sstable];
        if (own->placed) {
            table->renumbered += own->number != 0 ? 1 : 0;
            continue;
        }
        id_of(&name, id);
        if (id_is_taken(taken, id)) {
            return refuse_twice(target, &name, table->folder, e);
        }
        const bool keeps = !number_of(&name, &number) || (!far && !number_is_taken(taken, number));
        if (!keeps && (next >= GENERATION_MAX)) {
            return refuse_full(target, table->folder, e);
        }
        next += keeps ? 0 : 1;
        own->number = keeps ? 0 : (uint32_t)next;
        table->renumbered += keeps ? 0 : 1;
    }
    return 0;
}

/* Looks at what is in a table's directory now; unless it is only to be looked at, settles on a
 * number for each SSTable. */
static int survey(struct target *target, const struct plan *plan, uint32_t index, bool choose,
                  struct err *e)
{
    struct target_table *const table = &target->tables[index];
    struct taken taken = {0};
    int result = 0;
    ASSERT(table->folder != NULL);
    for (unsigned i = 0; i < target->dir_count && result == 0; i++) {
        const int root = target->dirs[i].root;
        result = root < 0 ? 0 : safe_path_scan(root, table->folder, take_entry, &taken, e);
    }
    if (taken.number_count > 0) {
        qsort(taken.numbers, taken.number_count, sizeof *taken.numbers, compare_numbers);
    }
    if (taken.id_count > 0) {
        qsort(taken.ids, taken.id_count, sizeof *taken.ids, compare_ids);
    }
    if (result == 0 && choose) {
        result = give_numbers(target, plan, index, &taken, e);
    }
    table->indexed = taken.indexed;
    table->unfinished = taken.unfinished;
    free(taken.numbers);
    free(taken.ids);
    return result;
}

int adding_preview(struct target *target, const struct plan *plan, struct err *e)
{
    for (uint32_t i = 0; i < plan->table_count; i++) {
        if (plan->tables[i].added && survey(target, plan, i, !target->tables[i].sealed, e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Every SSTable has a line, so that one of a choice that a crash cut short cannot outlive it; the
 * line that makes the choice count comes last. */
static int journal_choice(struct target *target, const struct plan *plan, uint32_t index,
                          struct err *e)
{
    uint32_t first, end, lines = 0;
    autobuf struct buf path = BUF_INIT(TARGET_PATH_MAX);
    adding_files(plan, index, &first, &end);
    for (uint32_t i = first; i < end; i++) {
        const struct plan_file *const file = &plan->files[i];
        if (file->sstable == PLAN_NONE || plan->sstables[file->sstable].first != i) {
            continue;
        }
        char number[JOURNAL_NUMBER_SIZE];
        plan_file_target(file, &path);
        journal_add(
            target->journal, JOURNAL_NUMBER,
            (const char *[]){buf_str(&path),
                             journal_number(target->sstables[file->sstable].number, number)});
        if (++lines % FLUSH_LINES == 0 && journal_flush(target->journal, e) < 0) {
            return -1;
        }
    }
    journal_add(target->journal, JOURNAL_ADDING,
                (const char *[]){plan->tables[index].target_folder, target->tables[index].folder});
    return journal_flush(target->journal, e);
}

int adding_settle(struct target *target, const struct plan *plan, struct err *e)
{
    ASSERT(target->journal != NULL);
    for (uint32_t i = 0; i < plan->table_count; i++) {
        if (!plan->tables[i].added || adding_is_done(target, plan, i)) {
            continue;
        }
        if ((target->tables[i].sealed && adding_withdraw(target, plan, i, e) < 0) ||
            survey(target, plan, i, true, e) < 0 || journal_choice(target, plan, i, e) < 0) {
            return -1;
        }
        target->tables[i].sealed = true;
    }
    return 0;
}
