/*
 * restore: the run as a table of contents. Everything up to target_begin() only looks; from there
 * on whatever happens, a rerun of the same command goes on where this one stopped.
 */
#include <inttypes.h>
#include <string.h>

#include "agent/after.h"
#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/commands.h"
#include "agent/identity.h"
#include "agent/node_setup.h"
#include "agent/plan_print.h"
#include "agent/report_out.h"
#include "agent/ring/ring_copy.h"
#include "agent/ring/ring_once.h"
#include "agent/ring/ring_report.h"
#include "agent/ring/ring_slot.h"
#include "agent/signals.h"
#include "agent/stack/stack_restore.h"
#include "agent/target.h"

struct restore {
    struct config config; /* as given, but for times that an interrupted run has settled */
    struct source *source;
    char *identity;
    struct target *target;
    struct plan *plan;
    uint8_t *take; /* what is still to be fetched, one flag a file */
    struct progress *progress;
    struct report *report;
    struct ring_report *ring_report; /* NULL: nobody is told */
    struct stack_restore stack;
    struct node_setup setup;
    bool begun; /* there is a journal that can note a failure */
    bool done;  /* nothing was left to do */
};

static void restore_done(struct restore *restore)
{
    report_free(restore->report);
    node_setup_done(&restore->setup);
    progress_free(restore->progress);
    target_free(restore->target);
    free(restore->take);
    plan_free(restore->plan);
    free(restore->identity);
    source_free(restore->source);
    stack_restore_close(&restore->stack);
}

/* "latest" and "default" mean another moment in every run, and for every node; a run that goes on
 * with an earlier one keeps to the moments of that. */
static void pin_times(struct restore *restore)
{
    target_pin(restore->target, &restore->config.selection);
    char text[TIME_TEXT_SIZE];
    int64_t until_ms;
    if (!target_pinned_until(restore->target, NULL, &until_ms)) {
        log_info("continuing an interrupted restore");
    } else {
        log_info("continuing the restore of %s", format_time(until_ms, text));
    }
}

static struct ring_lease *lease_of(const struct restore *restore)
{
    return restore->config.chosen == NULL ? NULL : restore->config.chosen->lease;
}

/* There is nothing to do: the report tells what is there. */
static int count_done(struct restore *restore, struct err *e)
{
    struct target_summary summary;
    if (target_status(restore->config.targets[0], &summary, e) != 0) {
        return -1;
    }
    report_set_earlier(restore->report, &summary);
    return 0;
}

/* Whose the slot is now is not known: what this machine has is all that it may go by. */
static bool is_unclaimed(const struct restore *restore, struct err *e)
{
    const struct ring_choice *const chosen = restore->config.chosen;
    if (chosen == NULL || chosen->unclaimed.kind == ERR_NONE) {
        return false;
    }
    *e = chosen->unclaimed;
    return true;
}

static int look_at_target(struct restore *restore, struct err *e)
{
    enum target_state state;
    restore->identity = identity_of(&restore->config, restore->source->name);
    if (target_open(&restore->config, restore->identity, &restore->target, &state, e) != 0) {
        return -1;
    }
    if (state != TARGET_DONE && is_unclaimed(restore, e)) {
        return -1;
    }
    switch (state) {
    case TARGET_NEW:
        return ring_lease_start(lease_of(restore), true, e);
    case TARGET_INTERRUPTED:
        pin_times(restore);
        return ring_lease_start(lease_of(restore), false, e);
    case TARGET_DONE:
        restore->done = true;
        target_pin(restore->target, &restore->config.selection);
        return count_done(restore, e);
    }
    return 0;
}

static int make_plan(struct restore *restore, struct err *e)
{
    const int built = plan_build(&restore->config, restore->source, &restore->plan, e);
    if (restore->plan != NULL) {
        report_set_plan(restore->report, restore->plan, NULL); /* it names what is missing, too */
    }
    if (built != 0) {
        return -1;
    }
    const struct plan *plan = restore->plan;
    ASSERT(plan != NULL);
    if (restore->config.chosen != NULL && ring_slot_check(restore->config.chosen, plan, e) != 0) {
        return -1;
    }
    const char *wanted = restore->config.plan_id;
    if (wanted != NULL && strcmp(wanted, plan->id) != 0) {
        err_set(e, ERR_REFUSED, "%s: the source no longer matches this plan (%.12s, now %.12s)",
                restore->config.plan_in, wanted, plan->id);
        return err_hint(e, "make a new plan with 'penates plan --out FILE' and compare the two");
    }
    return 0;
}

