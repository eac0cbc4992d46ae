/*
 * config_values: the text of an option to its field of struct config. Every failure names the
 * option as the operator wrote it, whichever source it came from.
 */
#ifndef PENATES_CONFIG_VALUES_H
#define PENATES_CONFIG_VALUES_H

#include "agent/option_bag.h"

/* Sets config's field for one option that the bag holds. Strings are borrowed from the bag's arena;
 * arrays of name lists are the config's. ERR_CONFIG. */
int config_take_value(struct config *config, enum option_id id, const struct option_bag *bag,
                      struct err *e) MUST_CHECK;

#endif
