/* verify: the restore drill. All that a restore does but the writing, for all files or a sample. */
#include "agent/base/mem.h"
#include "agent/commands.h"
#include "agent/report_out.h"
#include "agent/sample.h"
#include "agent/signals.h"

struct verify {
    const struct config *config;
    struct source *source;
    struct plan *plan;
    uint8_t *take;
    struct progress *progress;
    struct report *report;
};

static void verify_done(struct verify *verify)
{
    report_free(verify->report);
    progress_free(verify->progress);
    free(verify->take);
    plan_free(verify->plan);
    source_free(verify->source);
}

/* Of a sample no more than that. */
static int thaw(struct verify *verify, struct err *e)
{
    ASSERT(verify->plan != NULL);
    struct thaw_count count = verify->plan->thawed;
    size_t archived;
    autofree struct archived *objects = plan_archived(verify->plan, verify->take, &archived);
    const int result = thaw_or_refuse(verify->config, verify->source, objects, archived, &count, e);
    report_set_thawed(verify->report, &count);
    return result;
}

static int verify_all(struct verify *verify, struct err *e)
{
    const struct config *config = verify->config;
    const int built = plan_build(config, verify->source, &verify->plan, e);
    if (verify->plan != NULL) {
        if (config->sample < 1) {
            verify->take = sample_pick(verify->plan, config->sample, config->seed);
        }
        report_set_plan(verify->report, verify->plan, verify->take);
    }
    if (built != 0 || thaw(verify, e) != 0) {
        return -1;
    }
    signals_defer();
    verify->progress = progress_new(config, "verifying");
    const struct transfer_options options = {
        .config = config,
        .plan = verify->plan,
        .source = verify->source,
        .take = verify->take,
        .progress = verify->progress,
        .on_result = report_add_file,
        .ctx = verify->report,
    };
    const int result = transfer_run(&options, e);
    progress_stop(verify->progress);
    return result;
}

int verify_run(const struct config *config, struct err *e)
{
    struct verify verify __attribute__((cleanup(verify_done))) = {.config = config};
    if (report_out_check(config, e) != 0 || source_open(config, &verify.source, e) != 0) {
        return report_out_unstarted(config, e);
    }
    verify.report = report_new(config, verify.source->name);
    const int result = verify_all(&verify, e);
    const struct s3_stats stats = source_stats(verify.source);
    return report_out(verify.report, REPORT_VERIFIED, &stats, result, e);
}