/* One byte of a real object: listing may be allowed where reading, or the key of the encryption, is
 * not, and that has to be known before anything is written. */
static int prove_readable(struct restore *restore, struct err *e)
{
    const struct plan *plan = restore->plan;
    uint32_t index = 0;
    while (index < plan->file_count &&
           (plan->files[index].size == 0 || restore->take[index] == 0)) {
        index++;
    }
    if (index == plan->file_count) {
        return 0;
    }
    const struct plan_file *file = &plan->files[index];
    autobuf struct buf key = BUF_INIT(PLAN_PATH_SIZE_MAX);
    uint8_t byte;
    plan_file_key(file, &key);
    struct s3_get get = {
        .key = buf_str(&key),
        .etag = file->etag,
        .version_id = file->version_id,
        .size = 1,
        .object_size = file->size,
        .into = &byte,
    };
    return source_get_wait(restore->source, &get, e);
}

static int thaw(struct restore *restore, struct err *e)
{
    struct thaw_count count = restore->plan->thawed;
    size_t archived;
    autofree struct archived *objects = plan_archived(restore->plan, restore->take, &archived);
    if (archived > 0 && restore->config.thaw_days > 0) {
        stack_restore_passed(&restore->stack); /* no creation policy waits for a thaw */
    }
    const int result =
        thaw_or_refuse(&restore->config, restore->source, objects, archived, &count, e);
    report_set_thawed(restore->report, &count);
    return result;
}

/* What earlier runs have finished is not fetched again, and need not be thawed or read. */
static int prepare_source(struct restore *restore, struct err *e)
{
    restore->take = target_unfinished(restore->target);
    return thaw(restore, e) != 0 ? -1 : prove_readable(restore, e);
}

static int transfer(struct restore *restore, struct err *e)
{
    restore->progress = progress_new(&restore->config, "restoring");
    const struct transfer_options options = {
        .config = &restore->config,
        .plan = restore->plan,
        .source = restore->source,
        .target = restore->target,
        .progress = restore->progress,
        .on_result = report_add_file,
        .ctx = restore->report,
    };
    ring_report_follow(restore->ring_report, restore->progress);
    const int result = transfer_run(&options, e);
    progress_stop(restore->progress);
    return result;
}

/* What later boots of this machine go by. */
static int keep_on_root(const struct restore *restore, struct err *e)
{
    return target_keep_history(restore->target, e) != 0 ? -1 : ring_copy_keep(&restore->config, e);
}

static int finish(struct restore *restore, struct err *e)
{
    if (target_put_in_place(restore->target, restore->plan, e) != 0 ||
        node_setup_finish(&restore->setup, &restore->config, restore->plan, e) != 0) {
        return -1;
    }
    report_set_target(restore->report, restore->target);
    const struct s3_stats stats = source_stats(restore->source);
    report_end(restore->report, REPORT_RESTORED, &stats, NULL);
    autofree char *text = report_json(restore->report);
    if (ring_lease_fence(lease_of(restore), e) != 0 ||
        target_finish(restore->target, restore->plan, text, e) != 0 ||
        keep_on_root(restore, e) != 0) {
        return -1;
    }
    ring_lease_seal(lease_of(restore));
    return 0;
}

/* The files and what tells of them are in place: whatever becomes of the commands, a rerun comes
 * back to here. */
static int run_after(struct restore *restore, struct err *e)
{
    enum after_outcome outcome;
    report_stop(restore->report);
    signals_defer();
    const int result = after_run(&restore->config, restore->target, &outcome, e);
    report_set_after(restore->report, outcome);
    return result;
}

