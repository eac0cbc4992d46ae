/* stack_doctor: the row of `penates doctor` for the stack, where one is configured. */
#include "agent/doctor.h"
#include "agent/stack/stack.h"

/* What a restore would not end for is a warning. */
static void check_resource(struct findings *findings, struct stack *stack)
{
    struct err e = ERR_INIT;
    if (stack_reach_resource(stack, &e) != 0) {
        findings_warn_err(findings, "stack", &e);
    } else {
        findings_ok(findings, "stack", "connected to %s", stack_url(stack));
    }
}

static void check_condition(struct findings *findings, struct stack *stack)
{
    enum wait_handle_state state;
    struct err e = ERR_INIT;
    if (stack_reach_condition(stack, &state, &e) != 0) {
        findings_warn_err(findings, "stack", &e);
    } else if (state == WAIT_HANDLE_OPEN) {
        findings_ok(findings, "stack", "S3 would take a signal to the wait condition");
    } else {
        findings_ok(findings, "stack",
                    "connected to the wait condition's bucket; whether it takes a signal is not "
                    "known");
    }
}

void doctor_stack(const struct doctor *doctor)
{
    struct stack *stack = stack_open(&doctor->config, false);
    if (stack == NULL) {
        return;
    }
    if (stack_has_resource(stack)) {
        check_resource(doctor->findings, stack);
    }
    if (stack_has_condition(stack)) {
        check_condition(doctor->findings, stack);
    }
    stack_free(stack);
}
