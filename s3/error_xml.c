#include "s3/error_xml.h"

#include <string.h>

#include "agent/base/err.h"
#include "s3/xml.h"

struct reading {
    bool is_wrapped; /* in <ErrorResponse>, as STS sends it */
    bool is_inside;  /* of <Error>, now */
    struct error_xml found;
};

static void on_begin(void *ctx, const char *name, unsigned depth)
{
    struct reading *reading = ctx;
    if (depth == 0 && strcmp(name, "ErrorResponse") == 0) {
        reading->is_wrapped = true;
    } else if (depth == (reading->is_wrapped ? 1 : 0)) {
        reading->is_inside = strcmp(name, "Error") == 0;
    }
}

static void copy_cut(const struct buf *text, char *ret, size_t ret_size)
{
    const size_t size = text->size < ret_size ? text->size : ret_size - 1;
    memcpy(ret, buf_str(text), size);
    ret[size] = '\0';
}

static int on_end(void *ctx, const char *name, unsigned depth, const struct buf *text,
                  struct err *e)
{
    (void)e;
    struct reading *reading = ctx;
    if (!reading->is_inside || depth != (reading->is_wrapped ? 2 : 1)) {
        return 0;
    }
    if (strcmp(name, "Code") == 0) {
        copy_cut(text, reading->found.code, sizeof(reading->found.code));
    } else if (strcmp(name, "Message") == 0) {
        copy_cut(text, reading->found.message, sizeof(reading->found.message));
    } else if (strcmp(name, "Region") == 0) {
        copy_cut(text, reading->found.region, sizeof(reading->found.region));
    } else if (strcmp(name, "Endpoint") == 0) {
        copy_cut(text, reading->found.endpoint, sizeof(reading->found.endpoint));
    }
    return 0;
}

bool error_xml_parse(struct slice body, struct error_xml *ret)
{
    static const struct xml_events EVENTS = {.begin = on_begin, .end = on_end};
    ASSERT(body.size <= ERROR_XML_MAX);
    struct reading reading = {.is_wrapped = false};
    struct err why = ERR_INIT;
    /* A body that breaks off after its <Code> has said enough. */
    const bool whole = xml_walk(body, &EVENTS, &reading, &why) == 0;
    if (!whole && why.kind == ERR_LIMIT) {
        return false;
    }
    if (reading.found.code[0] == '\0') {
        return false;
    }
    *ret = reading.found;
    return true;
}
