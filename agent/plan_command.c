/* plan_command: `penates plan`: what a restore would do, shown, saved, and tried against the target
 * as far as looking goes. */
#include "agent/commands.h"
#include "agent/identity.h"
#include "agent/out_file.h"
#include "agent/plan_json.h"
#include "agent/plan_print.h"
#include "agent/target.h"

struct planning {
    const struct config *config;
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
    if (out_file_open(&out, planning->config->plan_out, e) != 0) {
        return -1;
    }
    plan_json_write(planning->config, planning->source->name, planning->plan, out.file);
    return out_file_close(&out, e);
}

static int show(const struct planning *planning, struct err *e)
{
    const struct config *config = planning->config;
    const char *name = planning->source->name;
    if (config->json) {
        plan_json_write(config, name, planning->plan, stdout);
    } else {
        plan_print(config, name, planning->plan, stdout);
    }
    return out_file_flush_stdout(e);
}

/* Would `restore` refuse? It says so with the same words and exit code. */
static int try_target(struct planning *planning, struct err *e)
{
    const struct config *config = planning->config;
    if (config->target_count == 0) {
        return 0;
    }
    enum target_state state;
    autofree char *identity = identity_of(config, planning->source->name);
    if (target_open(config, identity, &planning->target, &state, e) != 0) {
        return -1;
    }
    if (state == TARGET_DONE) {
        log_info("%s holds this restore already", config->targets[0]);
        return 0;
    }
    return target_check(planning->target, planning->plan, e);
}

int plan_run(const struct config *config, struct err *e)
{
    struct planning planning __attribute__((cleanup(planning_done))) = {.config = config};
    if (source_open(config, &planning.source, e) != 0) {
        return -1;
    }
    const int built = plan_build(config, planning.source, &planning.plan, e);
    if (planning.plan == NULL) {
        return -1;
    }
    /* An incomplete restore point is shown, too: what is missing is what was asked for. */
    struct err show_error = ERR_INIT;
    if (show(&planning, &show_error) != 0 && built == 0) {
        *e = show_error;
        return -1;
    }
    if (built != 0) {
        return -1;
    }
    if (config->plan_out != NULL && save(&planning, e) != 0) {
        return -1;
    }
    return try_target(&planning, e);
}
