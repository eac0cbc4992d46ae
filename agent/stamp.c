#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/base/parse.h"
#include "agent/target_internal.h"
#include <inttypes.h>
#include <string.h>

/* As a JSON string. Other bytes go as they are: names in a backup are UTF-8. */
static bool append_json(struct buf *out, const char *text)
{
    bool fits = buf_append_char(out, '"');
    for (; *text != '\0' && fits; text++) {
        const uint8_t byte = (uint8_t)*text;
        if (byte < ' ' || byte == '"' || byte == '\\' || byte == 0x7f) {
            fits = buf_appendf(out, "\\u%04x", byte);
        } else {
            fits = buf_append_char(out, *text);
        }
    }
    return fits && buf_append_char(out, '"');
}

/* How every stamp of this restore starts: format and identity. */
static bool append_head(struct buf *out, const struct target *target)
{
    return buf_appendf(out, "{\"format\":%d,\"restore\":", TARGET_FORMAT) &&
           append_json(out, target->identity) && buf_append_char(out, ',');
}

static bool append_time(struct buf *out, int64_t ms)
{
    char text[TIME_TEXT_SIZE];
    return append_json(out, format_time(ms, text));
}

static bool append_node(struct buf *out, const struct plan_node *node)
{
    return buf_append_str(out, "{\"cluster\":") && append_json(out, node->cluster) &&
           buf_append_str(out, ",\"token\":") && append_json(out, node->token) &&
           buf_append_str(out, ",\"manifest\":") && append_json(out, node->manifest_key) &&
           buf_append_str(out, ",\"manifest_etag\":") && append_json(out, node->manifest_etag) &&
           buf_append_str(out, ",\"snapshot\":") && append_time(out, node->snapshot_ms) &&
           buf_append_str(out, ",\"newest\":") && append_time(out, node->newest_ms) &&
           buf_append_str(out, ",\"until\":") && append_time(out, node->until_ms) &&
           buf_append_char(out, '}');
}

int stamp_look(const struct target *target, struct err *e)
{
    const struct target_dir *const dir = &target->dirs[0];
    autobuf struct buf head = BUF_INIT(TARGET_STAMP_MAX), stamp = BUF_INIT(TARGET_STAMP_MAX);
    const int there = target_dir_read(dir, "restored", &stamp, e);
    if (there <= 0) {
        return there;
    }
    const bool fits = append_head(&head, target);
    ASSERT(fits); /* the identity is bounded */
    if (strncmp(buf_str(&stamp), buf_str(&head), head.size) == 0) {
        return 1;
    }
    /* Its identity, as it stands there: the words between the quotes of "restore". */
    const char *const name = strstr(buf_str(&stamp), "\"restore\":\"");
    const char *const words = name == NULL ? "" : name + strlen("\"restore\":\"");
    (void)err_set(e, ERR_REFUSED, "target '%s': holds another restore, finished: %.*s", dir->path,
                  (int)strcspn(words, "\""), words);
    return err_hint(e, "choose another directory, or move it away");
}

int stamp_write(const struct target *target, const struct plan *plan, struct err *e)
{
    autobuf struct buf out = BUF_INIT(TARGET_STAMP_MAX);
    uint64_t plain_bytes = 0;
    for (uint32_t i = 0; i < target->file_count; i++) {
        plain_bytes += target->files[i].plain_size;
    }
    bool fits = append_head(&out, target) && buf_append_str(&out, "\"plan\":") &&
                append_json(&out, plan->id) && buf_append_str(&out, ",\"finished\":") &&
                append_time(&out, clock_wall_ms()) &&
                buf_appendf(&out, ",\"files\":%" PRIu32 ",\"bytes\":%" PRIu64 ",\"nodes\":[",
                            plan->file_count, plain_bytes);
    for (uint32_t i = 0; i < plan->node_count && fits; i++) {
        fits = (i == 0 || buf_append_char(&out, ',')) && append_node(&out, &plan->nodes[i]);
    }
    fits = fits && buf_append_str(&out, "]}\n");
    if (!fits) {
        return err_set(e, ERR_LIMIT, "target '%s': more nodes than fit into a stamp of %d bytes",
                       target->dirs[0].path, TARGET_STAMP_MAX);
    }
    return target_dir_write(&target->dirs[0], "restored", buf_str(&out), target->config, e);
}
