/* Any bytes as a schema.cql: cutting ends, statements lie in the text one after the other, and none
 * holds what cqlsh could take for the end of another. */
#include "agent/base/err.h"
#include "agent/cql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lies_in(struct slice part, struct slice whole)
{
    return part.size == 0 ||
           (part.data >= whole.data && part.data + part.size <= whole.data + whole.size);
}

static void check_name(const struct cql_name *name, struct slice text)
{
    ASSERT(lies_in(name->keyspace, text) && lies_in(name->name, text));
    struct buf spelt = BUF_INIT(2 * name->name.size + 2);
    ASSERT(cql_put_name(&spelt, name->name));
    buf_done(&spelt);
    (void)cql_names(name->name, "name"); /* reads no further than it may */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    const uint8_t *end = data;
    struct cql_statement statement;
    while (cql_next(&rest, &statement) == 1) {
        ASSERT(statement.text.size > 0 && statement.text.data >= end);
        end = statement.text.data + statement.text.size;
        ASSERT(end == rest.data && end <= data + size && end[-1] == ';');
        ASSERT(memchr(statement.text.data, '\0', statement.text.size) == NULL);
        if (statement.kind != CQL_OTHER) {
            check_name(&statement.target, statement.text);
            ASSERT(statement.target.name.size > 0);
        }
        if (statement.kind == CQL_VIEW) {
            check_name(&statement.base, statement.text);
        }
    }
    return 0;
}
