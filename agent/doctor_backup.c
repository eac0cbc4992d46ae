#include <inttypes.h>
#include <string.h>

#include "agent/archive.h"
#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/doctor.h"
#include "agent/plan_work.h"
#include "agent/source_watch.h"

enum {
    SAMPLE_MAX = 1000,    /* objects: one page of a listing */
    CLASSES_MAX = 8,      /* storage classes that are told apart; S3 has eleven */
    CLASS_SIZE = 32,      /* the longest has 19 characters */
    GET_SIZE = 64 * 1024, /* of the object that is fetched, at most */
};

static const char THAW_HINT[] = "give the restore --thaw DAYS, which brings it all back and waits";

/* Going by the listing, which does not tell of a copy that is there. */
static bool is_archived(enum archive archive)
{
    return archive != ARCHIVE_NONE && archive != ARCHIVE_UNTOLD;
}

static const char *skip_reason(const struct doctor *doctor)
{
    return doctor->cut_off != NULL   ? doctor->cut_off
           : doctor->catalog == NULL ? "there is no listing to go by"
                                     : NULL;
}

static void begin(const struct doctor *doctor)
{
    source_watch_begin(doctor->source, doctor_check_ms(doctor));
}

/* A check that was cut short for its time has no words of its own. */
static void fail(struct doctor *doctor, const char *name, struct err *e)
{
    if (source_watch_is_up(doctor->source)) {
        err_set(e, ERR_RETRY, "%s: no end of it in %" PRIu64 " s", name,
                doctor_check_ms(doctor) / 1000);
        err_hint(e, "check the way to the store, which is slow; --retry-for waits for longer");
        doctor->cut_off = "the store is too slow";
    }
    findings_fail(doctor->findings, name, e);
}

/* As the restore looks for nodes: a policy may allow these listings and no others. */
static void check_list(struct doctor *doctor)
{
    struct findings *const findings = doctor->findings;
    if (doctor->cut_off != NULL) {
        findings_skip(findings, "list", "%s", doctor->cut_off);
        return;
    }
    struct err *const e = &doctor->listing;
    begin(doctor);
    const uint64_t begin_ms = clock_mono_ms();
    const int found =
        catalog_find_nodes(&doctor->config.selection, doctor->source, &doctor->catalog, e);
    source_watch_end(doctor->source);
    const uint64_t entries = source_watch_entries(doctor->source);
    if (found == 0) {
        findings_ok(findings, "list", "%" PRIu64 " entries in %" PRIu64 " ms", entries,
                    clock_mono_ms() - begin_ms);
    } else if (e->kind == ERR_NO_BACKUP) {
        findings_warn(findings, "list", err_next_step(e), "allowed, but no backup is there");
    } else {
        fail(doctor, "list", e);
    }
}

static const char *region_origin(const struct doctor *doctor)
{
    static const char *const NAMES[] = {"AWS_REGION", "AWS_DEFAULT_REGION"};
    if (doctor->config.region != NULL) {
        return "--region";
    }
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
        const char *value = getenv(NAMES[i]);
        if (doctor->s3.creds != NULL && value != NULL && value[0] != '\0') {
            return NAMES[i];
        }
    }
    return doctor->s3.region_known ? "the profile or the instance" : NULL;
}

/* After the listing: by then a bucket elsewhere has said so. */
static void check_region(const struct doctor *doctor)
{
    struct findings *const findings = doctor->findings;
    const char *const origin = region_origin(doctor);
    const struct probe *const probe = &doctor->probe;
    char now[S3_REGION_MAX];
    s3_client_region(doctor->s3.client, now);
    const char *const told = probe->bucket_region[0] != '\0' ? probe->bucket_region : now;
    const bool confirmed = probe->bucket_region[0] != '\0' || doctor->catalog != NULL ||
                           doctor->listing.kind == ERR_NO_BACKUP;
    if (!confirmed) {
        findings_skip(findings, "region", "%s%s%s; the bucket has not said its own", now,
                      origin == NULL ? "" : ", from ", origin == NULL ? "" : origin);
    } else if (origin == NULL) {
        findings_ok(findings, "region", "%s, as the bucket says; nobody else named one", told);
    } else if (strcmp(probe->region, told) == 0) {
        findings_ok(findings, "region", "%s, from %s", told, origin);
    } else {
        autofree char *next = xasprintf("give --region %s, which saves the detour", told);
        findings_warn(findings, "region", next, "%s, from %s, but the bucket is in %s",
                      probe->region, origin, told);
    }
}

static void keep(struct doctor_object *object, const struct s3_entry *entry)
{
    doctor_object_done(object);
    *object = (struct doctor_object){
        .key = xstrdup(entry->key),
        .etag = xstrdup(entry->etag),
        .version_id = xstrdup(entry->version_id),
        .size = entry->size,
    };
}

