/*
 * schema_print: a schema as CQL that cqlsh can run from top to bottom; see schema.h. What cannot be
 * printed as it was found is told twice: as a comment where it is missed, and to the log.
 */
#include <stdarg.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/cql.h"
#include "agent/schema.h"

struct schema_line {
    const struct schema_table *table;
    struct cql_statement statement;
};

/* One keyspace under way. */
struct schema_page {
    FILE *file;
    struct schema_line *lines;
    size_t count, capacity;
};

static void PRINTF_LIKE(2, 3) warn(FILE *file, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args); /* a cut warning is still one */
    va_end(args);
    err_clean_line(text);
    (void)fprintf(file, "-- warning: %s\n", text); /* the flush tells, here and below */
    log_warn("%s", text);
}

static void add(struct schema_page *page, const struct schema_table *table,
                const struct cql_statement *statement)
{
    if (page->count == page->capacity) {
        page->capacity = page->capacity == 0 ? 64 : page->capacity * 2;
        page->lines =
            (struct schema_line *)xrealloc(page->lines, page->capacity, sizeof(*page->lines));
    }
    page->lines[page->count++] = (struct schema_line){.table = table, .statement = *statement};
}

static bool same_text(struct slice a, struct slice b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

/* Each table's file repeats the types that it needs. Those of one name are one; of two that differ
 * the one of the newest snapshot counts. */
static void add_type(struct schema_page *page, const struct schema_table *table,
                     const struct cql_statement *statement)
{
    for (size_t i = 0; i < page->count; i++) {
        struct schema_line *line = &page->lines[i];
        if (line->statement.kind != CQL_TYPE ||
            !same_text(line->statement.target.name, statement->target.name)) {
            continue;
        }
        if (!same_text(line->statement.text, statement->text)) {
            const bool newer = table->snapshot_ms > line->table->snapshot_ms;
            const struct schema_table *taken = newer ? table : line->table;
            const struct schema_table *left = newer ? line->table : table;
            warn(page->file, "type %s.%.*s: %s and %s define it differently: that of %s is taken",
                 table->keyspace, (int)statement->target.name.size,
                 (const char *)statement->target.name.data, taken->table_dir, left->table_dir,
                 taken->table_dir);
            *line = newer ? (struct schema_line){.table = table, .statement = *statement} : *line;
        }
        return;
    }
    add(page, table, statement);
}

/* A file may define its own table, and types of its keyspace, and nothing else. */
static bool belongs(const struct schema_table *table, const struct cql_statement *statement)
{
    return statement->kind != CQL_OTHER && cql_names(statement->target.keyspace, table->keyspace) &&
           (statement->kind == CQL_TYPE || cql_names(statement->target.name, table->table));
}

/* The text as comments. */
static void print_as_comment(FILE *file, const char *text)
{
    for (const char *line = text; *line != '\0';) {
        const size_t size = strcspn(line, "\n");
        autofree char *clean = xstrndup(line, size);
        err_clean_line(clean);
        (void)fprintf(file, "--   %s\n", clean);
        line += size + (line[size] == '\n');
    }
}

static void collect(struct schema_page *page, const struct schema_table *table)
{
    struct slice rest = slice_of(table->text, strlen(table->text));
    const size_t before = page->count;
    bool defined = false;
    struct cql_statement statement;
    int more = cql_next(&rest, &statement);
    for (; more == 1; more = cql_next(&rest, &statement)) {
        if (!belongs(table, &statement)) {
            more = -1; /* in a pipe to cqlsh it could do anything */
            break;
        }
        defined |= statement.kind == CQL_TABLE || statement.kind == CQL_VIEW;
        if (statement.kind == CQL_TYPE) {
            add_type(page, table, &statement);
        } else {
            add(page, table, &statement);
        }
    }
    if (more == 0 && defined) {
        return;
    }
    page->count = before;
    warn(page->file,
         more == 0 ? "%s.%s: its schema.cql does not define it: it was made through the old "
                     "(Thrift) interface; what the file says:"
                   : "%s.%s: its schema.cql is cut short, or holds more than this "
                     "table's definition; left out; what the file says:",
         table->keyspace, table->table);
    print_as_comment(page->file, table->text);
}

/* Tables of one name are schema->tables[first, end): the ones that were dropped come last. */
static void take_name(struct schema_page *page, const struct schema *schema, uint32_t first,
                      uint32_t end)
{
    const struct schema_table *taken = NULL;
    for (uint32_t i = first; i < end; i++) {
        const struct schema_table *table = &schema->tables[i];
        char created[TIME_TEXT_SIZE];
        if (table->text == NULL) {
            warn(page->file,
                 "%s.%s (%s): no schema.cql in the backup, as of a Cassandra before 3.11",
                 table->keyspace, table->table, table->table_dir);
        } else if (taken == NULL) {
            taken = table;
        } else {
            warn(page->file,
                 "%s.%s was created more than once: %s is the last one; left out: %s%s%s",
                 table->keyspace, table->table, taken->table_dir, table->table_dir,
                 table->created_ms == 0 ? "" : " of ",
                 table->created_ms == 0 ? "" : format_time(table->created_ms, created));
        }
    }
    if (taken == NULL) {
        return;
    }
    if (taken->other != NULL) {
        warn(page->file,
             "%s.%s: nodes %s and %s define it differently: that of %s, the newest, is taken",
             taken->keyspace, taken->table, taken->token, taken->other, taken->token);
    }
    collect(page, taken);
}

/* As CQL writes it. */
static char *spell(const char *name)
{
    autobuf struct buf text = BUF_INIT(1024);
    const bool fits = cql_put_name(&text, slice_of(name, strlen(name)));
    ASSERT(fits); /* names are at most 255 bytes */
    return xstrdup(buf_str(&text));
}

static void print_slice(FILE *file, struct slice text)
{
    (void)fwrite(text.data, 1, text.size, file);
}

/* Cassandra 3.11 writes the base table of a view as it is called, but without the quotes that a
 * name such as Users needs; read back, it would mean users. */
static bool lacks_quotes(struct slice written)
{
    return written.size > 0 && written.data[0] != '"' && cql_needs_quotes(written);
}

static struct slice between(const uint8_t *from, const uint8_t *to)
{
    ASSERT(from <= to);
    return slice_of(from, (size_t)(to - from));
}

static void print_name(FILE *file, struct slice written)
{
    autobuf struct buf name = BUF_INIT(4 * SCHEMA_FILE_MAX);
    const bool fits = lacks_quotes(written) ? cql_put_name(&name, written)
                                            : buf_append(&name, written.data, written.size);
    ASSERT(fits); /* at most each byte twice */
    (void)fputs(buf_str(&name), file);
}

static bool is_base(const struct schema_line *line, struct slice base)
{
    return line->statement.kind == CQL_TABLE &&
           (slice_is(base, line->table->table) || cql_names(base, line->table->table));
}

static void print_view(const struct schema_page *page, const struct schema_line *line)
{
    const struct cql_statement *view = &line->statement;
    const struct cql_name base = view->base;
    size_t i = 0;
    while (i < page->count && !is_base(&page->lines[i], base.name)) {
        i++;
    }
    if (i == page->count) {
        warn(page->file, "view %s.%s: its table %.*s is not among these: it has to be there",
             line->table->keyspace, line->table->table, (int)base.name.size,
             (const char *)base.name.data);
    }
    if (!lacks_quotes(base.name) && !lacks_quotes(base.keyspace)) {
        print_slice(page->file, view->text);
        return;
    }
    (void)fputs("-- Cassandra 3.11 left out the quotes of the table after FROM.\n", page->file);
    const struct slice first = base.keyspace.size > 0 ? base.keyspace : base.name;
    print_slice(page->file, between(view->text.data, first.data));
    if (base.keyspace.size > 0) {
        print_name(page->file, base.keyspace);
        (void)fputc('.', page->file);
    }
    print_name(page->file, base.name);
    print_slice(page->file,
                between(base.name.data + base.name.size, view->text.data + view->text.size));
}

/* Types before tables, these before indexes and views: each needs what is before it. */
static void print_kinds(const struct schema_page *page, unsigned kinds)
{
    for (size_t i = 0; i < page->count; i++) {
        const struct schema_line *line = &page->lines[i];
        if ((kinds & 1u << line->statement.kind) == 0) {
            continue;
        }
        if (line->statement.kind == CQL_VIEW) {
            print_view(page, line);
        } else {
            print_slice(page->file, line->statement.text);
        }
        (void)fputs("\n\n", page->file);
    }
}

/* Cassandra 4.0 took two options away, and refuses a table that has them. */
static bool has_old_options(const struct schema_page *page)
{
    static const char OPTION[] = "dclocal_read_repair_chance";
    for (size_t i = 0; i < page->count; i++) {
        const struct slice text = page->lines[i].statement.text;
        if (memmem(text.data, text.size, OPTION, strlen(OPTION)) != NULL) {
            return true;
        }
    }
    return false;
}

static void print_keyspace(const struct schema *schema, uint32_t first, uint32_t end, FILE *file)
{
    struct schema_page page = {.file = file};
    autofree char *keyspace = spell(schema->tables[first].keyspace);
    (void)fprintf(file,
                  "\n-- Keyspace %s. Its replication is not in the schema files of a backup: "
                  "create it first, as\n"
                  "-- CREATE KEYSPACE %s WITH replication = "
                  "{'class': 'NetworkTopologyStrategy', 'DATACENTER': 3};\n",
                  keyspace, keyspace);
    for (uint32_t i = first, next; i < end; i = next) {
        next = i + 1;
        while (next < end && strcmp(schema->tables[next].table, schema->tables[i].table) == 0) {
            next++;
        }
        take_name(&page, schema, i, next);
    }
    if (has_old_options(&page)) {
        (void)fputs("-- Written before Cassandra 4.0; for later ones pass it through "
                    "sed '/read_repair_chance/d'.\n",
                    file);
    }
    (void)fputc('\n', file);
    print_kinds(&page, 1u << CQL_TYPE);
    print_kinds(&page, 1u << CQL_TABLE | 1u << CQL_ALTER_TABLE);
    print_kinds(&page, 1u << CQL_INDEX);
    print_kinds(&page, 1u << CQL_VIEW);
    free(page.lines);
}

void schema_print(const struct schema *schema, const char *source_name, FILE *file)
{
    autofree char *name = xstrdup(source_name);
    err_clean_line(name);
    (void)fprintf(file,
                  "-- Tables of the backup in %s.\n"
                  "-- WITH ID keeps the ids of the tables, which are in the names of their "
                  "directories.\n",
                  name);
    for (uint32_t first = 0, end; first < schema->table_count; first = end) {
        end = first + 1;
        while (end < schema->table_count &&
               strcmp(schema->tables[end].keyspace, schema->tables[first].keyspace) == 0) {
            end++;
        }
        print_keyspace(schema, first, end, file);
    }
}
