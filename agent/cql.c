#include "agent/cql.h"

#include <string.h>

#include "agent/base/err.h"

enum token_kind { TOKEN_END, TOKEN_BROKEN, TOKEN_WORD, TOKEN_QUOTED, TOKEN_OTHER };

struct token {
    enum token_kind kind;
    struct slice text;
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_word(uint8_t c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_';
}

static void skip(struct slice *rest, size_t size)
{
    ASSERT(size <= rest->size);
    *rest = slice_of(rest->data + size, rest->size - size);
}

static bool starts(struct slice rest, const char *with)
{
    const size_t size = strlen(with);
    return rest.size >= size && memcmp(rest.data, with, size) == 0;
}

static void skip_blanks(struct slice *rest)
{
    while (rest->size > 0 && is_blank(rest->data[0])) {
        skip(rest, 1);
    }
}

/* Between statements. False: a comment that does not end. */
static bool skip_comments(struct slice *rest)
{
    for (;;) {
        skip_blanks(rest);
        if (starts(*rest, "--") || starts(*rest, "//")) {
            const uint8_t *end = (const uint8_t *)memchr(rest->data, '\n', rest->size);
            skip(rest, end == NULL ? rest->size : (size_t)(end - rest->data));
        } else if (starts(*rest, "/*")) {
            const uint8_t *end =
                (const uint8_t *)memmem(rest->data + 2, rest->size - 2, "*/", strlen("*/"));
            if (end == NULL) {
                return false;
            }
            skip(rest, (size_t)(end - rest->data) + 2);
        } else {
            return true;
        }
    }
}

/* Bytes of 'text' or "name", in which the quote stands for itself when doubled; 0: no end, or
 * control characters that would drive a terminal. */
static size_t quoted_size(struct slice rest)
{
    const uint8_t quote = rest.data[0];
    for (size_t i = 1; i < rest.size; i++) {
        if ((rest.data[i] < ' ' && !is_blank(rest.data[i])) || rest.data[i] == 0x7f) {
            return 0;
        }
        if (rest.data[i] != quote) {
            continue;
        }
        if (i + 1 == rest.size || rest.data[i + 1] != quote) {
            return i + 1;
        }
        i++;
    }
    return 0;
}

static struct token take(struct slice *rest, enum token_kind kind, size_t size)
{
    const struct token token = {.kind = kind, .text = slice_of(rest->data, size)};
    skip(rest, size);
    return token;
}

/*
 * Strict about what Cassandra never writes into a statement, comments and $$ for two: cqlsh could
 * take such a text apart in another way, and find statements in it that were not seen here.
 */
static struct token next_token(struct slice *rest)
{
    static const char PUNCTUATION[] = "(),.;=<>{}[]:+-*";
    skip_blanks(rest);
    if (rest->size == 0) {
        return (struct token){.kind = TOKEN_END};
    }
    const uint8_t first = rest->data[0];
    if (first == '\'' || first == '"') {
        const size_t size = quoted_size(*rest);
        return size == 0 ? (struct token){.kind = TOKEN_BROKEN}
                         : take(rest, first == '"' ? TOKEN_QUOTED : TOKEN_OTHER, size);
    }
    if (!is_word(first)) {
        const bool known = first != '\0' && strchr(PUNCTUATION, first) != NULL;
        return known && !starts(*rest, "--") ? take(rest, TOKEN_OTHER, 1)
                                             : (struct token){.kind = TOKEN_BROKEN};
    }
    size_t size = 1;
    while (size < rest->size && is_word(rest->data[size])) {
        size++;
    }
    return take(rest, TOKEN_WORD, size);
}

static bool is_keyword(const struct token *token, const char *word)
{
    return token->kind == TOKEN_WORD && token->text.size == strlen(word) &&
           strncasecmp((const char *)token->text.data, word, token->text.size) == 0;
}

/* Passes over the word if it is the next one. */
static bool accept(struct slice *rest, const char *word)
{
    struct slice after = *rest;
    const struct token token = next_token(&after);
    if (!is_keyword(&token, word)) {
        return false;
    }
    *rest = after;
    return true;
}

/* "name" or "keyspace.name". */
static bool accept_name(struct slice *rest, struct cql_name *ret)
{
    const struct token first = next_token(rest);
    if (first.kind != TOKEN_WORD && first.kind != TOKEN_QUOTED) {
        return false;
    }
    *ret = (struct cql_name){.name = first.text};
    struct slice after = *rest;
    const struct token dot = next_token(&after);
    if (dot.kind != TOKEN_OTHER || !slice_is(dot.text, ".")) {
        return true;
    }
    const struct token second = next_token(&after);
    if (second.kind != TOKEN_WORD && second.kind != TOKEN_QUOTED) {
        return false;
    }
    *ret = (struct cql_name){.keyspace = first.text, .name = second.text};
    *rest = after;
    return true;
}

/* Passes over everything up to and with the word. */
static bool find_word(struct slice *rest, const char *word)
{
    for (;;) {
        const struct token token = next_token(rest);
        if (token.kind == TOKEN_END || token.kind == TOKEN_BROKEN) {
            return false;
        }
        if (is_keyword(&token, word)) {
            return true;
        }
    }
}

static bool accept_if_not_exists(struct slice *rest)
{
    return !accept(rest, "IF") || (accept(rest, "NOT") && accept(rest, "EXISTS"));
}

/* What follows CREATE. */
static enum cql_kind parse_create(struct slice rest, struct cql_statement *statement)
{
    enum cql_kind kind = CQL_OTHER;
    if (accept(&rest, "TYPE")) {
        kind = CQL_TYPE;
    } else if (accept(&rest, "TABLE")) {
        kind = CQL_TABLE;
    } else if (accept(&rest, "MATERIALIZED") && accept(&rest, "VIEW")) {
        kind = CQL_VIEW;
    } else if ((accept(&rest, "CUSTOM"), accept(&rest, "INDEX"))) {
        kind = CQL_INDEX;
    }
    struct cql_name index;
    const bool named = kind != CQL_OTHER && accept_if_not_exists(&rest) &&
                       (kind != CQL_INDEX || (accept_name(&rest, &index) && accept(&rest, "ON"))) &&
                       accept_name(&rest, &statement->target);
    if (!named || (kind == CQL_VIEW &&
                   (!find_word(&rest, "FROM") || !accept_name(&rest, &statement->base)))) {
        return CQL_OTHER;
    }
    return kind;
}

static enum cql_kind parse(struct slice rest, struct cql_statement *statement)
{
    if (accept(&rest, "CREATE")) {
        return parse_create(rest, statement);
    }
    if (accept(&rest, "ALTER") && accept(&rest, "TABLE") &&
        accept_name(&rest, &statement->target)) {
        return CQL_ALTER_TABLE;
    }
    return CQL_OTHER;
}

int cql_next(struct slice *rest, struct cql_statement *ret)
{
    if (!skip_comments(rest)) {
        return -1;
    }
    if (rest->size == 0) {
        return 0;
    }
    const uint8_t *first = rest->data;
    struct token token;
    do {
        token = next_token(rest);
        if (token.kind == TOKEN_END || token.kind == TOKEN_BROKEN) {
            return -1;
        }
    } while (token.kind != TOKEN_OTHER || !slice_is(token.text, ";"));
    struct cql_statement statement = {.text = slice_of(first, (size_t)(rest->data - first))};
    statement.kind = parse(statement.text, &statement);
    *ret = statement;
    return 1;
}

static bool is_quoted(struct slice written)
{
    return written.size >= 2 && written.data[0] == '"';
}

bool cql_names(struct slice written, const char *name)
{
    if (!is_quoted(written)) {
        for (const char *c = name; *c != '\0'; c++) {
            if (*c >= 'A' && *c <= 'Z') {
                return false; /* unquoted names are lower case */
            }
        }
        return written.size == strlen(name) &&
               strncasecmp((const char *)written.data, name, written.size) == 0;
    }
    size_t at = 1;
    for (; *name != '\0' && at + 1 < written.size; name++) {
        if (written.data[at] != (uint8_t)*name) {
            return false;
        }
        at += *name == '"' ? 2 : 1;
    }
    return *name == '\0' && at + 1 == written.size;
}

/* Words that CQL keeps to itself (ReservedKeywords of Cassandra 3.11 and 4.1). */
static bool is_reserved(struct slice name)
{
    static const char *const WORDS[] = {
        "add",    "allow",       "alter",  "and",          "apply",    "asc",      "authorize",
        "batch",  "begin",       "by",     "columnfamily", "create",   "default",  "delete",
        "desc",   "describe",    "drop",   "entries",      "execute",  "from",     "full",
        "grant",  "if",          "in",     "index",        "infinity", "insert",   "into",
        "is",     "keyspace",    "limit",  "materialized", "mbean",    "mbeans",   "modify",
        "nan",    "norecursive", "not",    "null",         "of",       "on",       "or",
        "order",  "primary",     "rename", "replace",      "revoke",   "schema",   "select",
        "set",    "table",       "to",     "token",        "truncate", "unlogged", "unset",
        "update", "use",         "using",  "view",         "where",    "with",
    };
    for (size_t i = 0; i < ARRAY_SIZE(WORDS); i++) {
        if (slice_is(name, WORDS[i])) {
            return true;
        }
    }
    return false;
}

bool cql_needs_quotes(struct slice name)
{
    for (size_t i = 0; i < name.size; i++) {
        const uint8_t c = name.data[i];
        if (!is_word(c) || (c >= 'A' && c <= 'Z')) {
            return true;
        }
    }
    return name.size == 0 || !is_letter(name.data[0]) || is_reserved(name);
}

bool cql_put_name(struct buf *out, struct slice name)
{
    if (!cql_needs_quotes(name)) {
        return buf_append(out, name.data, name.size);
    }
    bool fits = buf_append_char(out, '"');
    for (size_t i = 0; i < name.size && fits; i++) {
        fits = (name.data[i] != '"' || buf_append_char(out, '"')) &&
               buf_append_char(out, (char)name.data[i]);
    }
    return fits && buf_append_char(out, '"');
}
