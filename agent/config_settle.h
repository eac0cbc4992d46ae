/*
 * config_settle: what several sources say that does not go together. The stronger source counts;
 * from one and the same it is a mistake. One thread.
 */
#ifndef PENATES_CONFIG_SETTLE_H
#define PENATES_CONFIG_SETTLE_H

#include "agent/option_bag.h"

/*
 * The configuration of a ring's node says what its boot restores. Who names a SOURCE or a plan
 * wants something else, by hand: what weaker sources say of the boot is forgotten. Returns where
 * they said it, which lives as long as the config; NULL: nothing is forgotten.
 */
const char *config_settle_boot(const struct config *config, struct option_bag *bag);

/* Selections, targets and saved plans; reads the saved plan. ERR_CONFIG names both sides. */
int config_settle(struct config *config, struct option_bag *bag, struct err *e) MUST_CHECK;

#endif
