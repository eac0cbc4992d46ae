#include "agent/schema.h"

#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/base/thread.h"
#include "agent/fan_out.h"
#include "agent/plan_print.h"
#include "agent/stored_read.h"

struct schema_reading {
    /* set once */
    const struct config *config;
    struct source *source;
    struct schema *schema; /* of its tables, each is one thread's */

    /* under lock */
    pthread_mutex_t lock;
    uint64_t kept; /* bytes of texts */
};

int64_t schema_created_ms(const char *table_dir)
{
    enum { ID_SIZE = 32 };
    /* Between the UUID's epoch, 1582-10-15, and 1970, in 100 ns (RFC 4122, 4.1.4). */
    const uint64_t epoch = UINT64_C(0x01b21dd213814000);
    const char *dash = strrchr(table_dir, '-');
    uint8_t id[ID_SIZE / 2];
    if (dash == NULL || strlen(dash + 1) != ID_SIZE ||
        !parse_hex(dash + 1, ID_SIZE, id, sizeof(id)) || id[6] >> 4 != 1) {
        return 0;
    }
    /* time_hi, time_mid, time_low. */
    static const unsigned ORDER[] = {6, 7, 4, 5, 0, 1, 2, 3};
    uint64_t ticks = 0;
    for (size_t i = 0; i < ARRAY_SIZE(ORDER); i++) {
        ticks = ticks << 8 | (i == 0 ? id[6] & 0x0fu : id[ORDER[i]]);
    }
    return ticks < epoch ? 0 : (int64_t)((ticks - epoch) / 10000);
}

static const struct plan_table *table_of(const struct schema *schema, const struct schema_entry *x)
{
    return &schema->plan->tables[x->table];
}

static int64_t snapshot_of(const struct schema *schema, const struct schema_entry *x)
{
    return schema->plan->nodes[table_of(schema, x)->node].snapshot_ms;
}

static int order_times(int64_t a, int64_t b)
{
    return (a < b) - (a > b); /* the later first */
}

/* By keyspace, table, id (the one created last first), then the node with the newest snapshot. */
static int compare_entries(const void *a, const void *b, void *ctx)
{
    const struct schema *schema = (const struct schema *)ctx;
    const struct schema_entry *x = (const struct schema_entry *)a;
    const struct schema_entry *y = (const struct schema_entry *)b;
    const struct plan_table *t = table_of(schema, x);
    const struct plan_table *u = table_of(schema, y);
    int order = strcmp(t->keyspace, u->keyspace);
    order = order != 0 ? order : strcmp(t->table, u->table);
    order = order != 0
                ? order
                : order_times(schema_created_ms(t->table_dir), schema_created_ms(u->table_dir));
    order = order != 0 ? order : strcmp(t->table_dir, u->table_dir);
    order = order != 0 ? order : order_times(snapshot_of(schema, x), snapshot_of(schema, y));
    return order != 0 ? order : (x->table > y->table) - (x->table < y->table);
}

static void find_entries(struct schema *schema)
{
    const struct plan *plan = schema->plan;
    autofree uint32_t *entry_of = (uint32_t *)xcalloc(plan->table_count + 1, sizeof(uint32_t));
    schema->entries =
        (struct schema_entry *)xcalloc(plan->table_count + 1, sizeof(*schema->entries));
    for (uint32_t i = 0; i < plan->table_count; i++) {
        entry_of[i] = PLAN_NONE;
        if (!selection_is_system(plan->tables[i].keyspace)) {
            entry_of[i] = schema->entry_count;
            schema->entries[schema->entry_count++] =
                (struct schema_entry){.table = i, .file = PLAN_NONE};
        }
    }
    for (uint32_t i = 0; i < plan->file_count; i++) {
        const struct plan_file *file = &plan->files[i];
        if (entry_of[file->table] != PLAN_NONE && strcmp(file->target_name, "schema.cql") == 0 &&
            strcmp(file->target_folder, plan->tables[file->table].target_folder) == 0) {
            schema->entries[entry_of[file->table]].file = i;
        }
    }
    qsort_r(schema->entries, schema->entry_count, sizeof(*schema->entries), compare_entries,
            schema);
}

static void find_tables(struct schema *schema)
{
    struct schema_table *tables =
        (struct schema_table *)xcalloc(schema->entry_count + 1, sizeof(*tables));
    for (uint32_t i = 0; i < schema->entry_count; i++) {
        const struct plan_table *table = table_of(schema, &schema->entries[i]);
        const uint32_t count = schema->table_count;
        if (count > 0 && strcmp(tables[count - 1].keyspace, table->keyspace) == 0 &&
            strcmp(tables[count - 1].table_dir, table->table_dir) == 0) {
            tables[count - 1].last = i;
            continue;
        }
        tables[schema->table_count++] = (struct schema_table){
            .keyspace = table->keyspace,
            .table = table->table,
            .table_dir = table->table_dir,
            .created_ms = schema_created_ms(table->table_dir),
            .first = i,
            .last = i,
        };
    }
    schema->tables = tables;
}

