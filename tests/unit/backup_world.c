#include "tests/unit/backup_world.h"

#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/parse.h"

enum { TEXT_SIZE_MAX = 64 * 1024 * 1024 };

static const char *const COMPONENTS[] = {"CompressionInfo.db", "Data.db",       "Digest.crc32",
                                         "Index.db",           "Statistics.db", "TOC.txt"};

struct world *world_new(void)
{
    struct world *world = (struct world *)xcalloc(1, sizeof(*world));
    world->source = memory_source_new("b/");
    world->config = (struct config){.command = COMMAND_RESTORE,
                                    .memory = UINT64_C(64) << 20,
                                    .connections = 4,
                                    .part_size = 1000,
                                    .selection = {.at_latest = true}};
    world->token = "1";
    world->named = BUF_INIT(TEXT_SIZE_MAX);
    return world;
}

void world_free(struct world *world)
{
    plan_free(world->plan);
    source_free(world->source);
    buf_done(&world->named);
    free(world);
}

/* Several keys are in use at once, for a moment. */
static char *next_text(void)
{
    static char texts[4][2048];
    static unsigned next;
    return texts[next++ % 4];
}

static bool is_index(const char *path)
{
    return strstr(path, "/.") != NULL;
}

const char *world_key_v2(const struct world *world, int64_t ms, const char *path, const char *comp)
{
    char *key = next_text();
    const char *file = strrchr(path, '/') + 1;
    (void)snprintf(key, 2048, "b/%d_c/%s/%s/%lld/%.*s%s/PLAINTEXT/%s",
                   backup_key_cluster_hash("c", 1), world->token,
                   is_index(path) ? "SECONDARY_INDEX_V2" : "SST_V2", (long long)ms,
                   (int)(file - path), path, comp, file);
    return key;
}

const char *world_key_v1(const struct world *world, int64_t ms, const char *folder,
                         const char *path)
{
    char minute[TIME_TEXT_SIZE];
    char *key = next_text();
    (void)snprintf(key, 2048, "b/r/c/%s/%s/%s/%s", world->token, format_minute(ms, minute), folder,
                   path);
    return key;
}

static bool is_in(const char *words, const char *word)
{
    return strstr(words, word) != NULL;
}

static void component_path(char path[512], const char *sstable, const char *component)
{
    (void)snprintf(path, 512, "%s-%s", sstable, component);
}

void world_put_v2(struct world *world, int64_t ms, const char *sstable, const char *tag,
                  const char *without)
{
    for (size_t i = 0; i < ARRAY_SIZE(COMPONENTS); i++) {
        char path[512];
        component_path(path, sstable, COMPONENTS[i]);
        if (!is_in(without, COMPONENTS[i])) {
            memory_source_put(world->source, world_key_v2(world, ms, path, "NONE"), tag);
        }
    }
}

void world_put_v1(struct world *world, int64_t ms, const char *folder, const char *sstable,
                  const char *tag, const char *without)
{
    for (size_t i = 0; i < ARRAY_SIZE(COMPONENTS); i++) {
        char path[512];
        component_path(path, sstable, COMPONENTS[i]);
        if (!is_in(without, COMPONENTS[i])) {
            memory_source_put(world->source, world_key_v1(world, ms, folder, path), tag);
        }
    }
}

void world_put_file_v2(struct world *world, int64_t ms, const char *path, const char *content)
{
    memory_source_put(world->source, world_key_v2(world, ms, path, "NONE"), content);
}

/* v1 keys have no size; both forms are made, each manifest takes its own. */
void world_name(struct world *world, const char *key)
{
    (void)buf_appendf(&world->named, "%s%s", world->named_count++ == 0 ? "" : "\n", key);
}

void world_name_v2(struct world *world, int64_t ms, const char *sstable)
{
    for (size_t i = 0; i < ARRAY_SIZE(COMPONENTS); i++) {
        char path[512];
        component_path(path, sstable, COMPONENTS[i]);
        world_name(world, world_key_v2(world, ms, path, "NONE"));
    }
}