static int restore_all(struct restore *restore, struct err *e)
{
    if (look_at_target(restore, e) != 0) {
        return -1;
    }
    if (restore->done) {
        stack_restore_again(&restore->stack);
        ring_once_note(&restore->config, false); /* had there been no time for it */
        return ring_lease_settle(lease_of(restore), e) != 0 || keep_on_root(restore, e) != 0 ||
                       node_setup_finish(&restore->setup, &restore->config, NULL, e) != 0
                   ? -1
                   : run_after(restore, e);
    }
    if (ring_once_check(&restore->config, e) != 0 || make_plan(restore, e) != 0 ||
        target_check(restore->target, restore->plan, e) != 0 ||
        node_setup_check(&restore->setup, &restore->config, restore->plan, e) != 0 ||
        prepare_source(restore, e) != 0 || ring_lease_check(lease_of(restore), e) != 0) {
        return -1;
    }
    stack_restore_passed(&restore->stack);
    signals_defer();
    if (target_begin(restore->target, restore->plan, e) != 0) {
        return -1;
    }
    restore->begun = true;
    if (node_setup_begin(&restore->setup, &restore->config, e) != 0 || transfer(restore, e) != 0 ||
        finish(restore, e) != 0) {
        return -1;
    }
    restore->begun = false; /* and finished: it is not the restore that fails from here on */
    ring_once_note(&restore->config, true);
    return run_after(restore, e);
}

static int end(struct restore *restore, int result, struct err *e)
{
    const struct s3_stats stats = source_stats(restore->source);
    const enum report_outcome good = restore->done ? REPORT_ALREADY_RESTORED : REPORT_RESTORED;
    result = report_out(restore->report, good, &stats, result, e);
    const struct report_counts counts = report_count_all(restore->report);
    const enum report_outcome bad = e->kind == ERR_CANCELLED ? REPORT_INTERRUPTED : REPORT_FAILED;
    ring_report_end(restore->ring_report, result == 0 ? good : bad, &counts,
                    result == 0 ? NULL : e);
    return result;
}

/* What the node tells its stack. */
static void tell_stack(struct restore *restore)
{
    const struct plan *const plan = restore->plan;
    const struct selection *const selection = &restore->config.selection;
    const struct report_counts counts = report_count_all(restore->report);
    struct stack_facts facts = {
        .has_slot = restore->config.chosen != NULL,
        .slot = restore->config.chosen != NULL ? restore->config.chosen->slot : 0,
        .token = selection->tokens.count == 1 ? selection->tokens.names[0] : NULL,
        .files = counts.finished.files,
        .bytes = counts.finished.bytes,
        .ms = counts.duration_ms,
    };
    for (uint32_t i = 0; plan != NULL && i < plan->node_count; i++) {
        const int64_t snapshot_ms = plan->nodes[i].snapshot_ms;
        facts.token = plan->node_count == 1 ? plan->nodes[i].token : NULL;
        facts.snapshot_ms =
            i == 0 || snapshot_ms < facts.snapshot_ms ? snapshot_ms : facts.snapshot_ms;
    }
    stack_restore_done(&restore->stack, &facts);
}

static int run(struct restore *restore, struct err *e)
{
    const struct config *config = &restore->config;
    if (report_out_check(config, e) != 0 || after_check(config, e) != 0 ||
        source_open(config, &restore->source, e) != 0) {
        return report_out_unstarted(config, e);
    }
    ASSERT(restore->source != NULL);
    restore->report = report_new(config, restore->source->name);
    report_set_setup(restore->report, &restore->setup);
    restore->ring_report = ring_report_start(config);
    const int result = restore_all(restore, e);
    if (result != 0) {
        ring_lease_word(lease_of(restore), e);
    }
    if (result != 0 && restore->begun && e->kind != ERR_CANCELLED) {
        target_record_failure(restore->target, e->text);
    }
    return end(restore, result, e);
}

int restore_run(const struct config *config, struct err *e)
{
    struct restore restore __attribute__((cleanup(restore_done))) = {.config = *config};
    restore.stack = stack_restore_open(config);
    const int result = run(&restore, e);
    if (result == 0) {
        tell_stack(&restore);
    } else {
        stack_restore_failed(&restore.stack, e);
    }
    return result;
}
