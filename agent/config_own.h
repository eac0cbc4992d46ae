/*
 * config_own: what config asks of the machine it runs on, and the memory of its strings.
 */
#ifndef PENATES_CONFIG_OWN_H
#define PENATES_CONFIG_OWN_H

#include "agent/base/mem.h"
#include "agent/config.h"

/* The strings of a config and the lists of them. */
struct config_memory {
    struct arena *strings;
    char **texts; /* writable copies, cut into the entries of lists */
    size_t text_count;
};

/* A writable copy that lives as long as the config. */
char *config_own_text(struct config *config, const char *text);

/* "USER", "USER:GROUP", numbers for either. A user alone brings its primary group. False: *ret_why
 * is a literal. */
bool config_find_owner(const char *text, uid_t *ret_owner, gid_t *ret_group, const char **ret_why);

/* Whose `path` is, or the nearest directory above it that is there. False: it cannot be told, or is
 * root's. */
bool config_owner_of(const char *path, uid_t *ret_owner, gid_t *ret_group);

/* Cores that this process may run on, at least 1. */
unsigned config_cores(void);

/* clamp(ram / 8, 64 MiB, 4 GiB). */
uint64_t config_memory_for(uint64_t ram);

/* The limit in the text of a cgroup file; UINT64_MAX for "max" and what is not a number. */
uint64_t config_cgroup_limit(const char *text);

#endif
