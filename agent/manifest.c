#include "agent/manifest.h"

#include <inttypes.h>
#include <malloc.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "agent/base/mem.h"
#include "agent/base/parse.h"

enum {
    DEPTH_MAX = 16,         /* a component of v2 lies 7 deep */
    STRING_SIZE_MAX = 4096, /* S3 keys have at most 1024 bytes */
    /* yajl keeps the token that straddles two pushes, whatever its size, and does not survive an
     * allocator that says no. So it gets its bytes in pieces and its memory is looked at after
     * each: it can exceed the cap by about one piece, never more. */
    PIECE_SIZE = 16 * 1024,
    MEMORY_MAX = 128 * 1024, /* a 4096-byte string, escaped to six bytes each, twice over */
};

/* 100 MB hold 250,000 components; ten times that is not a node's backup any more. */
static const uint64_t TOTAL_SIZE_MAX = UINT64_C(1) << 30;

/* What the format demands of the next value. */
enum wanted { WANT_ANYTHING, WANT_MAP, WANT_ARRAY, WANT_KEY, WANT_SIZE };

/* The way to a v2 component, by depth: only maps have names, arrays lie between them. */
enum { V2_COMPONENT_DEPTH = 7, V1_ARRAY_DEPTH = 1 };
static const struct {
    unsigned depth;
    const char *name;
    enum wanted wanted;
} FIELDS[] = {
    {1, "data", WANT_ARRAY},
    {3, "sstables", WANT_ARRAY},
    {5, "sstableComponents", WANT_ARRAY},
    {V2_COMPONENT_DEPTH, "backupPath", WANT_KEY},
    {V2_COMPONENT_DEPTH, "fileSizeOnDisk", WANT_SIZE},
};

struct manifest_parser {
    /* set once */
    bool v2;
    manifest_entry_fn *fn;
    void *ctx;
    yajl_handle yajl;
    /* moved by push */
    struct err *e;       /* of the push under way */
    bool failed;         /* may only be freed */
    uint64_t total_size; /* bytes pushed so far */
    size_t memory;       /* bytes that yajl holds */
    unsigned depth;      /* open maps and arrays */
    unsigned on_path;    /* how many of them, from the outermost, lead to components */
    enum wanted field;   /* of the map key just read */
    bool has_data;       /* v2: "data" was there */
    uint64_t entry_count;
    bool has_key; /* of the component at hand, as are the next two */
    bool has_size;
    uint64_t plain_size;
    char key[STRING_SIZE_MAX + 1];
    bool in_info;      /* v2: inside "info", which lies beside "data" */
    bool rack_is_next; /* its "rack" was just named */
    char rack[MANIFEST_RACK_SIZE];
};

static void *hook_malloc(void *ctx, size_t size)
{
    size_t *memory = ctx;
    void *p = xrealloc(NULL, size, 1);
    *memory += malloc_usable_size(p);
    return p;
}

static void *hook_realloc(void *ctx, void *old, size_t size)
{
    size_t *memory = ctx;
    *memory -= malloc_usable_size(old); /* NULL counts as 0 */
    void *p = xrealloc(old, size, 1);
    *memory += malloc_usable_size(p);
    return p;
}

static void hook_free(void *ctx, void *p)
{
    size_t *memory = ctx;
    *memory -= malloc_usable_size(p);
    free(p);
}

/* Callbacks of yajl return 1 to go on and 0 to stop. */
enum { STOP = 0, GO_ON = 1 };

static int stop_corrupt(struct manifest_parser *parser, const char *why)
{
    (void)err_set(parser->e, ERR_CORRUPT, "component %" PRIu64 ": %s", parser->entry_count + 1,
                  why);
    return STOP;
}

static enum wanted wanted_here(const struct manifest_parser *parser)
{
    if (parser->on_path < parser->depth) {
        return WANT_ANYTHING;
    }
    if (!parser->v2) {
        return parser->depth == 0 ? WANT_ARRAY : WANT_KEY;
    }
    return parser->depth % 2 == 0 ? WANT_MAP : parser->field;
}

/* For values that the format has no use for. */
static int expect_other(struct manifest_parser *parser)
{
    switch (wanted_here(parser)) {
    case WANT_ANYTHING:
        return GO_ON;
    case WANT_MAP:
        return stop_corrupt(parser, "there is no object where one belongs");
    case WANT_ARRAY:
        return stop_corrupt(parser, "there is no array where one belongs");
    case WANT_KEY:
        return stop_corrupt(parser, "its key is not a string");
    case WANT_SIZE:
        return stop_corrupt(parser, "its fileSizeOnDisk is not a number");
    }
    err_bug(__FILE__, __LINE__, "a value of enum wanted");
}

