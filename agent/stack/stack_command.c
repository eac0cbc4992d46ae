/* penates signal: tells the stack what it is told to, all of it that is configured. */
#include "agent/commands.h"
#include "agent/stack/stack.h"

static int tell_condition(struct stack *stack, const struct config *config, struct err *e)
{
    const bool success = config->signal_status == SIGNAL_SUCCESS;
    const struct stack_word word = {
        .success = success,
        .data = config->data == NULL ? "" : config->data,
        .reason = config->reason != NULL ? config->reason
                  : success              ? "penates signal"
                                         : "penates signal --status failure",
    };
    if (stack_tell_condition(stack, &word, e) != 0) {
        return -1;
    }
    log_info("signalled %s to the wait condition", success ? "SUCCESS" : "FAILURE");
    return 0;
}

static int tell_resource(struct stack *stack, const struct config *config, struct err *e)
{
    const bool success = config->signal_status == SIGNAL_SUCCESS;
    if (stack_tell_resource(stack, success, e) != 0) {
        return -1;
    }
    log_info("signalled %s to the resource", success ? "SUCCESS" : "FAILURE");
    return 0;
}

/* The condition first, because a failure's reason is of use only before the stack has failed. What
 * fails there keeps nobody from the resource; of two failures the first is told last. */
static int tell_all(struct stack *stack, const struct config *config, struct err *e)
{
    struct err first = ERR_INIT;
    struct err second = ERR_INIT;
    if (stack_has_condition(stack) && tell_condition(stack, config, &first) != 0) {
        *e = first;
    }
    if (stack_has_resource(stack) && tell_resource(stack, config, &second) != 0) {
        if (first.kind != ERR_NONE) {
            log_warn("%s; %s", second.text, err_next_step(&second));
        } else {
            *e = second;
        }
    }
    return e->kind == ERR_NONE ? 0 : -1;
}

int signal_run(const struct config *config, struct err *e)
{
    if (config->wait_handle == NULL && (config->data != NULL || config->reason != NULL)) {
        log_info("only a wait condition takes --data and --reason, and there is no --wait-handle");
    }
    struct stack *stack = stack_open(config, true);
    ASSERT(stack != NULL); /* without anything else there are the tags */
    const int result = tell_all(stack, config, e);
    stack_free(stack);
    return result;
}
