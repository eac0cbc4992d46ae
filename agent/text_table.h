/*
 * text_table: rows of words in columns as wide as their widest word. Kept in memory until printed,
 * for only the last row can say how wide a column is. One thread.
 */
#ifndef PENATES_TEXT_TABLE_H
#define PENATES_TEXT_TABLE_H

#include "agent/base/buf.h"

enum { TEXT_TABLE_COLUMNS_MAX = 9 };

struct text_column {
    const char *title;
    bool right; /* numbers: flush right */
};

struct text_table;

/* `columns` is borrowed. */
struct text_table *text_table_new(const struct text_column *columns, unsigned count);
void text_table_free(struct text_table *table); /* NULL is fine */

/* The next cell, row by row. Control characters become '?'. */
void text_table_add(struct text_table *table, const char *text);
void text_table_add_u64(struct text_table *table, uint64_t number);
void text_table_add_bytes(struct text_table *table, uint64_t bytes);

/* Titles and rows, each line after `indent`; the last column is not padded. Rows must be whole. */
void text_table_print(const struct text_table *table, const char *indent, FILE *file);

#endif
