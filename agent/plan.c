#include "agent/plan.h"

#include <inttypes.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/base/thread.h"
#include "agent/plan_work.h"

/* What --memory must leave for the data itself: two parts of the default size in flight. */
enum { MEMORY_FLOOR = 16 * 1024 * 1024 };

struct plan_instants plan_instants(const struct plan *plan)
{
    ASSERT(plan->node_count > 0);
    struct plan_instants instants = {plan->nodes[0].newest_ms, plan->nodes[0].newest_ms};
    for (uint32_t i = 1; i < plan->node_count; i++) {
        const int64_t ms = plan->nodes[i].newest_ms;
        instants.oldest_ms = ms < instants.oldest_ms ? ms : instants.oldest_ms;
        instants.newest_ms = ms > instants.newest_ms ? ms : instants.newest_ms;
    }
    ASSERT(instants.oldest_ms <= instants.newest_ms);
    return instants;
}

const char *plan_indexes_name(enum plan_indexes indexes)
{
    static const char *const NAMES[] = {[INDEXES_COMPLETE] = "complete",
                                        [INDEXES_REBUILT] = "rebuilt",
                                        [INDEXES_REBUILD] = "rebuild"};
    ASSERT((unsigned)indexes < ARRAY_SIZE(NAMES));
    return NAMES[indexes];
}

const struct plan_node *plan_worst_indexes(const struct plan *plan)
{
    ASSERT(plan->node_count > 0);
    const struct plan_node *worst = &plan->nodes[0];
    for (uint32_t i = 1; i < plan->node_count; i++) {
        worst = plan->nodes[i].indexes > worst->indexes ? &plan->nodes[i] : worst;
    }
    return worst;
}

uint64_t plan_bytes(const struct plan *plan)
{
    return sizeof(*plan) + arena_bytes(plan->strings) +
           plan->file_count * (uint64_t)sizeof(*plan->files) +
           plan->sstable_count * (uint64_t)sizeof(*plan->sstables) +
           plan->table_count * (uint64_t)sizeof(*plan->tables) +
           plan->node_count * (uint64_t)sizeof(*plan->nodes) +
           ((uint64_t)plan->skipped_count + plan->missing_count + plan->warning_count) *
               sizeof(struct plan_note);
}

int plan_check_memory(const struct plan_work *work, struct err *e)
{
    /* What the candidates will take once they are files. */
    const uint64_t bytes =
        plan_bytes(work->plan) + work->candidates.count * (uint64_t)sizeof(struct plan_file);
    if (bytes + MEMORY_FLOOR <= work->config->memory) {
        return 0;
    }
    char has[BYTES_TEXT_SIZE], allowed[BYTES_TEXT_SIZE];
    (void)err_set(
        e, ERR_LIMIT, "the plan takes %s for its first %" PRIu64 " files, --memory %s leaves less",
        format_bytes(bytes, has), (uint64_t)work->plan->file_count + work->candidates.count,
        format_bytes(work->config->memory, allowed));
    const uint64_t mebibytes = (2 * bytes + MEMORY_FLOOR) / (1024 * 1024);
    return err_hint(e, "give it --memory %" PRIu64 "M, or take fewer tables or nodes at a time",
                    mebibytes);
}

static const char *keep(struct plan *plan, const char *text)
{
    return arena_intern(plan->strings, text, strlen(text));
}

/* From here on times are those of keys; the node's are UTC. */
static int open_node(struct plan_work *work, const struct plan_choice *choice, struct err *e)
{
    const struct catalog_node *node = choice->node;
    const struct catalog_manifest *manifest = &choice->manifests.items[0];
    struct plan *plan = work->plan;
    plan->nodes =
        (struct plan_node *)xrealloc(plan->nodes, plan->node_count + 1, sizeof(*plan->nodes));
    work->node = &plan->nodes[plan->node_count++];
    *work->node = (struct plan_node){.cluster = keep(plan, node->cluster),
                                     .region = keep(plan, node->region),
                                     .token = keep(plan, node->token),
                                     .v2 = node->v2,
                                     .manifest_key = keep(plan, manifest->key),
                                     .manifest_etag = keep(plan, manifest->etag),
                                     .manifest_version_id = keep(plan, manifest->version_id),
                                     .snapshot_ms = manifest->time_ms,
                                     .newest_ms = manifest->time_ms};
    struct backup_key key;
    const char *why;
    if (!backup_key_parse(work->source->base, manifest->key, &key, &why)) {
        return err_set(e, ERR_REFUSED, "manifest '%s': %s", manifest->key, why);
    }
    const struct selection *selection = &work->config->selection;
    work->choice = choice;
    work->v1_offset_ms = node->v2 ? 0 : selection->v1_offset_ms;
    work->snapshot_ms = key.time_ms;
    work->incrementals = !selection->snapshot_only;
    work->index_filtered = false;
    work->index_incomplete = false;
    int64_t from_ms, to_ms;
    plan_select_bounds(selection, node, &from_ms, &to_ms);
    /* Keys have whole seconds, also of what was flushed for the snapshot, so its second counts. */
    work->from_ms = key.time_ms - key.time_ms % 1000;
    work->to_ms = work->incrementals ? to_ms - work->v1_offset_ms : work->snapshot_ms;
    work->node->until_ms = to_ms;
    return 0;
}

