#include "agent/yaml_entries.h"

#include <yaml.h>

#include "agent/base/mem.h"

static const char BOM[] = "\xEF\xBB\xBF";
enum {
    BOM_SIZE = sizeof(BOM) - 1,
    /* "a" takes a few words where it is an item of a list of such. */
    CONTENT_MAX = 32 * YAML_TEXT_MAX,
};

struct reader {
    struct slice text;
    yaml_parser_t parser;
    struct yaml_entries entries;
    unsigned depth;               /* of the event at hand: 1 in the outermost mapping */
    bool has_root;                /* the outermost mapping has begun */
    bool in_value;                /* the next node at depth 1 is a value */
    struct buf content;           /* of the entry under way */
    size_t mark_index, mark_byte; /* the place that was looked up last */
};

static bool is_tail(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

/* libyaml counts characters, and not those of a byte order mark. */
static size_t byte_of(struct reader *reader, const yaml_mark_t *mark)
{
    if (mark->index < reader->mark_index) {
        reader->mark_index = 0;
        reader->mark_byte = 0;
    }
    const struct slice text = reader->text;
    while (reader->mark_index < mark->index && reader->mark_byte < text.size) {
        do {
            reader->mark_byte++;
        } while (reader->mark_byte < text.size && is_tail(text.data[reader->mark_byte]));
        reader->mark_index++;
    }
    return reader->mark_byte;
}

static int refuse(const yaml_mark_t *mark, const char *why, struct err *e)
{
    return err_set(e, ERR_CONFIG, "line %zu: %s", mark->line + 1, why);
}

static int note(struct reader *reader, char kind, const yaml_char_t *anchor, const yaml_char_t *tag,
                const void *value, size_t size, struct err *e)
{
    struct buf *content = &reader->content;
    const bool fits =
        buf_appendf(content, "%c &%s !%s %zu:", kind, anchor == NULL ? "" : (const char *)anchor,
                    tag == NULL ? "" : (const char *)tag, size) &&
        (size == 0 || buf_append(content, value, size));
    return fits ? 0
                : err_set(e, ERR_LIMIT, "one entry is longer than %zu bytes", content->size_max);
}

static struct yaml_entry *last_entry(struct reader *reader)
{
    ASSERT(reader->entries.count > 0);
    return &reader->entries.items[reader->entries.count - 1];
}

/* NULL when there is a NUL in it, which an escape can make: no text of ours has one. */
static char *text_of(const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    const size_t size = event->data.scalar.length;
    return strlen(value) < size ? NULL : xstrndup(value, size);
}

static void begin_entry(struct reader *reader, const yaml_event_t *event)
{
    struct yaml_entries *entries = &reader->entries;
    if (entries->count == 0) {
        entries->column = (unsigned)event->start_mark.column;
    }
    entries->items = xrealloc(entries->items, entries->count + 1, sizeof(*entries->items));
    entries->items[entries->count++] = (struct yaml_entry){.content = BUF_INIT(CONTENT_MAX)};
    if (event->type == YAML_SCALAR_EVENT) {
        last_entry(reader)->key = text_of(event);
    }
}

static bool is_simple(const yaml_event_t *event)
{
    const yaml_scalar_style_t style = event->data.scalar.style;
    return event->data.scalar.anchor == NULL && event->data.scalar.tag == NULL &&
           style != YAML_LITERAL_SCALAR_STYLE && style != YAML_FOLDED_SCALAR_STYLE;
}

/* At depth 1 keys and values take turns. */
static void take_node(struct reader *reader, const yaml_event_t *event)
{
    if (!reader->in_value) {
        begin_entry(reader, event);
    } else if (event->type == YAML_SCALAR_EVENT && is_simple(event)) {
        struct yaml_entry *entry = last_entry(reader);
        entry->value = text_of(event);
        entry->from = byte_of(reader, &event->start_mark);
        entry->to = byte_of(reader, &event->end_mark);
    }
}

/* A key or a value is complete. */
static void end_node(struct reader *reader)
{
    if (reader->in_value) {
        last_entry(reader)->content = reader->content;
        reader->content = BUF_INIT(CONTENT_MAX);
    }
    reader->in_value = !reader->in_value;
}

static int open_root(struct reader *reader, const yaml_event_t *event, struct err *e)
{
    if (event->type != YAML_MAPPING_START_EVENT) {
        return refuse(&event->start_mark, "not a mapping of keys to values", e);
    }
    reader->has_root = true;
    reader->depth = 1;
    reader->entries.flow = event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
    reader->entries.inside = reader->entries.flow ? byte_of(reader, &event->end_mark) : 0;
    return 0;
}

static int take_leaf(struct reader *reader, const yaml_event_t *event, struct err *e)
{
    int result;
    if (reader->depth == 1) {
        take_node(reader, event);
    }
    if (event->type == YAML_ALIAS_EVENT) {
        result = note(reader, '*', event->data.alias.anchor, NULL, NULL, 0, e);
    } else {
        const bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        result = note(reader, plain ? 'p' : 'q', event->data.scalar.anchor, event->data.scalar.tag,
                      event->data.scalar.value, event->data.scalar.length, e);
    }
    if (result == 0 && reader->depth == 1) {
        end_node(reader);
    }
    return result;
}

static int take_start(struct reader *reader, const yaml_event_t *event, struct err *e)
{
    if (reader->depth == YAML_DEPTH_MAX) {
        (void)refuse(&event->start_mark, "nested too deep", e);
        e->kind = ERR_LIMIT;
        return -1;
    }
    if (reader->depth == 1) {
        take_node(reader, event);
    }
    reader->depth++;
    return event->type == YAML_MAPPING_START_EVENT
               ? note(reader, '{', event->data.mapping_start.anchor, event->data.mapping_start.tag,
                      NULL, 0, e)
               : note(reader, '[', event->data.sequence_start.anchor,
                      event->data.sequence_start.tag, NULL, 0, e);
}

static int take_end(struct reader *reader, const yaml_event_t *event, struct err *e)
{
    ASSERT(reader->depth > 0);
    reader->depth--;
    if (reader->depth == 0) {
        reader->entries.end = byte_of(reader, &event->start_mark);
        return 0;
    }
    if (note(reader, '.', NULL, NULL, NULL, 0, e) < 0) {
        return -1;
    }
    if (reader->depth == 1) {
        end_node(reader);
    }
    return 0;
}

static int take_event(struct reader *reader, const yaml_event_t *event, struct err *e)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return reader->has_root ? refuse(&event->start_mark, "a second document begins", e) : 0;
    case YAML_ALIAS_EVENT:
    case YAML_SCALAR_EVENT:
        return reader->depth == 0 ? open_root(reader, event, e) : take_leaf(reader, event, e);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return reader->depth == 0 ? open_root(reader, event, e) : take_start(reader, event, e);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return take_end(reader, event, e);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return 0;
    }
    return 0;
}

