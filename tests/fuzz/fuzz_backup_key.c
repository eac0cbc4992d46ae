/* Any key, below any base: parsing ends, touches nothing outside the key, and what it accepts is
 * safe to become a path. */
#include "agent/backup_key.h"
#include "agent/base/err.h"
#include "agent/base/mem.h"
#include "agent/sstable_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(struct slice name, const char *key, bool may_be_empty)
{
    if (name.size == 0) {
        ASSERT(may_be_empty);
        return;
    }
    const uint8_t *start = (const uint8_t *)key;
    const char *why;
    ASSERT(name.data >= start && name.data + name.size <= start + strlen(key));
    ASSERT(backup_key_safe_component(name, &why));
}

static void check_key(const char *base, const char *key)
{
    struct backup_key parsed;
    const char *why = NULL;
    if (!backup_key_parse(base, key, &parsed, &why)) {
        ASSERT(why != NULL);
        return;
    }
    const bool data =
        parsed.kind != KEY_META && parsed.kind != KEY_META_V2 && parsed.kind != KEY_COMMITLOG;
    check_name(parsed.file, key, false);
    check_name(parsed.cluster, key, false);
    check_name(parsed.token, key, false);
    check_name(parsed.keyspace, key, !data);
    check_name(parsed.table_dir, key, !data);
    check_name(parsed.index_dir, key, parsed.kind != KEY_SECONDARY_INDEX_V2);
    ASSERT(parsed.time_ms >= 0);
    ASSERT(!data || (parsed.keyspace.data[0] != '.' && parsed.table_dir.data[0] != '.'));
}

static void check_file(struct slice file)
{
    struct sstable_name name;
    if (!sstable_name_parse(file, &name)) {
        return;
    }
    ASSERT(name.prefix.size + 1 + name.component.size == file.size);
    char renamed[512];
    if (name.numbered && sstable_name_renumber(&name, 12345, renamed, sizeof(renamed))) {
        struct sstable_name again;
        ASSERT(sstable_name_parse(slice_of(renamed, strlen(renamed)), &again));
        ASSERT(slice_is(again.generation, "12345"));
        ASSERT(again.kind == name.kind && again.component.size == name.component.size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 2048) {
        return 0;
    }
    autofree char *key = xcalloc(size + 1, 1);
    if (size > 0) {
        memcpy(key, data, size);
    }
    check_key("", key);
    check_key("backup/", key);
    check_file(slice_of(key, strlen(key)));
    (void)backup_key_cluster_hash(key, strlen(key)); /* it must only not crash */
    (void)backup_key_token_compare(key, "-170141183460469231731687303715884105728"); /* as above */
    return 0;
}
