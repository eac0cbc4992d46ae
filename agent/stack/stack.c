#include "agent/stack/stack.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/interrupt.h"
#include "agent/base/mem.h"
#include "agent/base/random.h"
#include "s3/cfn.h"
#include "s3/settings.h"

enum {
    PAUSE_MS = 500, /* then twice that, and so on, up to: */
    PAUSE_MAX_MS = 15 * 1000,
    NODE_SIZE = 256,
};

#define TAG "tags/instance/aws:cloudformation:"

struct stack {
    const struct config *config; /* borrowed */
    struct settings settings;
    char *name, *resource;     /* NULL: not known */
    bool has_resource;         /* it is to be told */
    struct wait_handle handle; /* url NULL: there is none */
    char node[NODE_SIZE];      /* the unique id, "": see `missing` */
    struct err missing;        /* why there is no id */
    struct cfn *cfn;           /* once it was needed */
    uint64_t retry_ms;
    struct random random;
};

/* An answer of the metadata, or NULL; caller frees. */
static char *ask_metadata(const struct config *config, const char *path, struct err *e)
{
    char text[CREDS_METADATA_SIZE];
    return creds_metadata(config->profile, path, text, e) == 0 ? xstrdup(text) : NULL;
}

/* What was not configured may stand in a tag, which no instance has to show: no failure. */
static char *configured_or_tag(const struct config *config, const char *value, const char *path)
{
    struct err ignored = ERR_INIT;
    return value != NULL ? xstrdup(value) : ask_metadata(config, path, &ignored);
}

/* Where metadata is out of order nobody makes up another name: it would count as another node. */
static void find_node(struct stack *stack)
{
    const struct config *config = stack->config;
    autofree char *id = config->unique_id != NULL
                            ? xstrdup(config->unique_id)
                            : ask_metadata(config, "instance-id", &stack->missing);
    if (id != NULL) {
        (void)snprintf(stack->node, sizeof(stack->node), "%s",
                       id); /* checked, or as AWS makes it */
    } else if (stack->missing.kind == ERR_NOT_FOUND &&
               gethostname(stack->node, sizeof(stack->node) - 1) != 0) {
        stack->node[0] = '\0';
    }
}

struct stack *stack_open(const struct config *config, bool by_tags)
{
    const bool named = config->stack_resource != NULL || (by_tags && config->stack != NULL);
    const bool has_resource = named || (by_tags && config->wait_handle == NULL);
    if (!has_resource && config->wait_handle == NULL) {
        return NULL;
    }
    struct stack *stack = (struct stack *)xcalloc(1, sizeof(*stack));
    stack->config = config;
    settings_read(config->profile, &stack->settings);
    stack->has_resource = has_resource;
    if (has_resource) {
        stack->name = configured_or_tag(config, config->stack, TAG "stack-id");
        stack->resource = configured_or_tag(config, config->stack_resource, TAG "logical-id");
    }
    stack->handle = (struct wait_handle){
        .url = config->wait_handle,
        .ca_file = config->ca_file != NULL ? config->ca_file : stack->settings.ca_file};
    find_node(stack);
    stack->retry_ms =
        config->retry_for_ms < STACK_RETRY_MAX_MS ? config->retry_for_ms : STACK_RETRY_MAX_MS;
    stack->random.state = clock_mono_ms() ^ (uint64_t)getpid() << 32;
    return stack;
}

void stack_free(struct stack *stack)
{
    if (stack == NULL) {
        return;
    }
    cfn_free(stack->cfn);
    settings_done(&stack->settings);
    free(stack->name);
    free(stack->resource);
    free(stack);
}

bool stack_has_resource(const struct stack *stack)
{
    return stack->has_resource;
}

bool stack_has_condition(const struct stack *stack)
{
    return stack->handle.url != NULL;
}

void stack_hurry(struct stack *stack, uint64_t retry_ms)
{
    stack->retry_ms = retry_ms < stack->retry_ms ? retry_ms : stack->retry_ms;
}

static int check_node(const struct stack *stack, struct err *e)
{
    if (stack->node[0] != '\0') {
        return 0;
    }
    *e = stack->missing;
    return err_wrap(e, "the unique id of the signal");
}

