/* What the statements of a schema.cql are, and which texts are no such file. */
#include "tests/unit/unit.h"

#include "agent/cql.h"

static const char *const KINDS[] = {
    [CQL_TYPE] = "type",   [CQL_TABLE] = "table", [CQL_ALTER_TABLE] = "alter",
    [CQL_INDEX] = "index", [CQL_VIEW] = "view",   [CQL_OTHER] = "other"};

static struct slice text_of(const char *text)
{
    return slice_of(text, strlen(text));
}

static void put(struct buf *out, const struct cql_name *name)
{
    assert_true(buf_appendf(out, "%.*s.%.*s", (int)name->keyspace.size,
                            name->keyspace.size == 0 ? "" : (const char *)name->keyspace.data,
                            (int)name->name.size,
                            name->name.size == 0 ? "" : (const char *)name->name.data));
}

/* "kind target[ base];" of each statement, and how it ends. */
static void describe(const char *text, struct buf *out)
{
    struct slice rest = text_of(text);
    struct cql_statement statement;
    int more;
    while ((more = cql_next(&rest, &statement)) == 1) {
        assert_true(statement.text.data[statement.text.size - 1] == ';');
        assert_true(buf_appendf(out, "%s ", KINDS[statement.kind]));
        if (statement.kind != CQL_OTHER) {
            put(out, &statement.target);
        }
        if (statement.kind == CQL_VIEW) {
            assert_true(buf_append_char(out, ' '));
            put(out, &statement.base);
        }
        assert_true(buf_append_char(out, ';'));
    }
    assert_true(buf_append_str(out, more == 0 ? "" : "broken"));
}

static void test_statements(void **state)
{
    (void)state;
    static const struct {
        const char *text, *found;
    } CASES[] = {
        {"", ""},
        {" \n-- nothing\n/* at all; */ // here", ""},
        {"CREATE TABLE ks.t (a int PRIMARY KEY);", "table ks.t;"},
        {"create table if not exists ks.t (a int);", "table ks.t;"},
        {"CREATE TABLE t (a int);", "table .t;"},
        {"CREATE TABLE ks.\"T;\"\"x\" (a int);", "table ks.\"T;\"\"x\";"},
        {"CREATE TABLE ks.t (a int) WITH comment = 'it''s; -- so';", "table ks.t;"},
        {"CREATE TYPE ks.a(b int);CREATE TABLE ks.t (a frozen<a>);", "type ks.a;table ks.t;"},
        {"ALTER TABLE ks.t DROP c USING TIMESTAMP 7;", "alter ks.t;"},
        {"CREATE INDEX i ON ks.t (values(a));", "index ks.t;"},
        {"CREATE CUSTOM INDEX IF NOT EXISTS i ON ks.t (a) USING 'x';", "index ks.t;"},
        {"CREATE MATERIALIZED VIEW ks.v AS SELECT * FROM ks.Users WHERE a IS NOT NULL;",
         "view ks.v ks.Users;"},
        {"CREATE MATERIALIZED VIEW ks.v AS SELECT \"from\" FROM \"Ks\".\"T\";",
         "view ks.v \"Ks\".\"T\";"},
        {"CREATE MATERIALIZED VIEW ks.v AS SELECT a;", "other ;"},
        {"/* CREATE TABLE ks.x (a int); */ CREATE INDEX i ON ks.t (a);", "index ks.t;"},
        {"DROP KEYSPACE ks;", "other ;"},
        {"CREATE KEYSPACE ks WITH x = 1;", "other ;"},
        {"CREATE INDEX i;", "other ;"},
        {"CREATE TABLE IF ks.t (a int);", "other ;"},
        {";", "other ;"},
        /* Cut short. */
        {"CREATE TABLE ks.t (a int)", "broken"},
        {"CREATE TABLE ks.t (a int) WITH comment = 'x;", "broken"},
        {"CREATE TABLE \"ks.t (a int);", "broken"},
        {"/* CREATE", "broken"},
        /* What cqlsh could read as another text. */
        {"CREATE TABLE ks.t (a int) WITH comment = $$ ' $$; DROP KEYSPACE ks; --';", "broken"},
        {"CREATE TABLE ks.t (a int) -- ;\n;", "broken"},
        {"CREATE TABLE ks.t (a int) /* ; */;", "broken"},
        {"CREATE TABLE ks.t (a int) // ;\n;", "broken"},
        {"CREATE TABLE ks.t (a int) WITH comment = '\x1b[2J';", "broken"},
        {"CREATE TABLE ks.t (a int)\\;", "broken"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        autobuf struct buf found = BUF_INIT(4096);
        describe(CASES[i].text, &found);
        if (strcmp(buf_str(&found), CASES[i].found) != 0) {
            fail_msg("%s: '%s', not '%s'", CASES[i].text, buf_str(&found), CASES[i].found);
        }
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_true(cql_names(text_of("users"), "users"));
    assert_true(cql_names(text_of("USERS"), "users"));
    assert_true(cql_names(text_of("\"users\""), "users"));
    assert_true(cql_names(text_of("\"Users\""), "Users"));
    assert_true(cql_names(text_of("\"a\"\"b\""), "a\"b"));
    assert_false(cql_names(text_of("Users"), "Users"));
    assert_false(cql_names(text_of("\"Users\""), "users"));
    assert_false(cql_names(text_of("\"users2\""), "users"));
    assert_false(cql_names(text_of("\"user\""), "users"));
    assert_false(cql_names(text_of("users2"), "users"));
    assert_false(cql_names(text_of(""), "users"));
    assert_false(cql_names(text_of("\"a\""), "a\"b"));
}

static void test_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *name, *spelt;
    } CASES[] = {
        {"users", "users"},     {"u_2", "u_2"},
        {"Users", "\"Users\""}, {"2u", "\"2u\""},
        {"order", "\"order\""}, {"a\"b", "\"a\"\"b\""},
        {"_u", "\"_u\""},       {"h\xc3\xa9", "\"h\xc3\xa9\""},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        autobuf struct buf out = BUF_INIT(64);
        assert_true(cql_put_name(&out, text_of(CASES[i].name)));
        assert_string_equal(buf_str(&out), CASES[i].spelt);
        assert_int_equal(cql_needs_quotes(text_of(CASES[i].name)), CASES[i].spelt[0] == '"');
    }
    autobuf struct buf small = BUF_INIT(4);
    assert_false(cql_put_name(&small, text_of("Users")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_spelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
