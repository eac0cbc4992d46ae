/* penates: arguments in, exit code out. */
#include <errno.h>

#include "agent/commands.h"
#include "agent/decode.h"
#include "agent/report_out.h"
#include "agent/ring/ring_slot.h"
#include "agent/signals.h"
#include "agent/stack/stack_restore.h"

static int run(const struct config *config, struct err *e)
{
    switch (config->command) {
    case COMMAND_LIST:
        return list_run(config, e);
    case COMMAND_PLAN:
        return plan_run(config, e);
    case COMMAND_RESTORE:
        return restore_run(config, e);
    case COMMAND_VERIFY:
        return verify_run(config, e);
    case COMMAND_DECODE:
        signals_defer(); /* so that its temporary file is removed */
        return decode_run(config, e);
    case COMMAND_STATUS:
        return status_run(config, e);
    case COMMAND_POLICY:
        return policy_run(config, e);
    case COMMAND_DOCTOR:
        return doctor_run(config, e);
    case COMMAND_RING_PLAN:
        return ring_plan_run(config, e);
    case COMMAND_RING_STATUS:
        return ring_status_run(config, e);
    case COMMAND_RING_CLAIM:
        return ring_claim_run(config, e);
    case COMMAND_SIGNAL:
        return signal_run(config, e);
    case COMMAND_HELP:
        return help_run(config, e);
    case COMMAND_VERSION:
        return version_run(config, e);
    }
    err_bug(__FILE__, __LINE__, "the command is one of its enum");
}

static int choose_slot(struct config *config, struct err *e)
{
    if (config->ring == NULL || ring_slot_choose(config, e) == 0) {
        return 0;
    }
    return config->command == COMMAND_RESTORE ? report_out_unstarted(config, e) : -1;
}

int main(int argc, char **argv)
{
    struct config *config = NULL;
    struct err e = ERR_INIT;
    log_init();
    signals_install();
    int result = config_load(argc, argv, &config, &e);
    log_set_level(config->log_level);
    if (result == 0) {
        result = choose_slot(config, &e);
    }
    if (result == 0) {
        result = run(config, &e);
    } else if (config->command == COMMAND_RESTORE) {
        stack_restore_refused(config, &e);
    }
    config_free(config);
    ASSERT((result == 0) == (e.kind == ERR_NONE));
    if (e.sys == EPIPE && e.kind == ERR_DISK) {
        return 0; /* the reader of our output has what it wanted, and left */
    }
    if (result != 0) {
        log_error("%s; %s", e.text, err_next_step(&e));
    }
    return err_exit_code(e.kind);
}
