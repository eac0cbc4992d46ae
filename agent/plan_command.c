/* plan_command: `penates plan`: what a restore would do, shown, saved, and tried against the target
 * as far as looking goes. */
#include <inttypes.h>

#include "agent/base/parse.h"
#include "agent/commands.h"
#include "agent/identity.h"
#include "agent/node_setup.h"
#include "agent/out_file.h"
#include "agent/plan_json.h"
#include "agent/plan_print.h"
#include "agent/report.h"
#include "agent/ring/ring_slot.h"
#include "agent/schema.h"
#include "agent/target.h"

struct planning {
    struct config config; /* as given, but for times that an interrupted run has settled */
    struct source *source;
    struct plan *plan;
    struct target *target;
};

static void planning_done(struct planning *planning)
{
    target_free(planning->target);
    plan_free(planning->plan);
    source_free(planning->source);
}

static int save(const struct planning *planning, struct err *e)
{
    struct out_file out __attribute__((cleanup(out_file_done))) = {0};
    if (out_file_open(&out, planning->config.plan_out, e) != 0) {
        return -1;
    }
    plan_json_write(&planning->config, planning->source->name, planning->plan, out.file);
    return out_file_close(&out, e);
}

static int show(const struct planning *planning, struct err *e)
{
    const struct config *config = &planning->config;
    const char *name = planning->source->name;
    if (config->plan_schema) {
        struct schema schema;
        if (schema_read(config, planning->source, planning->plan, &schema, e) != 0) {
            return -1;
        }
        schema_print(&schema, name, stdout);
        schema_done(&schema);
    } else if (config->json) {
        plan_json_write(config, name, planning->plan, stdout);
    } else {
        plan_print(config, name, planning->plan, stdout);
    }
    return out_file_flush_stdout(e);
}

/* What `restore` would make of the target: it goes on with what an earlier run has begun there. */
static int open_target(struct planning *planning, enum target_state *ret_state, struct err *e)
{
    struct config *config = &planning->config;
    *ret_state = TARGET_NEW;
    if (config->target_count == 0) {
        return 0;
    }
    ASSERT(planning->source != NULL);
    autofree char *identity = identity_of(config, planning->source->name);
    if (target_open(config, identity, &planning->target, ret_state, e) != 0) {
        return -1;
    }
    if (*ret_state == TARGET_INTERRUPTED) {
        target_pin(planning->target, &config->selection);
    }
    return 0;
}

static int try_target(const struct planning *planning, enum target_state state, struct err *e)
{
    if (planning->target == NULL) {
        return 0;
    }
    const char *dir = planning->config.targets[0];
    if (state == TARGET_DONE) {
        log_info("%s holds this restore already", dir);
        return 0;
    }
    const struct plan *plan = planning->plan;
    struct node_setup setup __attribute__((cleanup(node_setup_done))) = {0};
    if (target_check(planning->target, plan, e) != 0 ||
        node_setup_check(&setup, &planning->config, plan, e) != 0) {
        return -1;
    }
    report_log_added(planning->target, plan);
    struct target_summary before;
    char left[BYTES_TEXT_SIZE];
    target_finished(planning->target, plan, &before);
    if (state == TARGET_INTERRUPTED) {
        log_info("%s: an earlier run has finished %" PRIu64 " of these files; %s are left to fetch",
                 dir, before.files_done,
                 format_bytes(plan->stored_bytes - before.stored_done, left));
    }
    return 0;
}

/* Shows and saves. An incomplete restore point is shown, too: what is missing is what was asked
 * for. */
static int make(struct planning *planning, struct err *e)
{
    const int built = plan_build(&planning->config, planning->source, &planning->plan, e);
    if (planning->plan == NULL) {
        return -1;
    }
    struct err show_error = ERR_INIT;
    if (show(planning, &show_error) != 0 && built == 0) {
        *e = show_error;
        return -1;
    }
    const struct ring_choice *chosen = planning->config.chosen;
    if (built != 0 || (chosen != NULL && ring_slot_check(chosen, planning->plan, e) != 0)) {
        return -1;
    }
    return planning->config.plan_out == NULL ? 0 : save(planning, e);
}

/* As a restore without --thaw would. */
static int refuse_archived(const struct planning *planning, enum target_state state, struct err *e)
{
    if (planning->config.plan_schema || state == TARGET_DONE) {
        return 0;
    }
    autofree uint8_t *take = planning->target == NULL ? NULL : target_unfinished(planning->target);
    size_t count;
    autofree struct archived *objects = plan_archived(planning->plan, take, &count);
    return thaw_refuse(objects, count, e);
}

int plan_run(const struct config *config, struct err *e)
{
    struct planning planning __attribute__((cleanup(planning_done))) = {.config = *config};
    if (config->plan_schema) {
        /* A loader's layout and a table that is added have no place for schema.cql, and no target
         * is looked at. */
        planning.config.layout = LAYOUT_DATA;
        planning.config.map.count = 0;
        planning.config.target_count = 0;
    }
    if (source_open(&planning.config, &planning.source, e) != 0) {
        return -1;
    }
    /* Would `restore` refuse? It says so with the same words and exit code, after the plan. */
    struct err refusal = ERR_INIT;
    enum target_state state;
    const bool refused = open_target(&planning, &state, &refusal) != 0;
    if (make(&planning, e) != 0) {
        return -1;
    }
    if (refused) {
        *e = refusal;
        return -1;
    }
    return try_target(&planning, state, e) != 0 ? -1 : refuse_archived(&planning, state, e);
}
