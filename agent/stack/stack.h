/*
 * stack: the CloudFormation stack that this node belongs to, and how it is told how the node fares.
 *
 *     resource    SignalResource, for a creation policy: this node is fit to restore (s3/cfn.h)
 *     condition   PUT to a wait condition's handle: it has restored; carries data or a reason
 *                 (s3/wait_handle.h)
 *
 * Both say who speaks by the same unique id, the instance's: so whatever is said again, by a try
 * that was not needed or by a later run, counts once. Main thread; blocks.
 */
#ifndef PENATES_STACK_STACK_H
#define PENATES_STACK_STACK_H

#include "agent/config.h"
#include "agent/stack/stack_text.h"
#include "s3/wait_handle.h"

/* How long a signal is tried: --retry-for, and at most this. */
enum { STACK_RETRY_MAX_MS = 5 * 60 * 1000 };

struct stack;

/*
 * Looks at the configuration, and at the instance's metadata for what it leaves out. The resource
 * is signalled when --stack-resource is there, or, with `by_tags`, when its tag is. Never fails:
 * what is missing is told by the call that needs it. NULL: there is nobody to tell. The config is
 * borrowed. Call it before there are threads.
 */
struct stack *stack_open(const struct config *config, bool by_tags);
void stack_free(struct stack *stack); /* NULL is fine */

bool stack_has_resource(const struct stack *stack);
bool stack_has_condition(const struct stack *stack);

/* From now on for this long, where it was longer. */
void stack_hurry(struct stack *stack, uint64_t retry_ms);

/* Each until it is taken, or refused, or the time is over; a signal to the process ends the tries.
 * Kinds as cfn_send and wait_handle_put tell: ERR_NOT_FOUND: nobody waits for it any more. */
int stack_tell_resource(struct stack *stack, bool success, struct err *e) MUST_CHECK;
/* unique_id is filled in. */
int stack_tell_condition(struct stack *stack, const struct stack_word *word,
                         struct err *e) MUST_CHECK;

/* How far a signal would get, without sending it; the same tries. */
int stack_reach_resource(struct stack *stack, struct err *e) MUST_CHECK;
int stack_reach_condition(struct stack *stack, enum wait_handle_state *ret,
                          struct err *e) MUST_CHECK;

/* "https://cloudformation.eu-west-1.amazonaws.com"; NULL: not known. Borrowed. */
const char *stack_url(struct stack *stack);

#endif
