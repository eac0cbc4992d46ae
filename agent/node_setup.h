/*
 * node_setup: what a restore does for the node around its data: files of an earlier life out of the
 * way, cassandra.yaml with the node's token. Nothing of it for --layout loader, which has no node.
 * One thread.
 */
#ifndef PENATES_NODE_SETUP_H
#define PENATES_NODE_SETUP_H

#include "agent/apply_yaml.h"
#include "agent/plan.h"
#include "agent/stale.h"

struct node_setup {
    struct stale stale;        /* found by the check; set aside when its folders say where to */
    struct apply_yaml applied; /* `file` NULL: cassandra.yaml was left alone */
};
void node_setup_done(struct node_setup *setup);

/*
 * Preflight; writes nothing. ERR_REFUSED: stale files are in the way and --set-aside-stale is off
 * (when all tables go into a node that lives, they are its own: no more than a warning, and
 * --set-aside-stale is what is refused). ERR_CONFIG and
 * ERR_CREATE: --apply-yaml cannot be done. ERR_REFUSED too: a node of a ring whose cassandra.yaml
 * has the cluster_name of the backup, without --allow-same-cluster-name (deploy spec, 7.4).
 */
int node_setup_check(struct node_setup *setup, const struct config *config, const struct plan *plan,
                     struct err *e) MUST_CHECK;

/* Sets aside what the check has found, if that is wanted. */
int node_setup_begin(struct node_setup *setup, const struct config *config,
                     struct err *e) MUST_CHECK;

/* Writes --apply-yaml, if given. `plan` NULL: restored by an earlier run; its token is among the
 * selection's pins, and ERR_REFUSED is as above unless the file has been written already. */
int node_setup_finish(struct node_setup *setup, const struct config *config,
                      const struct plan *plan, struct err *e) MUST_CHECK;

#endif