void world_name_v1(struct world *world, int64_t ms, const char *sstable)
{
    for (size_t i = 0; i < ARRAY_SIZE(COMPONENTS); i++) {
        char path[512];
        component_path(path, sstable, COMPONENTS[i]);
        world_name(world, world_key_v1(world, ms, "SNAP", path));
    }
}

/* Calls for each name; each wrapped as the dialect does. */
static void put_manifest(struct world *world, const char *key, const char *head, const char *before,
                         const char *after, const char *tail)
{
    struct buf text = BUF_INIT(TEXT_SIZE_MAX);
    (void)buf_append_str(&text, head);
    const char *name = buf_str(&world->named);
    for (unsigned i = 0; i < world->named_count; i++) {
        const size_t size = strcspn(name, "\n");
        (void)buf_appendf(&text, "%s%s%.*s%s", i == 0 ? "" : ",", before, (int)size, name, after);
        name += size + 1;
    }
    (void)buf_append_str(&text, tail);
    memory_source_put(world->source, key, buf_str(&text));
    buf_done(&text);
    buf_clear(&world->named);
    world->named_count = 0;
}

const char *world_snapshot_v2(struct world *world, int64_t ms)
{
    char minute[TIME_TEXT_SIZE];
    char *key = next_text();
    (void)snprintf(key, 2048, "b/%d_c/%s/META_V2/%lld/NONE/PLAINTEXT/meta_v2_%s.json",
                   backup_key_cluster_hash("c", 1), world->token, (long long)ms,
                   format_minute(ms, minute));
    put_manifest(world, key,
                 "{\"info\":{\"version\":1},\"data\":[{\"keyspaceName\":\"ks\",\"sstables\":"
                 "[{\"prefix\":\"p\",\"sstableComponents\":[",
                 "{\"fileSizeOnDisk\":7,\"backupPath\":\"", "\"}", "]}]}]}");
    return key;
}

const char *world_snapshot_v1(struct world *world, int64_t ms)
{
    const char *key = world_key_v1(world, ms, "META", "meta.json");
    put_manifest(world, key, "[", "\"", "\"", "]");
    return key;
}

void world_both_v2(struct world *world, int64_t ms, const char *sstable, const char *tag)
{
    world_put_v2(world, ms, sstable, tag, "");
    world_name_v2(world, ms, sstable);
}

void world_both_v1(struct world *world, int64_t ms, const char *sstable, const char *tag)
{
    world_put_v1(world, ms, "SNAP", sstable, tag, "");
    world_name_v1(world, ms, sstable);
}

int world_plan(struct world *world)
{
    plan_free(world->plan);
    world->plan = NULL;
    world->e = ERR_INIT;
    return plan_build(&world->config, world->source, &world->plan, &world->e);
}

const char *world_targets(const struct world *world)
{
    static char text[8192];
    const struct plan *plan = world->plan;
    text[0] = '\0';
    for (uint32_t i = 0; i < plan->file_count; i++) {
        const struct plan_file *file = &plan->files[i];
        const size_t used = strlen(text);
        if (file->sstable == PLAN_NONE) {
            (void)snprintf(text + used, sizeof(text) - used, "%s/%s\n", file->target_folder,
                           file->target_name);
        } else if (i == plan->sstables[file->sstable].data) {
            const char *dash = strrchr(file->target_name, '-');
            (void)snprintf(text + used, sizeof(text) - used, "%s/%.*s\n", file->target_folder,
                           (int)(dash - file->target_name), file->target_name);
        }
    }
    return text;
}

bool world_has_note(const struct plan_note *notes, uint32_t count, const char *subject,
                    const char *why)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strstr(notes[i].subject, subject) != NULL && strstr(notes[i].why, why) != NULL) {
            return true;
        }
    }
    return false;
}
