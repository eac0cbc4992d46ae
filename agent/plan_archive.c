/* plan_archive: which objects of the plan S3 cannot give at once. What the listing only hints at is
 * asked for, a HEAD each. */
#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/plan_work.h"
#include "agent/thaw.h"

struct archived *plan_archived(const struct plan *plan, const uint8_t *take, size_t *ret_count)
{
    size_t count = 0;
    for (uint32_t i = 0; i < plan->file_count; i++) {
        count += plan->files[i].archive != ARCHIVE_NONE && (take == NULL || take[i] != 0);
    }
    struct archived *objects = (struct archived *)xcalloc(count, sizeof(*objects));
    size_t at = 0;
    for (uint32_t i = 0; i < plan->file_count; i++) {
        const struct plan_file *file = &plan->files[i];
        if (file->archive != ARCHIVE_NONE && (take == NULL || take[i] != 0)) {
            objects[at++] = (struct archived){.key_folder = file->key_folder,
                                              .key_name = file->key_name,
                                              .etag = file->etag,
                                              .version_id = file->version_id,
                                              .size = file->size,
                                              .archive = (enum archive)file->archive,
                                              .thawing = file->thawing};
        }
    }
    ASSERT(at == count);
    *ret_count = count;
    return objects;
}

bool plan_has_archived(const struct plan *plan)
{
    uint64_t files = 0;
    for (unsigned i = 0; i < ARCHIVE_COUNT; i++) {
        files += plan->archives[i].files;
    }
    return files > 0;
}

/* In the order that plan_archived made. */
static void take_back(struct plan *plan, const struct archived *objects, size_t count)
{
    size_t at = 0;
    for (uint32_t i = 0; i < plan->file_count; i++) {
        struct plan_file *file = &plan->files[i];
        if (file->archive == ARCHIVE_NONE) {
            continue;
        }
        const struct archived *object = &objects[at++];
        ASSERT(object->archive < ARCHIVE_COUNT);
        file->archive = (uint8_t)object->archive;
        file->thawing = object->thawing;
        if (object->archive != ARCHIVE_NONE) {
            struct plan_archive *sum = &plan->archives[object->archive];
            sum->first = sum->files == 0 ? file : sum->first;
            sum->files++;
            sum->bytes += file->size;
            sum->thawing += file->thawing;
        }
    }
    ASSERT(at == count);
}

int plan_archive(struct plan_work *work, struct err *e)
{
    size_t count;
    autofree struct archived *objects = plan_archived(work->plan, NULL, &count);
    if (count == 0) {
        return 0;
    }
    if (thaw_look(work->config, work->source, objects, count, e) != 0) {
        return -1;
    }
    take_back(work->plan, objects, count);
    return 0;
}

int plan_archive_manifests(struct plan_work *work, const struct plan_choice *choices, size_t count,
                           struct err *e)
{
    autofree struct archived *objects = (struct archived *)xcalloc(count, sizeof(*objects));
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        const struct catalog_manifest *manifest = &choices[i].manifests.items[0];
        if (manifest->archive != ARCHIVE_NONE) {
            objects[used++] = (struct archived){.key_folder = "",
                                                .key_name = manifest->key,
                                                .etag = manifest->etag,
                                                .version_id = manifest->version_id,
                                                .size = manifest->size,
                                                .archive = manifest->archive};
        }
    }
    if (used == 0) {
        return 0;
    }
    if (thaw_look(work->config, work->source, objects, used, e) != 0 ||
        thaw_or_refuse(work->config, work->source, objects, used, &work->plan->thawed, e) != 0) {
        return err_wrap(e, "a plan needs the manifest");
    }
    return 0;
}
