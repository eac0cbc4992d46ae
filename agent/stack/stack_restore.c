#include "agent/stack/stack_restore.h"

#include <unistd.h>

#include "agent/base/mem.h"

/* For what a reboot says again: Cassandra waits for it. */
enum { AGAIN_MS = 15 * 1000 };

struct stack_restore stack_restore_open(const struct config *config)
{
    return (struct stack_restore){.stack = stack_open(config, false)};
}

void stack_restore_close(struct stack_restore *told)
{
    stack_free(told->stack);
    told->stack = NULL;
}

/* Nobody has to do anything about a stack that does not wait any more. */
static void complain(const char *what, const struct err *e)
{
    if (e->kind == ERR_NOT_FOUND) {
        log_info("signal to the stack: %s", e->text);
    } else {
        log_warn("the stack does not learn %s: %s; %s", what, e->text, err_next_step(e));
    }
}

static void tell_condition(struct stack *stack, bool success, const char *data, const char *reason)
{
    struct err e = ERR_INIT;
    const struct stack_word word = {.success = success, .data = data, .reason = reason};
    if (stack_tell_condition(stack, &word, &e) != 0) {
        complain(success ? "that this node is restored" : "why this failed", &e);
    } else {
        log_info("signalled %s to the wait condition", success ? "SUCCESS" : "FAILURE");
    }
}

static int tell_resource(struct stack *stack, bool success, struct err *e)
{
    if (stack_tell_resource(stack, success, e) != 0) {
        complain(success ? "that the checks have passed" : "that this failed", e);
        return -1;
    }
    log_info("signalled %s to the resource", success ? "SUCCESS" : "FAILURE");
    return 0;
}

/* A handle that has expired is no hindrance: no condition waits as long as it lives. */
static bool condition_is_open(struct stack *stack)
{
    struct err e = ERR_INIT;
    enum wait_handle_state state;
    if (!stack_has_condition(stack) || stack_reach_condition(stack, &state, &e) == 0) {
        return true;
    }
    complain("how this ends", &e);
    return e.kind == ERR_NOT_FOUND;
}

void stack_restore_passed(struct stack_restore *told)
{
    struct stack *const stack = told->stack;
    const bool first = !told->passed;
    told->passed = true;
    if (stack == NULL || !first) {
        return;
    }
    const bool open = condition_is_open(stack);
    struct err e = ERR_INIT;
    if (!stack_has_resource(stack) || tell_resource(stack, open, &e) == 0) {
        return;
    }
    if (open && stack_has_condition(stack) && e.kind != ERR_NOT_FOUND) {
        tell_condition(stack, false, "", e.text);
    }
}

void stack_restore_again(struct stack_restore *told)
{
    told->passed = true;
    if (told->stack == NULL) {
        return;
    }
    stack_hurry(told->stack, AGAIN_MS);
    struct err e = ERR_INIT;
    if (stack_has_resource(told->stack) && tell_resource(told->stack, true, &e) != 0) {
        log_debug("a node that is restored already goes on"); /* it was told why */
    }
}

void stack_restore_done(struct stack_restore *told, const struct stack_facts *facts)
{
    ASSERT(told->passed);
    if (told->stack == NULL || !stack_has_condition(told->stack)) {
        return;
    }
    autofree char *data = stack_text_data(facts);
    tell_condition(told->stack, true, data, "restored and verified");
}

/* By the condition first: it has the reason. */
void stack_restore_failed(struct stack_restore *told, const struct err *failure)
{
    struct stack *const stack = told->stack;
    if (stack == NULL) {
        return;
    }
    if (!stack_text_is_final(failure)) {
        log_info("the stack is not told: another run may succeed");
        return;
    }
    if (isatty(STDIN_FILENO) == 1) {
        log_info("the stack is not told, since this is a terminal: 'penates signal --status "
                 "failure' does it");
        return;
    }
    if (stack_has_condition(stack)) {
        autofree char *reason = xasprintf("%s; %s", failure->text, err_next_step(failure));
        tell_condition(stack, false, "", reason);
    }
    struct err e = ERR_INIT;
    if (!told->passed && stack_has_resource(stack) && tell_resource(stack, false, &e) != 0) {
        log_debug("the failure itself is told next"); /* and this one has been */
    }
}

void stack_restore_refused(const struct config *config, const struct err *failure)
{
    struct stack_restore told = stack_restore_open(config);
    stack_restore_failed(&told, failure);
    stack_restore_close(&told);
}
