/*
 * stack_restore: what a restore tells its stack, in two steps, so that a parameter that is wrong
 * fails the stack within minutes, and a stack that is complete means data that was verified.
 *
 *     all that only looks has passed ─▶ resource: SUCCESS      fails before ─▶ condition: FAILURE
 *     restored, verified, --after done ─▶ condition: SUCCESS   with its reason; resource: FAILURE
 *                                                              fails later ─▶ condition: FAILURE
 *
 * Told of a failure is only what is one for good (stack_text_is_final), and not what somebody at a
 * terminal sees anyway. A signal that cannot be sent is a warning, and never fails a restore; one
 * that nobody waits for any more is a line of the log: a node that boots again says it all again.
 * Nothing happens where there is no stack to tell. Main thread.
 */
#ifndef PENATES_STACK_STACK_RESTORE_H
#define PENATES_STACK_STACK_RESTORE_H

#include "agent/stack/stack.h"

struct stack_restore {
    struct stack *stack; /* NULL: there is nobody to tell */
    bool passed;         /* the first step is taken, well or not */
};

/* See stack_open. */
struct stack_restore stack_restore_open(const struct config *config);
void stack_restore_close(struct stack_restore *told);

/* The first step, once. Where the second could not be taken, the resource is told that this fails,
 * and the other way round: the restore goes on, but the stack does not wait for hours in vain. */
void stack_restore_passed(struct stack_restore *told);

/* There was nothing to do: the first step again, and from now on everything in little time. */
void stack_restore_again(struct stack_restore *told);

/* The second step. */
void stack_restore_done(struct stack_restore *told, const struct stack_facts *facts);

/* The end of a restore that failed. */
void stack_restore_failed(struct stack_restore *told, const struct err *failure);

/* The same for one that did not even begin; of the config only what config_load leaves is used. */
void stack_restore_refused(const struct config *config, const struct err *failure);

#endif
