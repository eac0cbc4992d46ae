/* plan_load: the head of a saved plan; see plan_json.h. */
#include "agent/plan_json.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "agent/base/parse.h"

enum {
    DEPTH_MAX = 8, /* a plan nests three deep */
    BLOCK_SIZE = 64 * 1024,
    VALUE_SIZE_MAX = 4096, /* of a selected name or a source */
};

struct plan_load {
    struct option_bag *bag;
    const char *path;
    unsigned depth;
    bool in_selection;     /* depth 2 and below "selection" */
    enum option_id option; /* whose value comes next, OPTION_COUNT: none of the selection's */
    bool in_nodes;         /* depth 2 and below "nodes" */
    const char **wanted;   /* which of the fields below comes next, NULL: none */
    const char *format, *id, *source;
    const char *token, *until; /* of the node at hand */
    struct token_pin *pins;    /* of the nodes so far */
    size_t pin_count;
    bool bad; /* a name or a value that a plan has not */
};

static bool key_is(struct slice key, const char *name)
{
    return key.size == strlen(name) && memcmp(key.data, name, key.size) == 0;
}

static int on_key(void *ctx, const unsigned char *text, size_t size)
{
    struct plan_load *load = (struct plan_load *)ctx;
    const struct slice key = slice_of(text, size);
    load->option = OPTION_COUNT;
    load->wanted = NULL;
    if (load->depth == 1) {
        load->in_selection = key_is(key, "selection");
        load->in_nodes = key_is(key, "nodes");
        load->wanted = key_is(key, "id")       ? &load->id
                       : key_is(key, "format") ? &load->format
                       : key_is(key, "source") ? &load->source
                                               : NULL;
    } else if (load->depth == 2 && load->in_selection) {
        load->option = options_find((const char *)text, size);
        load->bad = load->option == OPTION_COUNT || !options_is_planned(load->option);
    } else if (load->depth == 3 && load->in_nodes) {
        load->wanted = key_is(key, "token")   ? &load->token
                       : key_is(key, "until") ? &load->until
                                              : NULL;
    }
    return !load->bad;
}

static int on_value(struct plan_load *load, const char *text, size_t size)
{
    if (load->option == OPTION_COUNT && load->wanted == NULL) {
        return 1;
    }
    load->bad = size > VALUE_SIZE_MAX || memchr(text, '\0', size) != NULL;
    if (load->bad) {
        return 0;
    }
    if (load->wanted != NULL) {
        *load->wanted = arena_add(load->bag->strings, text, size);
        load->wanted = NULL;
        return 1;
    }
    autofree char *value = xstrndup(text, size);
    autofree char *origin = xasprintf("%s: %s", load->path, options_info(load->option)->name);
    option_bag_add(load->bag, load->option, RANK_PLAN, value, origin);
    return 1;
}

static int on_string(void *ctx, const unsigned char *text, size_t size)
{
    return on_value((struct plan_load *)ctx, (const char *)text, size);
}

static int on_boolean(void *ctx, int value)
{
    const char *text = value ? "true" : "false";
    return on_value((struct plan_load *)ctx, text, strlen(text));
}

static int on_open(void *ctx)
{
    struct plan_load *load = (struct plan_load *)ctx;
    load->depth++;
    return load->depth <= DEPTH_MAX;
}

static int add_pin(struct plan_load *load)
{
    struct token_pin pin = {.token = load->token};
    if (load->token == NULL || load->until == NULL || !parse_time_ms(load->until, &pin.until_ms)) {
        load->bad = true;
        return 0;
    }
    load->pins = (struct token_pin *)xrealloc(load->pins, load->pin_count + 1, sizeof(*load->pins));
    load->pins[load->pin_count++] = pin;
    load->token = load->until = NULL;
    return 1;
}

static int on_close(void *ctx)
{
    struct plan_load *load = (struct plan_load *)ctx;
    ASSERT(load->depth > 0);
    load->depth--;
    if (load->in_nodes && load->depth == 2) {
        return add_pin(load);
    }
    load->in_selection = load->in_selection && load->depth > 1;
    load->in_nodes = load->in_nodes && load->depth > 1;
    return 1;
}

static const yajl_callbacks CALLBACKS = {
    .yajl_boolean = on_boolean,
    .yajl_string = on_string,
    .yajl_start_map = on_open,
    .yajl_map_key = on_key,
    .yajl_end_map = on_close,
    .yajl_start_array = on_open,
    .yajl_end_array = on_close,
};

static void parser_cleanup(yajl_handle *parser)
{
    if (*parser != NULL) {
        yajl_free(*parser);
    }
}

/* Feeds the whole file, so that a cut one is noticed. */
static int parse_file(yajl_handle parser, const char *path, bool *ret_valid, struct err *e)
{
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        (void)err_set_sys(e, ERR_CONFIG, errno, "%s", path);
        return err_hint(e, "make it with 'penates plan SOURCE --out FILE'");
    }
    autofree unsigned char *block = (unsigned char *)xcalloc(1, BLOCK_SIZE);
    bool valid = true;
    for (;;) {
        const ssize_t size = read(fd, block, BLOCK_SIZE);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0) {
            return err_set_sys(e, ERR_CONFIG, errno, "%s", path);
        }
        if (size == 0 || !valid) {
            break;
        }
        valid = yajl_parse(parser, block, (size_t)size) == yajl_status_ok;
    }
    *ret_valid = valid && yajl_complete_parse(parser) == yajl_status_ok;
    return 0;
}

static int check_whole(const struct plan_load *load, bool valid, struct err *e)
{
    valid = valid && load->format != NULL && strcmp(load->format, "penates-plan") == 0;
    if (!valid || load->id == NULL || load->source == NULL) {
        err_set(e, ERR_CONFIG, "%s: is not a whole plan", load->path);
        return err_hint(e, "make it with 'penates plan SOURCE --out FILE'");
    }
    return 0;
}

int plan_json_load(struct option_bag *bag, const char *path, struct config *config, struct err *e)
{
    struct plan_load load = {.bag = bag, .path = path, .option = OPTION_COUNT};
    yajl_handle parser __attribute__((cleanup(parser_cleanup))) =
        yajl_alloc(&CALLBACKS, NULL, &load);
    ASSERT(parser != NULL);
    bool valid = false;
    if (parse_file(parser, path, &valid, e) != 0 || check_whole(&load, valid, e) != 0) {
        free(load.pins);
        return -1;
    }
    bag->source = load.source;
    config->plan_id = load.id;
    config->selection.pins = load.pins;
    config->selection.pin_count = load.pin_count;
    return 0;
}