static int on_plain(void *ctx, struct slice plain, struct err *e)
{
    struct buf *text = (struct buf *)ctx;
    if (!buf_append(text, plain.data, plain.size)) {
        return err_set(e, ERR_LIMIT, "holds more than %d bytes", SCHEMA_FILE_MAX);
    }
    return 0;
}

static int read_file(const struct schema_reading *reading, const struct plan_file *file,
                     struct buf *ret, struct err *e)
{
    autobuf struct buf key = BUF_INIT(PLAN_PATH_SIZE_MAX);
    plan_file_key(file, &key);
    buf_clear(ret);
    const struct stored_object object = {.key = buf_str(&key),
                                         .etag = file->etag,
                                         .version_id = file->version_id,
                                         .size = file->size,
                                         .claim = (enum codec_claim)file->claim,
                                         .block_size_max = SCHEMA_FILE_MAX};
    if (file->size > SCHEMA_FILE_MAX) {
        return err_set(e, ERR_LIMIT, "'%s': holds more than %d bytes", object.key, SCHEMA_FILE_MAX);
    }
    if (stored_read(reading->config, reading->source, &object, on_plain, ret, e) != 0) {
        return err_wrap(e, "'%s'", object.key);
    }
    if (strlen(buf_str(ret)) != ret->size) {
        return err_set(e, ERR_CORRUPT, "'%s': has a NUL in it", object.key);
    }
    return 0;
}

/* A file of the same size and ETag was read already: no need to ask for it. */
static bool is_known(const struct plan_file *read, const struct plan_file *file)
{
    return read->size == file->size && read->etag[0] != '\0' && strcmp(read->etag, file->etag) == 0;
}

/* A table's text stays until all of them are printed. */
static int keep(struct schema_reading *reading, struct schema_table *table, const struct buf *text,
                struct err *e)
{
    mutex_lock(&reading->lock);
    reading->kept += text->size;
    const bool fits = reading->kept <= reading->config->memory / SCHEMA_MEMORY_SHARE;
    mutex_unlock(&reading->lock);
    if (!fits) {
        (void)err_set(e, ERR_LIMIT, "the tables' definitions take more than 1/%d of --memory",
                      SCHEMA_MEMORY_SHARE);
        return err_hint(e, "give it more --memory, or --include fewer tables at a time");
    }
    table->text = xstrdup(buf_str(text));
    return 0;
}

/* A fan_out_fn: one table of all nodes. */
static int read_table(void *ctx, size_t index, struct err *e)
{
    struct schema_reading *reading = (struct schema_reading *)ctx;
    struct schema *schema = reading->schema;
    struct schema_table *table = &schema->tables[index];
    const struct plan_file *newest = NULL;
    autobuf struct buf text = BUF_INIT(SCHEMA_FILE_MAX);
    for (uint32_t i = table->first; i <= table->last && table->other == NULL; i++) {
        const struct schema_entry *entry = &schema->entries[i];
        const struct plan_file *file =
            entry->file == PLAN_NONE ? NULL : &schema->plan->files[entry->file];
        if (file == NULL || (newest != NULL && is_known(newest, file))) {
            continue;
        }
        if (read_file(reading, file, &text, e) != 0) {
            return -1;
        }
        const char *token = schema->plan->nodes[table_of(schema, entry)->node].token;
        if (newest == NULL) {
            if (keep(reading, table, &text, e) != 0) {
                return -1;
            }
            newest = file;
            table->token = token;
            table->snapshot_ms = snapshot_of(schema, entry);
        } else if (strcmp(table->text, buf_str(&text)) != 0) {
            table->other = token;
        }
    }
    return 0;
}

int schema_read(const struct config *config, struct source *source, const struct plan *plan,
                struct schema *ret, struct err *e)
{
    ASSERT(plan != NULL && source != NULL);
    struct schema schema = {.plan = plan};
    find_entries(&schema);
    find_tables(&schema);
    struct schema_reading reading = {.config = config, .source = source, .schema = &schema};
    mutex_init(&reading.lock);
    const int result = fan_out(schema.table_count, read_table, &reading, e);
    mutex_done(&reading.lock);
    if (result != 0) {
        schema_done(&schema);
        return -1;
    }
    *ret = schema;
    return 0;
}

void schema_done(struct schema *schema)
{
    for (uint32_t i = 0; i < schema->table_count; i++) {
        free(schema->tables[i].text);
    }
    free(schema->tables);
    free(schema->entries);
}