/* Of several nodes one is enough to look at: the others differ in their time only. */
static void choose_token(struct doctor *doctor, const char **one)
{
    struct selection *const selection = &doctor->config.selection;
    if (selection->tokens.count == 0 && !selection->all_tokens) {
        *one = doctor->catalog->nodes[0].token;
        selection->tokens = (struct name_list){.names = one, .count = 1};
    }
}

static void tell_points(struct doctor *doctor, const struct plan_choice *choices, size_t count)
{
    const struct plan_choice *newest = &choices[0];
    for (size_t i = 1; i < count; i++) {
        const bool newer =
            choices[i].manifests.items[0].time_ms > newest->manifests.items[0].time_ms;
        newest = newer ? &choices[i] : newest;
    }
    const struct catalog_manifest *manifest = &newest->manifests.items[0];
    const size_t nodes = doctor->catalog->count;
    char time[TIME_TEXT_SIZE];
    autofree char *text =
        xasprintf("%s, %zu node%s, %s; newest snapshot of %s: %s", newest->node->cluster, nodes,
                  nodes == 1 ? "" : "s", newest->node->v2 ? "v2" : "v1", newest->node->token,
                  format_time(manifest->time_ms, time));
    if (is_archived(manifest->archive)) {
        findings_warn(doctor->findings, "backup", THAW_HINT, "%s; its manifest is archived", text);
        return;
    }
    keep(&doctor->manifest, &(struct s3_entry){.key = manifest->key,
                                               .etag = manifest->etag,
                                               .version_id = manifest->version_id,
                                               .size = manifest->size});
    findings_ok(doctor->findings, "backup", "%s", text);
}

static void check_backup(struct doctor *doctor)
{
    if (doctor->listing.kind == ERR_NO_BACKUP) {
        findings_fail(doctor->findings, "backup", &doctor->listing);
        return;
    }
    if (skip_reason(doctor) != NULL) {
        findings_skip(doctor->findings, "backup", "%s", skip_reason(doctor));
        return;
    }
    struct selection *const selection = &doctor->config.selection;
    const struct name_list given = selection->tokens;
    const char *one;
    struct plan_choice *choices = NULL;
    size_t count = 0;
    struct err e = ERR_INIT;
    choose_token(doctor, &one);
    begin(doctor);
    const int found =
        plan_select(&doctor->config, doctor->source, doctor->catalog, &choices, &count, &e);
    source_watch_end(doctor->source);
    selection->tokens = given;
    if (found == 0) {
        tell_points(doctor, choices, count);
        plan_choices_free(choices, count);
    } else if (e.kind == ERR_CONFIG && given.count == 0) {
        findings_warn_err(doctor->findings, "backup", &e); /* a choice that is left open */
    } else {
        fail(doctor, "backup", &e);
    }
}

struct sample {
    struct doctor *doctor;
    struct {
        char name[CLASS_SIZE];
        uint64_t count;
    } classes[CLASSES_MAX];
    unsigned class_count;
    uint64_t objects, archived;
};

static void count_class(struct sample *sample, const char *name)
{
    unsigned i = 0;
    while (i < sample->class_count && strcmp(sample->classes[i].name, name) != 0) {
        i++;
    }
    if (i == CLASSES_MAX || strlen(name) >= CLASS_SIZE) {
        return; /* the total tells that there are others */
    }
    if (i == sample->class_count) {
        memcpy(sample->classes[sample->class_count++].name, name, strlen(name) + 1);
    }
    sample->classes[i].count++;
}

static int on_object(void *ctx, const struct s3_entry *entry, struct err *e)
{
    struct sample *const sample = (struct sample *)ctx;
    struct doctor_object *const smallest = &sample->doctor->smallest;
    (void)e; /* nothing here fails */
    const enum archive archive =
        archive_of_listing(entry->storage_class, entry->size, entry->modified_ms, clock_wall_ms());
    const bool archived = is_archived(archive);
    sample->objects++;
    sample->archived += archived ? 1 : 0;
    if (sample->doctor->s3.client != NULL) {
        count_class(sample, entry->storage_class[0] == '\0' ? "STANDARD" : entry->storage_class);
    }
    if (!archived && entry->size > 0 && (smallest->key == NULL || entry->size < smallest->size)) {
        keep(smallest, entry);
    }
    return sample->objects < SAMPLE_MAX ? 0 : 1;
}

static void tell_classes(const struct doctor *doctor, const struct sample *sample)
{
    char text[256] = "";
    size_t used = 0;
    for (unsigned i = 0; i < sample->class_count && used < sizeof(text); i++) {
        const int size =
            snprintf(text + used, sizeof(text) - used, "%s%s %" PRIu64, i == 0 ? "" : ", ",
                     sample->classes[i].name, sample->classes[i].count);
        ASSERT(size > 0);
        used += (size_t)size; /* a long text is cut */
    }
    if (sample->archived > 0) {
        findings_warn(doctor->findings, "objects", THAW_HINT,
                      "%" PRIu64 " of %" PRIu64 " looked at are archived: %s", sample->archived,
                      sample->objects, text);
    } else {
        findings_ok(doctor->findings, "objects", "%" PRIu64 " looked at, none archived%s%s",
                    sample->objects, text[0] == '\0' ? "" : ": ", text);
    }
}