/* What is worth knowing of a node once its files are in the plan. */
static void close_node(struct plan_work *work)
{
    struct plan_node *node = work->node;
    const struct selection *selection = &work->config->selection;
    if (node->until_ms == PLAN_LAST_MS) {
        node->until_ms = node->newest_ms; /* what comes later is not for a rerun */
    }
    if (work->choice->both_dialects) {
        plan_notes_warn(work->plan, node->token, 0, 0,
                        "has backups of both kinds; the newest restore point is %s",
                        node->v2 ? "v2 (--format v1 takes the other)"
                                 : "v1 (--format v2 takes the other)");
    }
    if (!node->v2 && !selection->at_latest && !selection->has_range &&
        selection->at_ms - node->newest_ms < PLAN_MINUTE_MS - 1) {
        char text[TIME_TEXT_SIZE];
        plan_notes_warn(work->plan, node->token, 0, 0,
                        "v1 keys know minutes only: files of the whole minute of %s are taken",
                        format_time(node->newest_ms, text));
    }
}

static int plan_node(struct plan_work *work, const struct plan_choice *choice, struct err *e)
{
    candidates_init(&work->candidates, work->plan->strings);
    int result = open_node(work, choice, e);
    if (result == 0) {
        result = plan_collect(work, e);
    }
    if (result == 0) {
        result = plan_group(work, e);
    }
    if (result == 0) {
        result = plan_incarnation(work, e);
    }
    if (result == 0) {
        result = plan_collide_renumber(work, e);
    }
    if (result == 0) {
        plan_index(work);
        result = plan_place(work, e);
    }
    if (result == 0) {
        close_node(work);
    }
    candidates_done(&work->candidates);
    free(work->sets);
    work->sets = NULL;
    work->set_count = work->set_capacity = 0;
    return result;
}

/* For the hint only, so it is not looked for before it is needed: in v1 that takes a listing for
 * every minute between the two. */
static int find_previous(struct plan_work *work, const struct plan_choice *choice, struct err *e)
{
    const struct selection *selection = &work->config->selection;
    struct catalog_manifests before = {0};
    int64_t from_ms, to_ms;
    plan_select_bounds(selection, choice->node, &from_ms, &to_ms);
    if (catalog_find_manifests(choice->node, work->source, from_ms, work->node->snapshot_ms - 1, 1,
                               selection->v1_offset_ms, &before, e) < 0) {
        return -1;
    }
    if (before.count > 0) {
        work->node->previous_ms = before.items[0].time_ms;
    }
    catalog_manifests_done(&before);
    return 0;
}

static int check_layout(const struct config *config, size_t nodes, struct err *e)
{
    /* Where nothing is written nothing can get mixed. */
    if (nodes <= 1 || config->layout == LAYOUT_LOADER || config->command == COMMAND_VERIFY ||
        config->plan_schema) {
        return 0;
    }
    (void)err_set(e, ERR_REFUSED,
                  "%zu tokens are selected: one node's files may not go into "
                  "another's data directory",
                  nodes);
    return err_hint(e, "use --layout loader, or one run for each token");
}

static int plan_nodes(struct plan_work *work, const struct catalog *catalog, struct err *e)
{
    struct plan_choice *choices = NULL;
    size_t count = 0;
    if (plan_select(work->config, work->source, catalog, &choices, &count, e) < 0) {
        return -1;
    }
    int result = check_layout(work->config, count, e);
    if (result == 0) {
        result = plan_archive_manifests(work, choices, count, e);
    }
    work->by_token = count > 1;
    for (size_t i = 0; result == 0 && i < count; i++) {
        result = plan_node(work, &choices[i], e);
        if (result == 0 && work->node->missing > 0) {
            result = find_previous(work, &choices[i], e);
        }
    }
    plan_choices_free(choices, count);
    return result;
}

static int refuse_incomplete(const struct plan *plan, struct err *e)
{
    enum { SHOWN = 3 };
    const struct plan_node *node = plan->nodes;
    while (node < plan->nodes + plan->node_count && node->missing == 0) {
        node++;
    }
    if (node == plan->nodes + plan->node_count) {
        return 0;
    }
    char at[TIME_TEXT_SIZE], before[TIME_TEXT_SIZE];
    autobuf struct buf names = BUF_INIT(512);
    for (uint32_t i = 0; i < plan->missing_count && i < SHOWN; i++) {
        /* What does not fit is in the list of the plan. */
        (void)buf_appendf(&names, "%s'%s'", i == 0 ? "" : ", ", plan->missing[i].subject);
    }
    (void)err_set(e, ERR_NO_BACKUP,
                  "token %s: the restore point of %s is not complete: %" PRIu64
                  " of its objects missing: %s",
                  node->token, format_time(node->snapshot_ms, at), node->missing, buf_str(&names));
    if (node->previous_ms > 0) {
        return err_hint(e,
                        "take the one before with --at %s, or what there is of this one with "
                        "--allow-incomplete",
                        format_time(node->previous_ms, before));
    }
    return err_hint(e, "take what there is with --allow-incomplete, or an earlier one with --at");
}