static int check_string(struct manifest_parser *parser, size_t size)
{
    if (size > STRING_SIZE_MAX) {
        (void)err_set(parser->e, ERR_LIMIT,
                      "component %" PRIu64 ": a string of %zu bytes, limit %d",
                      parser->entry_count + 1, size, STRING_SIZE_MAX);
        return STOP;
    }
    return GO_ON;
}

static int report_entry(struct manifest_parser *parser)
{
    const struct manifest_entry entry = {
        .key = parser->key, .has_size = parser->has_size, .plain_size = parser->plain_size};
    ASSERT(parser->has_key);
    parser->entry_count++;
    parser->has_key = parser->has_size = false;
    return parser->fn(parser->ctx, &entry, parser->e) == 0 ? GO_ON : STOP;
}

/* It goes into a plan that operators read, so it is a word of visible characters or nothing. */
static void take_rack(struct manifest_parser *parser, const unsigned char *text, size_t size)
{
    parser->rack_is_next = false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return;
        }
    }
    if (size < sizeof(parser->rack)) {
        memcpy(parser->rack, text, size);
        parser->rack[size] = '\0';
    }
}

static int on_string(void *ctx, const unsigned char *text, size_t size)
{
    struct manifest_parser *parser = ctx;
    if (check_string(parser, size) == STOP) {
        return STOP;
    }
    if (parser->rack_is_next) {
        take_rack(parser, text, size);
    }
    if (wanted_here(parser) != WANT_KEY) {
        return expect_other(parser);
    }
    if (parser->has_key) {
        return stop_corrupt(parser, "it has two keys");
    }
    if (size == 0 || memchr(text, '\0', size) != NULL) {
        return stop_corrupt(parser, "its key is empty or contains a NUL");
    }
    memcpy(parser->key, text, size);
    parser->key[size] = '\0';
    parser->has_key = true;
    return parser->v2 ? GO_ON : report_entry(parser);
}

static int on_number(void *ctx, const char *text, size_t size)
{
    struct manifest_parser *parser = ctx;
    if (wanted_here(parser) != WANT_SIZE) {
        return expect_other(parser);
    }
    if (parser->has_size) {
        return stop_corrupt(parser, "it has two sizes");
    }
    uint64_t plain_size;
    if (!parse_u64(text, size, &plain_size) || plain_size > INT64_MAX) {
        return stop_corrupt(parser, "its fileSizeOnDisk is not the size of a file");
    }
    parser->plain_size = plain_size;
    parser->has_size = true;
    return GO_ON;
}

static int on_boolean(void *ctx, int value)
{
    (void)value;
    return expect_other(ctx);
}

static int on_null(void *ctx)
{
    return expect_other(ctx);
}

static int open_container(struct manifest_parser *parser, enum wanted kind)
{
    ASSERT(parser->on_path <= parser->depth);
    if (parser->depth == DEPTH_MAX) {
        (void)err_set(parser->e, ERR_LIMIT, "component %" PRIu64 ": nested more than %d deep",
                      parser->entry_count + 1, DEPTH_MAX);
        return STOP;
    }
    const enum wanted wanted = wanted_here(parser);
    if (wanted != WANT_ANYTHING && wanted != kind) {
        return expect_other(parser);
    }
    parser->on_path += wanted == kind ? 1 : 0;
    parser->depth++;
    parser->field = WANT_ANYTHING;
    parser->has_data = parser->has_data || parser->on_path == 2;
    return GO_ON;
}

static int close_container(struct manifest_parser *parser)
{
    ASSERT(parser->depth > 0);
    parser->depth--;
    if (parser->on_path > parser->depth) {
        parser->on_path = parser->depth;
    }
    parser->field = WANT_ANYTHING;
    return GO_ON;
}

static int on_map_start(void *ctx)
{
    return open_container(ctx, WANT_MAP);
}

static int on_map_key(void *ctx, const unsigned char *name, size_t size)
{
    struct manifest_parser *parser = ctx;
    parser->field = WANT_ANYTHING;
    const struct slice key = slice_of(name, size);
    parser->in_info = parser->v2 && (parser->depth == 1 ? slice_is(key, "info") : parser->in_info);
    parser->rack_is_next = parser->in_info && parser->depth == 2 && slice_is(key, "rack");
    for (size_t i = 0; i < ARRAY_SIZE(FIELDS); i++) {
        if (FIELDS[i].depth == parser->depth && slice_is(key, FIELDS[i].name)) {
            parser->field = FIELDS[i].wanted;
        }
    }
    return check_string(parser, size);
}

