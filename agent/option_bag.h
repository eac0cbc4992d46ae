/*
 * option_bag: what was said for each option, and by whom, before anybody looks at what it means.
 *
 *     argv ─▶ saved plan ─▶ PENATES_* ─▶ configuration file ─▶ Priam's properties
 *
 * The sources are read in this order, the strongest first, so a source adds only what no earlier
 * one said. A list option's values all come from one source. One thread.
 */
#ifndef PENATES_OPTION_BAG_H
#define PENATES_OPTION_BAG_H

#include "agent/base/buf.h"
#include "agent/base/mem.h"
#include "agent/options.h"

/* Strongest first. */
enum option_rank { RANK_FLAG, RANK_PLAN, RANK_ENVIRONMENT, RANK_FILE, RANK_PRIAM };

struct option_value {
    const char *text; /* "true" or "false" for a flag */
    const char
        *origin; /* "--memory", "PENATES_MEMORY", "FILE line 3: memory": names it in errors */
};

struct option_values {
    struct option_value *items;
    size_t count;
    enum option_rank rank; /* of all of them */
};

enum { OPTION_WORDS_MAX = 2 };

struct option_bag {
    struct option_values values[OPTION_COUNT];
    const char *words[OPTION_WORDS_MAX]; /* the command's arguments beside options */
    unsigned word_count;
    bool has_weaker;       /* what flags leave to be said has been read */
    const char *source;    /* SOURCE as a saved plan or Priam's properties say, NULL: they do not */
    struct arena *strings; /* where texts and origins live; borrowed */
};

void option_bag_done(struct option_bag *bag);

/* Copies both strings. Does nothing when a stronger source has spoken about the option already. */
void option_bag_add(struct option_bag *bag, enum option_id id, enum option_rank rank,
                    const char *text, const char *origin);

/* The last value said, NULL: none. */
const struct option_value *option_bag_last(const struct option_bag *bag, enum option_id id);

/* Forgets an option. */
void option_bag_drop(struct option_bag *bag, enum option_id id);

/*
 * argv: `penates [options] COMMAND [options] [words]`. Sets *ret_command; ERR_CONFIG names what is
 * wrong first, and the nearest name that exists. What is good is in the bag all the same, and
 * *ret_command is set where there is one.
 */
int option_bag_read_args(struct option_bag *bag, int argc, char **argv, enum command *ret_command,
                         struct err *e) MUST_CHECK;

/* PENATES_* of `environment` (as environ). An unknown one is a warning: it may be meant for
 * somebody else. */
void option_bag_read_environment(struct option_bag *bag, char **environment);

/* Lines `option = value`, `#` comments. ERR_CONFIG names file, line and the nearest option; lines
 * that are good are in the bag all the same. */
int option_bag_read_file(struct option_bag *bag, const char *path, struct err *e) MUST_CHECK;

/* Priam's properties; see priam_properties.c for the ones that mean something here. */
int option_bag_read_priam(struct option_bag *bag, const char *path, struct err *e) MUST_CHECK;

/* A whole file of configuration into `ret`, which was made with its maximum. ERR_CONFIG. */
int config_read_text(const char *path, struct buf *ret, struct err *e) MUST_CHECK;
enum { CONFIG_FILE_SIZE_MAX = 1 << 20 }; /* a megabyte of options is a mistaken file name */

#endif
