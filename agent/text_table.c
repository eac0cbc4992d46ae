#include "agent/text_table.h"

#include <inttypes.h>
#include <string.h>

#include "agent/base/err.h"
#include "agent/base/mem.h"
#include "agent/base/parse.h"

struct text_table {
    const struct text_column *columns;
    unsigned column_count;
    size_t widths[TEXT_TABLE_COLUMNS_MAX];
    const char **cells;
    size_t cell_count, cell_capacity;
    struct arena *strings;
};

/* Characters, not bytes: UTF-8 continuation bytes take no room on a terminal. */
static size_t width(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++) {
        count += ((uint8_t)*text & 0xc0) != 0x80 ? 1 : 0;
    }
    return count;
}

struct text_table *text_table_new(const struct text_column *columns, unsigned count)
{
    ASSERT(count > 0 && count <= TEXT_TABLE_COLUMNS_MAX);
    struct text_table *table = (struct text_table *)xcalloc(1, sizeof(*table));
    table->columns = columns;
    table->column_count = count;
    table->strings = arena_new();
    for (unsigned i = 0; i < count; i++) {
        table->widths[i] = width(columns[i].title);
    }
    return table;
}

void text_table_free(struct text_table *table)
{
    if (table == NULL) {
        return;
    }
    arena_free(table->strings);
    free((void *)table->cells);
    free(table);
}

void text_table_add(struct text_table *table, const char *text)
{
    if (table->cell_count == table->cell_capacity) {
        table->cell_capacity = table->cell_capacity == 0 ? 64 : table->cell_capacity * 2;
        table->cells =
            (const char **)xrealloc((void *)table->cells, table->cell_capacity, sizeof(char *));
    }
    autofree char *clean = xstrdup(text);
    for (char *c = clean; *c != '\0'; c++) {
        if ((uint8_t)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
    const size_t column = table->cell_count % table->column_count;
    const size_t size = width(clean);
    if (size > table->widths[column]) {
        table->widths[column] = size;
    }
    table->cells[table->cell_count] = arena_intern(table->strings, clean, strlen(clean));
    table->cell_count++;
}

void text_table_add_u64(struct text_table *table, uint64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRIu64, number); /* 20 digits fit */
    text_table_add(table, text);
}

void text_table_add_bytes(struct text_table *table, uint64_t bytes)
{
    char text[BYTES_TEXT_SIZE];
    text_table_add(table, format_bytes(bytes, text));
}

static void print_cell(const struct text_table *table, unsigned column, const char *text,
                       FILE *file)
{
    const size_t pad = table->widths[column] - width(text);
    const bool last = column + 1 == table->column_count;
    if (last && text[0] == '\0') {
        return; /* no blanks at the end of a line */
    }
    if (column > 0) {
        (void)fputs("  ", file);
    }
    if (table->columns[column].right) {
        (void)fprintf(file, "%*s%s", (int)pad, "", text);
    } else {
        (void)fprintf(file, "%s%*s", text, last ? 0 : (int)pad, "");
    }
}

void text_table_print(const struct text_table *table, const char *indent, FILE *file)
{
    ASSERT(table->cell_count % table->column_count == 0);
    (void)fputs(indent, file); /* the FILE remembers a failure, here and below */
    for (unsigned i = 0; i < table->column_count; i++) {
        print_cell(table, i, table->columns[i].title, file);
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        const unsigned column = (unsigned)(i % table->column_count);
        if (column == 0) {
            (void)fprintf(file, "\n%s", indent);
        }
        print_cell(table, column, table->cells[i], file);
    }
    (void)fputc('\n', file);
}