/* The oldest data files of a node: what was put into an archive first. */
static void check_objects(struct doctor *doctor)
{
    struct sample sample = {.doctor = doctor};
    if (skip_reason(doctor) != NULL) {
        findings_skip(doctor->findings, "objects", "%s", skip_reason(doctor));
        return;
    }
    const struct catalog_node *node = &doctor->catalog->nodes[0];
    autofree char *prefix = xasprintf("%s%s", node->prefix, node->v2 ? "SST_V2/" : "");
    const struct s3_list list = {.prefix = prefix};
    struct err e = ERR_INIT;
    begin(doctor);
    const int listed = source_list(doctor->source, &list, on_object, &sample, &e);
    source_watch_end(doctor->source);
    if (listed == 0) {
        tell_classes(doctor, &sample);
    } else {
        fail(doctor, "objects", &e);
    }
}

static int try_get(const struct doctor *doctor, const struct doctor_object *object,
                   struct s3_get *get, struct err *e)
{
    autofree uint8_t *into = (uint8_t *)xcalloc(1, GET_SIZE);
    get->key = object->key;
    get->etag = object->etag;
    get->version_id = object->version_id;
    get->object_size = object->size;
    get->size = object->size < GET_SIZE ? object->size : GET_SIZE;
    get->into = into;
    const int result = source_get_wait(doctor->source, get, e);
    get->into = NULL;
    return result;
}

/* A HEAD takes no key of KMS: so it tells whether it is the key that is missing. */
static enum s3_encryption ask_encryption(const struct doctor *doctor,
                                         const struct doctor_object *object)
{
    struct s3_get head = {
        .key = object->key, .etag = object->etag, .version_id = object->version_id, .head = true};
    struct err ignored = ERR_INIT; /* the GET has failed, and says it */
    return source_get_wait(doctor->source, &head, &ignored) == 0 ? head.encryption
                                                                 : S3_ENCRYPTION_UNTOLD;
}

static const char *encryption_name(enum s3_encryption encryption)
{
    switch (encryption) {
    case S3_ENCRYPTION_S3:
        return "SSE-S3: decrypted";
    case S3_ENCRYPTION_KMS:
        return "SSE-KMS: decrypted";
    case S3_ENCRYPTION_CUSTOMER:
        return "SSE-C: decrypted with your key";
    case S3_ENCRYPTION_UNTOLD:
        break;
    }
    return "the store tells of none";
}

static void skip_get(const struct doctor *doctor, const char *reason)
{
    findings_skip(doctor->findings, "get", "%s", reason);
    if (doctor->s3.client != NULL) {
        findings_skip(doctor->findings, "encryption", "%s", reason);
    }
}

static void tell_refusal(struct doctor *doctor, const struct doctor_object *object, struct err *e)
{
    const bool denied = e->kind == ERR_AUTH;
    fail(doctor, "get", e);
    if (doctor->s3.client == NULL) {
        return;
    }
    if (denied && ask_encryption(doctor, object) == S3_ENCRYPTION_KMS) {
        findings_fail(doctor->findings, "encryption", e);
    } else {
        findings_skip(doctor->findings, "encryption", "no object could be fetched");
    }
}

static void check_get(struct doctor *doctor)
{
    const bool manifest = doctor->manifest.key != NULL && doctor->manifest.size > 0;
    const struct doctor_object *const object = manifest ? &doctor->manifest : &doctor->smallest;
    const char *const reason = skip_reason(doctor);
    if (reason != NULL || object->key == NULL) {
        skip_get(doctor, reason != NULL ? reason : "no object was seen that is not archived");
        return;
    }
    struct s3_get get = {.key = object->key};
    struct err e = ERR_INIT;
    char size[BYTES_TEXT_SIZE];
    begin(doctor);
    const uint64_t begin_ms = clock_mono_ms();
    if (try_get(doctor, object, &get, &e) == 0) {
        findings_ok(doctor->findings, "get", "%s of %s in %" PRIu64 " ms",
                    format_bytes(get.size, size), object->key, clock_mono_ms() - begin_ms);
        if (doctor->s3.client != NULL) {
            findings_ok(doctor->findings, "encryption", "%s", encryption_name(get.encryption));
        }
    } else {
        tell_refusal(doctor, object, &e);
    }
    source_watch_end(doctor->source);
}

void doctor_backup(struct doctor *doctor)
{
    check_list(doctor);
    if (doctor->s3.client != NULL) {
        check_region(doctor);
    }
    check_backup(doctor);
    check_objects(doctor);
    check_get(doctor);
}
