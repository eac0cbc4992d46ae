/* report_added: tables that are added to those of the target, for the eyes and as JSON; see
 * report.h.
 */
#include "agent/report.h"

#include <inttypes.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/plan_print.h"
#include "agent/report_internal.h"
#include "agent/sstable_name.h"

/* "mc-5-big" of "mc-5-big-Data.db". */
static char *prefix_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    const char *dash = strrchr(name, '-');
    return xstrndup(name, dash == NULL ? strlen(name) : (size_t)(dash - name));
}

static void put_renumbered(struct json *json, const struct target *target, const struct plan *plan,
                           uint32_t table)
{
    autobuf struct buf place = BUF_INIT(PLAN_PATH_SIZE_MAX + PLAN_PATH_SIZE_MAX);
    json_open_array(json, "renumbered");
    for (uint32_t i = 0; i < plan->sstable_count; i++) {
        const struct plan_file *file = &plan->files[plan->sstables[i].first];
        if (file->table != table) {
            continue;
        }
        target_place(target, plan, plan->sstables[i].first, &place);
        autofree char *from = prefix_of(file->target_name);
        autofree char *to = prefix_of(buf_str(&place));
        if (strcmp(from, to) != 0) {
            json_open_object(json, NULL);
            json_string(json, "from", from);
            json_string(json, "to", to);
            json_close(json);
        }
    }
    json_close(json);
}

void report_put_added(struct json *json, const struct target *target, const struct plan *plan)
{
    json_open_array(json, "added");
    for (uint32_t i = 0; i < plan->table_count; i++) {
        struct target_added added;
        if (!target_added(target, i, &added)) {
            continue;
        }
        json_open_object(json, NULL);
        json_string(json, "keyspace", plan->tables[i].as_keyspace);
        json_string(json, "table", plan->tables[i].as_table);
        json_string(json, "folder", added.folder);
        json_bool(json, "running", added.running);
        json_bool(json, "indexed", added.indexed);
        put_renumbered(json, target, plan, i);
        json_close(json);
    }
    json_close(json);
}

void report_log_added(const struct target *target, const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->table_count; i++) {
        const struct plan_table *table = &plan->tables[i];
        struct target_added added;
        if (!target_added(target, i, &added)) {
            continue;
        }
        log_info("%s.%s: added to what is in %s", table->keyspace, table->table, added.folder);
        if (added.renumbered > 0) {
            log_warn("%s.%s: %" PRIu32 " SSTables get new numbers: %s", table->as_keyspace,
                     table->as_table, added.renumbered,
                     added.running      ? "Cassandra is running, and may use theirs"
                     : added.unfinished ? "logs that a killed Cassandra left there may name theirs"
                                        : "theirs are taken there");
        }
    }
}

void report_log_added_next(const struct target *target, const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->table_count; i++) {
        const struct plan_table *table = &plan->tables[i];
        struct target_added added;
        if (!target_added(target, i, &added)) {
            continue;
        }
        if (added.running) {
            log_info(
                "next: run 'nodetool refresh %s %s' on this node: it loads the new SSTables and "
                "builds their indexes",
                table->as_keyspace, table->as_table);
        } else {
            log_info("next: start Cassandra, which then reads %s.%s%s", table->as_keyspace,
                     table->as_table,
                     added.indexed ? "; build its indexes with 'nodetool rebuild_index', for they "
                                     "lack the new rows"
                                   : "");
        }
    }
}