static int parse_all(struct reader *reader, struct err *e)
{
    bool ended = false;
    while (!ended) {
        yaml_event_t event;
        if (yaml_parser_parse(&reader->parser, &event) == 0) {
            const char *why = reader->parser.problem;
            return refuse(&reader->parser.problem_mark, why == NULL ? "not YAML" : why, e);
        }
        ended = event.type == YAML_STREAM_END_EVENT;
        const int result = take_event(reader, &event, e);
        yaml_event_delete(&event);
        if (result < 0) {
            return -1;
        }
    }
    return reader->has_root ? 0 : err_set(e, ERR_CONFIG, "no keys and values in it");
}

/* A UTF-16 mark would have libyaml count other bytes than ours. */
static bool is_utf16(struct slice text)
{
    return text.size >= 2 &&
           (memcmp(text.data, "\xFF\xFE", 2) == 0 || memcmp(text.data, "\xFE\xFF", 2) == 0);
}

int yaml_entries_read(struct slice text, struct yaml_entries *ret, struct err *e)
{
    if (text.size > YAML_TEXT_MAX) {
        return err_set(e, ERR_LIMIT, "longer than %d bytes", YAML_TEXT_MAX);
    }
    if (is_utf16(text)) {
        return err_set(e, ERR_CONFIG, "not in UTF-8");
    }
    struct reader reader = {.text = text, .content = BUF_INIT(CONTENT_MAX)};
    const size_t bom =
        text.size >= BOM_SIZE && memcmp(text.data, BOM, BOM_SIZE) == 0 ? BOM_SIZE : 0;
    reader.text = slice_of(text.data + bom, text.size - bom);
    const int made = yaml_parser_initialize(&reader.parser);
    ASSERT(made == 1); /* fails without memory only */
    yaml_parser_set_input_string(&reader.parser, reader.text.data, reader.text.size);
    const int result = parse_all(&reader, e);
    yaml_parser_delete(&reader.parser);
    buf_done(&reader.content);
    if (result < 0) {
        yaml_entries_done(&reader.entries);
        return -1;
    }
    for (size_t i = 0; i < reader.entries.count; i++) {
        reader.entries.items[i].from += bom;
        reader.entries.items[i].to += bom;
    }
    reader.entries.inside += bom;
    reader.entries.end += bom;
    ASSERT(reader.entries.end <= text.size);
    *ret = reader.entries;
    return 0;
}

void yaml_entries_done(struct yaml_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        free(entries->items[i].key);
        buf_done(&entries->items[i].content);
        free(entries->items[i].value);
    }
    free(entries->items);
    *entries = (struct yaml_entries){0};
}

bool yaml_entries_equal(const struct yaml_entry *a, const struct yaml_entry *b)
{
    return a->content.size == b->content.size &&
           memcmp(buf_str(&a->content), buf_str(&b->content), a->content.size) == 0;
}

size_t yaml_entries_find(const struct yaml_entries *entries, const char *key,
                         const struct yaml_entry **ret)
{
    size_t found = 0;
    for (size_t i = 0; i < entries->count; i++) {
        const struct yaml_entry *entry = &entries->items[i];
        if (entry->key != NULL && strcmp(entry->key, key) == 0) {
            *ret = found == 0 ? entry : *ret;
            found++;
        }
    }
    return found;
}
