#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/json_write.h"
#include "agent/target_internal.h"
#include <string.h>

static void put_node(struct json *json, const struct plan_node *node)
{
    json_open_object(json, NULL);
    json_string(json, "cluster", node->cluster);
    json_string(json, "token", node->token);
    json_string(json, "manifest", node->manifest_key);
    json_string(json, "manifest_etag", node->manifest_etag);
    json_time(json, "snapshot", node->snapshot_ms);
    json_time(json, "newest", node->newest_ms);
    json_time(json, "until", node->until_ms);
    json_close(json);
}

/* How every stamp of this restore starts: format and identity. */
static void put_head(struct json *json, const struct target *target)
{
    json_open_object(json, NULL);
    json_u64(json, "format", TARGET_FORMAT);
    json_string(json, "restore", target->identity);
}

static void put_stamp(struct json *json, const struct target *target, const struct plan *plan)
{
    uint64_t plain_bytes = 0;
    for (uint32_t i = 0; i < target->file_count; i++) {
        plain_bytes += target->files[i].plain_size;
    }
    put_head(json, target);
    json_string(json, "plan", plan->id);
    json_time(json, "finished", clock_wall_ms());
    json_u64(json, "files", plan->file_count);
    json_u64(json, "bytes", plain_bytes);
    json_open_array(json, "nodes");
    for (uint32_t i = 0; i < plan->node_count; i++) {
        put_node(json, &plan->nodes[i]);
    }
    json_close(json);
    json_close(json);
    json_end(json);
}

/* As JSON; `plan` NULL: the head only. Freed by the caller. */
static char *compose(const struct target *target, const struct plan *plan)
{
    struct mem_file mem;
    struct json json = JSON_INIT(mem_file_open(&mem), false);
    if (plan == NULL) {
        put_head(&json, target);
    } else {
        put_stamp(&json, target, plan);
    }
    return mem_file_close(&mem);
}

char *stamp_of_history(const struct target *target)
{
    struct mem_file mem;
    struct json json = JSON_INIT(mem_file_open(&mem), false);
    put_head(&json, target);
    json_time(&json, "finished", clock_wall_ms());
    json_string(&json, "target", target->dirs[0].path);
    json_close(&json);
    json_end(&json);
    return mem_file_close(&mem);
}

bool stamp_is_of(const struct target *target, const char *stamp)
{
    autofree char *head = compose(target, NULL);
    const size_t size = strlen(head);
    return strncmp(stamp, head, size) == 0 && stamp[size] == ',';
}

int stamp_look(const struct target *target, char **ret_other, struct err *e)
{
    const struct target_dir *const dir = &target->dirs[0];
    autobuf struct buf stamp = BUF_INIT(TARGET_STAMP_MAX);
    *ret_other = NULL;
    const int there = target_dir_read(dir, "restored", &stamp, e);
    if (there <= 0) {
        return there;
    }
    if (stamp_is_of(target, buf_str(&stamp))) {
        return 1;
    }
    /* Its identity, as it stands there: the words between the quotes of "restore". */
    const char *const name = strstr(buf_str(&stamp), "\"restore\":\"");
    const char *const words = name == NULL ? "" : name + strlen("\"restore\":\"");
    (void)err_set(e, ERR_REFUSED, "target '%s': holds another restore, finished: %.*s", dir->path,
                  (int)strcspn(words, "\""), words);
    *ret_other = xstrdup(buf_str(&stamp));
    return err_hint(e, "choose another directory, or, to add to this one, move its .penates away");
}

int stamp_write(const struct target *target, const struct plan *plan, struct err *e)
{
    autofree char *text = compose(target, plan);
    if (strlen(text) >= TARGET_STAMP_MAX) {
        return err_set(e, ERR_LIMIT, "target '%s': more nodes than fit into a stamp of %d bytes",
                       target->dirs[0].path, TARGET_STAMP_MAX);
    }
    return target_dir_write(&target->dirs[0], "restored", text, target->config, e);
}

int target_after_read(const struct target *target, struct buf *out, struct err *e)
{
    autofree char *name = target_own(target, "after");
    return target_dir_read(&target->dirs[0], name, out, e) < 0 ? -1 : 0;
}

int target_after_write(const struct target *target, const char *text, struct err *e)
{
    autofree char *name = target_own(target, "after");
    return target_dir_write(&target->dirs[0], name, text, target->config, e);
}
