#include "agent/digest.h"

#include <string.h>

#include "agent/base/err.h"
#include "agent/base/parse.h"
#include "agent/sstable_name.h"

static bool slice_begins(struct slice slice, const char *text)
{
    return slice.size >= strlen(text) && memcmp(slice.data, text, strlen(text)) == 0;
}

static bool name_of(const struct plan_file *file, struct sstable_name *ret)
{
    return sstable_name_parse(slice_of(file->target_name, strlen(file->target_name)), ret);
}

static bool has_component(const struct plan *plan, const struct plan_sstable *sstable,
                          struct slice component)
{
    for (uint32_t i = 0; i < sstable->count; i++) {
        struct sstable_name name;
        if (name_of(&plan->files[sstable->first + i], &name) &&
            name.component.size == component.size &&
            memcmp(name.component.data, component.data, component.size) == 0) {
            return true;
        }
    }
    return false;
}

enum hash_kind digest_kind(const struct plan *plan, const struct plan_sstable *sstable)
{
    if (sstable->digest == PLAN_NONE || sstable->data == PLAN_NONE ||
        plan->files[sstable->data].size == 0) {
        return HASH_NONE;
    }
    ASSERT(sstable->digest < plan->file_count);
    struct sstable_name name;
    if (plan->files[sstable->digest].size > DIGEST_TEXT_MAX ||
        !name_of(&plan->files[sstable->digest], &name)) {
        return HASH_NONE;
    }
    if (slice_is(name.component, "Digest.crc32")) {
        return HASH_CRC32;
    }
    if (slice_is(name.component, "Digest.adler32")) {
        return HASH_ADLER32;
    }
    const char *compression = "CompressionInfo.db";
    if (!slice_is(name.component, "Digest.sha1") ||
        has_component(plan, sstable, slice_of(compression, strlen(compression)))) {
        return HASH_NONE;
    }
    return slice_is(name.version, "ka") ? HASH_ADLER32 : HASH_SHA1;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool digest_parse(enum hash_kind kind, struct slice text, struct hash_value *ret)
{
    ASSERT(kind == HASH_CRC32 || kind == HASH_ADLER32 || kind == HASH_SHA1);
    size_t size = 0;
    while (size < text.size && !is_space(text.data[size])) {
        size++;
    }
    if (kind == HASH_SHA1) {
        struct hash_value value = {.size = 20};
        if (!parse_hex((const char *)text.data, size, value.bytes, value.size)) {
            return false;
        }
        *ret = value;
        return true;
    }
    for (size_t i = size; i < text.size; i++) {
        if (!is_space(text.data[i])) {
            return false;
        }
    }
    uint64_t sum = 0;
    if (!parse_u64((const char *)text.data, size, &sum) || sum > UINT32_MAX) {
        return false;
    }
    *ret = hash_sum_value(kind, sum);
    return true;
}

/*
 * Cassandra writes Summary.db and Filter.db anew when they are gone, reads Digest.* and CRC.db only
 * to verify, and may have dropped a secondary index (SI_*, SAI+*) since TOC.txt was written; a
 * snapshot links what exists.
 */
static bool is_optional(struct slice component)
{
    return slice_is(component, "Summary.db") || slice_is(component, "Filter.db") ||
           slice_is(component, "CRC.db") || slice_begins(component, "Digest.") ||
           slice_begins(component, "SI_") || slice_begins(component, "SAI");
}

struct toc_missing toc_compare(const struct plan *plan, const struct plan_sstable *sstable,
                               struct slice text)
{
    struct toc_missing missing = {.needed = slice_of("", 0), .optional = slice_of("", 0)};
    size_t at = 0;
    while (at < text.size) {
        const uint8_t *line = text.data + at;
        const uint8_t *newline = memchr(line, '\n', text.size - at);
        size_t size = newline == NULL ? text.size - at : (size_t)(newline - line);
        at += size + 1;
        while (size > 0 && is_space(line[size - 1])) {
            size--;
        }
        const struct slice component = slice_of(line, size);
        if (size == 0 || has_component(plan, sstable, component)) {
            continue;
        }
        struct slice *first = is_optional(component) ? &missing.optional : &missing.needed;
        if (first->size == 0) {
            *first = component;
        }
    }
    return missing;
}