static int on_map_end(void *ctx)
{
    struct manifest_parser *parser = ctx;
    if (parser->depth == V2_COMPONENT_DEPTH && parser->on_path == V2_COMPONENT_DEPTH) {
        if (!parser->has_key) {
            return stop_corrupt(parser, "it has no backupPath");
        }
        if (report_entry(parser) == STOP) {
            return STOP;
        }
    }
    return close_container(parser);
}

static int on_array_start(void *ctx)
{
    return open_container(ctx, WANT_ARRAY);
}

static int on_array_end(void *ctx)
{
    return close_container(ctx);
}

static const yajl_callbacks CALLBACKS = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_map_start,
    .yajl_map_key = on_map_key,
    .yajl_end_map = on_map_end,
    .yajl_start_array = on_array_start,
    .yajl_end_array = on_array_end,
};

struct manifest_parser *manifest_parser_new(bool v2, manifest_entry_fn *fn, void *ctx)
{
    ASSERT(fn != NULL);
    struct manifest_parser *parser = xcalloc(1, sizeof *parser);
    parser->v2 = v2;
    parser->fn = fn;
    parser->ctx = ctx;
    yajl_alloc_funcs hooks = {
        .malloc = hook_malloc, .realloc = hook_realloc, .free = hook_free, .ctx = &parser->memory};
    parser->yajl = yajl_alloc(&CALLBACKS, &hooks, parser);
    ASSERT(parser->yajl != NULL);
    return parser;
}

const char *manifest_parser_rack(const struct manifest_parser *parser)
{
    return parser->rack;
}

void manifest_parser_free(struct manifest_parser *parser)
{
    if (parser == NULL) {
        return;
    }
    yajl_free(parser->yajl);
    free(parser);
}

/* yajl's own words end in a newline and quote nothing of the input when not asked to. */
static int not_json(const struct manifest_parser *parser, struct err *e)
{
    const uint64_t at = parser->total_size + yajl_get_bytes_consumed(parser->yajl);
    unsigned char *why = yajl_get_error(parser->yajl, 0, NULL, 0);
    const char *text = (const char *)why;
    (void)err_set(e, ERR_CORRUPT, "byte %" PRIu64 ": %.*s", at, (int)strcspn(text, "\n"), text);
    yajl_free_error(parser->yajl, why);
    return -1;
}

static int push_piece(struct manifest_parser *parser, struct slice piece, struct err *e)
{
    if (piece.size > TOTAL_SIZE_MAX - parser->total_size) {
        return err_set(e, ERR_LIMIT, "it is larger than %" PRIu64 " bytes", TOTAL_SIZE_MAX);
    }
    const yajl_status status = yajl_parse(parser->yajl, piece.data, piece.size);
    if (status == yajl_status_client_canceled) {
        return -1;
    }
    if (status != yajl_status_ok) {
        return not_json(parser, e);
    }
    parser->total_size += piece.size;
    if (parser->memory > MEMORY_MAX) {
        return err_set(e, ERR_LIMIT, "byte %" PRIu64 ": a value of more than %d bytes",
                       parser->total_size, STRING_SIZE_MAX);
    }
    return 0;
}

int manifest_parser_push(struct manifest_parser *parser, struct slice bytes, struct err *e)
{
    ASSERT(!parser->failed);
    parser->e = e;
    for (size_t at = 0; at < bytes.size; at += PIECE_SIZE) {
        const size_t left = bytes.size - at;
        const struct slice piece = slice_of(bytes.data + at, left < PIECE_SIZE ? left : PIECE_SIZE);
        if (push_piece(parser, piece, e) < 0) {
            parser->failed = true;
            return -1;
        }
    }
    parser->e = NULL;
    return 0;
}

int manifest_parser_finish(struct manifest_parser *parser, struct err *e)
{
    ASSERT(!parser->failed);
    parser->e = e;
    parser->failed = true; /* of no use any more, whatever comes out */
    const yajl_status status = yajl_complete_parse(parser->yajl);
    if (status == yajl_status_client_canceled) {
        return -1;
    }
    if (status != yajl_status_ok) {
        return err_set(e, ERR_TRUNCATED, "it ends early, after %" PRIu64 " bytes",
                       parser->total_size);
    }
    ASSERT(parser->depth == 0);
    if (parser->v2 && !parser->has_data) {
        return err_set(e, ERR_CORRUPT, "it has no \"data\"");
    }
    return 0;
}
