#include "agent/sstable_name.h"

#include <inttypes.h>
#include <string.h>

#include "agent/base/err.h"

static bool all_of(struct slice text, const char *allowed)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\0' || strchr(allowed, text.data[i]) == NULL) {
            return false;
        }
    }
    return text.size > 0;
}

static const char DIGITS[] = "0123456789";
static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyz";
static const char BASE36[] = "0123456789abcdefghijklmnopqrstuvwxyz";

/* Cuts what follows the last '-' off *rest. False: there is no '-'. */
static bool take_last(struct slice *rest, struct slice *ret)
{
    const uint8_t *dash = rest->size == 0 ? NULL : memrchr(rest->data, '-', rest->size);
    if (dash == NULL) {
        return false;
    }
    const size_t before = (size_t)(dash - rest->data);
    *ret = slice_of(dash + 1, rest->size - before - 1);
    rest->size = before;
    return true;
}

/* A time UUID in base 36, cut 4_4_18: UUIDBasedSSTableId of Cassandra 4.1. */
static bool is_uuid_generation(struct slice text)
{
    return text.size == 28 && text.data[4] == '_' && text.data[9] == '_' &&
           all_of(slice_of(text.data, 4), BASE36) && all_of(slice_of(text.data + 5, 4), BASE36) &&
           all_of(slice_of(text.data + 10, 18), BASE36);
}

static enum component_kind component_kind(struct slice component)
{
    static const char DIGEST[] = "Digest.";
    if (slice_is(component, "Data.db")) {
        return COMPONENT_DATA;
    }
    if (slice_is(component, "TOC.txt")) {
        return COMPONENT_TOC;
    }
    if (component.size >= sizeof(DIGEST) &&
        memcmp(component.data, DIGEST, sizeof(DIGEST) - 1) == 0) {
        return COMPONENT_DIGEST;
    }
    return COMPONENT_OTHER;
}

/* VERSION-GENERATION-FORMAT, from Cassandra 2.2 on. */
static bool parse_new(struct slice rest, struct slice format, struct sstable_name *name)
{
    if (!take_last(&rest, &name->generation)) {
        return false;
    }
    name->version = rest;
    name->numbered = all_of(name->generation, DIGITS);
    return all_of(format, LETTERS) && rest.size == 2 && all_of(rest, LETTERS) &&
           (name->numbered || is_uuid_generation(name->generation));
}

/* [KS-]TABLE[.INDEX]-VERSION-GENERATION, up to Cassandra 2.1; versions were one letter up to 1.0.
 */
static bool parse_old(struct slice rest, struct slice generation, struct sstable_name *name)
{
    if (!take_last(&rest, &name->version)) {
        return false;
    }
    name->generation = generation;
    name->numbered = true;
    return name->version.size <= 2 && all_of(name->version, LETTERS) && rest.size > 0;
}

bool sstable_name_parse(struct slice file, struct sstable_name *ret)
{
    struct sstable_name name = {0};
    struct slice rest = file;
    if (!take_last(&rest, &name.component) || name.component.size == 0) {
        return false;
    }
    name.prefix = rest;
    name.kind = component_kind(name.component);
    struct slice last;
    if (!take_last(&rest, &last)) {
        return false;
    }
    if (!(all_of(last, DIGITS) ? parse_old(rest, last, &name) : parse_new(rest, last, &name))) {
        return false;
    }
    *ret = name;
    return true;
}

bool sstable_name_renumber(const struct sstable_name *name, uint64_t generation, char *ret,
                           size_t ret_size)
{
    ASSERT(name->numbered);
    const uint8_t *file = name->prefix.data;
    const uint8_t *tail = name->generation.data + name->generation.size;
    const uint8_t *end = name->component.data + name->component.size;
    ASSERT(file <= name->generation.data && tail < end);
    const size_t head_size = (size_t)(name->generation.data - file);
    const size_t tail_size = (size_t)(end - tail);
    char digits[24];
    const int digits_size = snprintf(digits, sizeof(digits), "%" PRIu64, generation);
    ASSERT(digits_size > 0);
    const size_t number_size = (size_t)digits_size;
    if (ret_size <= head_size || ret_size - head_size <= number_size + tail_size) {
        return false;
    }
    memcpy(ret, file, head_size);
    memcpy(ret + head_size, digits, number_size);
    memcpy(ret + head_size + number_size, tail, tail_size);
    ret[head_size + number_size + tail_size] = '\0';
    return true;
}

bool sstable_name_reown(const struct sstable_name *name, const char *keyspace, const char *table,
                        char *ret, size_t ret_size)
{
    const uint8_t *file = name->prefix.data;
    const uint8_t *end = name->component.data + name->component.size;
    ASSERT(file <= name->version.data && name->version.data < end);
    if (name->version.data == file) {
        return false;
    }
    const size_t owner_size = (size_t)(name->version.data - file) - 1;
    const bool has_keyspace = memchr(file, '-', owner_size) != NULL;
    const int size = snprintf(ret, ret_size, "%s%s%s-%.*s", has_keyspace ? keyspace : "",
                              has_keyspace ? "-" : "", table, (int)(end - name->version.data),
                              (const char *)name->version.data);
    return size > 0 && (size_t)size < ret_size;
}