static void note_stray(const struct plan_work *work)
{
    if (work->stray > 0) {
        autofree char *why = xasprintf("%s%s", work->stray_why,
                                       work->stray > 1 ? "; counted with it: other such keys" : "");
        plan_notes_count(work->plan, plan_notes_skipped(work->plan, work->stray_first, why),
                         work->stray, work->stray_bytes);
    }
}

/* A misspelt table is not restored, or is: either way somebody should know. */
static void warn_unmet(struct plan *plan, const char *option, const struct name_list *list,
                       const bool *met)
{
    for (size_t i = 0; i < list->count; i++) {
        if (!met[i]) {
            plan_notes_warn(plan, list->names[i], 0, 0, "%s names it, and the backup has none",
                            option);
        }
    }
}

static int check_names(const struct plan_work *work, struct err *e)
{
    const struct name_list *include = &work->config->selection.include;
    size_t met = 0;
    for (size_t i = 0; i < include->count; i++) {
        met += work->met_include[i];
    }
    if (include->count > 0 && met == 0) {
        (void)err_set(e, ERR_NO_BACKUP, "'%s': no table of the restore point is '%s'%s",
                      work->source->name, include->names[0],
                      include->count > 1 ? ", nor any other that --include names" : "");
        return err_hint(e, "see its tables with 'penates plan', without --include");
    }
    warn_unmet(work->plan, "--include", include, work->met_include);
    warn_unmet(work->plan, "--exclude", &work->config->selection.exclude, work->met_exclude);
    return 0;
}

/* Catalog, nodes, sums: a plan that is whole, though maybe not one to go by. */
static int build(struct plan_work *work, struct err *e)
{
    struct catalog *catalog = NULL;
    const uint64_t before = source_stats(work->source).requests;
    if (catalog_find_nodes(&work->config->selection, work->source, &catalog, e) < 0) {
        return -1;
    }
    const int result = plan_nodes(work, catalog, e);
    catalog_free(catalog);
    if (result < 0) {
        return -1;
    }
    if (check_names(work, e) < 0 || plan_map_check(work->plan, work->config, e) < 0 ||
        plan_incarnation_check(work->plan, work->config, e) < 0) {
        return -1;
    }
    note_stray(work);
    plan_notes_sort(work->plan);
    plan_place_finish(work->plan);
    work->plan->list_requests =
        source_stats(work->source).requests - before - work->manifest_requests;
    return plan_check_memory(work, e) < 0 ? -1 : plan_archive(work, e);
}

int plan_build(const struct config *config, struct source *source, struct plan **ret, struct err *e)
{
    ASSERT(config != NULL && source != NULL);
    struct plan *plan = (struct plan *)xcalloc(1, sizeof(*plan));
    plan->strings = arena_new();
    struct plan_work work = {
        .config = config, .source = source, .plan = plan, .now_ms = clock_wall_ms()};
    work.met_include = (bool *)xcalloc(config->selection.include.count + 1, sizeof(bool));
    work.met_exclude = (bool *)xcalloc(config->selection.exclude.count + 1, sizeof(bool));
    mutex_init(&work.lock);
    const int result = build(&work, e);
    mutex_done(&work.lock);
    free(work.met_include);
    free(work.met_exclude);
    if (result < 0) {
        plan_free(plan);
        return -1;
    }
    *ret = plan;
    if (!config->selection.allow_incomplete && refuse_incomplete(plan, e) < 0) {
        return -1;
    }
    return sstable_version_check(plan, config->cassandra_version, e);
}

void plan_free(struct plan *plan)
{
    if (plan == NULL) {
        return;
    }
    free(plan->files);
    free(plan->sstables);
    free(plan->tables);
    free(plan->nodes);
    free(plan->skipped);
    free(plan->missing);
    free(plan->warnings);
    arena_free(plan->strings);
    free(plan);
}

void plan_file_key(const struct plan_file *file, struct buf *out)
{
    buf_clear(out);
    ASSERT(buf_append_str(out, file->key_folder) && buf_append_str(out, file->key_name));
}

void plan_file_target(const struct plan_file *file, struct buf *out)
{
    buf_clear(out);
    ASSERT(buf_append_str(out, file->target_folder) && buf_append_char(out, '/') &&
           buf_append_str(out, file->target_name));
}
