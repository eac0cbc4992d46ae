#include "agent/node_setup.h"

#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/mem.h"

void node_setup_done(struct node_setup *setup)
{
    stale_done(&setup->stale);
    apply_yaml_done(&setup->applied);
}

static int one_token(const struct config *config, const struct plan *plan, const char **ret,
                     struct err *e)
{
    const size_t count = plan != NULL ? plan->node_count : config->selection.pin_count;
    if (count == 0) {
        (void)err_set(e, ERR_CONFIG,
                      "--apply-yaml: the journal of the restore is gone, and with "
                      "it the token");
        return err_hint(e, "write initial_token, num_tokens: 1 and auto_bootstrap: false by hand");
    }
    if (count > 1) {
        (void)err_set(e, ERR_CONFIG, "--apply-yaml: a node has one token, and %zu are chosen",
                      count);
        return err_hint(e, "choose one with --token");
    }
    *ret = plan != NULL ? plan->nodes[0].token : config->selection.pins[0].token;
    return 0;
}

/* True when every table goes into a node that has others: its commit logs are its own, also those
 * of tables that are none of ours, and it may be running on them. */
static bool node_lives(const struct plan *plan)
{
    bool lives = plan->table_count > 0;
    for (uint32_t i = 0; i < plan->table_count; i++) {
        lives = lives && plan_is_staged(&plan->tables[i]);
    }
    return lives;
}

static bool replaces_any(const struct plan *plan)
{
    bool any = false;
    for (uint32_t i = 0; i < plan->table_count; i++) {
        any = any || plan->tables[i].replace;
    }
    return any;
}

static int find_stale(struct node_setup *setup, const struct config *config, struct err *e)
{
    autobuf struct buf yaml = BUF_INIT(YAML_TEXT_MAX);
    if (config->apply_yaml != NULL && apply_yaml_read(config->apply_yaml, &yaml, e) < 0) {
        return -1;
    }
    stale_done(&setup->stale);
    return stale_find(config->targets, config->target_count,
                      config->apply_yaml == NULL ? NULL : &yaml, &setup->stale, e);
}

static int judge_live(const struct config *config, const struct plan *plan, const char *text,
                      struct err *e)
{
    if (config->set_aside_stale) {
        (void)err_set(e, ERR_REFUSED, "--set-aside-stale: these belong to a node that lives: %s",
                      text);
        return err_hint(e, "leave it out; 'nodetool drain' before a node is stopped writes all "
                           "that they hold");
    }
    if (replaces_any(plan)) {
        log_warn("Cassandra replays these over the replaced tables, too: %s; 'nodetool drain' "
                 "before it is stopped leaves none that count",
                 text);
    }
    return 0;
}

static int judge_stale(const struct node_setup *setup, const struct config *config,
                       const struct plan *plan, struct err *e)
{
    char text[STALE_TEXT_SIZE];
    if (setup->stale.count == 0) {
        return 0;
    }
    (void)stale_text(&setup->stale, text);
    if (node_lives(plan)) {
        return judge_live(config, plan, text, e);
    }
    if (config->set_aside_stale) {
        log_info("of an earlier life of the node, to be set aside: %s", text);
        return 0;
    }
    (void)err_set(e, ERR_REFUSED, "an earlier life of the node would come back: %s", text);
    return err_hint(e, "add --set-aside-stale to have them moved aside, or move them away; nothing "
                       "was touched");
}

/* What Cassandra goes by when the key is absent is a name, too. */
static int read_name(const char *path, const char *token, char **ret, bool *ret_has_token,
                     struct err *e)
{
    autobuf struct buf yaml = BUF_INIT(YAML_TEXT_MAX);
    autofree char *old = NULL;
    if (apply_yaml_read(path, &yaml, e) < 0) {
        return -1;
    }
    const struct slice text = slice_of(yaml.data, yaml.size);
    if (cassandra_yaml_value(text, "cluster_name", ret, e) < 0 ||
        cassandra_yaml_value(text, "initial_token", &old, e) < 0) {
        return err_wrap(e, "%s", path);
    }
    *ret = *ret == NULL ? xstrdup("Test Cluster") : *ret;
    *ret_has_token = old != NULL && strcmp(old, token) == 0;
    return 0;
}

/*
 * A ring beside the one that was backed up, of the same name: their nodes would gossip with each
 * other, and its Priam would write into the backups. A single node may well be on its way back into
 * the ring that it was lost from. `done`: all is in place, and a file that has the token has been
 * judged before it got it; later boots are not refused for what nobody changed.
 */
static int judge_name(const struct config *config, const char *cluster, const char *token,
                      bool done, struct err *e)
{
    autofree char *name = NULL;
    bool has_token = false;
    ASSERT(token != NULL);
    if (read_name(config->apply_yaml, token, &name, &has_token, e) < 0) {
        return -1;
    }
    if (config->allow_same_cluster_name || cluster == NULL || strcmp(name, cluster) != 0 ||
        (done && has_token)) {
        return 0;
    }
    if (config->chosen == NULL) {
        log_warn("%s: cluster_name is that of the backup, '%s': right for a node that comes back "
                 "to its ring, wrong for a copy of it",
                 config->apply_yaml, name);
        return 0;
    }
    (void)err_set(
        e, ERR_REFUSED,
        "%s: cluster_name is that of the backup, '%s': the new ring would gossip with the "
        "old one, and its Priam would write into the backup",
        config->apply_yaml, name);
    return err_hint(e, "give the new ring another name, or, where the old one is gone for good, "
                       "add --allow-same-cluster-name");
}

int node_setup_check(struct node_setup *setup, const struct config *config, const struct plan *plan,
                     struct err *e)
{
    if (config->layout == LAYOUT_LOADER) {
        return 0;
    }
    const char *token = NULL;
    if (config->apply_yaml != NULL &&
        (one_token(config, plan, &token, e) < 0 ||
         apply_yaml_check(config->apply_yaml, token, e) < 0 ||
         judge_name(config, plan->nodes[0].cluster, token, false, e) < 0)) {
        return -1;
    }
    return find_stale(setup, config, e) < 0 ? -1 : judge_stale(setup, config, plan, e);
}

int node_setup_begin(struct node_setup *setup, const struct config *config, struct err *e)
{
    return config->set_aside_stale ? stale_set_aside(&setup->stale, clock_wall_ms(), e) : 0;
}

int node_setup_finish(struct node_setup *setup, const struct config *config,
                      const struct plan *plan, struct err *e)
{
    if (config->apply_yaml == NULL) {
        return 0;
    }
    ASSERT(config->layout == LAYOUT_DATA && setup->applied.file == NULL);
    const char *token = NULL;
    if (one_token(config, plan, &token, e) < 0 ||
        (plan == NULL && judge_name(config, config->selection.cluster, token, true, e) < 0)) {
        return -1;
    }
    return apply_yaml_write(config->apply_yaml, token, &setup->applied, e);
}