static int check_names(const struct stack *stack, struct err *e)
{
    if (stack->name == NULL || stack->resource == NULL) {
        const char *what = stack->name == NULL ? "stack" : "resource";
        (void)err_set(e, ERR_CONFIG, "the %s to signal is not known", what);
        return err_hint(e,
                        "give %s, or let the instance's metadata show its tags "
                        "(InstanceMetadataTags=enabled)",
                        stack->name == NULL ? "--stack" : "--stack-resource");
    }
    if (!stack_text_is_stack(stack->name) || !stack_text_is_resource(stack->resource)) {
        return err_set(e, ERR_CONFIG, "the tags of the instance name no stack and resource");
    }
    return 0;
}

static int need_cfn(struct stack *stack, struct err *e)
{
    if (check_names(stack, e) != 0) {
        return -1;
    }
    const struct cfn_options options = {
        .stack = stack->name,
        .profile = stack->config->profile,
        .ca_file = stack->handle.ca_file,
        .fips = stack->config->fips || stack->settings.fips,
        .signs = stack->config->signal_auth == SIGNAL_AUTH_SIGV4,
    };
    return stack->cfn != NULL ? 0 : cfn_open(&options, &stack->cfn, e);
}

typedef int attempt_fn(struct stack *stack, void *what, struct err *e);

/* Half of each pause is chance: a whole ring speaks at the same time. */
static int insist(struct stack *stack, attempt_fn *attempt, void *what, struct err *e)
{
    const uint64_t end_ms = clock_mono_ms() + stack->retry_ms;
    for (uint64_t pause_ms = PAUSE_MS;; pause_ms *= 2) {
        struct err failure = ERR_INIT;
        if (attempt(stack, what, &failure) == 0) {
            return 0;
        }
        pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
        const uint64_t wait_ms = pause_ms / 2 + random_below(&stack->random, pause_ms / 2);
        if (!err_is_transient(failure.kind) || clock_mono_ms() + wait_ms > end_ms ||
            !interrupt_sleep_ms(wait_ms)) {
            *e = failure;
            return -1;
        }
        log_debug("once more: %s", failure.text);
    }
}

static int send_resource(struct stack *stack, void *what, struct err *e)
{
    const struct cfn_signal signal = {
        .resource = stack->resource, .unique_id = stack->node, .success = *(const bool *)what};
    return cfn_send(stack->cfn, &signal, e);
}

int stack_tell_resource(struct stack *stack, bool success, struct err *e)
{
    ASSERT(stack->has_resource);
    if (check_node(stack, e) != 0 || need_cfn(stack, e) != 0) {
        return -1;
    }
    return insist(stack, send_resource, &success, e);
}

static int send_condition(struct stack *stack, void *what, struct err *e)
{
    return wait_handle_put(&stack->handle, (const char *)what, e);
}

int stack_tell_condition(struct stack *stack, const struct stack_word *word, struct err *e)
{
    ASSERT(stack->handle.url != NULL);
    if (check_node(stack, e) != 0) {
        return -1;
    }
    struct stack_word whole = *word;
    whole.unique_id = stack->node;
    autofree char *body = stack_text_body(&whole);
    return insist(stack, send_condition, body, e);
}

static int reach_resource(struct stack *stack, void *what, struct err *e)
{
    (void)what;
    return cfn_reach(stack->cfn, e);
}

int stack_reach_resource(struct stack *stack, struct err *e)
{
    ASSERT(stack->has_resource);
    if (check_node(stack, e) != 0 || need_cfn(stack, e) != 0) {
        return -1;
    }
    return insist(stack, reach_resource, NULL, e);
}

static int reach_condition(struct stack *stack, void *what, struct err *e)
{
    return wait_handle_probe(&stack->handle, (enum wait_handle_state *)what, e);
}

int stack_reach_condition(struct stack *stack, enum wait_handle_state *ret, struct err *e)
{
    ASSERT(stack->handle.url != NULL);
    return check_node(stack, e) != 0 ? -1 : insist(stack, reach_condition, ret, e);
}

const char *stack_url(struct stack *stack)
{
    return stack->cfn == NULL ? NULL : cfn_url(stack->cfn);
}
